// A vision transformer from pixels: patches by a convolution, a class token, pre-norm blocks, one dense layer for q, k, v.
import * as tf from '@tensorflow/tfjs';
import type { ModelFunction } from '../../../src/trace/function.js';
import {
  type Dense,
  dense,
  gelu,
  joinHeads,
  layerNorm,
  sampleOf,
  type Transformer,
  WeightSource,
} from './parts.js';

export interface VisionOptions {
  /** Height and width of the picture. */
  readonly size?: number;
  readonly patch?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  /** Width of the hidden layer of each block's perceptron. */
  readonly hidden?: number;
  readonly classes?: number;
  readonly seed?: number;
}

/** ViT-B/16 (Dosovitskiy et al., 2021). */
export const vitBase16 = {
  size: 224,
  patch: 16,
  width: 768,
  depth: 12,
  heads: 12,
  hidden: 3072,
  classes: 1000,
} as const satisfies VisionOptions;

const epsilon = 1e-6;

function blockWeights(w: WeightSource, width: number, hidden: number) {
  return {
    norm1: w.norm(width),
    qkv: w.dense(width, 3 * width),
    proj: w.dense(width, width),
    norm2: w.norm(width),
    fc1: w.dense(width, hidden),
    fc2: w.dense(hidden, width),
  };
}

type Block = ReturnType<typeof blockWeights>;

function weightsOf(options: Required<VisionOptions>) {
  const { size, patch, width, depth, hidden, classes, seed } = options;
  const w = new WeightSource(seed);
  const tokens = (size / patch) ** 2 + 1;
  return {
    patches: {
      kernel: w.kernel<tf.Tensor4D>(patch, patch, 3, width),
      bias: w.tensor<tf.Tensor1D>([width], -0.2, 0.2),
    },
    class_token: w.tensor<tf.Tensor3D>([1, 1, width], -1, 1),
    positions: w.tensor<tf.Tensor3D>([1, tokens, width], -0.5, 0.5),
    blocks: Array.from({ length: depth }, () => blockWeights(w, width, hidden)),
    norm: w.norm(width),
    head: w.dense(width, classes),
  };
}

export type VisionWeights = ReturnType<typeof weightsOf>;

/** [N, T, D] to q, k, v of [N, H, T, d]: one dense layer, taken apart along an axis of three. */
function queriesKeysValues(x: tf.Tensor, qkv: Dense, heads: number): tf.Tensor[] {
  const [n, tokens, width] = x.shape as [number, number, number];
  const parts = tf.reshape(dense(x, qkv), [n, tokens, 3, heads, width / heads]);
  return tf.unstack(tf.transpose(parts, [2, 0, 3, 1, 4]));
}

function attention(x: tf.Tensor, { qkv, proj }: Block, heads: number): tf.Tensor {
  const [q, k, v] = queriesKeysValues(x, qkv, heads) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape.at(-1)!));
  return dense(joinHeads(tf.matMul(tf.softmax(scores), v)), proj);
}

function blockOf(x: tf.Tensor, block: Block, heads: number): tf.Tensor {
  const attended = tf.add(x, attention(layerNorm(x, block.norm1, epsilon), block, heads));
  const hidden = gelu(dense(layerNorm(attended, block.norm2, epsilon), block.fc1));
  return tf.add(attended, dense(hidden, block.fc2));
}

/** Pictures [N, size, size, 3] to logits [N, classes]. Tokens: the class token, then the patches row by row. */
export function visionTransformer(options: VisionOptions = {}): Transformer<VisionWeights> {
  const {
    size = 8,
    patch = 4,
    width = 12,
    depth = 2,
    heads = 3,
    hidden = 20,
    classes = 5,
    seed = 1,
  } = options;
  const params = weightsOf({ size, patch, width, depth, heads, hidden, classes, seed });
  const fn = (x: tf.Tensor4D, p: VisionWeights): tf.Tensor => {
    const [n] = x.shape;
    const grid = tf.add(tf.conv2d(x, p.patches.kernel, patch, 'valid'), p.patches.bias);
    const patches = tf.reshape(grid, [n, -1, width]);
    const tokens = tf.concat([tf.tile(p.class_token, [n, 1, 1]), patches], 1);
    const first: tf.Tensor = tf.add(tokens, p.positions);
    const last = p.blocks.reduce((h, block) => blockOf(h, block, heads), first);
    const normal = layerNorm(last, p.norm, epsilon);
    return dense(tf.reshape(tf.slice(normal, [0, 0, 0], [-1, 1, -1]), [n, width]), p.head);
  };
  return {
    fn: fn as ModelFunction,
    params,
    inputs: [null, size, size, 3],
    sample: (batch, own = 11) => sampleOf([batch, size, size, 3], own),
  };
}
