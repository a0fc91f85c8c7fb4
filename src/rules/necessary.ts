// Necessary work: the multiply–adds of a layer only where its values are read and its relevance can be other than zero.
import { multiplyAdds } from '../ir/analyses/multiply-adds.js';
import type { Box } from '../ir/box.js';
import { mergeDialects } from '../ir/dialect.js';
import { forward } from '../ir/forward.js';
import { type Graph, type Name, type Node, nodeOf, resolveAlias } from '../ir/graph.js';
import { parseEquation } from '../ir/ops/einsum.js';
import { commonSubexpressions } from '../ir/passes/common-subexpressions.js';
import { planCrop } from '../ir/passes/crop/plan.js';
import { removeDeadCode } from '../ir/passes/dead-code.js';
import { decompose } from '../ir/passes/decompose.js';
import { runPasses } from '../ir/passes/pass.js';
import { simplify } from '../ir/passes/simplify.js';
import { bindDim } from '../ir/type.js';
import type { RuledNode } from './account.js';
import { ruleDialectOf, ruleLineOf } from './dialect.js';
import { expandBy } from './expand.js';
import type { RuleTable } from './rules.js';

export interface NecessaryWork {
  /** Of the layer's own value. */
  forward(layer: Node): number;
  /** Of its value where relevance arrives. */
  modified(ruled: RuledNode): number;
  /** Of the transposes, one for each line. */
  back(ruled: RuledNode): number;
}

/** The extents of a box, of one sample. */
const extentsOf = (graph: Graph, value: Name, box: Box): number[] =>
  nodeOf(graph, value).type.shape.map((dim, axis) =>
    typeof dim === 'string' ? bindDim(dim, 1) : box[axis]![1] - box[axis]![0],
  );

/** Multiply–adds of an einsum with its result in a box, and one operand in another where that is stated. */
function productWithin(graph: Graph, node: Node, result: Box, operand?: { slot: number; box: Box }): number {
  const { left, right, out } = parseEquation(node.attrs.eq as string);
  const extents = new Map<string, number>();
  const set = (indices: string, value: Name, box: Box) => {
    for (const [axis, extent] of extentsOf(graph, value, box).entries()) extents.set(indices[axis]!, extent);
  };
  for (const [slot, indices] of [left, right].entries()) {
    const value = node.args[slot]!;
    const whole = nodeOf(graph, value).type.shape.map((dim) => [0, bindDim(dim, 1)] as const);
    set(indices, value, whole);
  }
  if (operand !== undefined) set([left, right][operand.slot]!, node.args[operand.slot]!, operand.box);
  set(out, node.name, result);
  return [...extents.values()].reduce((product, extent) => product * extent, 1);
}

/** @param ruled  the graph with rule lines */
export function necessaryWork(ruled: Graph, rules: RuleTable): NecessaryWork {
  const passes = [expandBy(rules), decompose, simplify, commonSubexpressions];
  const program = { graph: ruled, weights: new Map() };
  const { graph } = runPasses(program, passes, mergeDialects(forward, ruleDialectOf(rules)));
  const plans = planCrop(removeDeadCode(graph), forward);
  const boxOf = (value: Name) => plans.get(resolveAlias(graph, value) ?? value)?.box;
  const within = (node: Node, result: Box | undefined, operand?: { slot: number; box: Box }) => {
    if (result === undefined) return 0;
    return node.op === 'einsum' ? productWithin(ruled, node, result, operand) : multiplyAdds(ruled, node);
  };
  return {
    forward: (layer) => within(layer, boxOf(layer.name)),
    modified: ({ node, relevance }) => within(node, boxOf(relevance)),
    back({ node, relevance, lines }) {
      return lines.reduce((total, line) => {
        const box = boxOf(line.name);
        const { operand: slot } = ruleLineOf(line);
        return box === undefined ? total : total + within(node, boxOf(relevance), { slot, box });
      }, 0);
    },
  };
}
