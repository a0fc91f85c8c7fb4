// Leaks: the causes for which relevance gets lost, and the graph ops of their amounts.
import { spreadBias } from '../ir/biases.js';
import { forward } from '../ir/forward.js';
import type { Name } from '../ir/graph.js';
import type { Cause } from './cause-names.js';
import type { Quotient } from './formulas/quotients.js';
import type { Application } from './rules.js';

/** One cause at one node, and its amount as a value whose elements sum to it. */
export interface Leak {
  readonly cause: Cause;
  amount(): Name;
}

/** A rule on a node, seen from all operands at once. */
export interface Loss extends Application {
  /** Operands that relevance is handed to. */
  readonly live: readonly number[];
  /** Operands that depend on an input. */
  readonly active: readonly number[];
  /** Gradients are accounted for as value ⊙ gradient: f(x) is what they are the parts of. */
  readonly quantity: 'relevance' | 'gradient';
}

export const leak = (cause: Cause, amount: () => Name): Leak => ({ cause, amount });

/** The elements of `value` where z = 0; 0 elsewhere. */
export function whereZero({ builder, k }: Application, z: Name, value: Name): Name {
  const isZero = k.binary('equal', z, k.constant(0, z));
  return builder.add('select', [isZero, value, k.constant(0, value)]);
}

/** The elements of `value` where z ≠ 0; 0 elsewhere. */
function whereNotZero({ builder, k }: Application, z: Name, value: Name): Name {
  const isZero = k.binary('equal', z, k.constant(0, z));
  return builder.add('select', [isZero, k.constant(0, value), value]);
}

/**
 * What s = R / den(z) keeps of R where s ⊙ z is handed on, times `factor`: s ⊙ (den(z) − z) where z ≠ 0, and R
 * where z = 0.
 */
export function quotientLeaks(
  loss: Application,
  { relevance, z, s, stabiliser }: Quotient,
  factor = 1,
  atZero: Cause = 'zero denominators',
): Leak[] {
  const { k } = loss;
  const zero = leak(atZero, () => k.scale(whereZero(loss, z, relevance), factor));
  if (stabiliser === undefined) return [zero];
  return [leak('ε', () => k.scale(whereNotZero(loss, z, k.mul(s(), stabiliser())), factor)), zero];
}

/** Ops that are linear, or affine, in all their float operands at once. */
const jointlyAffine = new Set([
  'add',
  'sub',
  'neg',
  'accumulate',
  'mean',
  'sum',
  'avg_pool',
  'resize',
  'resize_transpose',
  'batch_norm',
  'scatter_add',
  'cast',
]);

/** Ops whose result is one of their operands, place by place: homogeneous, but linear only piece by piece. */
const choosing = new Set(['max_pool', 'reduce_max', 'maximum', 'minimum']);

const products = new Set(['mul', 'einsum', 'conv', 'conv_transpose']);

/** How the node depends on its live operands: what decides the formulas of its leaks. */
export type Dependence = 'affine' | 'choosing' | 'product' | 'elementwise' | 'other';

export function dependenceOf({ node, live }: Pick<Loss, 'node' | 'live'>): Dependence {
  const traits = forward[node.op as 'add']?.traits ?? {};
  if (jointlyAffine.has(node.op) || traits.routes) return 'affine';
  if (products.has(node.op)) return live.length === 1 ? 'affine' : 'product';
  if (node.op === 'div' && live.length === 1 && live[0] === 0) return 'affine';
  if (choosing.has(node.op)) return 'choosing';
  return traits.elementwise ? 'elementwise' : 'other';
}

/** The node's value with some operands exchanged. */
export function withOperands(
  { builder, node }: Application,
  slots: readonly number[],
  value: (operand: Name) => Name,
): Name {
  const args = node.args.map((arg, slot) => (slots.includes(slot) ? value(arg) : arg));
  return builder.add(node.op, args, { attrs: node.attrs, type: node.type });
}

/** f with some operands at 0: of an affine map, the part that the others contribute. */
export const atZero = (loss: Application, slots: readonly number[]): Name =>
  withOperands(loss, slots, (arg) => loss.k.constant(0, arg));

/**
 * What an affine node's other contributions take of s, where each live operand receives x ⊙ vjp(s):
 * s ⊙ f(live operands at 0), told apart by where they come from.
 */
export function offsetLeaks(loss: Loss, s: () => Name): Leak[] {
  const { k, node, live } = loss;
  if (node.op === 'conv' || node.op === 'conv_transpose' || (node.op === 'einsum' && node.args[2])) {
    const bias = node.args[2];
    return bias === undefined ? [] : [leak('biases', () => k.mul(s(), spreadBias(k, node, bias)))];
  }
  if (node.op === 'batch_norm') return [leak('biases', () => k.mul(s(), atZero(loss, [0])))];
  if (products.has(node.op) || node.op === 'div') return [];
  const { constant, stopped } = idleOperands(loss);
  const leaks: Leak[] = [];
  if (constant.length > 0 || node.attrs.value !== undefined) {
    leaks.push(leak('constant operands', () => k.mul(s(), atZero(loss, [...live, ...stopped]))));
  }
  if (stopped.length > 0) {
    const share = () => k.sub(atZero(loss, live), atZero(loss, [...live, ...stopped]));
    leaks.push(leak('stopped branches', () => k.mul(s(), share())));
  }
  return leaks;
}

/** Operands in floating point that receive nothing: constants, and active ones that lead to nothing explained. */
export function idleOperands(loss: Loss): { constant: readonly number[]; stopped: readonly number[] } {
  const idle = floatOperands(loss).filter((slot) => !loss.live.includes(slot));
  return {
    constant: idle.filter((slot) => !loss.active.includes(slot)),
    stopped: idle.filter((slot) => loss.active.includes(slot)),
  };
}

/** Operands in floating point. */
export function floatOperands({ builder, node }: Application): number[] {
  return node.args.flatMap((arg, slot) => (builder.typeOf(arg).dtype === 'f32' ? [slot] : []));
}

/** The sum of what the live operands' slopes are, elementwise: Σ x_i ⊙ ∂f/∂x_i, or Σ ∂f/∂x_i without the inputs. */
export function slopes({ builder, k, node, live }: Loss, timesInput: boolean): Name {
  const one = k.constant(1, node.name);
  return live
    .map((operand) => {
      const slope = forward[node.op as 'add'].vjp!({ builder, node, operand, cotangent: one });
      return timesInput ? k.mul(node.args[operand]!, slope) : slope;
    })
    .reduce((total, slope) => k.add(total, slope));
}
