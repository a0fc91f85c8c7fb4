// An encoder of built-in tf.layers alone: multi-head attention spelled with a dense layer a head, Dot and Activation.
import * as tf from '@tensorflow/tfjs';
import { sampleOf, WeightSource } from './parts.js';

export interface KerasOptions {
  readonly tokens?: number;
  readonly vocabulary?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  readonly hidden?: number;
  readonly classes?: number;
  readonly seed?: number;
}

export interface KerasEncoder {
  /** Takes token ids as floats, [N, tokens], as every layers model does. */
  readonly model: tf.LayersModel;
  /** Seeded token ids. */
  readonly sample: (batch: number, seed?: number) => tf.Tensor;
}

const applied = (layer: tf.layers.Layer, ...inputs: readonly tf.SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? inputs[0]! : [...inputs]) as tf.SymbolicTensor;

/** softmax(q·kᵀ)·v of one head; the scale 1/√d is in the weights of q. */
function headOf(x: tf.SymbolicTensor, name: string, units: number): tf.SymbolicTensor {
  const project = (part: string) => applied(tf.layers.dense({ name: `${name}_${part}`, units }), x);
  const [q, k, v] = [project('query'), project('key'), project('value')];
  const scores = applied(tf.layers.dot({ name: `${name}_scores`, axes: [2, 2] }), q, k);
  const weights = applied(tf.layers.activation({ name: `${name}_softmax`, activation: 'softmax' }), scores);
  return applied(tf.layers.dot({ name: `${name}_values`, axes: [2, 1] }), weights, v);
}

function attention(x: tf.SymbolicTensor, name: string, width: number, heads: number): tf.SymbolicTensor {
  const all = Array.from({ length: heads }, (_, head) => headOf(x, `${name}_head${head}`, width / heads));
  const joined =
    heads === 1 ? all[0]! : applied(tf.layers.concatenate({ name: `${name}_join`, axis: -1 }), ...all);
  return applied(tf.layers.dense({ name: `${name}_out`, units: width }), joined);
}

function blockOf(x: tf.SymbolicTensor, name: string, options: Required<KerasOptions>): tf.SymbolicTensor {
  const { width, heads, hidden } = options;
  const attended = applied(tf.layers.add({ name: `${name}_add1` }), x, attention(x, name, width, heads));
  const normal = applied(tf.layers.layerNormalization({ name: `${name}_norm1` }), attended);
  const wide = applied(
    tf.layers.dense({ name: `${name}_fc1`, units: hidden, activation: 'gelu' as 'relu' }),
    normal,
  );
  const narrow = applied(tf.layers.dense({ name: `${name}_fc2`, units: width }), wide);
  const added = applied(tf.layers.add({ name: `${name}_add2` }), normal, narrow);
  return applied(tf.layers.layerNormalization({ name: `${name}_norm2` }), added);
}

/** Seeded values: kernels by their fan-in, gains around 1, small biases. */
function seeded(model: tf.LayersModel, seed: number): void {
  const w = new WeightSource(seed);
  for (const layer of model.layers) {
    const values = layer.weights.map(({ originalName, shape }) => {
      const extents = shape as number[];
      if (originalName.endsWith('gamma')) return w.gamma(extents[0]!);
      if (extents.length === 1) return w.tensor(extents, -0.2, 0.2);
      return originalName.includes('embedding') ? w.tensor(extents, -1, 1) : w.kernel<tf.Tensor>(...extents);
    });
    layer.setWeights(values);
    tf.dispose(values);
  }
}

/** Token ids [N, tokens] to logits [N, classes]; layers are named after their block. */
export function kerasEncoder(options: KerasOptions = {}): KerasEncoder {
  const {
    tokens = 5,
    vocabulary = 11,
    width = 12,
    depth = 2,
    heads = 3,
    hidden = 20,
    classes = 3,
    seed = 5,
  } = options;
  const all = { tokens, vocabulary, width, depth, heads, hidden, classes, seed };
  const ids = tf.input({ shape: [tokens], name: 'ids' });
  const embedded = applied(
    tf.layers.embedding({ name: 'embedding', inputDim: vocabulary, outputDim: width }),
    ids,
  );
  const last = Array.from({ length: depth }).reduce<tf.SymbolicTensor>(
    (x, _, index) => blockOf(x, `block${index}`, all),
    embedded,
  );
  const pooled = applied(tf.layers.globalAveragePooling1d({ name: 'pool' }), last);
  const logits = applied(tf.layers.dense({ name: 'head', units: classes }), pooled);
  const model = tf.model({ inputs: ids, outputs: logits, name: 'encoder' });
  seeded(model, seed);
  return { model, sample: (batch, own = 15) => sampleOf([batch, tokens], own, vocabulary) };
}
