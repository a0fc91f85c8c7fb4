// Elementwise arithmetic: sums, products, powers and elementary functions.
import { keepsSign, neverNegative, type OpDefinition } from '../dialect.js';
import { erf } from '../erf.js';
import { scalar } from '../scalar.js';
import { call, literal, value } from '../spelling.js';
import { binary, unary, whereAboveZero } from './elementwise.js';

export const arithmeticOps = {
  add: binary('x + y', 'Add', 'tf.add', (x, y) => x + y, scalar.add, [({ g }) => g, ({ g }) => g], {
    nonnegative: keepsSign,
  }),
  sub: binary('x − y', 'Sub', 'tf.sub', (x, y) => x - y, scalar.sub, [
    ({ g }) => g,
    ({ k, g }) => k.unary('neg', g),
  ]),
  mul: binary(
    'x · y',
    'Multiply',
    'tf.mul',
    (x, y) => x * y,
    scalar.mul,
    [({ k, g, y }) => k.mul(g, y), ({ k, g, x }) => k.mul(g, x)],
    { nonnegative: keepsSign },
  ),
  div: binary('x / y', 'RealDiv', 'tf.div', (x, y) => x / y, scalar.div, [
    ({ k, g, y }) => k.div(g, y),
    ({ k, g, y, z }) => k.unary('neg', k.div(k.mul(g, z), y)),
  ]),
  maximum: binary(
    'the larger of x and y',
    'Maximum',
    'tf.maximum',
    (x, y) => Math.max(x, y),
    scalar.max,
    [
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater_equal', x, y), g, k.constant(0, g)]),
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater_equal', x, y), k.constant(0, g), g]),
    ],
    { nonnegative: (_attrs, operands) => operands.some(Boolean) },
  ),
  minimum: binary(
    'the smaller of x and y',
    'Minimum',
    'tf.minimum',
    (x, y) => Math.min(x, y),
    scalar.min,
    [
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater', x, y), k.constant(0, g), g]),
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater', x, y), g, k.constant(0, g)]),
    ],
    { nonnegative: keepsSign },
  ),
  pow: binary('x to the power y', 'Pow', 'tf.pow', (x, y) => x ** y, scalar.pow, [
    ({ k, g, x, y }) => k.mul(g, k.mul(y, k.binary('pow', x, k.sub(y, k.constant(1, y))))),
    ({ k, g, x, z }) => k.mul(g, k.mul(z, k.unary('log', x))),
  ]),
  neg: unary(
    '−x',
    'Neg',
    'tf.neg',
    (x) => -x,
    scalar.neg,
    ({ k, g }) => k.unary('neg', g),
  ),
  abs: unary('|x|', 'Abs', 'tf.abs', Math.abs, scalar.abs, ({ k, g, x }) => k.mul(g, k.unary('sign', x)), {
    nonnegative: neverNegative,
  }),
  sign: unary(
    '−1, 0 or 1',
    'Sign',
    'tf.sign',
    Math.sign,
    (x) => {
      const [zero, one] = [scalar.number(0), scalar.number(1)];
      return scalar.select(
        scalar.greater(x, zero),
        one,
        scalar.select(scalar.greater(zero, x), scalar.neg(one), x),
      );
    },
    null,
  ),
  square: unary(
    'x²',
    'Square',
    'tf.square',
    (x) => x * x,
    (x) => scalar.mul(x, x),
    ({ k, g, x }) => k.scale(k.mul(g, x), 2),
    { nonnegative: neverNegative },
  ),
  sqrt: unary('√x', 'Sqrt', 'tf.sqrt', Math.sqrt, scalar.sqrt, ({ k, g, z }) => k.scale(k.div(g, z), 0.5), {
    nonnegative: neverNegative,
  }),
  rsqrt: unary(
    '1/√x',
    'Rsqrt',
    'tf.rsqrt',
    (x) => 1 / Math.sqrt(x),
    (x) => scalar.div(scalar.number(1), scalar.sqrt(x)),
    ({ k, g, x, z }) => k.scale(k.div(k.mul(g, z), x), -0.5),
  ),
  reciprocal: unary(
    '1/x',
    'Reciprocal',
    'tf.reciprocal',
    (x) => 1 / x,
    (x) => scalar.div(scalar.number(1), x),
    ({ k, g, z }) => k.unary('neg', k.mul(g, k.mul(z, z))),
  ),
  exp: unary('eˣ', 'Exp', 'tf.exp', Math.exp, scalar.exp, ({ k, g, z }) => k.mul(g, z), {
    nonnegative: neverNegative,
  }),
  log: unary('ln x', 'Log', 'tf.log', Math.log, scalar.log, ({ k, g, x }) => k.div(g, x)),
  erf: unary('the error function', 'Erf', 'tf.erf', erf, scalar.erf, ({ k, g, x }) =>
    k.mul(k.scale(g, 2 / Math.sqrt(Math.PI)), k.unary('exp', k.unary('neg', k.unary('square', x)))),
  ),
  sin: unary('sin x', 'Sin', 'tf.sin', Math.sin, scalar.sin, ({ k, g, x }) => k.mul(g, k.unary('cos', x))),
  cos: unary('cos x', 'Cos', 'tf.cos', Math.cos, scalar.cos, ({ k, g, x }) =>
    k.unary('neg', k.mul(g, k.unary('sin', x))),
  ),
  step: unary(
    '1 where x > 0, else 0',
    'Step',
    'tf.step',
    (x) => (x > 0 ? 1 : 0),
    (x) => scalar.cast(scalar.greater(x, scalar.number(0)), 'f32'),
    null,
    { nonnegative: neverNegative },
  ),
  negative_part: unary(
    'min(x, 0)',
    null,
    (node) => call('tf.minimum', value(node.args[0]!), literal(0)),
    (x) => Math.min(x, 0),
    (x) => scalar.min(x, scalar.number(0)),
    ({ k, g, x }) => whereAboveZero({ k, x }, k.constant(0, g), g),
  ),
} satisfies Record<string, OpDefinition>;
