// Layers models: values equal the model's own, layers name the values, and tfjs is left as it was.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodesWithOp, resolveAlias } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { traceLayersModel } from '../../src/trace/layers-model.js';
import {
  type Comparison,
  expectOwnValues,
  leavesTensorflowAlone,
  randomTensor,
  refusal,
  startTensorflow,
} from './support.js';

beforeAll(startTensorflow);

type Symbolic = tf.SymbolicTensor;
const { layers } = tf;
const apply = (layer: tf.layers.Layer, on: Symbolic | Symbolic[]) => layer.apply(on) as Symbolic;

/** Gives every weight seeded values, variances positive ones. */
function withSeededWeights(model: tf.LayersModel): tf.LayersModel {
  const values = model.weights.map(({ name, shape }, index) => {
    const value = randomTensor(200 + index, shape as number[]);
    return name.includes('variance') ? value.abs().add(0.1) : value.mul(0.5);
  });
  model.setWeights(values);
  return model;
}

/** Traces a model and compares it with its own prediction; output names are checked by the comparison. */
function expectPredictions(model: tf.LayersModel, comparison: Comparison = {}): Program {
  const program = leavesTensorflowAlone(() => traceLayersModel(model, {}));
  const names = model.outputs.map((output) => output.sourceLayer.name);
  expectOwnValues(
    program,
    (inputs) => {
      const given = Object.values(inputs);
      const outputs = [model.predict(given.length === 1 ? given[0]! : given)].flat();
      return Object.fromEntries(outputs.map((output, index) => [names[index]!, output]));
    },
    comparison,
  );
  return program;
}

/** Layers of a block that is a model of its own. */
function innerBlock(): tf.Sequential {
  const separable = layers.separableConv2d({
    inputShape: [8, 8, 4],
    filters: 6,
    kernelSize: 3,
    strides: 2,
    padding: 'same',
    activation: 'relu',
    name: 'separable',
  });
  return tf.sequential({
    name: 'inner',
    layers: [separable, layers.dropout({ rate: 0.5, name: 'dropout' })],
  });
}

/** A residual network: a layer used twice, a nested model, a transposed convolution, and a concatenation. */
function residualModel(): tf.LayersModel {
  const same = { kernelSize: 3, padding: 'same' } as const;
  const input = tf.input({ shape: [8, 8, 3], name: 'picture' });
  const shared = layers.conv2d({ ...same, filters: 4, name: 'shared' });
  const stem = apply(layers.conv2d({ ...same, filters: 4, activation: 'relu', name: 'stem' }), input);
  const normal = apply(layers.batchNormalization({ name: 'normal' }), apply(shared, stem));
  const active = apply(layers.activation({ activation: 'elu', name: 'active' }), normal);
  const sum = apply(layers.add({ name: 'residual' }), [stem, apply(shared, active)]);
  const nested = apply(innerBlock(), sum);
  const up = apply(layers.conv2dTranspose({ ...same, filters: 3, strides: 2, name: 'up' }), nested);
  const joined = apply(layers.concatenate({ name: 'joined' }), [up, sum]);
  const pool = layers.globalAveragePooling2d({ name: 'pool', dataFormat: 'channelsLast' });
  const scores = layers.dense({ units: 5, activation: 'softmax', name: 'scores' });
  return withSeededWeights(tf.model({ inputs: input, outputs: apply(scores, apply(pool, joined)) }));
}

