// A LLaMA-style decoder: RMS norm, rotary positions, a causal mask, keys and values shared by heads, swish gates.
import * as tf from '@tensorflow/tfjs';
import type { ModelFunction } from '../../../src/trace/function.js';
import { joinHeads, sampleOf, splitHeads, type Transformer, WeightSource } from './parts.js';

export interface LlamaOptions {
  readonly tokens?: number;
  readonly vocabulary?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  /** Heads of keys and values; each serves `heads / keyHeads` heads of queries. */
  readonly keyHeads?: number;
  readonly hidden?: number;
  /** Which pairs of features turn together: the two halves, or neighbours. */
  readonly rotary?: 'halves' | 'neighbours';
  /** Logits at every position, or at the last alone. */
  readonly positions?: 'every' | 'last';
  readonly seed?: number;
}

const epsilon = 1e-5;

function blockWeights(w: WeightSource, width: number, keyWidth: number, hidden: number) {
  return {
    norm1: w.gamma(width),
    query: w.kernel(width, width),
    key: w.kernel(width, keyWidth),
    value: w.kernel(width, keyWidth),
    out: w.kernel(width, width),
    norm2: w.gamma(width),
    gate: w.kernel(width, hidden),
    up: w.kernel(width, hidden),
    down: w.kernel(hidden, width),
  };
}

type Block = ReturnType<typeof blockWeights>;

function weightsOf(options: Required<LlamaOptions>) {
  const { vocabulary, width, depth, heads, keyHeads, hidden, seed } = options;
  const w = new WeightSource(seed);
  const keyWidth = (width / heads) * keyHeads;
  return {
    embedding: w.embedding(vocabulary, width),
    blocks: Array.from({ length: depth }, () => blockWeights(w, width, keyWidth, hidden)),
    norm: w.gamma(width),
    head: w.kernel(width, vocabulary),
  };
}

export type LlamaWeights = ReturnType<typeof weightsOf>;

/** x · rsqrt(mean x² + ε) · γ */
const rmsNorm = (x: tf.Tensor, gamma: tf.Tensor1D): tf.Tensor =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))), gamma);

type Rotation = (x: tf.Tensor) => tf.Tensor;

/** θ = position · 10000^(−2i/d) for the pairs i of one head. */
function angles(tokens: number, pairs: number): number[][] {
  return Array.from({ length: tokens }, (_, at) =>
    Array.from({ length: pairs }, (__, i) => at * 10000 ** (-i / pairs)),
  );
}

/** x · cos θ + (−x₂, x₁) · sin θ with x = (x₁, x₂) */
function halvesRotation(tokens: number, depth: number): Rotation {
  const pairs = depth / 2;
  const twice = angles(tokens, pairs).map((row) => [...row, ...row]);
  const [cos, sin] = [
    tf.tensor2d(twice.map((row) => row.map(Math.cos))),
    tf.tensor2d(twice.map((row) => row.map(Math.sin))),
  ];
  return (x) => {
    const [first, second] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
    return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sin));
  };
}

/** The pairs (x₂ᵢ, x₂ᵢ₊₁), by a reshape. */
function neighboursRotation(tokens: number, depth: number): Rotation {
  const all = angles(tokens, depth / 2);
  const [cos, sin] = [
    tf.tensor2d(all.map((row) => row.map(Math.cos))),
    tf.tensor2d(all.map((row) => row.map(Math.sin))),
  ];
  return (x) => {
    const [even, odd] = tf.unstack(tf.reshape(x, [...x.shape.slice(0, -1), depth / 2, 2]), -1) as [
      tf.Tensor,
      tf.Tensor,
    ];
    const turned = [tf.sub(tf.mul(even, cos), tf.mul(odd, sin)), tf.add(tf.mul(even, sin), tf.mul(odd, cos))];
    return tf.reshape(tf.stack(turned, -1), x.shape);
  };
}

