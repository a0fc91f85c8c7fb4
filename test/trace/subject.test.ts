// What front ends hand over: inputs of stated types, with the batch in front, with a multiple of it, or with none.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { printType, type TensorType } from '../../src/ir/type.js';
import { type Subject, traceSubject } from '../../src/trace/trace.js';
import { startTensorflow } from './support.js';

beforeAll(startTensorflow);

const f32 = (...shape: TensorType['shape']): TensorType => ({ dtype: 'f32', shape });

function traced(inputs: Record<string, TensorType>, run: (given: readonly tf.Tensor[]) => tf.Tensor) {
  const subject: Subject = {
    name: 'subject',
    inputs: new Map(Object.entries(inputs)),
    weightNames: new Map(),
    sites: false,
    run: (given) => ({ output: run(given) }),
  };
  const { graph } = traceSubject(subject);
  const types = Object.keys(inputs).map((name) => printType(graph.nodes.get(name)!.type));
  return { types, output: printType(graph.nodes.get(graph.outputs.output!)!.type) };
}

describe('inputs', () => {
  it('with a batch and without one meet in one graph', () => {
    const run = ([x, w]: readonly tf.Tensor[]) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
    expect(traced({ x: f32('N', 4), w: f32(4, 3) }, run)).toEqual({
      types: ['f32[N,4]', 'f32[4,3]'],
      output: 'f32[N,3]',
    });
  });

  it('of several rows a sample keep their multiple', () => {
    const run = ([x]: readonly tf.Tensor[]) => tf.reshape(x!, [-1, 3, 2]);
    expect(traced({ x: f32('6N', 2) }, run)).toEqual({ types: ['f32[6N,2]'], output: 'f32[2N,3,2]' });
  });

  it('whose extents are the batch sizes of the traces stay what they are', () => {
    const run = ([x, a, b]: readonly tf.Tensor[]) => tf.add(tf.add(x!, tf.sum(a!)), tf.sum(b!));
    expect(traced({ x: f32('N', 5), a: f32(5), b: f32(7) }, run)).toEqual({
      types: ['f32[N,5]', 'f32[5]', 'f32[7]'],
      output: 'f32[N,5]',
    });
  });

  it('without any batch give a graph without one', () => {
    const run = ([x]: readonly tf.Tensor[]) => tf.sum(x!, 0);
    expect(traced({ x: f32(3, 4) }, run)).toEqual({ types: ['f32[3,4]'], output: 'f32[4]' });
  });
});
