// The network that reads a sentence: a transformer encoder spelled in built-in layers, so that it loads with no code.

import * as tf from '@tensorflow/tfjs';

/** Tokens in a sentence, the special ones and the padding included. */
export const length = 32;

const width = 48;
const heads = 2;
const headWidth = width / heads;
const hiddenWidth = 96;
const blocks = 2;

/** The standard deviations of the embeddings' first values. */
const tokenSpread = 0.15;
const placeSpread = 0.3;

type Symbolic = tf.SymbolicTensor;

/** A layer applied to one value. */
const through = (layer: tf.layers.Layer, value: Symbolic | Symbolic[]) => layer.apply(value) as Symbolic;

const normalized = (name: string, value: Symbolic) =>
  through(tf.layers.layerNormalization({ name, epsilon: 1e-5 }), value);

const sum = (name: string, values: Symbolic[]) => through(tf.layers.add({ name }), values);

/** Gives each initializer of a network a seed of its own. */
class Initializers {
  private count = 0;

  constructor(private readonly seed: number) {}

  normal(stddev: number) {
    return tf.initializers.randomNormal({ stddev, seed: this.seed + this.count++ });
  }

  /** Keeps the variance of what a dense layer is given, times the square of `gain`. */
  dense(inputs: number, gain = 1) {
    return this.normal(gain / Math.sqrt(inputs));
  }
}

/**
 * Two inputs as BERT has them: `input_ids` [N, length] and `attention_mask` [N, length], 1 for a token and 0 for padding. The
 * output is the softmax over the classes. Networks of one seed start from the same weights.
 */
export function buildNetwork(vocabulary: number, classes: number, seed: number): tf.LayersModel {
  const initializers = new Initializers(seed);
  const ids = tf.input({ name: 'input_ids', shape: [length], dtype: 'int32' });
  const mask = tf.input({ name: 'attention_mask', shape: [length], dtype: 'int32' });
  let state = embedded(ids, vocabulary, initializers);
  const penalty = paddingPenalty(mask);
  for (let block = 1; block <= blocks; block++) {
    const prefix = `block${block}`;
    const attended = attention(block, normalized(`${prefix}/norm1`, state), penalty, initializers);
    state = sum(`${prefix}/sum1`, [state, attended]);
    const fed = feedForward(prefix, normalized(`${prefix}/norm2`, state), initializers);
    state = sum(`${prefix}/sum2`, [state, fed]);
  }
  const head = normalized('head/norm', firstToken(state));
  const kernelInitializer = initializers.dense(width);
  const output = tf.layers.dense({
    name: 'head/dense',
    units: classes,
    kernelInitializer,
    activation: 'softmax',
  });
  return tf.model({ name: 'words', inputs: [ids, mask], outputs: through(output, head) });
}

/**
 * The embedding of the token plus that of its place. No built-in layer adds a table, but a batch normalization does whose
 * mean stays 0, whose variance and scale stay 1: one feature for each number of the table.
 */
function embedded(ids: Symbolic, vocabulary: number, initializers: Initializers): Symbolic {
  const embeddingsInitializer = initializers.normal(tokenSpread);
  const token = tf.layers.embedding({
    name: 'token',
    inputDim: vocabulary,
    outputDim: width,
    embeddingsInitializer,
  });
  const place = tf.layers.batchNormalization({ name: 'place', epsilon: 1e-7 });
  const row = through(tf.layers.reshape({ name: 'row', targetShape: [length * width] }), through(token, ids));
  const placed = through(place, row);
  const [scale, , mean, variance] = place.getWeights();
  place.setWeights([scale!, sinusoids(), mean!, variance!]);
  return through(tf.layers.reshape({ name: 'rows', targetShape: [length, width] }), placed);
}

/** Of the wave that channels 2c and 2c + 1 hold as sine and cosine, in radians a place. */
const frequency = (channel: number) => 100 ** (-Math.floor(channel / 2) / (width / 2));

