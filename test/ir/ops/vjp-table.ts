// Representative applications of every op, for its derivative; and the ops that have none, with the reason.
import type { ForwardOp } from '../../../src/ir/forward.js';
import type { Attrs } from '../../../src/ir/graph.js';
import { sizeOf, type TensorData } from '../../../src/ir/tensor.js';
import { bindShape, type Dtype, type Shape, type TensorType } from '../../../src/ir/type.js';
import { booleans, exact, f32, integers, sequence, uniform } from '../support.js';

/** Samples in the batch wherever a shape has N. */
export const batch = 2;

/** An operand: its type, and values away from the op's kinks. */
export interface Operand {
  readonly type: TensorType;
  readonly data: TensorData;
}

export interface Case {
  readonly name?: string;
  readonly operands: readonly Operand[];
  readonly attrs?: Attrs;
  /** The stated type of the result. */
  readonly type?: TensorType;
  /** Operands without a derivative: the message of the refusal. */
  readonly refused?: Readonly<Record<number, string>>;
}

const operand = (dtype: Dtype, shape: Shape, data: TensorData): Operand => ({ type: { dtype, shape }, data });

/** Uniform in [low, high). */
function within(low: number, high: number, ...shape: Shape): Operand {
  return operand('f32', shape, uniform(bindShape(shape, batch), shape.length + 17, low, high));
}

const any = (...shape: Shape) => within(-1, 1, ...shape);
const positive = (...shape: Shape) => within(0.5, 2, ...shape);

/** Of either sign, at least 0.2 away from zero. */
function nonZero(...shape: Shape): Operand {
  const { type, data } = any(...shape);
  return operand(
    'f32',
    type.shape,
    exact(
      data.shape,
      data.data.map((value) => value + Math.sign(value) * 0.2),
    ),
  );
}

/** All elements at least 0.2 apart; two operands with different offsets are apart by 0.1. */
function apart(offset: number, ...shape: Shape): Operand {
  const bound = bindShape(shape, batch);
  const size = sizeOf(bound);
  const random = sequence(size);
  const order = Array.from({ length: size }, (_, index) => ({ index, key: random() })).sort(
    (a, b) => a.key - b.key,
  );
  const values = order.map(({ index }) => (index - size / 2) * 0.2 + offset);
  return operand('f32', shape, exact(bound, values));
}

const indices = (values: readonly number[], ...shape: Shape) =>
  operand('i32', shape, integers(bindShape(shape, batch), values));

const unary = (x: Operand, attrs: Attrs = {}): Case[] => [{ operands: [x], attrs }];
const binary = (x: Operand, y: Operand): Case[] => [{ operands: [x, y] }];

const kernel = 'no derivative with respect to the kernel: it must be a constant';
const statistics = 'the statistics of a batch normalization must be constants';
const along = 'scale and offset of a normalization must be constants';

const convolutions: readonly { name: string; x: Shape; w: Shape; z: Shape; attrs: Attrs }[] = [
  {
    name: 'strided and padded',
    x: ['N', 5, 4, 2],
    w: [3, 2, 2, 3],
    z: ['N', 3, 3, 3],
    attrs: {
      strides: [2, 2],
      padding: [
        [1, 1],
        [1, 1],
      ],
    },
  },
  {
    name: 'dilated and grouped',
    x: ['N', 6, 2],
    w: [2, 1, 4],
    z: ['N', 4, 4],
    attrs: { strides: [1], padding: [[0, 0]], dilations: [2], groups: 2 },
  },
];

const pools: readonly { name: string; x: Shape; z: Shape; attrs: Attrs }[] = [
  {
    name: 'overlapping, padded on one side, leaving a rest',
    x: ['N', 6, 5, 2],
    z: ['N', 3, 3, 2],
    attrs: {
      window: [3, 2],
      strides: [2, 2],
      padding: [
        [1, 0],
        [0, 1],
      ],
    },
  },
  {
    name: 'with gaps between the windows',
    x: ['N', 9, 1],
    z: ['N', 3, 1],
    attrs: { window: [2], strides: [3], padding: [[0, 0]] },
  },
];

const resizes: readonly { name: string; attrs: Attrs; from: Shape; to: Shape }[] = [
  {
    name: 'bilinear up',
    attrs: { mode: 'bilinear', half_pixel: true },
    from: ['N', 3, 2, 2],
    to: ['N', 5, 4, 2],
  },
  { name: 'nearest down', attrs: { mode: 'nearest' }, from: ['N', 5, 4, 1], to: ['N', 2, 3, 1] },
  {
    name: 'aligned',
    attrs: { mode: 'bilinear', align_corners: true },
    from: ['N', 4, 3, 1],
    to: ['N', 3, 5, 1],
  },
];