describe('a residual model', () => {
  it('computes what it predicts, values named by layers and weights by the model', () => {
    const { graph, weights } = expectPredictions(residualModel());
    expect([...weights.keys()]).toEqual([
      'stem/kernel',
      'stem/bias',
      'shared/kernel',
      'shared/bias',
      'normal/gamma',
      'normal/beta',
      'normal/moving_mean',
      'normal/moving_variance',
      'separable/depthwise_kernel',
      'separable/pointwise_kernel',
      'separable/bias',
      'up/kernel',
      'up/bias',
      'scores/kernel',
      'scores/bias',
    ]);
    expect(nodesWithOp(graph, 'conv').map((node) => node.name)).toEqual([
      'stem/conv',
      'shared/conv',
      'shared/conv_1',
      'inner/separable/conv',
      'inner/separable/conv_1',
    ]);
    for (const name of ['normal', 'active', 'residual', 'joined', 'pool']) {
      expect(graph.nodes.get(name)?.loc).toEqual({ layer: name });
    }
  });

  it('has an alias from each layer of several values to its last', () => {
    const { graph } = traceLayersModel(residualModel(), {});
    expect(resolveAlias(graph, 'stem')).toBe('stem/relu');
    expect(resolveAlias(graph, 'shared')).toBe('shared/conv_1');
    expect(resolveAlias(graph, 'inner/separable')).toBe('inner/separable/relu');
    expect(resolveAlias(graph, 'scores')).toBe('scores/softmax');
  });

  it('names a layer once that two nested models share', () => {
    const shared = layers.dense({ units: 4, name: 'shared' });
    const branches = ['left', 'right'].map((name) => {
      const own = tf.input({ shape: [4] });
      return tf.model({ inputs: own, outputs: apply(shared, own), name });
    });
    const input = tf.input({ shape: [4] });
    const sum = layers.add({ name: 'sum' });
    const outputs = apply(
      sum,
      branches.map((branch) => apply(branch, input)),
    );
    const { graph } = expectPredictions(withSeededWeights(tf.model({ inputs: input, outputs })));
    expect(graph.nodes.get('sum')!.args).toEqual(['left/shared', 'right/shared']);
  });

  it('can be called as before once it is traced', () => {
    const model = residualModel();
    const input = randomTensor(3, [2, 8, 8, 3]);
    const before = (model.predict(input) as tf.Tensor).dataSync();
    traceLayersModel(model, {});
    expect((model.predict(input) as tf.Tensor).dataSync()).toEqual(before);
    for (const layer of model.layers) expect(Object.hasOwn(layer, 'call')).toBe(false);
  });
});

/** One trunk with a class and a box on top. */
function twoHeads(): tf.LayersModel {
  const input = tf.input({ shape: [6, 6, 2] });
  const trunk = apply(layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', name: 'trunk' }), input);
  const flat = apply(layers.flatten({ name: 'flat' }), trunk);
  const kind = apply(layers.dense({ units: 4, activation: 'softmax', name: 'kind' }), flat);
  const box = apply(layers.dense({ units: 2, activation: 'sigmoid', name: 'box' }), flat);
  return withSeededWeights(tf.model({ inputs: input, outputs: [kind, box] }));
}

/** The dot product of two embeddings and what a dense layer makes of a number. */
function twoInputs(): tf.LayersModel {
  const word = tf.input({ shape: [5], dtype: 'int32', name: 'words' });
  const number = tf.input({ shape: [3], name: 'numbers' });
  const embedding = layers.embedding({ inputDim: 7, outputDim: 4, name: 'embedding' });
  const mean = apply(layers.globalAveragePooling1d({ name: 'mean' }), apply(embedding, word));
  const dense = apply(layers.dense({ units: 4, activation: 'tanh', name: 'dense' }), number);
  const product = apply(layers.multiply({ name: 'product' }), [mean, dense]);
  return withSeededWeights(tf.model({ inputs: [word, number], outputs: product }));
}

describe('several inputs and outputs', () => {
  it('each output has the name of its layer', () => {
    const { graph } = expectPredictions(twoHeads());
    expect(graph.outputs).toEqual({ kind: 'kind/softmax', box: 'box/sigmoid' });
    expect(graph.nodes.get('flat')!.op).toBe('reshape');
  });

  it('inputs keep their names and dtypes', () => {
    const { graph } = expectPredictions(twoInputs(), { integers: 7 });
    const inputs = nodesWithOp(graph, 'input').map(({ name, type }) => [name, type.dtype, type.shape]);
    expect(inputs).toEqual([
      ['words', 'i32', ['N', 5]],
      ['numbers', 'f32', ['N', 3]],
    ]);
  });
});

const sequences: readonly (readonly [string, readonly tf.layers.Layer[]])[] = [
  [
    'a dense layer on sequences',
    [layers.dense({ units: 6, inputShape: [5, 4], activation: 'relu', name: 'dense' })],
  ],
  [
    'convolutions along a sequence',
    [
      layers.conv1d({ filters: 4, kernelSize: 3, inputShape: [9, 3], activation: 'relu', name: 'conv' }),
      layers.maxPooling1d({ poolSize: 2, name: 'pool' }),
      layers.batchNormalization({ name: 'normal' }),
      layers.flatten({ name: 'flat' }),
      layers.dense({ units: 3, name: 'dense' }),
      layers.batchNormalization({ name: 'scaled' }),
    ],
  ],
  [
    'layer normalization',
    [
      layers.layerNormalization({ inputShape: [5, 6], name: 'normal' }),
      layers.leakyReLU({ name: 'leaky', alpha: 0.2 }),
      layers.prelu({ name: 'slopes' }),
    ],
  ],
  [
    'moved pictures',
    [
      layers.depthwiseConv2d({ kernelSize: 3, inputShape: [8, 8, 3], depthMultiplier: 2, name: 'deep' }),
      layers.upSampling2d({ size: [2, 2], name: 'up', dataFormat: 'channelsLast' }),
      layers.zeroPadding2d({ padding: 1, name: 'pad' }),
      layers.cropping2D({
        cropping: [
          [1, 0],
          [0, 2],
        ],
        name: 'crop',
      }),
      layers.averagePooling2d({ poolSize: 3, padding: 'same', name: 'average' }),
      layers.permute({ dims: [3, 1, 2], name: 'permute' }),
      layers.reshape({ targetShape: [-1, 4], name: 'reshape' }),
    ],
  ],
  ['a repeated vector', [layers.repeatVector({ n: 3, inputShape: [4], name: 'repeat' })]],
];

describe('sequential models', () => {
  it.each(sequences)('%s', (_name, list) => {
    expectPredictions(withSeededWeights(tf.sequential({ layers: [...list] })));
  });

  it('a kernel keeps its name where tfjs reshapes it', () => {
    const dense = layers.dense({ units: 6, inputShape: [5, 4], name: 'dense' });
    const { weights } = traceLayersModel(withSeededWeights(tf.sequential({ layers: [dense] })), {});
    expect(weights.get('dense/kernel')?.shape).toEqual([4, 6]);
  });
});

/** A layer that does something no graph can say. */
class Cumulative extends tf.layers.Layer {
  static className = 'Cumulative';
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.cumsum([inputs].flat()[0]!, 1);
  }
}

