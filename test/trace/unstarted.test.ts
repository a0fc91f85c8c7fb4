// Tracing before tfjs was used for anything: a backend to compute constants on is started.
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { nodesWithOp } from '../../src/ir/graph.js';
import { traceFunction } from '../../src/trace/function.js';

it('starts a backend where none has been used yet', () => {
  const model = (x: tf.Tensor) => x.mul(tf.scalar(2).add(0.5));
  const { graph } = traceFunction(model, { input: [null, 4] });
  expect(nodesWithOp(graph, 'constant').map((node) => node.attrs.value)).toEqual([2.5]);
  expect(tf.getBackend()).toBe('cpu');
});
