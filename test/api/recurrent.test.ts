// Recurrent models, unrolled: they trace step by step; rules refuse the gates by name, gradients pass them.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { traceLayersModel } from '../../src/trace/layers-model.js';
import { WeightSource } from '../models/transformers/parts.js';
import { difference, expectOwnValues, expectTraced, refusal, startTensorflow } from '../trace/support.js';

const [steps, features, units] = [3, 2, 4];

/** Seeded: tfjs draws other weights each time. */
function lstmLayers(unroll: boolean): tf.LayersModel {
  const layers = [
    tf.layers.lstm({ units, unroll, inputShape: [steps, features], name: 'lstm' }),
    tf.layers.dense({ units: 2, name: 'head' }),
  ];
  const model = tf.sequential({ layers });
  const source = new WeightSource(8);
  model.setWeights(model.getWeights().map(({ shape }) => source.tensor(shape, -1, 1)));
  return model;
}

/** Steps of `tf.basicLSTMCell` from zeros, then a product. */
const cells = ((
  x: tf.Tensor3D,
  { kernel, bias, head }: Record<'kernel' | 'head', tf.Tensor2D> & { bias: tf.Tensor1D },
) => {
  const [n] = x.shape;
  let [c, h] = [tf.zeros<tf.Rank.R2>([n, units]), tf.zeros<tf.Rank.R2>([n, units])];
  for (const step of tf.unstack(x, 1)) [c, h] = tf.basicLSTMCell(1, kernel, bias, step as tf.Tensor2D, c, h);
  return tf.matMul(h, head);
}) as ModelFunction;

const probe = {
  input: [null, steps, features],
  weights: { kernel: [features + units, 4 * units], bias: [4 * units], head: [units, 2] },
};

beforeAll(startTensorflow);

describe('an LSTM', () => {
  it.each([true, false])('of layers computes what it does itself, unroll %s', (unroll) => {
    const model = lstmLayers(unroll);
    const program = traceLayersModel(model, {});
    const [output] = Object.keys(program.graph.outputs);
    expectOwnValues(program, (inputs) => ({ [output!]: model.predict(Object.values(inputs)) as tf.Tensor }));
    const { graph } = runPasses(program, [canonicalize], forward);
    expect(nodesWithOp(graph, 'swish')).toEqual([]);
  });

  it('of cells computes what it does itself', () => {
    const { graph } = expectTraced(cells, probe);
    expect(nodesWithOp(graph, 'tanh')).toHaveLength(2 * steps);
  });

  it('is refused where no rule is for products of activations, by the name of a gate', async () => {
    const model = lstmLayers(true);
    const error = await compile(model, { rules: 'epsilon-plus' }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const { message } = refusal(() => {
      throw error;
    }, 'RELC3001');
    expect(message).toMatch(/%lstm\S* = mul/);
  });

  it('is explained by gradient × input', async () => {
    const model = lstmLayers(true);
    const explainer = await compile(model, { rules: 'gradient-times-input' });
    const x = tf.randomUniform([1, steps, features], -1, 1, 'float32', 3);
    const { relevance } = await explainer.explain(x, { target: 1 });
    const gradient = tf.grad((input) => (model.predict(input) as tf.Tensor).slice([0, 1], [1, 1]).sum())(x);
    const wanted = gradient.mul(x).dataSync();
    expect(difference(relevance.data, wanted)).toBeUndefined();
    await explainer.dispose();
  });
});