const reductions = [{ axes: [1] }, { axes: [2, 1] }, { axes: [] }];
const softmaxes = [{ axis: 1 }, { axis: 2 }];

const elementwise = {
  add: binary(any('N', 3), any('N', 3)),
  sub: binary(any('N', 3), any('N', 3)),
  mul: binary(any('N', 3), within(1, 2, 'N', 3)),
  div: binary(any('N', 3), positive('N', 3)),
  maximum: binary(apart(0, 'N', 5), apart(0.1, 'N', 5)),
  minimum: binary(apart(0, 'N', 5), apart(0.1, 'N', 5)),
  pow: binary(positive('N', 3), any('N', 3)),
  neg: unary(any('N', 3)),
  abs: unary(nonZero('N', 4)),
  square: unary(any('N', 3)),
  sqrt: unary(positive('N', 3)),
  rsqrt: unary(positive('N', 3)),
  reciprocal: unary(positive('N', 3)),
  exp: unary(any('N', 3)),
  log: unary(positive('N', 3)),
  erf: unary(any('N', 3)),
  sin: unary(any('N', 3)),
  cos: unary(any('N', 3)),
  negative_part: unary(nonZero('N', 4)),
  relu: unary(nonZero('N', 4)),
  clip: unary(apart(0.05, 'N', 5), { min: -0.5, max: 0.6 }),
  leaky_relu: unary(nonZero('N', 4), { alpha: 0.3 }),
  elu: unary(nonZero('N', 4)),
  selu: unary(nonZero('N', 4)),
  sigmoid: unary(any('N', 3)),
  tanh: unary(any('N', 3)),
  softplus: unary(any('N', 3)),
  gelu: unary(any('N', 3)),
  gelu_tanh: unary(any('N', 3)),
  swish: unary(any('N', 3)),
  prelu: binary(nonZero('N', 4), any('N', 4)),
  accumulate: [{ operands: [any('N', 3), any('N', 3), any('N', 3)] }],
  batch_total: unary(any('N', 3)),
  select: [
    {
      operands: [
        operand('bool', ['N', 3], booleans([2, 3], [1, 0, 1, 0, 0, 1])),
        any('N', 3),
        within(1, 2, 'N', 3),
      ],
      refused: { 0: 'no derivative with respect to the condition' },
    },
  ],
} satisfies Partial<Record<ForwardOp, readonly Case[]>>;

const movement = {
  reshape: [
    { operands: [any('N', 2, 3)], type: f32('N', 6) },
    { operands: [any('N', 4)], type: f32('2N', 2) },
  ],
  transpose: [{ operands: [any('N', 2, 3, 4)], attrs: { perm: [0, 3, 1, 2] } }],
  broadcast: [
    { name: 'new axes', operands: [any(3)], attrs: { axes: [1] }, type: f32(2, 3, 2) },
    {
      name: 'axes of extent 1',
      operands: [any('N', 1, 3)],
      attrs: { axes: [0, 1, 2] },
      type: f32('N', 4, 3),
    },
    { name: 'both', operands: [any('N', 1)], attrs: { axes: [0, 2] }, type: f32('N', 2, 3) },
    { name: 'a scalar', operands: [any()], attrs: { axes: [] }, type: f32(2, 3) },
  ],
  slice: [
    { operands: [any('N', 5, 3)], attrs: { begin: [0, 1, 2] }, type: f32('N', 3, 1) },
    { operands: [any('N', 7, 4)], attrs: { begin: [0, 1, 0], stride: [1, 2, 3] }, type: f32('N', 3, 2) },
  ],
  pad: [
    { operands: [any('N', 2, 3)], attrs: { low: [0, 1, 0], high: [0, 0, 2], value: 3 } },
    { operands: [any('N', 3)], attrs: { low: [0, 1], high: [0, 2], interior: [0, 2] } },
  ],
  concat: [{ operands: [any('N', 2), any('N', 3), any('N', 1)], attrs: { axis: 1 } }],
  reverse: [{ operands: [any('N', 3, 2)], attrs: { axes: [1, 2] } }],
  gather: [
    {
      operands: [any(4, 3), indices([2, 0, 2, 3, 1, 2], 'N', 3)],
      attrs: { axis: 0 },
      refused: { 1: 'no derivative with respect to the indices' },
    },
  ],
  scatter_add: [
    {
      operands: [any('N', 3, 2), indices([2, 0, 2], 3)],
      attrs: { axis: 1 },
      type: f32('N', 4, 2),
      refused: { 1: 'no derivative with respect to the indices' },
    },
  ],
} satisfies Partial<Record<ForwardOp, readonly Case[]>>;

