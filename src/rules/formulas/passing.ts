// The gradient form of passing: R at z = f(x) stays as it is, which is x ⊙ (q ⊙ z / x).
import { numberOf } from '../../ir/dialect.js';
import { isActive, type Name } from '../../ir/graph.js';
import type { GradientExpansion } from '../rules.js';
import { pull } from './linear.js';
import { throughNormalization } from './normalization.js';

/** z / x where it is 0 at x = 0: as R is 0 there, whatever stands there is right. */
function byQuotient({ builder, k, node }: GradientExpansion, q: Name): Name {
  const ratio = builder.add('quotient', [node.name, node.args[0]!], { attrs: { mode: 'exact' } });
  return k.mul(q, ratio);
}

/** Activations with f(0) = 0, whose z / x is bounded. */
const throughZero: ReadonlySet<string> = new Set([
  'leaky_relu',
  'elu',
  'selu',
  'tanh',
  'gelu',
  'gelu_tanh',
  'prelu',
]);

/** Products with a constant: z / x is the constant. */
function isScale({ builder, operand, node: { op, args } }: GradientExpansion): boolean {
  if (op === 'neg') return true;
  const isRight = op === 'mul' || (op === 'div' && operand === 0);
  return isRight && !isActive(builder, args[1 - operand]!);
}

/** q ⊙ z / x; undefined where f(0) ≠ 0, as for a sigmoid, or x is shifted: then R is no multiple of x. */
export function gradientOfPass(expansion: GradientExpansion): Name | undefined {
  const { k, node, operand, gradient } = expansion;
  if (gradient === undefined) return undefined;
  const [x] = node.args as [Name];
  if (isScale(expansion)) return pull(expansion, operand, gradient);
  if (operand !== 0) return undefined;
  // max(x, 0) / x = [x > 0]; x · sigmoid x / x; a row over its deviation, times scale
  if (node.op === 'relu') return k.mul(gradient, k.unary('step', x));
  if (node.op === 'swish') return k.mul(gradient, k.unary('sigmoid', x));
  if (node.op === 'rms_norm') return throughNormalization(expansion, gradient);
  const holdsZero =
    node.op === 'clip' && numberOf(node.attrs, 'min') <= 0 && numberOf(node.attrs, 'max') >= 0;
  return throughZero.has(node.op) || holdsZero ? byQuotient(expansion, gradient) : undefined;
}
