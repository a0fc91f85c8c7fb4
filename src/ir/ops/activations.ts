// Activations: elementwise non-linearities that relevance passes through.
import { neverNegative, numberOf, type OpDefinition } from '../dialect.js';
import { erf } from '../erf.js';
import { type Scalar, scalar } from '../scalar.js';
import { activation, elementwise, whereAboveZero } from './elementwise.js';

const seluScale = 1.0507009873554805;
const seluAlpha = 1.6732632423543772;

/** Of the approximation of gelu by tanh (Hendrycks and Gimpel, 2016). */
const geluSlope = Math.sqrt(2 / Math.PI);
const geluCubic = 0.044715;

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** `above` where x > 0, `below` elsewhere, in a formula. */
const whereAbove = (x: Scalar, above: Scalar, below: Scalar) =>
  scalar.select(scalar.greater(x, scalar.number(0)), above, below);

export const activationOps = {
  relu: activation(
    'max(x, 0)',
    'Relu',
    'tf.relu',
    (x) => Math.max(x, 0),
    (x) => scalar.max(x, scalar.number(0)),
    ({ k, g, x }) => k.mul(g, k.unary('step', x)),
    { nonnegative: neverNegative },
  ),
  clip: activation(
    'x held between min and max',
    'ClipByValue',
    'tf.clipByValue',
    (x, _y, _z, attrs) => Math.min(Math.max(x, numberOf(attrs, 'min')), numberOf(attrs, 'max')),
    (x, { attrs }) => {
      const atLeast = scalar.max(x, scalar.number(numberOf(attrs, 'min')));
      return scalar.min(atLeast, scalar.number(numberOf(attrs, 'max')));
    },
    ({ k, g, x, z }) => k.builder.add('select', [k.binary('equal', x, z), g, k.constant(0, g)]),
    {
      attrs: { min: 'number', max: 'number' },
      nonnegative: (attrs) => Math.min(numberOf(attrs, 'min'), numberOf(attrs, 'max')) >= 0,
    },
  ),
  leaky_relu: activation(
    'x, or alpha·x where negative',
    'LeakyRelu',
    'tf.leakyRelu',
    (x, _y, _z, attrs) => (x > 0 ? x : x * numberOf(attrs, 'alpha')),
    (x, { attrs }) => whereAbove(x, x, scalar.mul(x, scalar.number(numberOf(attrs, 'alpha')))),
    (chain) => whereAboveZero(chain, chain.g, chain.k.scale(chain.g, numberOf(chain.attrs, 'alpha'))),
    { attrs: { alpha: 'number' } },
  ),
  elu: activation(
    'x, or eˣ − 1 where negative',
    'Elu',
    'tf.elu',
    (x) => (x > 0 ? x : Math.expm1(x)),
    (x) => whereAbove(x, x, scalar.expm1(x)),
    (chain) => {
      const { k, g, z } = chain;
      return whereAboveZero(chain, g, k.mul(g, k.add(z, k.constant(1, z))));
    },
  ),
  selu: activation(
    'the scaled elu',
    'Selu',
    'tf.selu',
    (x) => seluScale * (x > 0 ? x : seluAlpha * Math.expm1(x)),
    (x) => {
      const below = scalar.mul(scalar.number(seluAlpha), scalar.expm1(x));
      return scalar.mul(scalar.number(seluScale), whereAbove(x, x, below));
    },
    (chain) => {
      const { k, g, z } = chain;
      const below = k.mul(g, k.add(z, k.constant(seluScale * seluAlpha, z)));
      return whereAboveZero(chain, k.scale(g, seluScale), below);
    },
  ),
  sigmoid: activation(
    '1 / (1 + e⁻ˣ)',
    'Sigmoid',
    'tf.sigmoid',
    sigmoid,
    (x) => {
      const one = scalar.number(1);
      return scalar.div(one, scalar.add(one, scalar.exp(scalar.neg(x))));
    },
    ({ k, g, z }) => k.mul(g, k.mul(z, k.sub(k.constant(1, z), z))),
    { nonnegative: neverNegative },
  ),
  tanh: activation('tanh x', 'Tanh', 'tf.tanh', Math.tanh, scalar.tanh, ({ k, g, z }) =>
    k.mul(g, k.sub(k.constant(1, z), k.unary('square', z))),
  ),
  softplus: activation(
    'ln(1 + eˣ)',
    'Softplus',
    'tf.softplus',
    softplus,
    (x) => {
      const rest = scalar.log1p(scalar.exp(scalar.neg(scalar.abs(x))));
      return scalar.add(scalar.max(x, scalar.number(0)), rest);
    },
    ({ k, g, x }) => k.mul(g, k.unary('sigmoid', x)),
    {
      nonnegative: neverNegative,
    },
  ),
  gelu: activation(
    'x · Φ(x), by erf',
    null,
    'rt.gelu',
    (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    (x) => {
      const doubled = scalar.add(scalar.number(1), scalar.erf(scalar.mul(x, scalar.number(Math.SQRT1_2))));
      return scalar.mul(scalar.mul(scalar.number(0.5), x), doubled);
    },
    ({ k, g, x }) => {
      const half = k.scale(k.unary('erf', k.scale(x, Math.SQRT1_2)), 0.5);
      const density = k.scale(
        k.unary('exp', k.scale(k.unary('square', x), -0.5)),
        1 / Math.sqrt(2 * Math.PI),
      );
      return k.mul(g, k.add(k.add(half, k.constant(0.5, half)), k.mul(x, density)));
    },
  ),
  gelu_tanh: activation(
    'x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2',
    null,
    'rt.geluTanh',
    (x) => 0.5 * x * (1 + Math.tanh(geluSlope * (x + geluCubic * x ** 3))),
    (x) => {
      const cube = scalar.mul(scalar.mul(scalar.number(geluCubic), x), scalar.mul(x, x));
      const inner = scalar.mul(scalar.number(geluSlope), scalar.add(x, cube));
      const doubled = scalar.add(scalar.number(1), scalar.tanh(inner));
      return scalar.mul(scalar.mul(scalar.number(0.5), x), doubled);
    },
    ({ k, g, x }) => {
      const square = k.unary('square', x);
      const inner = k.scale(k.mul(x, k.add(k.scale(square, geluCubic), k.constant(1, x))), geluSlope);
      const t = k.unary('tanh', inner);
      const slope = k.scale(k.add(k.scale(square, 3 * geluCubic), k.constant(1, x)), geluSlope);
      const bend = k.mul(k.mul(x, k.sub(k.constant(1, x), k.unary('square', t))), slope);
      return k.mul(g, k.scale(k.add(k.add(t, k.constant(1, x)), bend), 0.5));
    },
  ),
  swish: activation(
    'x · sigmoid x',
    null,
    'rt.swish',
    (x) => x * sigmoid(x),
    (x) => {
      const one = scalar.number(1);
      return scalar.div(x, scalar.add(one, scalar.exp(scalar.neg(x))));
    },
    ({ k, g, x, z }) => {
      const share = k.unary('sigmoid', x);
      return k.mul(g, k.add(share, k.mul(z, k.sub(k.constant(1, x), share))));
    },
  ),
  prelu: elementwise({
    summary: 'x, or y·x where x is negative',
    operands: ['x', 'y'],
    operand: 'f32',
    traits: { activation: true },
    scalar: (x, y) => (x > 0 ? x : x * y),
    formula: ([x, y]) => whereAbove(x!, x!, scalar.mul(x!, y!)),
    derivatives: [
      (chain) => whereAboveZero(chain, chain.g, chain.k.mul(chain.g, chain.y)),
      ({ k, g, x }) => k.mul(g, k.unary('negative_part', x)),
    ],
    tfjs: 'tf.prelu',
  }),
} satisfies Record<string, OpDefinition>;