/** [N, K, T, d] with each head repeated, as [N, K·times, T, d]. */
function repeatHeads(x: tf.Tensor, times: number): tf.Tensor {
  const [n, heads, tokens, depth] = x.shape as [number, number, number, number];
  const spread = tf.tile(tf.reshape(x, [n, heads, 1, tokens, depth]), [1, 1, times, 1, 1]);
  return tf.reshape(spread, [n, heads * times, tokens, depth]);
}

interface Heads {
  readonly heads: number;
  readonly keyHeads: number;
  readonly rotate: Rotation;
  /** True where a query may look. */
  readonly visible: tf.Tensor;
}

function attention(x: tf.Tensor, block: Block, { heads, keyHeads, rotate, visible }: Heads): tf.Tensor {
  const q = rotate(splitHeads(tf.matMul(x, block.query), heads));
  const repeated = (y: tf.Tensor) => repeatHeads(y, heads / keyHeads);
  const k = repeated(rotate(splitHeads(tf.matMul(x, block.key), keyHeads)));
  const v = repeated(splitHeads(tf.matMul(x, block.value), keyHeads));
  const scores = tf.mul(tf.matMul(q, k, false, true), q.shape.at(-1)! ** -0.5);
  const weights = tf.softmax(tf.where(visible, scores, tf.fill(scores.shape, -1e9)));
  return tf.matMul(joinHeads(tf.matMul(weights, v)), block.out);
}

/** (swish(x·G) ⊙ x·U)·D */
function feedForward(x: tf.Tensor, { gate, up, down }: Block): tf.Tensor {
  const gates = tf.matMul(x, gate);
  return tf.matMul(tf.mul(tf.mul(gates, tf.sigmoid(gates)), tf.matMul(x, up)), down);
}

function causal(tokens: number): tf.Tensor {
  const rows = Array.from({ length: tokens }, (_, query) =>
    Array.from({ length: tokens }, (__, key) => key <= query),
  );
  return tf.tensor4d([[rows]], [1, 1, tokens, tokens], 'bool');
}

/** Token ids [N, tokens] to logits [N, tokens, vocabulary], or [N, vocabulary] of the last position. */
export function llamaDecoder(options: LlamaOptions = {}): Transformer<LlamaWeights> {
  const { tokens = 5, vocabulary = 9, width = 16, depth = 2, heads = 4, keyHeads = 2, hidden = 20 } = options;
  const { rotary = 'halves', positions = 'every', seed = 4 } = options;
  const params = weightsOf({
    tokens,
    vocabulary,
    width,
    depth,
    heads,
    keyHeads,
    hidden,
    rotary,
    positions,
    seed,
  });
  const rotationOf = rotary === 'halves' ? halvesRotation : neighboursRotation;
  const fn = ({ ids }: { readonly ids: tf.Tensor2D }, p: LlamaWeights): tf.Tensor => {
    const [n] = ids.shape;
    const shared = { heads, keyHeads, rotate: rotationOf(tokens, width / heads), visible: causal(tokens) };
    const last = p.blocks.reduce<tf.Tensor>(
      (x, block) => {
        const attended = tf.add(x, attention(rmsNorm(x, block.norm1), block, shared));
        return tf.add(attended, feedForward(rmsNorm(attended, block.norm2), block));
      },
      tf.gather(p.embedding, ids),
    );
    const normal = rmsNorm(last, p.norm);
    if (positions === 'every') return tf.matMul(normal, p.head);
    return tf.matMul(tf.reshape(tf.slice(normal, [0, tokens - 1, 0], [-1, 1, -1]), [n, width]), p.head);
  };
  return {
    fn: fn as ModelFunction,
    params,
    inputs: { ids: { shape: [null, tokens], dtype: 'i32' } },
    sample: (batch, own = 14) => ({ ids: sampleOf([batch, tokens], own, vocabulary) }),
  };
}
