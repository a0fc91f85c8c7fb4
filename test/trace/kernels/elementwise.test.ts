// Elementwise kernels: the traced graph computes what tfjs computes.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, it } from 'vitest';
import type { ModelFunction } from '../../../src/trace/function.js';
import { expectTraced, type Probe, startTensorflow } from '../support.js';

beforeAll(startTensorflow);

interface Elementwise extends Partial<Probe> {
  readonly name: string;
  readonly run: ModelFunction;
}

type Weight = { w: tf.Tensor };
type Pair = { a: tf.Tensor; b: tf.Tensor };
const rows: Probe['input'] = [null, 3, 4];
const pair: Probe['input'] = { a: [null, 3, 4], b: [null, 3, 4] };
const positive = (x: tf.Tensor) => x.abs().add(0.5);

const unary: readonly Elementwise[] = [
  { name: 'relu', run: (x: tf.Tensor) => tf.relu(x) },
  { name: 'relu6', run: (x: tf.Tensor) => tf.relu6(x.mul(5)) },
  { name: 'leakyRelu', run: (x: tf.Tensor) => tf.leakyRelu(x, 0.3) },
  { name: 'leakyRelu, its default', run: (x: tf.Tensor) => tf.leakyRelu(x) },
  { name: 'prelu', weights: { w: [3, 1] }, run: (x: tf.Tensor, { w }: Weight) => tf.prelu(x, w) },
  { name: 'elu', run: (x: tf.Tensor) => tf.elu(x) },
  { name: 'selu', run: (x: tf.Tensor) => tf.selu(x) },
  { name: 'sigmoid', run: (x: tf.Tensor) => tf.sigmoid(x) },
  { name: 'tanh', run: (x: tf.Tensor) => tf.tanh(x) },
  { name: 'softplus', run: (x: tf.Tensor) => tf.softplus(x.mul(20)) },
  { name: 'logSigmoid', run: (x: tf.Tensor) => tf.logSigmoid(x) },
  { name: 'step', run: (x: tf.Tensor) => tf.step(x) },
  { name: 'clipByValue', run: (x: tf.Tensor) => tf.clipByValue(x, -0.25, 0.5) },
  { name: 'clipByValue from below', run: (x: tf.Tensor) => tf.clipByValue(x, -0.25, Infinity) },
  { name: 'clipByValue from above', run: (x: tf.Tensor) => tf.clipByValue(x, -Infinity, 0.5) },
  { name: 'neg', run: (x: tf.Tensor) => tf.neg(x) },
  { name: 'abs', run: (x: tf.Tensor) => tf.abs(x) },
  { name: 'sign', run: (x: tf.Tensor) => tf.sign(x) },
  { name: 'square', run: (x: tf.Tensor) => tf.square(x) },
  { name: 'sqrt', run: (x: tf.Tensor) => tf.sqrt(positive(x)) },
  { name: 'rsqrt', run: (x: tf.Tensor) => tf.rsqrt(positive(x)) },
  { name: 'reciprocal', run: (x: tf.Tensor) => tf.reciprocal(positive(x)) },
  { name: 'exp', run: (x: tf.Tensor) => tf.exp(x) },
  { name: 'log', run: (x: tf.Tensor) => tf.log(positive(x)) },
  { name: 'erf', run: (x: tf.Tensor) => tf.erf(x) },
  { name: 'sin and cos', run: (x: tf.Tensor) => tf.sin(x).add(tf.cos(x)) },
  { name: 'zerosLike and onesLike', run: (x: tf.Tensor) => tf.zerosLike(x).add(tf.onesLike(x)).mul(x) },
  { name: 'a cast and back', run: (x: tf.Tensor) => x.greater(0).toFloat().mul(x.mul(3).toInt().toFloat()) },
  { name: 'dropout of nothing', run: (x: tf.Tensor) => tf.dropout(x, 0) },
];

const binary: readonly Elementwise[] = [
  { name: 'add', input: pair, run: ({ a, b }: Pair) => tf.add(a, b) },
  { name: 'sub', input: pair, run: ({ a, b }: Pair) => tf.sub(a, b) },
  { name: 'mul', input: pair, run: ({ a, b }: Pair) => tf.mul(a, b) },
  { name: 'mul by itself', run: (x: tf.Tensor) => tf.mul(x, x) },
  { name: 'div', input: pair, run: ({ a, b }: Pair) => tf.div(a, positive(b)) },
  { name: 'maximum', input: pair, run: ({ a, b }: Pair) => tf.maximum(a, b) },
  { name: 'minimum', input: pair, run: ({ a, b }: Pair) => tf.minimum(a, b) },
  { name: 'pow', input: pair, run: ({ a, b }: Pair) => tf.pow(positive(a), b) },
  { name: 'squaredDifference', input: pair, run: ({ a, b }: Pair) => tf.squaredDifference(a, b) },
  { name: 'addN', input: pair, run: ({ a, b }: Pair) => tf.addN([a, b, a]) },
  { name: 'where', input: pair, run: ({ a, b }: Pair) => tf.where(a.greater(b), a, b.mul(2)) },
];