const contractions = {
  sum: reductions.map((attrs) => ({ operands: [any('N', 2, 3)], attrs })),
  mean: reductions.map((attrs) => ({ operands: [any('N', 2, 3)], attrs })),
  reduce_max: reductions.map((attrs) => ({ operands: [apart(0, 'N', 2, 3)], attrs })),
  softmax: softmaxes.map((attrs) => ({ operands: [any('N', 3, 2)], attrs })),
  log_softmax: softmaxes.map((attrs) => ({ operands: [any('N', 3, 2)], attrs })),
  batch_norm: [
    {
      operands: [any('N', 2, 3), any(3), any(3), any(3), positive(3)],
      attrs: { epsilon: 0.1 },
      refused: { 1: statistics, 2: statistics, 3: statistics, 4: statistics },
    },
  ],
  layer_norm: [
    { operands: [any('N', 2, 4)], attrs: { epsilon: 0.1 } },
    { operands: [any('N', 4), any(4)], attrs: { epsilon: 0.1 }, refused: { 1: along } },
    {
      operands: [any('N', 2, 3), any(3), any(3)],
      attrs: { epsilon: 0 },
      refused: { 1: along, 2: along },
    },
  ],
  rms_norm: [
    { operands: [any('N', 2, 4)], attrs: { epsilon: 0.1 } },
    { operands: [any(3, 4), any(4)], attrs: { epsilon: 0 }, refused: { 1: along } },
  ],
  einsum: [
    { name: 'dense', operands: [any(2, 3), any(3, 4)], attrs: { eq: 'bi,ij->bj' } },
    {
      name: 'dense on a batch',
      operands: [any('N', 3), any(3, 4)],
      attrs: { eq: 'bi,ij->bj' },
      refused: { 1: 'a contraction over the batch axis mixes the samples of the batch' },
    },
    { name: 'attention', operands: [any('N', 2, 3, 4), any('N', 2, 5, 4)], attrs: { eq: 'bhqd,bhkd->bhqk' } },
    { name: 'transposed out', operands: [any(2, 2, 3), any(4, 3, 5)], attrs: { eq: 'bti,jik->bjkt' } },
    { name: 'with a bias', operands: [any(2, 3), any(4, 3, 2), any(4, 2)], attrs: { eq: 'bi,jik->jbk' } },
  ],
  conv: convolutions.map(({ name, x, w, attrs }) => ({
    name,
    operands: [any(...x), any(...w)],
    attrs,
    refused: { 1: kernel },
  })),
  conv_transpose: convolutions.map(({ name, x, w, z, attrs }) => ({
    name,
    operands: [any(...z), any(...w)],
    attrs,
    type: f32(...x),
    refused: { 1: kernel },
  })),
  max_pool: pools.map(({ name, x, attrs }) => ({ name, operands: [apart(0, ...x)], attrs })),
  avg_pool: pools.map(({ name, x, attrs }) => ({ name, operands: [any(...x)], attrs })),
  resize: resizes.map(({ name, attrs, from, to }) => ({
    name,
    operands: [any(...from)],
    attrs,
    type: f32(...to),
  })),
  resize_transpose: resizes.map(({ name, attrs, from, to }) => ({
    name,
    operands: [any(...to)],
    attrs,
    type: f32(...from),
  })),
} satisfies Partial<Record<ForwardOp, readonly Case[]>>;

/** At least one application of each op that has a derivative. */
export const differentiable: Partial<Record<ForwardOp, readonly Case[]>> = {
  ...elementwise,
  ...movement,
  ...contractions,
};

const source = 'a source has no operands';
const flat = 'its derivative is zero wherever it has one';
const discrete = 'its result is discrete';

/** Ops without a derivative, and why. */
export const notDifferentiable: Partial<Record<ForwardOp, string>> = {
  input: source,
  param: source,
  constant: source,
  sign: flat,
  step: flat,
  greater: discrete,
  greater_equal: discrete,
  equal: discrete,
  logical_and: discrete,
  logical_or: discrete,
  logical_not: discrete,
  one_hot: 'its operand is discrete',
  argmax: discrete,
  cast: 'one of its two types is discrete',
  quotient: 'it comes from a rule: nothing differentiates relevance',
  stabiliser: 'it is for accounts of relevance',
  max_unpool: 'it comes from a derivative: nothing differentiates twice',
};
