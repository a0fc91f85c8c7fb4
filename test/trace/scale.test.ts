// Deep models: tracing takes time in proportion to the number of ops, and nothing recurses along the graph.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { traceFunction } from '../../src/trace/function.js';
import { expectOwnValues, leavesTensorflowAlone, randomTensor, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const depth = 3000;

/** A chain of `count` ops that keeps its values within bounds. */
function chain(count: number, link: (x: tf.Tensor, index: number) => tf.Tensor) {
  return (x: tf.Tensor): tf.Tensor => {
    let value = x;
    for (let index = 0; index < count; index++) value = link(value, index);
    return value;
  };
}

function secondsOf(action: () => unknown): number {
  const start = performance.now();
  action();
  return (performance.now() - start) / 1000;
}

const options = { input: [null, 4] } as const;

describe(`a chain of ${depth} ops`, () => {
  it('is traced in seconds and computes what it computes', () => {
    const model = chain(depth, (x, index) =>
      index % 3 === 0 ? x.neg() : index % 3 === 1 ? x.tanh() : x.add(0.1),
    );
    const program = leavesTensorflowAlone(() => traceFunction(model, options));
    expectOwnValues(program, ({ x }) => ({ output: model(x!) }), { batches: [2] });
    expect(secondsOf(() => traceFunction(model, options))).toBeLessThan(15);
  });

  it('takes about four times as long as a quarter of it', () => {
    const link = (x: tf.Tensor) => x.abs();
    traceFunction(chain(100, link), options);
    const quarter = secondsOf(() => traceFunction(chain(depth / 4, link), options));
    const whole = secondsOf(() => traceFunction(chain(depth, link), options));
    expect(whole / quarter).toBeLessThan(10);
  });

  it('of products with a weight, each looked at for constancy', () => {
    const w = randomTensor<tf.Tensor2D>(1, [4, 4]);
    const model = chain(depth / 2, (x) => tf.matMul(x as tf.Tensor2D, w).relu());
    const program = traceFunction(model, { ...options, params: { w } });
    expect(program.graph.nodes.size).toBe(depth + 2);
    expect(program.weights.size).toBe(1);
    runPasses(program, [canonicalize], forward);
    w.dispose();
  });
});
