// Linear ops as rules see them: x and the weights can be exchanged for parts of themselves, in both directions.
import { forward } from '../../ir/forward.js';
import type { Name, Node } from '../../ir/graph.js';
import { idleOperands, type Leak, type Loss, leak } from '../leaks.js';
import type { Application, Expansion } from '../rules.js';

/** Convolutions and einsums whose weight is a constant: layers. */
export const affineOps: ReadonlySet<string> = new Set(['conv', 'conv_transpose', 'einsum']);

/** Linear ops whose weights are numbers ≥ 0 of their own: every operand of a sum, the one of the others. */
const fixedWeights: ReadonlySet<string> = new Set(['add', 'mean', 'sum', 'avg_pool', 'resize']);

/** Why a rule that divides contributions by their sign cannot be applied, or undefined if it can. */
export function needsLinear(node: Node, operand: number): string | undefined {
  if (fixedWeights.has(node.op)) return undefined;
  if (affineOps.has(node.op) && operand === 0) return undefined;
  return `it is for convolutions, dense layers, sums, means and average pools, not for operand ${operand} of ${node.op}`;
}

/** Why a rule that replaces the weights cannot be applied, or undefined if it can. */
export function needsAffine(node: Node, operand: number): string | undefined {
  if (affineOps.has(node.op) && operand === 0) return undefined;
  return `it is for the input of a convolution or a dense layer, not for operand ${operand} of ${node.op}`;
}

export const isAffine = (node: Node): boolean => affineOps.has(node.op);

/** Operands that contribute to z: x of a layer, all terms of a sum. */
export function contributing(node: Node): readonly number[] {
  return node.op === 'add' ? node.args.map((_, slot) => slot) : [0];
}

/**
 * A modified weight: a value in place of a layer's weight, or a factor on an op whose weights are its own. Those are
 * ≥ 0, so that their negative part is the factor 0, and a map with it vanishes.
 */
export type Weight = Name | number;

/** What the rules make of a weight. */
export interface Weights {
  readonly whole: Weight;
  readonly plus: Weight;
  readonly minus: Weight;
  /** w + γw⁺ and w + γw⁻ */
  raised(gamma: number): Weight;
  lowered(gamma: number): Weight;
}

export function weightsOf({ k, node }: Application): Weights {
  if (!isAffine(node)) {
    return { whole: 1, plus: 1, minus: 0, raised: (gamma) => 1 + gamma, lowered: () => 1 };
  }
  const w = node.args[1]!;
  const plus = () => k.unary('relu', w);
  const minus = () => k.unary('negative_part', w);
  return {
    whole: w,
    get plus() {
      return plus();
    },
    get minus() {
      return minus();
    },
    raised: (gamma) => k.add(w, k.scale(plus(), gamma)),
    lowered: (gamma) => k.add(w, k.scale(minus(), gamma)),
  };
}

/** f with its weights exchanged, on `part` of what contributes; undefined where the map vanishes. */
export function mapped(
  { builder, k, node }: Application,
  part: (x: Name) => Name,
  weight: Weight,
  bias?: Name,
): Name | undefined {
  if (weight === 0) return undefined;
  if (typeof weight !== 'number') {
    const args = bias === undefined ? [part(node.args[0]!), weight] : [part(node.args[0]!), weight, bias];
    return builder.add(node.op, args, { attrs: node.attrs, type: node.type });
  }
  const slots = contributing(node);
  const args = node.args.map((arg, slot) => (slots.includes(slot) ? part(arg) : arg));
  return k.scale(builder.add(node.op, args, { attrs: node.attrs, type: node.type }), weight);
}

/** The transposed map for the ruled operand: fᵀ(s); undefined where it vanishes. */
export function transposed(
  { builder, k, node, operand }: Omit<Expansion, 'name' | 'relevance'>,
  s: Name,
  weight: Weight,
): Name | undefined {
  if (weight === 0) return undefined;
  const { vjp } = forward[node.op as 'conv'];
  const layer = typeof weight === 'number' ? node : { ...node, args: [node.args[0]!, weight] };
  const pulled = vjp!({ builder, node: layer, operand, cotangent: s });
  return typeof weight === 'number' ? k.scale(pulled, weight) : pulled;
}

/** vjp(cotangent) for one operand. */
export function pull(
  { builder, node }: Pick<Application, 'builder' | 'node'>,
  operand: number,
  cotangent: Name,
): Name {
  return forward[node.op as 'add'].vjp!({ builder, node, operand, cotangent });
}

/** Σ of the terms that do not vanish; undefined if all do. */
export function sumOf(
  { k }: Application,
  terms: readonly (Name | undefined)[],
  name?: Name,
): Name | undefined {
  const present = terms.filter((term) => term !== undefined);
  if (present.length === 0) return undefined;
  return present.reduce((total, term, index) =>
    k.binary('add', total, term, index === present.length - 1 ? name : undefined),
  );
}

/** The parts that a sign divides a value into; where x ≥ 0 is known, x⁻ is nothing. */
export function signParts({ k, attrs }: Application) {
  const nonnegative = attrs.nonnegative === true;
  return {
    plus: (x: Name) => (nonnegative ? x : k.unary('relu', x)),
    minus: nonnegative ? undefined : (x: Name) => k.unary('negative_part', x),
  };
}

/** A part of x with the weight that it meets. */
export interface Pairing {
  readonly part: (x: Name) => Name;
  readonly weight: Weight;
}

/** x⁺ with one weight, x⁻ with another; x⁻ is left out where x ≥ 0. */
export function pairings(site: Application, plus: Weight, minus: () => Weight): readonly Pairing[] {
  const parts = signParts(site);
  const first = { part: parts.plus, weight: plus };
  return parts.minus === undefined ? [first] : [first, { part: parts.minus, weight: minus() }];
}

/** z = Σ f(part of x; weight), the bias in the first term. */
export function forwardOf(site: Application, pairs: readonly Pairing[], bias?: Name): Name {
  const terms = pairs.map(({ part, weight }, index) =>
    mapped(site, part, weight, index === 0 ? bias : undefined),
  );
  return sumOf(site, terms) ?? site.k.constant(0, site.node.name);
}

/** Σ part of x ⊙ fᵀ(s; weight), under the name that is given. */
export function backOf(expansion: Expansion, pairs: readonly Pairing[], s: Name, name?: Name): Name {
  const { k, node, operand } = expansion;
  const x = node.args[operand]!;
  const live = pairs.filter(({ weight }) => weight !== 0);
  const terms = live.map(({ part, weight }) => {
    const pulled = transposed(expansion, s, weight)!;
    return k.mul(part(x), pulled, live.length === 1 ? name : undefined);
  });
  return sumOf(expansion, terms, name) ?? k.constant(0, x);
}

/** What s gives to the terms of a sum that receive nothing: s ⊙ Σ f(part of the term; weight). */
export function idleTermLeaks(loss: Loss, pairs: readonly Pairing[], s: () => Name): readonly Leak[] {
  const { k, node } = loss;
  if (isAffine(node)) return [];
  const { constant, stopped } = idleOperands(loss);
  return [...constant, ...stopped].map((slot) =>
    leak(constant.includes(slot) ? 'constant operands' : 'stopped branches', () => {
      const terms = pairs
        .filter(({ weight }) => weight !== 0)
        .map(({ part, weight }) => k.scale(part(node.args[slot]!), weight as number));
      return k.mul(s(), sumOf(loss, terms) ?? k.constant(0, node.name));
    }),
  );
}