/** Waves of many lengths over the places, with which the table of places starts: near places have similar rows. */
function sinusoids(): tf.Tensor1D {
  const values = Array.from({ length: length * width }, (_, index) => {
    const [place, channel] = [Math.floor(index / width), index % width];
    const angle = place * frequency(channel);
    return placeSpread * Math.SQRT2 * (channel % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
  });
  return tf.tensor1d(values);
}

/**
 * First weights of queries and keys that score a key by how near it lies to `offset` places before the query: keys take the
 * waves as they are, queries turn them back, sin w(p - d) = cos wd sin wp - sin wd cos wp and the cosine alike, and the product
 * of both is the sum of cos w(p - d - k) over the waves.
 */
function lookingBack(offset: number): readonly [queries: tf.Tensor2D, keys: tf.Tensor2D] {
  const sharpness = 0.35;
  const turned = (from: number, to: number) => {
    const angle = frequency(to) * offset;
    if (from === to) return Math.cos(angle);
    if (frequency(from) !== frequency(to)) return 0;
    return to % 2 === 0 ? -Math.sin(angle) : Math.sin(angle);
  };
  const table = (value: (from: number, to: number) => number) =>
    tf.tensor2d(
      Array.from({ length: width }, (_, from) =>
        Array.from({ length: headWidth }, (_, to) => value(from, to)),
      ),
    );
  return [table((from, to) => sharpness * turned(from, to)), table((from, to) => (from === to ? 1 : 0))];
}

/**
 * What is added to the score of each key: 0 for a token, -10000 for padding, whose probability then is exactly 0. It is
 * looked up, not computed, so that no derivative leads to the mask.
 */
function paddingPenalty(mask: Symbolic): Symbolic {
  const lookup = tf.layers.embedding({ name: 'penalty', inputDim: 2, outputDim: 1, trainable: false });
  const penalty = through(lookup, mask);
  lookup.setWeights([tf.tensor2d([[-1e4], [0]])]);
  return through(tf.layers.reshape({ name: 'keys', targetShape: [1, length] }), penalty);
}

/**
 * Attention of several heads; the scale 1 / sqrt(headWidth) of the scores lies in the queries' first weights. The first head of
 * the first block starts by looking at the tokens right before, where negators stand.
 */
function attention(block: number, state: Symbolic, penalty: Symbolic, initializers: Initializers): Symbolic {
  const name = `block${block}/attention`;
  const projection = (part: string, gain = 1) => {
    const kernelInitializer = initializers.dense(width, gain);
    return tf.layers.dense({ name: `${name}/${part}`, units: headWidth, useBias: false, kernelInitializer });
  };
  const results = Array.from({ length: heads }, (_, head) => {
    const queries = projection(`query${head}`, 1 / Math.sqrt(headWidth));
    const keys = projection(`key${head}`);
    const [query, key] = [through(queries, state), through(keys, state)];
    if (block === 1 && head === 0) {
      const [ofQueries, ofKeys] = lookingBack(2);
      queries.setWeights([ofQueries]);
      keys.setWeights([ofKeys]);
    }
    const value = through(projection(`value${head}`), state);
    const scores = through(tf.layers.dot({ name: `${name}/scores${head}`, axes: [2, 2] }), [query, key]);
    const masked = sum(`${name}/masked${head}`, [scores, penalty]);
    const weights = through(tf.layers.softmax({ name: `${name}/softmax${head}`, axis: -1 }), masked);
    return through(tf.layers.dot({ name: `${name}/mixed${head}`, axes: [2, 1] }), [weights, value]);
  });
  const joined = through(tf.layers.concatenate({ name: `${name}/heads`, axis: -1 }), results);
  const kernelInitializer = initializers.dense(width, 0.5);
  return through(tf.layers.dense({ name: `${name}/out`, units: width, kernelInitializer }), joined);
}

function feedForward(prefix: string, state: Symbolic, initializers: Initializers): Symbolic {
  const kernelInitializer = initializers.dense(width, Math.SQRT2);
  const dense1 = tf.layers.dense({
    name: `${prefix}/dense1`,
    units: hiddenWidth,
    kernelInitializer,
    activation: 'relu',
  });
  const dense2 = tf.layers.dense({
    name: `${prefix}/dense2`,
    units: width,
    kernelInitializer: initializers.dense(hiddenWidth, 0.5),
  });
  return through(dense2, through(dense1, state));
}

/** The vector of [CLS]. What slices one axis among built-in layers crops a picture, so the tokens become one. */
function firstToken(state: Symbolic): Symbolic {
  const picture = through(tf.layers.reshape({ name: 'picture', targetShape: [length, 1, width] }), state);
  const cropping: [[number, number], [number, number]] = [
    [0, length - 1],
    [0, 0],
  ];
  const first = through(tf.layers.cropping2D({ name: 'crop', cropping }), picture);
  return through(tf.layers.flatten({ name: 'first' }), first);
}

/** What training changes: all weights but the scale of the normalization that adds places. */
export function trainedWeights(network: tf.LayersModel): tf.Variable[] {
  const [scale] = network.getLayer('place').trainableWeights;
  const trained = network.trainableWeights.filter((weight) => weight !== scale);
  return trained.map((weight) => weight.read() as tf.Variable);
}
