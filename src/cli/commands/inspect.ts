// relc inspect: what a model is made of, and the rule that each op gets.
import { requestFor } from '../../api/compile.js';
import { listKernels } from '../../api/kernels.js';
import { trace } from '../../api/model.js';
import { canonical, compileExplanation, dialect } from '../../api/pipeline.js';
import { printBytes } from '../../codegen/kernels/print/layout.js';
import { attentionMatrices } from '../../ir/analyses/attention.js';
import { tokenLayout } from '../../ir/analyses/tokens.js';
import { RelcError } from '../../ir/error.js';
import { activeValues, type Graph, nodesWithOp, printLoc } from '../../ir/graph.js';
import { nearMisses } from '../../ir/passes/canonicalize/raise/raise.js';
import type { Program } from '../../ir/passes/pass.js';
import { elementCount, printShape, printType } from '../../ir/type.js';
import { printChoice } from '../../rules/composite.js';
import { type Costs, costsOf, type LayerCost, printCosts } from '../../rules/costs.js';
import type { ChosenRule } from '../../rules/relevance.js';
import type { Command } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { openModel, startTfjs } from '../model.js';
import { styled, type Terminal, table } from '../terminal.js';

function weightsOf(graph: Graph, args: readonly string[]): number {
  return args.reduce((total, arg) => {
    const node = graph.nodes.get(arg)!;
    return total + (node.op === 'param' ? elementCount(node.type.shape) : 0);
  }, 0);
}

/** Millions of multiply–adds of the forward, and how many times that forward and relevance take together. */
function costCells(cost: LayerCost | undefined): string[] {
  if (cost === undefined) return ['', '', ''];
  const { forward, total, floor } = cost;
  const least = floor === undefined ? '' : (floor / forward).toFixed(2);
  return [(forward / 1e6).toFixed(2), (total / forward).toFixed(2), least];
}

/** One row a computed value: name, op, shape, weights, rule and the line that chose it. */
function nodeTable(graph: Graph, chosen: readonly ChosenRule[], costs: Costs): string {
  const active = activeValues(graph);
  const costOf = new Map(costs.layers.map((layer) => [layer.layer, layer]));
  const lineOf = new Map(chosen.map(({ node, line }) => [node, line]));
  const rows = [...graph.nodes.values()]
    .filter((node) => active.has(node.name))
    .map((node) => {
      const line = lineOf.get(node.name);
      const weights = weightsOf(graph, node.args);
      return [
        `%${node.name}`,
        node.op,
        printShape(node.type.shape),
        weights === 0 ? '' : String(weights),
        ...costCells(costOf.get(node.name)),
        line === undefined ? '' : printChoice(line[2]),
        line?.[0] ?? '',
      ];
    });
  return table([
    ['value', 'op', 'shape', 'weights', 'M mul-adds', '× all', 'floor', 'rule', 'chosen by'],
    ...rows,
  ]);
}

function summary(graph: Graph): string {
  const active = activeValues(graph);
  const counts = new Map<string, number>();
  for (const node of graph.nodes.values()) {
    if (active.has(node.name) && node.op !== 'input') counts.set(node.op, (counts.get(node.op) ?? 0) + 1);
  }
  const params = nodesWithOp(graph, 'param');
  const elements = params.reduce((total, node) => total + elementCount(node.type.shape), 0);
  const ops = [...counts].sort((a, b) => b[1] - a[1]).map(([op, count]) => `${count} ${op}`);
  return `${elements.toLocaleString('en')} weights in ${params.length} tensors · ${ops.join(', ')}`;
}

/** What the explainer's kernels need of memory for one sample, or which op has no kernel. */
function memoryLine(program: Program): string {
  try {
    const { weightBytes, arenaBytes, liveBytes } = listKernels(program, 1).memory;
    const [weights, arena, live] = [weightBytes, arenaBytes, liveBytes].map(printBytes);
    return `${weights} for weights, an arena of ${arena} for one sample, ${live} of it alive at once`;
  } catch (error) {
    if (error instanceof RelcError && error.code === 'RELC4001') return `no kernels: ${error.message}`;
    throw error;
  }
}

/** What attention runs along; none where there is no attention. */
function tokenLines(graph: Graph): string[] {
  const matrices = attentionMatrices(graph);
  const [first] = matrices;
  if (first === undefined) return [];
  const { count, special, grid } = tokenLayout(graph, first);
  const parts = [
    `tokens: ${count}`,
    ...(special.length === 0 ? [] : [`number ${special.join(', ')} special`]),
    ...(grid === undefined ? [] : [`and ${count - special.length} are patches`, grid.join(' × ')]),
  ];
  const blocks = matrices.at(-1)!.block + 1;
  return [`${parts.join(', ')}; ${blocks} ${blocks === 1 ? 'block' : 'blocks'} of attention`];
}

/** What is left of the arithmetic of composites: told first, for a refusal may follow from it. */
function nearMissNotes({ graph, weights }: Program): readonly string[] {
  return nearMisses(graph, dialect, weights).map(({ name, op, loc, composites, reason }) => {
    const place = printLoc(loc);
    return `%${name} = ${op}${place === '' ? '' : ` (${place})`} is almost ${composites.join(' or ')}: ${reason}`;
  });
}

function printIo(terminal: Terminal, graph: Graph): void {
  for (const node of nodesWithOp(graph, 'input'))
    terminal.out(`input   %${node.name} : ${printType(node.type)}`);
  for (const [key, name] of Object.entries(graph.outputs)) {
    terminal.out(`output  ${key} = %${name} : ${printType(graph.nodes.get(name)!.type)}`);
  }
}

export const inspectCommand: Command = {
  name: 'inspect',
  positionals: ['MODEL'],
  summary: 'list ops, shapes and weights, the rule each op gets, and which line of the composite chose it',
  description: 'The graph is shown after canonicalization: constants sunk into the affine ops before them.',
  options: explanationOptions,
  examples: ['relc inspect model/model.json --rules epsilon-plus-flat'],
  async run(given, terminal) {
    await startTfjs();
    const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
    const forward = canonical(await trace(model, options));
    const { graph } = forward.program;
    for (const note of nearMissNotes(forward.program)) terminal.err(`note: ${note}`);
    const request = requestFor(await explanationOptionsOf(given, manifest));
    const { chosen, notes, stages, program, rules: table } = compileExplanation(forward, request);
    const { scores } = stages.get('relevance')!.outputs;
    const costs = costsOf(stages.get('specialize')!, program.graph, scores!, table);
    const rules = request.preset.name;
    terminal.out(styled(terminal, 'bold', `@${graph.name} under ${rules}`));
    printIo(terminal, graph);
    terminal.out(summary(graph));
    for (const line of tokenLines(graph)) terminal.out(line);
    terminal.out(`${graph.name} ${rules}: ${printCosts(costs)}`);
    terminal.out(`memory: ${memoryLine(program)}`);
    terminal.out('');
    terminal.out(nodeTable(graph, chosen, costs));
    for (const note of notes) terminal.err(`note: ${note}`);
  },
};