describe('what cannot be traced', () => {
  it('is told with the layer it is in, nested ones by their path', () => {
    const inner = tf.sequential({
      name: 'inner',
      layers: [new Cumulative({ name: 'running', inputShape: [4] })],
    });
    const model = tf.sequential({ layers: [layers.dense({ units: 4, inputShape: [3] }), inner] });
    const error = leavesTensorflowAlone(() => refusal(() => traceLayersModel(model, {}), 'RELC2001'));
    expect(error.message).toMatch(
      /^RELC2001: Cumsum \(inner\/running\): there is no op for this kernel\n {2}help: /,
    );
    expect(Object.hasOwn(inner.layers[0]!, 'call')).toBe(false);
  });

  it('a layer that moves the batch away from the front', () => {
    class Turned extends layers.Layer {
      static readonly className = 'Turned';

      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.mean(tf.transpose([inputs].flat()[0]!, [1, 0, 2]), 2);
      }
    }
    const model = tf.sequential({ layers: [new Turned({ inputShape: [4, 2], name: 'turned' })] });
    const error = leavesTensorflowAlone(() => refusal(() => traceLayersModel(model, {}), 'RELC1007'));
    expect(error.message).toContain('(turned)');
  });

  it('an open shape has to be stated', () => {
    const layer = layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [null, null, 3], name: 'open' });
    const model = tf.sequential({ layers: [layer] });
    const { message } = refusal(() => traceLayersModel(model, {}), 'RELC2008');
    expect(message).toContain('input open_input has shape [null,null,null,3]');
    const { graph } = traceLayersModel(model, { input: [null, 6, 7, 3] });
    expect(graph.nodes.get('open_input')!.type.shape).toEqual(['N', 6, 7, 3]);
  });

  it('a stated shape keeps the dtype of the model', () => {
    const input = tf.input({ shape: [null], dtype: 'int32', name: 'tokens' });
    const embedding = layers.embedding({ inputDim: 7, outputDim: 4 });
    const model = tf.model({ inputs: input, outputs: apply(embedding, input) });
    const { graph } = traceLayersModel(model, { input: [null, 3] });
    expect(graph.nodes.get('tokens')!.type).toEqual({ dtype: 'i32', shape: ['N', 3] });
    const [lookup] = nodesWithOp(graph, 'gather');
    expect(lookup!.args[1], 'the ids as they are given, though tfjs lays them out flat').toBe('tokens');
  });

  it('the option input is for one input', () => {
    const { message } = refusal(() => traceLayersModel(twoInputs(), { input: [null, 5] }), 'RELC2008');
    expect(message).toContain('the model has 2 inputs');
  });
});
