// What a rule may lose, whatever the model: found by asking its own leaks on one op of each kind.
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import { forward } from '../ir/forward.js';
import { activeValues, type Graph, type Node } from '../ir/graph.js';
import { parse } from '../ir/parse.js';
import { type Cause, causes } from './cause-names.js';
import type { Loss } from './leaks.js';
import type { RuleDefinition } from './rules.js';

/** One op of each kind that leaks tell apart, with whatever can take a share of it: a bias, a constant, padding. */
const samples: Graph = parse(
  `graph @samples {
    %x = input() : f32[N,2]
    %y = input() : f32[N,2]
    %rows = constant() {value=1} : f32[1,2]
    %constant = broadcast(%rows) {axes=[0,1]} : f32[N,2]
    %weight = param() {key="weight"} : f32[2,2]
    %bias = param() {key="bias"} : f32[2]
    %dense = einsum(%x, %weight, %bias) {eq="bi,ij->bj"} : f32[N,2]
    %product = mul(%x, %y) : f32[N,2]
    %sum = add(%x, %y) : f32[N,2]
    %shifted = add(%x, %constant) : f32[N,2]
    %maximum = maximum(%x, %constant) : f32[N,2]
    %relu = relu(%x) : f32[N,2]
    %exp = exp(%x) : f32[N,2]
    %larger = maximum(%x, %y) : f32[N,2]
    %joined = concat(%x, %constant) {axis=1} : f32[N,4]
    %scores = softmax(%x) {axis=1} : f32[N,2]
    %normal = layer_norm(%x, %bias, %bias) {epsilon=0.001} : f32[N,2]
    %both = concat(%x, %y) {axis=1} : f32[N,4]
    return %x
  }`,
  forward,
);

/** Bounds for zB, which asks for them before it says what it loses. */
const bounds = { low: 0, high: 1 };

const active = activeValues(samples);

/** The rule on a sample, relevance handed to all active operands, and to the first alone where there are several. */
function lossesOn(node: Node, rule: RuleDefinition, quantity: Loss['quantity']): readonly Loss[] {
  const operands = node.args.flatMap((arg, slot) => (active.has(arg) ? [slot] : []));
  if (operands.length === 0 || operands.some((slot) => rule.unsuited(node, slot) !== undefined)) return [];
  const builder = GraphBuilder.extending(samples, forward);
  const relevance = builder.add('input', [], { name: 'R', type: node.type });
  const attrs = { ...('low' in rule.attrs ? bounds : {}), ...rule.defaults };
  const site = { builder, k: new Arithmetic(builder), node, relevance, attrs, active: operands, quantity };
  const choices = operands.length > 1 ? [operands, operands.slice(0, 1)] : [operands];
  return choices.map((live) => ({ ...site, live }));
}

/**
 * The causes for which a rule loses relevance on some op that it suits, with its default parameters, in the order of
 * `causes`. Which of them a given model meets is said by `expectedCauses`.
 */
export function possibleCauses(rule: RuleDefinition, quantity: Loss['quantity']): readonly Cause[] {
  const losses = [...samples.nodes.values()].flatMap((node) => lossesOn(node, rule, quantity));
  const found = new Set(losses.flatMap((loss) => rule.leaks(loss) ?? []).map(({ cause }) => cause));
  return (Object.keys(causes) as Cause[]).filter((cause) => found.has(cause));
}
