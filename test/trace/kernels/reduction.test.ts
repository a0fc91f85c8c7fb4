// Reductions, softmax and normalization: the traced graph computes what tfjs computes.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodesWithOp } from '../../../src/ir/graph.js';
import { type ModelFunction, traceFunction } from '../../../src/trace/function.js';
import { expectTraced, type Probe, refusal, startTensorflow } from '../support.js';

beforeAll(startTensorflow);

interface Reduction extends Partial<Probe> {
  readonly name: string;
  readonly run: ModelFunction;
}

const cube: Probe['input'] = [null, 5, 4, 3];

const reductions: readonly Reduction[] = [
  { name: 'sum', run: (x: tf.Tensor) => tf.sum(x, 1) },
  { name: 'sum over several axes, kept', run: (x: tf.Tensor) => tf.sum(x, [-1, 1], true) },
  { name: 'mean', run: (x: tf.Tensor) => tf.mean(x, [1, 2]) },
  { name: 'mean, axes kept', run: (x: tf.Tensor) => tf.mean(x, -1, true) },
  { name: 'max', run: (x: tf.Tensor) => tf.max(x, 2) },
  { name: 'max, axes kept', run: (x: tf.Tensor) => tf.max(x, [1, 3], true) },
  { name: 'min', run: (x: tf.Tensor) => tf.min(x, 2) },
  { name: 'min, axes kept', run: (x: tf.Tensor) => tf.min(x, [2], true) },
  { name: 'of each sample whole', run: (x: tf.Tensor) => tf.mean(x, [1, 2, 3]) },
  { name: 'norm', run: (x: tf.Tensor) => tf.norm(x, 'euclidean', [1, 2]) },
  { name: 'logSumExp', run: (x: tf.Tensor) => tf.logSumExp(x, 1) },
  { name: 'softmax', run: (x: tf.Tensor) => tf.softmax(x.mul(8)) },
  { name: 'logSoftmax', run: (x: tf.Tensor) => tf.logSoftmax(x.mul(8)) },
  { name: 'moments', run: moments },
  { name: 'counted whole numbers', input: { shape: [null, 6], dtype: 'i32' }, run: countOfOnes },
  {
    name: 'the sum of whole numbers',
    input: { shape: [null, 6], dtype: 'i32' },
    run: (x: tf.Tensor) => x.sum(1),
  },
  {
    name: 'the maximum of whole numbers',
    input: { shape: [null, 6], dtype: 'i32' },
    run: (x: tf.Tensor) => x.max(1),
  },
  {
    name: 'the mean of whole numbers',
    input: { shape: [null, 6], dtype: 'i32' },
    run: (x: tf.Tensor) => x.mean(1),
  },
  { name: 'how many are above', run: (x: tf.Tensor) => x.greater(0.5).sum([1, 2]) },
];

function moments(x: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, [-1], true);
  return x.sub(mean).div(variance.add(1e-3).sqrt());
}

function countOfOnes(x: tf.Tensor): tf.Tensor {
  return x.equal(tf.scalar(1, 'int32')).toFloat().sum(1);
}

describe('a reduction', () => {
  it.each(reductions)('$name', ({ run, name: _name, ...probe }) => {
    expectTraced(run, { input: cube, ...probe });
  });

  it('over the batch is refused, with its place', () => {
    for (const model of [
      (x: tf.Tensor) => x.mean(0),
      (x: tf.Tensor) => tf.max(x),
      (x: tf.Tensor) => tf.softmax(x, 0),
    ]) {
      const error = refusal(() => traceFunction(model, { input: [null] }), 'RELC1007');
      expect(error.message).toMatch(
        /over the batch axis mixes the samples.*\(at test.*reduction\.test\.ts:\d+:\d+\)/,
      );
    }
  });

  it('over everything is allowed where there is no batch', () => {
    const { graph } = traceFunction((x: tf.Tensor) => x.mean(), { input: [5, 4], batch: null });
    expect(graph.nodes.get(graph.outputs.output!)!.type.shape).toEqual([]);
  });
});

type Statistics = { mean: tf.Tensor1D; variance: tf.Tensor1D; offset: tf.Tensor1D; scale: tf.Tensor1D };
const statistics = { mean: [3], variance: [3], offset: [3], scale: [3] };

const normalizations: readonly Reduction[] = [
  { name: 'of rows', input: [null, 3] },
  { name: 'of sequences', input: [null, 5, 3] },
  { name: 'of pictures', input: [null, 4, 5, 3] },
].map(({ name, input }) => ({
  name,
  input: input as (number | null)[],
  weights: statistics,
  run: (x: tf.Tensor, p: Statistics) => tf.batchNorm(x, p.mean, p.variance.abs(), p.offset, p.scale, 0.01),
}));

describe('batch normalization', () => {
  it.each(normalizations)('$name', ({ run, name: _name, ...probe }) => {
    const { graph } = expectTraced(run, { input: cube, ...probe });
    const sources = ['input', 'param', 'constant'];
    const computed = [...graph.nodes.values()].map((node) => node.op).filter((op) => !sources.includes(op));
    expect(computed).toEqual(['batch_norm']);
  });

  it('without scale and offset', () => {
    const model = (x: tf.Tensor4D, p: Statistics) => tf.batchNorm4d(x, p.mean, p.variance.abs());
    expectTraced(model, { input: [null, 4, 5, 3], weights: statistics });
  });

  it('between layers', () => {
    const model = (x: tf.Tensor2D, p: Statistics & { w: tf.Tensor2D }) =>
      tf.batchNorm2d(tf.matMul(x, p.w) as tf.Tensor2D, p.mean, p.variance.abs(), p.offset, p.scale).relu();
    expectTraced(model, { input: [null, 4], weights: { ...statistics, w: [4, 3] } });
  });

  it('with statistics of the input is arithmetic', () => {
    const model = (x: tf.Tensor3D, p: { scale: tf.Tensor1D; offset: tf.Tensor1D }) => {
      const { mean, variance } = tf.moments(x, [2], true);
      const [center, spread] = [mean, variance].map((value) => tf.tile(value, [1, 1, 6])) as [
        tf.Tensor3D,
        tf.Tensor3D,
      ];
      const [scale, offset] = [p.scale, p.offset].map((value) => tf.broadcastTo(value, x.shape)) as [
        tf.Tensor3D,
        tf.Tensor3D,
      ];
      return tf.batchNorm3d(x, center, spread, offset, scale, 0.01);
    };
    const { graph } = expectTraced(model, { input: [null, 5, 6], weights: { scale: [6], offset: [6] } });
    expect(nodesWithOp(graph, 'batch_norm')).toEqual([]);
  });

  it('with statistics that backends treat differently is refused', () => {
    const model = (x: tf.Tensor4D) => {
      const { mean, variance } = tf.moments(x, [1, 2, 3], true);
      return tf.batchNorm4d(x, mean as tf.Tensor4D, variance as tf.Tensor4D);
    };
    const { message } = refusal(() => traceFunction(model, { input: [null, 4, 5, 3] }), 'RELC2001');
    expect(message).toContain(
      'a statistic of shape [5,1,1,1] is neither one number a channel nor one an element',
    );
  });
});
