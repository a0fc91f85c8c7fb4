// Vanishing: relevances that are 0 wherever the value they belong to is not above 0.
import { forward } from '../../ir/forward.js';
import { type Graph, type Name, type Node, nodeOf } from '../../ir/graph.js';
import { isRuleLine, ruleLineOf, rulePrefix } from '../dialect.js';
import type { RuleName } from '../rules.js';

/** Rules whose result is x ⊙ something finite: 0 wherever x is 0. */
const multiplying: readonly RuleName[] = [
  'zero',
  'epsilon',
  'captum.gamma',
  'captum.alpha1Beta0',
  'alphaBeta',
  'zPlus',
  'gamma',
  'norm',
  'chefer.conv',
  'chefer.add',
];
const multiplies: ReadonlySet<string> = new Set(multiplying.map((rule) => `${rulePrefix}${rule}`));

/** Activations that are 0 exactly where their input is not above 0, as max(x, 0). */
function rectifies(node: Node): boolean {
  return node.op === 'relu' || (node.op === 'clip' && node.attrs.min === 0);
}

/** Ops whose result holds elements of the operand: what is 0 with them is 0 with it. */
const picksElements = (node: Node) =>
  forward[node.op as 'reshape']?.traits?.routes === true || node.op === 'max_pool';

/**
 * The relevances R of values v with R = 0 wherever v ≤ 0. After a ReLU that is so when every rule above multiplies by
 * its input, which is 0 there; the ReLU passes it on to what it rectified.
 */
export function vanishingRelevances(graph: Graph, nonnegative: ReadonlySet<Name>): ReadonlySet<Name> {
  const vanishing = new Set<Name>();
  const lineVanishes = (node: Node): boolean => {
    const { z, relevance, operand, args } = ruleLineOf(node);
    if (multiplies.has(node.op)) return nonnegative.has(args[operand]!);
    const ruled = nodeOf(graph, z);
    const rule = node.op.slice(rulePrefix.length);
    if (rule === 'pass') return rectifies(ruled) && vanishing.has(relevance);
    return (rule === 'route' || rule === 'winner') && picksElements(ruled) && vanishing.has(relevance);
  };
  for (const node of graph.nodes.values()) {
    if (isRuleLine(node) ? lineVanishes(node) : isSumOfVanishing(node, vanishing)) vanishing.add(node.name);
  }
  return vanishing;
}

const isSumOfVanishing = (node: Node, vanishing: ReadonlySet<Name>) =>
  node.op === 'accumulate' && node.args.every((arg) => vanishing.has(arg));
