// Elementwise arithmetic: sums, products, powers and elementary functions.
import { keepsSign, neverNegative, type OpDefinition } from '../dialect.js';
import { erf } from '../erf.js';
import { call, literal, value } from '../spelling.js';
import { binary, unary, whereAboveZero } from './elementwise.js';

export const arithmeticOps = {
  add: binary('x + y', 'Add', 'tf.add', (x, y) => x + y, [({ g }) => g, ({ g }) => g], {
    nonnegative: keepsSign,
  }),
  sub: binary('x − y', 'Sub', 'tf.sub', (x, y) => x - y, [({ g }) => g, ({ k, g }) => k.unary('neg', g)]),
  mul: binary(
    'x · y',
    'Multiply',
    'tf.mul',
    (x, y) => x * y,
    [({ k, g, y }) => k.mul(g, y), ({ k, g, x }) => k.mul(g, x)],
    { nonnegative: keepsSign },
  ),
  div: binary('x / y', 'RealDiv', 'tf.div', (x, y) => x / y, [
    ({ k, g, y }) => k.div(g, y),
    ({ k, g, y, z }) => k.unary('neg', k.div(k.mul(g, z), y)),
  ]),
  maximum: binary(
    'the larger of x and y',
    'Maximum',
    'tf.maximum',
    (x, y) => Math.max(x, y),
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
    [
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater', x, y), k.constant(0, g), g]),
      ({ k, g, x, y }) => k.builder.add('select', [k.binary('greater', x, y), g, k.constant(0, g)]),
    ],
    { nonnegative: keepsSign },
  ),
  pow: binary('x to the power y', 'Pow', 'tf.pow', (x, y) => x ** y, [
    ({ k, g, x, y }) => k.mul(g, k.mul(y, k.binary('pow', x, k.sub(y, k.constant(1, y))))),
    ({ k, g, x, z }) => k.mul(g, k.mul(z, k.unary('log', x))),
  ]),
  neg: unary(
    '−x',
    'Neg',
    'tf.neg',
    (x) => -x,
    ({ k, g }) => k.unary('neg', g),
  ),
  abs: unary('|x|', 'Abs', 'tf.abs', Math.abs, ({ k, g, x }) => k.mul(g, k.unary('sign', x)), {
    nonnegative: neverNegative,
  }),
  sign: unary('−1, 0 or 1', 'Sign', 'tf.sign', Math.sign, null),
  square: unary(
    'x²',
    'Square',
    'tf.square',
    (x) => x * x,
    ({ k, g, x }) => k.scale(k.mul(g, x), 2),
    { nonnegative: neverNegative },
  ),
  sqrt: unary('√x', 'Sqrt', 'tf.sqrt', Math.sqrt, ({ k, g, z }) => k.scale(k.div(g, z), 0.5), {
    nonnegative: neverNegative,
  }),
  rsqrt: unary(
    '1/√x',
    'Rsqrt',
    'tf.rsqrt',
    (x) => 1 / Math.sqrt(x),
    ({ k, g, x, z }) => k.scale(k.div(k.mul(g, z), x), -0.5),
  ),
  reciprocal: unary(
    '1/x',
    'Reciprocal',
    'tf.reciprocal',
    (x) => 1 / x,
    ({ k, g, z }) => k.unary('neg', k.mul(g, k.mul(z, z))),
  ),
  exp: unary('eˣ', 'Exp', 'tf.exp', Math.exp, ({ k, g, z }) => k.mul(g, z), { nonnegative: neverNegative }),
  log: unary('ln x', 'Log', 'tf.log', Math.log, ({ k, g, x }) => k.div(g, x)),
  erf: unary('the error function', 'Erf', 'tf.erf', erf, ({ k, g, x }) =>
    k.mul(k.scale(g, 2 / Math.sqrt(Math.PI)), k.unary('exp', k.unary('neg', k.unary('square', x)))),
  ),
  sin: unary('sin x', 'Sin', 'tf.sin', Math.sin, ({ k, g, x }) => k.mul(g, k.unary('cos', x))),
  cos: unary('cos x', 'Cos', 'tf.cos', Math.cos, ({ k, g, x }) =>
    k.unary('neg', k.mul(g, k.unary('sin', x))),
  ),
  step: unary('1 where x > 0, else 0', 'Step', 'tf.step', (x) => (x > 0 ? 1 : 0), null, {
    nonnegative: neverNegative,
  }),
  negative_part: unary(
    'min(x, 0)',
    null,
    (node) => call('tf.minimum', value(node.args[0]!), literal(0)),
    (x) => Math.min(x, 0),
    ({ k, g, x }) => whereAboveZero({ k, x }, k.constant(0, g), g),
  ),
} satisfies Record<string, OpDefinition>;
