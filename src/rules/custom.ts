// Custom rules: a rule whose formula is a graph of its own, made for each node that it is applied to.
import { evaluate as evaluateGraph } from '../ir/evaluate.js';
import { forward } from '../ir/forward.js';
import { type Graph, type Name, type Node, nodeOf } from '../ir/graph.js';
import { inline } from '../ir/inline.js';
import { print } from '../ir/print.js';
import type { TensorData } from '../ir/tensor.js';
import { isBatched, type TensorType } from '../ir/type.js';
import { ruledNodes } from './account.js';
import { like } from './formulas/reference.js';
import { idleOperands, type Leak, type Loss, leak } from './leaks.js';
import type { Application, RuleDefinition, RuleTable } from './rules.js';

/** A node that a rule is applied to, and the values it is computed from. */
export interface Site {
  readonly node: Node;
  readonly operands: readonly Node[];
}

/** Names in the graph of a custom rule: its inputs are all operands, the node's result, and R at the result. */
export const ruleInputs = {
  operand: (slot: number): Name => `input${slot}`,
  output: 'output',
  relevance: 'relevance',
} as const;

/** Its outputs: one for each operand that receives anything; of the graph of what is lost the one. */
export const ruleOutputs = {
  relevance: (slot: number): string => `relevance${slot}`,
  lost: 'lost',
} as const;

/** The graphs of a custom rule, of forward ops without weights; their inputs are named by {@link ruleInputs}. */
export interface RuleGraphs {
  readonly summary: string;
  unsuited(node: Node, operand: number): string | undefined;
  /** What the operands receive, each in the operand's type. */
  relevances(site: Site): Graph;
  /** A value whose elements sum, sample by sample, to what none of them receives. */
  readonly lost?: (site: Site) => Graph;
}

/** The types of the inputs of a rule's graph, in the order in which a rule is given them. */
export function ruleInputTypes({ node, operands }: Site): ReadonlyMap<Name, TensorType> {
  return new Map([
    ...operands.map(({ type }, slot): [Name, TensorType] => [ruleInputs.operand(slot), type]),
    [ruleInputs.output, node.type],
    [ruleInputs.relevance, { dtype: 'f32', shape: node.type.shape }],
  ]);
}

const siteOf = (graph: Pick<Graph, 'nodes'>, node: Node): Site => ({
  node,
  operands: node.args.map((arg) => nodeOf(graph, arg)),
});

/** What a rule's inputs stand for, from what its operands, its result and R are. */
function given<Value>(operands: readonly Value[], output: Value, relevance: Value): ReadonlyMap<Name, Value> {
  return new Map([
    ...operands.map((operand, slot): [Name, Value] => [ruleInputs.operand(slot), operand]),
    [ruleInputs.output, output],
    [ruleInputs.relevance, relevance],
  ]);
}

/** An output of a rule's graph as values of the graph that is being built; undefined where there is no such output. */
function inlined(
  { builder, node, relevance }: Application,
  graph: Graph,
  output: string,
  name?: Name,
): Name | undefined {
  const value = graph.outputs[output];
  if (value === undefined) return undefined;
  const inputs = given(node.args, node.name, relevance);
  return inline(builder, graph, { value, inputs, ...(name === undefined ? {} : { name }) });
}

/** What the rule hands to operands that take nothing, and what it says itself that it loses. */
function leaksOf({ relevances, lost }: RuleGraphs, loss: Loss): readonly Leak[] | undefined {
  if (loss.quantity === 'gradient') return undefined;
  const site = siteOf(loss.builder, loss.node);
  const graph = relevances(site);
  const { constant, stopped } = idleOperands(loss);
  // What is shared by all samples, as weights are, can receive nothing from one of them.
  const batched = [...constant, ...stopped].filter(
    (slot) => isBatched(site.operands[slot]!.type) === isBatched(loss.node.type),
  );
  const dropped = batched.flatMap((slot) => {
    const output = ruleOutputs.relevance(slot);
    if (graph.outputs[output] === undefined) return [];
    const cause = constant.includes(slot) ? 'constant operands' : 'stopped branches';
    return [leak(cause, () => inlined(loss, graph, output)!)];
  });
  if (lost === undefined) return dropped;
  return [...dropped, leak('custom rules', () => inlined(loss, lost(site), ruleOutputs.lost)!)];
}

/** A rule of a user's, from its graphs: they are inlined where it is applied, and evaluated as its reference. */
export function customRule(graphs: RuleGraphs): RuleDefinition {
  return {
    summary: graphs.summary,
    equation: 'its own',
    source: 'a custom rule',
    attrs: {},
    unsuited: graphs.unsuited,
    receives: (graph, node, operand) =>
      graphs.relevances(siteOf(graph, node)).outputs[ruleOutputs.relevance(operand)] !== undefined,
    graphAt: (graph, node) => graphs.relevances(siteOf(graph, node)),
    evaluate({ graph: around, node, operand, args, z, relevance, precision }): TensorData {
      const graph = graphs.relevances(siteOf(around, node));
      const output = ruleOutputs.relevance(operand);
      if (graph.outputs[output] === undefined) return like(args[operand]!, () => 0);
      const inputs = Object.fromEntries(given(args, z, relevance));
      return evaluateGraph(graph, forward, inputs, new Map(), precision)[output]!;
    },
    expand(expansion) {
      const { builder, k, node, operand, name } = expansion;
      const graph = graphs.relevances(siteOf(builder, node));
      const result = inlined(expansion, graph, ruleOutputs.relevance(operand), name);
      return result ?? k.constant(0, node.args[operand]!);
    },
    leaks: (loss) => leaksOf(graphs, loss),
  };
}

/** The graphs of the custom rules that the rule lines of a graph apply, one for each that differs; most have none. */
export function ruleGraphs(graph: Graph, table: RuleTable): readonly Graph[] {
  const distinct = new Map<string, Graph>();
  for (const { node, rule } of ruledNodes(graph)) {
    const own = table[rule]?.graphAt?.(graph, node);
    if (own === undefined) continue;
    const text = print(own);
    if (!distinct.has(text)) distinct.set(text, own);
  }
  return [...distinct.values()];
}