const { greater, greaterEqual, less, lessEqual, equal, notEqual } = tf;
const comparisons = { greater, greaterEqual, less, lessEqual, equal, notEqual };

const constants: readonly Elementwise[] = [
  { name: 'a number on the right', run: (x: tf.Tensor) => x.add(1).sub(0.5).mul(3).div(2) },
  {
    name: 'a number on the left',
    run: (x: tf.Tensor) =>
      tf
        .sub(1, x)
        .add(tf.div(2, positive(x)))
        .mul(tf.mul(3, x)),
  },
  { name: 'a vector', weights: { w: [4] }, run: (x: tf.Tensor, { w }: Weight) => x.add(w).mul(w).sub(w) },
  {
    name: 'a column',
    weights: { w: [3, 1] },
    run: (x: tf.Tensor, { w }: Weight) => w.sub(x).div(w.abs().add(1)),
  },
  {
    name: 'a table',
    weights: { w: [3, 4] },
    run: (x: tf.Tensor, { w }: Weight) => x.maximum(w).minimum(w.add(1)),
  },
  {
    name: 'of a higher rank than the value',
    input: [null, 4],
    weights: { w: [1, 1, 4] },
    run: (x: tf.Tensor, { w }: Weight) => x.expandDims(1).mul(w),
  },
  { name: 'whole numbers', run: (x: tf.Tensor) => x.pow(tf.scalar(2, 'int32')) },
  {
    name: 'a mask',
    run: (x: tf.Tensor) => tf.where(tf.tensor1d([1, 0, 1, 1], 'bool'), x, tf.tensor2d([[-1], [0], [1]])),
  },
  {
    name: 'a vector instead of negatives',
    run: (x: tf.Tensor) => tf.where(x.less(0), tf.tensor1d([1, 2, 3, 4]), x),
  },
  {
    name: 'zeros that grow with the batch',
    run: (x: tf.Tensor) => x.add(tf.zeros([x.shape[0]!, 1, 4])).mul(tf.fill(x.shape, 2)),
  },
  {
    name: 'rows that grow with the batch',
    weights: { w: [3, 4] },
    run: (x: tf.Tensor, { w }: Weight) => x.mul(tf.ones([x.shape[0]!, 3, 4]).mul(w)),
  },
];

const spreads: readonly Elementwise[] = [
  { name: 'a column', input: { a: [null, 3, 4], b: [null, 3, 1] }, run: ({ a, b }: Pair) => a.mul(b).add(b) },
  {
    name: 'a row',
    input: { a: [null, 3, 4], b: [null, 1, 4] },
    run: ({ a, b }: Pair) => a.sub(b).maximum(b),
  },
  { name: 'both ways', input: { a: [null, 3, 1], b: [null, 1, 4] }, run: ({ a, b }: Pair) => tf.add(a, b) },
  {
    name: 'one number a sample',
    input: { a: [null, 3, 4], b: [null, 1] },
    run: ({ a, b }: Pair) => a.mul(b.expandDims(1)),
  },
];

describe.each([
  ['a function of one value', unary],
  ['a function of two values', binary],
  ['a constant', constants],
  ['broadcasting', spreads],
])('%s', (_group, cases) => {
  it.each(cases)('$name', ({ run, name: _name, ...probe }) => {
    expectTraced(run, { input: rows, ...probe });
  });
});

describe('comparisons and logic', () => {
  it.each(Object.entries(comparisons))('%s', (_name, compare) => {
    // Whole numbers, for some of them are then equal.
    const model = ({ a, b }: Pair) => compare(a.toInt(), b.toInt()).toFloat();
    expectTraced(model, { input: pair });
  });

  it('and, or, not', () => {
    const model = ({ a, b }: Pair) => {
      const [large, small] = [a.greater(0.2), b.less(0.3)];
      return tf.logicalOr(tf.logicalAnd(large, small), tf.logicalNot(small)).toFloat();
    };
    expectTraced(model, { input: pair });
  });
});
