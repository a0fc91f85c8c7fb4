// A small vision transformer as a function on tensors: three convolutions make the patches, three blocks of attention
// compare them, and a class token collects what they say.

import * as tf from '@tensorflow/tfjs';

/** @typedef {Readonly<Record<string, tf.Tensor>>} Weights */

/** The sizes that the shapes of the weights follow. */
export const sizes = {
  side: 64,
  channels: 3,
  /** Filters of the convolutions; each is followed by a pool that halves the picture, so a patch is 8 pixels wide. */
  stem: [8, 24, 32],
  width: 48,
  heads: 4,
  blocks: 3,
  /** Width between the two dense layers of a block. */
  hidden: 96,
  classes: 5,
};

/** Patches along one side of a picture, and in all. */
export const patchesAlong = sizes.side / 2 ** sizes.stem.length;
const patches = patchesAlong ** 2;

/**
 * The shape of each weight, by name.
 * @type {Readonly<Record<string, readonly number[]>>}
 */
export const weightShapes = Object.fromEntries([
  ...sizes.stem.flatMap((filters, index) => [
    [`stem${index + 1}/kernel`, [3, 3, sizes.stem[index - 1] ?? sizes.channels, filters]],
    [`stem${index + 1}/bias`, [filters]],
  ]),
  ...denseShapes('embedding', sizes.stem.at(-1) ?? 0, sizes.width),
  ['class', [1, 1, sizes.width]],
  ['position', [patches + 1, sizes.width]],
  ...Array.from({ length: sizes.blocks }, (_, index) => blockShapes(`block${index + 1}`)).flat(),
  ...normShapes('norm'),
  ...denseShapes('head', sizes.width, sizes.classes),
]);

/** @param {string} name */
function blockShapes(name) {
  return [
    ...normShapes(`${name}/norm1`),
    ...denseShapes(`${name}/qkv`, sizes.width, 3 * sizes.width),
    ...denseShapes(`${name}/merge`, sizes.width, sizes.width),
    ...normShapes(`${name}/norm2`),
    ...denseShapes(`${name}/fc1`, sizes.width, sizes.hidden),
    ...denseShapes(`${name}/fc2`, sizes.hidden, sizes.width),
  ];
}

/**
 * @param {string} name
 * @param {number} inputs
 * @param {number} outputs
 */
function denseShapes(name, inputs, outputs) {
  return [
    [`${name}/kernel`, [inputs, outputs]],
    [`${name}/bias`, [outputs]],
  ];
}

/** @param {string} name */
function normShapes(name) {
  return [
    [`${name}/scale`, [sizes.width]],
    [`${name}/offset`, [sizes.width]],
  ];
}

/**
 * @param {Weights} weights
 * @param {string} name
 */
function weight(weights, name) {
  const tensor = weights[name];
  if (tensor === undefined) throw new Error(`there is no weight "${name}"`);
  return tensor;
}

/**
 * x·W + b on the last axis of x.
 * @param {tf.Tensor} x
 * @param {Weights} weights
 * @param {string} name
 */
function dense(x, weights, name) {
  const kernel = /** @type {tf.Tensor2D} */ (weight(weights, `${name}/kernel`));
  const [inputs = 0, outputs = 0] = kernel.shape;
  const rows = tf.reshape(x, [-1, inputs]);
  const result = tf.fused.matMul({ a: rows, b: kernel, bias: weight(weights, `${name}/bias`) });
  return tf.reshape(result, [...x.shape.slice(0, -1), outputs]);
}

/**
 * (x − mean) / √(variance + ε) on the last axis, then a scale and an offset.
 * @param {tf.Tensor} x
 * @param {Weights} weights
 * @param {string} name
 */
function layerNorm(x, weights, name) {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-6)));
  return tf.add(tf.mul(normal, weight(weights, `${name}/scale`)), weight(weights, `${name}/offset`));
}

/**
 * x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).
 * @param {tf.Tensor} x
 */
function gelu(x) {
  const cube = tf.mul(tf.mul(x, x), x);
  const inner = tf.mul(tf.add(x, tf.mul(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

/**
 * Convolutions of 3 × 3, each with relu and a max pool: [N,64,64,3] → [N,8,8,32].
 * @param {tf.Tensor4D} pixels
 * @param {Weights} weights
 */
function stem(pixels, weights) {
  let x = pixels;
  for (let index = 1; index <= sizes.stem.length; index++) {
    const kernel = /** @type {tf.Tensor4D} */ (weight(weights, `stem${index}/kernel`));
    const sum = tf.add(tf.conv2d(x, kernel, 1, 'same'), weight(weights, `stem${index}/bias`));
    x = /** @type {tf.Tensor4D} */ (tf.maxPool(/** @type {tf.Tensor4D} */ (tf.relu(sum)), 2, 2, 'valid'));
  }
  return x;
}

/**
 * Attention of several heads: softmax(q·kᵀ / √d)·v. Tokens [N,T,width] in and out.
 * @param {tf.Tensor} x
 * @param {Weights} weights
 * @param {string} name
 */
function attention(x, weights, name) {
  const [batch = 0, tokens = 0] = x.shape;
  const { heads, width } = sizes;
  const parts = tf.split(dense(x, weights, `${name}/qkv`), 3, -1);
  const [q, k, v] = /** @type {[tf.Tensor, tf.Tensor, tf.Tensor]} */ (
    parts.map((part) => tf.transpose(tf.reshape(part, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]))
  );
  const logits = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width / heads));
  const merged = tf.transpose(tf.matMul(tf.softmax(logits), v), [0, 2, 1, 3]);
  return dense(tf.reshape(merged, [batch, tokens, width]), weights, `${name}/merge`);
}

/**
 * The logits [N,5] of pictures [N,64,64,3] in −1..1.
 * @param {tf.Tensor4D} pixels
 * @param {Weights} weights
 */
export function logits(pixels, weights) {
  const batch = pixels.shape[0];
  const embedded = dense(tf.reshape(stem(pixels, weights), [batch, patches, -1]), weights, 'embedding');
  const first = tf.tile(weight(weights, 'class'), [batch, 1, 1]);
  let x = tf.add(tf.concat([first, embedded], 1), weight(weights, 'position'));
  for (let index = 1; index <= sizes.blocks; index++) {
    const name = `block${index}`;
    x = tf.add(x, attention(layerNorm(x, weights, `${name}/norm1`), weights, name));
    const hidden = gelu(dense(layerNorm(x, weights, `${name}/norm2`), weights, `${name}/fc1`));
    x = tf.add(x, dense(hidden, weights, `${name}/fc2`));
  }
  const classToken = tf.reshape(tf.slice(x, [0, 0, 0], [batch, 1, sizes.width]), [batch, sizes.width]);
  return dense(layerNorm(classToken, weights, 'norm'), weights, 'head');
}
