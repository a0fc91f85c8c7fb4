// relc dump: the IR at any stage, as text.
import { join } from 'node:path';
import { requestFor } from '../../api/compile.js';
import { trace } from '../../api/model.js';
import {
  type Compiled,
  canonical,
  compileExplanation,
  dialectWith,
  printStage,
  type StageName,
  stageNames,
} from '../../api/pipeline.js';
import type { Graph } from '../../ir/graph.js';
import type { PrintOptions } from '../../ir/print.js';
import { expectedCauses } from '../../rules/account.js';
import { type RuleTable, ruleTable } from '../../rules/rules.js';
import { type Command, usageError } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { write } from '../files.js';
import { openModel, startTfjs } from '../model.js';

/** The stages asked for: one, or all. */
function stagesAsked(after: string | undefined, withRules: boolean): readonly StageName[] {
  const reachable = withRules ? stageNames : stageNames.slice(0, 2);
  if (after === undefined) return [reachable.at(-1)!];
  if (after === 'all') return reachable;
  if (reachable.includes(after as StageName)) return [after as StageName];
  const reason = stageNames.includes(after as StageName) ? 'needs --rules NAME' : 'is no stage';
  throw usageError(`--after ${after} ${reason}; stages: ${stageNames.join(', ')}, all`, dumpCommand);
}

/** Stages whose graphs have rule lines. */
const ruledStages: ReadonlySet<StageName> = new Set(['relevance', 'specialize']);

/** `leaks: biases, ε` for each rule line. */
function leakNotes(graph: Graph, { flow, rules }: Compiled): PrintOptions {
  const expected = expectedCauses(graph, dialectWith(rules), flow, rules);
  return {
    note({ name }) {
      if (!expected.has(name)) return undefined;
      const causes = expected.get(name);
      if (causes === undefined) return 'leaks: no formula';
      return `leaks: ${causes.length === 0 ? 'none' : causes.join(', ')}`;
    },
  };
}

export const dumpCommand: Command = {
  name: 'dump',
  positionals: ['MODEL'],
  summary: 'print the graph of a model, or of its explainer, at any stage',
  description: `Without --rules the forward graph, with them the graph of forward and relevance. The text is what relc
reads again as .relc; the graph of each custom rule stands after that of the stage. Stages:
${stageNames.join(', ')}.`,
  options: {
    ...explanationOptions,
    rules: {
      ...explanationOptions.rules,
      help: 'a preset, or a file of rules: dump the explainer, not only the model',
    },
    after: {
      type: 'string',
      short: 'a',
      value: 'STAGE',
      help: 'the stage to print, or all (default: the last)',
    },
    dir: {
      type: 'string',
      short: 'd',
      value: 'DIR',
      help: 'write NN-stage.relc files there instead of printing',
    },
    leaks: {
      type: 'boolean',
      help: 'append to each rule line what it may lose relevance to: biases, ε, … (relevance, specialize)',
    },
    locs: { type: 'boolean', help: 'append the layer and call site of each node' },
  },
  examples: [
    'relc dump model/model.json',
    'relc dump model/model.json --rules epsilon-plus --after relevance --locs',
    'relc dump model/model.json --rules epsilon-plus --after relevance --leaks',
    'relc dump model/model.json --rules epsilon --after all --dir dumps',
  ],
  async run(given, terminal) {
    const rules = given.text('rules');
    const asked = stagesAsked(given.text('after'), rules !== undefined);
    if (given.flag('leaks') && !asked.some((stage) => ruledStages.has(stage))) {
      throw usageError('--leaks is for stages with rule lines: --rules NAME --after relevance', dumpCommand);
    }
    await startTfjs();
    const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
    const forward = canonical(await trace(model, options));
    let stages: ReadonlyMap<StageName, Graph> = forward.stages;
    let notesOn: (graph: Graph) => PrintOptions = () => ({});
    let table: RuleTable = ruleTable;
    if (rules !== undefined) {
      const request = requestFor(await explanationOptionsOf(given, manifest));
      const compiled = compileExplanation(forward, request);
      for (const note of compiled.notes) terminal.err(`note: ${note}`);
      stages = compiled.stages;
      if (given.flag('leaks')) notesOn = (graph) => leakNotes(graph, compiled);
      table = compiled.rules;
    }
    const directory = given.text('dir');
    let previous = '';
    for (const name of asked) {
      const graph = stages.get(name)!;
      const text = printStage(graph, table, { locs: given.flag('locs'), ...notesOn(graph) });
      if (text === previous) {
        terminal.err(`${name} changed nothing`);
        continue;
      }
      previous = text;
      if (directory === undefined)
        terminal.out(asked.length > 1 ? `// after ${name}\n${text}` : text.trimEnd());
      else {
        const number = String(stageNames.indexOf(name)).padStart(2, '0');
        const path = join(directory, `${number}-${name}.relc`);
        await write(path, text);
        terminal.err(`wrote ${path}`);
      }
    }
  },
};
