// relc dump: the IR at any stage, as text.
import { join } from 'node:path';
import { requestFor } from '../../api/compile.js';
import {
  type KernelListing,
  type KernelStageName,
  kernelStageNames,
  listKernels,
} from '../../api/kernels.js';
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
import { type Graph, nodesWithOp } from '../../ir/graph.js';
import type { Program } from '../../ir/passes/pass.js';
import type { PrintOptions } from '../../ir/print.js';
import { isBatched } from '../../ir/type.js';
import { expectedCauses } from '../../rules/account.js';
import { type RuleTable, ruleTable } from '../../rules/rules.js';
import { type Arguments, type Command, usageError } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { write } from '../files.js';
import { openModel, startTfjs } from '../model.js';
import type { Terminal } from '../terminal.js';

/** Every stage, in order: of graphs, then of kernels. */
const allStages = [...stageNames, ...kernelStageNames] as const;
type AnyStage = (typeof allStages)[number];

const isKernelStage = (name: AnyStage): name is KernelStageName =>
  kernelStageNames.includes(name as KernelStageName);

/** The stages asked for: one, or all. */
function stagesAsked(after: string | undefined, withRules: boolean): readonly AnyStage[] {
  const graphs = withRules ? stageNames : stageNames.slice(0, 2);
  const reachable: readonly AnyStage[] = [...graphs, ...kernelStageNames];
  if (after === undefined) return [graphs.at(-1)!];
  if (after === 'all') return reachable;
  if (reachable.includes(after as AnyStage)) return [after as AnyStage];
  const reason = allStages.includes(after as AnyStage) ? 'needs --rules NAME' : 'is no stage';
  throw usageError(`--after ${after} ${reason}; stages: ${allStages.join(', ')}, all`, dumpCommand);
}

/** The samples that kernels are made for. */
function batchAsked(text: string | undefined, asked: readonly AnyStage[]): number {
  if (text === undefined) return 1;
  if (!asked.some(isKernelStage)) {
    throw usageError(`--batch is for the stages ${kernelStageNames.join(' and ')}`, dumpCommand);
  }
  if (!/^[1-9]\d*$/.test(text)) {
    throw usageError(`--batch ${text} is no number of samples: write it like --batch 8`, dumpCommand);
  }
  return Number(text);
}

/** Stages whose graphs have rule lines. */
const ruledStages: ReadonlySet<AnyStage> = new Set(['relevance', 'specialize']);

/** `leaks: biases, ε` for each rule line. */
function leakNotes(graph: Graph, { flow, rules }: Compiled): PrintOptions {
  const expected = flow === undefined ? new Map() : expectedCauses(graph, dialectWith(rules), flow, rules);
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
  summary: 'print the graph of a model, or of its explainer, at any stage, or its kernels',
  description: `Without --rules the forward graph, with them the graph of forward and relevance. The text is what relc
reads again as .relc; the graph of each custom rule stands after that of the stage. Stages:
${stageNames.join(', ')}.
Two more are no graphs, and are only printed: ${kernelStageNames[0]}, the kernels that loop-level targets run, and
${kernelStageNames[1]}, their steps and their memory.`,
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
      help: 'write NN-stage.relc files (NN-fuse.txt, NN-plan.txt) there instead of printing',
    },
    batch: {
      type: 'string',
      value: 'N',
      help: 'fuse and plan: how many samples a run takes (default: 1)',
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
    'relc dump model/model.json --rules epsilon-plus --after plan',
  ],
  async run(given, terminal) {
    const rules = given.text('rules');
    const asked = stagesAsked(given.text('after'), rules !== undefined);
    const batch = batchAsked(given.text('batch'), asked);
    if (given.flag('leaks') && !asked.some((stage) => ruledStages.has(stage))) {
      throw usageError('--leaks is for stages with rule lines: --rules NAME --after relevance', dumpCommand);
    }
    const { program, stages, table, notesOn } = await dumpedProgram(given, terminal);
    if (batch > 1) expectBatch(program.graph);
    let kernels: KernelListing | undefined;
    const textOf = (name: AnyStage): string => {
      if (isKernelStage(name)) {
        kernels ??= listKernels(program, batch);
        return kernels.print(name);
      }
      const graph = stages.get(name)!;
      return printStage(graph, table, { locs: given.flag('locs'), ...notesOn(graph) });
    };
    await printStages(asked, textOf, given.text('dir'), terminal);
  },
};

/** What is dumped: the last program, and the graphs on the way to it. */
interface Dumped {
  readonly program: Program;
  readonly stages: ReadonlyMap<StageName, Graph>;
  readonly table: RuleTable;
  readonly notesOn: (graph: Graph) => PrintOptions;
}

/** The model's own program, or where rules are named that of its explainer. */
async function dumpedProgram(given: Arguments, terminal: Terminal): Promise<Dumped> {
  await startTfjs();
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  const forward = canonical(await trace(model, options));
  if (given.text('rules') === undefined) return { ...forward, table: ruleTable, notesOn: () => ({}) };
  const request = requestFor(await explanationOptionsOf(given, manifest));
  const compiled = compileExplanation(forward, request);
  for (const note of compiled.notes) terminal.err(`note: ${note}`);
  const { program, stages, rules: table } = compiled;
  return {
    ...{ program, stages, table },
    notesOn: (graph) => (given.flag('leaks') ? leakNotes(graph, compiled) : {}),
  };
}

/** @throws RelcError RELC5001 where a model takes a fixed number of samples */
function expectBatch(graph: Graph): void {
  if (nodesWithOp(graph, 'input').some(({ type }) => isBatched(type))) return;
  throw usageError('--batch: the model takes a fixed number of samples', dumpCommand);
}

/** Prints stages, or writes a file each; what changed nothing is only named. */
async function printStages(
  asked: readonly AnyStage[],
  textOf: (name: AnyStage) => string,
  directory: string | undefined,
  terminal: Terminal,
): Promise<void> {
  let previous = '';
  for (const name of asked) {
    const text = textOf(name);
    if (text === previous) {
      terminal.err(`${name} changed nothing`);
      continue;
    }
    previous = text;
    if (directory === undefined) {
      terminal.out(asked.length > 1 ? `// after ${name}\n${text}` : text.trimEnd());
      continue;
    }
    const number = String(allStages.indexOf(name)).padStart(2, '0');
    const path = join(directory, `${number}-${name}.${isKernelStage(name) ? 'txt' : 'relc'}`);
    await write(path, text);
    terminal.err(`wrote ${path}`);
  }
}
