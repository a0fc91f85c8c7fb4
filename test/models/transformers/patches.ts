// A vision transformer from patches given as a sequence: einsum throughout, gelu by tanh, the mean of all tokens at the end.
import * as tf from '@tensorflow/tfjs';
import type { ModelFunction } from '../../../src/trace/function.js';
import { dense, layerNorm, sampleOf, type Transformer, WeightSource } from './parts.js';

export interface PatchesOptions {
  readonly tokens?: number;
  /** Numbers of one patch. */
  readonly features?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  readonly hidden?: number;
  readonly classes?: number;
  readonly seed?: number;
}

const epsilon = 1e-5;

function blockWeights(w: WeightSource, width: number, heads: number, hidden: number) {
  const depth = width / heads;
  const bound = Math.sqrt(3 / width);
  const projection = () => w.tensor<tf.Tensor3D>([width, heads, depth], -bound, bound);
  return {
    norm1: w.norm(width),
    query: projection(),
    key: projection(),
    value: projection(),
    out: w.kernel<tf.Tensor3D>(heads, depth, width),
    norm2: w.norm(width),
    fc1: w.dense(width, hidden),
    fc2: w.dense(hidden, width),
  };
}

type Block = ReturnType<typeof blockWeights>;

function weightsOf(options: Required<PatchesOptions>) {
  const { tokens, features, width, depth, heads, hidden, classes, seed } = options;
  const w = new WeightSource(seed);
  return {
    patches: w.dense(features, width),
    positions: w.tensor<tf.Tensor2D>([tokens, width], -0.5, 0.5),
    blocks: Array.from({ length: depth }, () => blockWeights(w, width, heads, hidden)),
    norm: w.norm(width),
    head: w.dense(width, classes),
  };
}

export type PatchesWeights = ReturnType<typeof weightsOf>;

/** The scale 1/√d stands at the queries. */
function attention(x: tf.Tensor, { query, key, value, out }: Block): tf.Tensor {
  const q = tf.div(tf.einsum('btc,chd->bthd', x, query), Math.sqrt(query.shape[2]));
  const [k, v] = [tf.einsum('btc,chd->bthd', x, key), tf.einsum('btc,chd->bthd', x, value)];
  const weights = tf.softmax(tf.einsum('bqhd,bkhd->bhqk', q, k), -1);
  return tf.einsum('bqhd,hdc->bqc', tf.einsum('bhqk,bkhd->bqhd', weights, v), out);
}

/** x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 */
const geluTanh = (x: tf.Tensor): tf.Tensor => {
  const inner = tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(0.5, tf.mul(x, tf.add(1, tf.tanh(inner))));
};

function blockOf(x: tf.Tensor, block: Block): tf.Tensor {
  const attended = tf.add(x, attention(layerNorm(x, block.norm1, epsilon), block));
  const hidden = geluTanh(dense(layerNorm(attended, block.norm2, epsilon), block.fc1));
  return tf.add(attended, dense(hidden, block.fc2));
}

/** Patches [N, tokens, features] to logits [N, classes]. Every token stands for a patch. */
export function patchesTransformer(options: PatchesOptions = {}): Transformer<PatchesWeights> {
  const {
    tokens = 6,
    features = 7,
    width = 12,
    depth = 2,
    heads = 3,
    hidden = 20,
    classes = 4,
    seed = 2,
  } = options;
  const params = weightsOf({ tokens, features, width, depth, heads, hidden, classes, seed });
  const fn = (x: tf.Tensor3D, p: PatchesWeights): tf.Tensor => {
    const first: tf.Tensor = tf.add(dense(x, p.patches), p.positions);
    const last = p.blocks.reduce(blockOf, first);
    return dense(tf.mean(layerNorm(last, p.norm, epsilon), 1), p.head);
  };
  return {
    fn: fn as ModelFunction,
    params,
    inputs: [null, tokens, features],
    sample: (batch, own = 12) => sampleOf([batch, tokens, features], own),
  };
}
