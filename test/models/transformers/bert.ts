// BERT as a classifier: three embeddings, a padding mask from an integer input, post-norm blocks, q, k, v apart, a pooler.
import * as tf from '@tensorflow/tfjs';
import type { ModelFunction } from '../../../src/trace/function.js';
import {
  dense,
  gelu,
  joinHeads,
  layerNorm,
  sampleOf,
  splitHeads,
  type Transformer,
  WeightSource,
} from './parts.js';

export interface BertOptions {
  readonly tokens?: number;
  readonly vocabulary?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  readonly hidden?: number;
  readonly classes?: number;
  readonly seed?: number;
}

/** BERT base, uncased (Devlin et al., 2019). */
export const bertBase = {
  tokens: 128,
  vocabulary: 30522,
  width: 768,
  depth: 12,
  heads: 12,
  hidden: 3072,
  classes: 2,
} as const satisfies BertOptions;

const epsilon = 1e-12;
/** Added to the scores of padding. */
const masked = -1e9;

function blockWeights(w: WeightSource, width: number, hidden: number) {
  return {
    query: w.dense(width, width),
    key: w.dense(width, width),
    value: w.dense(width, width),
    out: w.dense(width, width),
    norm1: w.norm(width),
    fc1: w.dense(width, hidden),
    fc2: w.dense(hidden, width),
    norm2: w.norm(width),
  };
}

type Block = ReturnType<typeof blockWeights>;

function weightsOf(options: Required<BertOptions>) {
  const { tokens, vocabulary, width, depth, hidden, classes, seed } = options;
  const w = new WeightSource(seed);
  return {
    embeddings: {
      words: w.embedding(vocabulary, width),
      positions: w.embedding(tokens, width),
      types: w.embedding(2, width),
      norm: w.norm(width),
    },
    blocks: Array.from({ length: depth }, () => blockWeights(w, width, hidden)),
    pooler: w.dense(width, width),
    classifier: w.dense(width, classes),
  };
}

export type BertWeights = ReturnType<typeof weightsOf>;

function attention(x: tf.Tensor, bias: tf.Tensor, block: Block, heads: number): tf.Tensor {
  const [q, k, v] = [block.query, block.key, block.value].map((layer) =>
    splitHeads(dense(x, layer), heads),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(q.shape.at(-1)!));
  return dense(joinHeads(tf.matMul(tf.softmax(tf.add(scores, bias)), v)), block.out);
}

function blockOf(x: tf.Tensor, bias: tf.Tensor, block: Block, heads: number): tf.Tensor {
  const attended = layerNorm(tf.add(attention(x, bias, block, heads), x), block.norm1, epsilon);
  const hidden = gelu(dense(attended, block.fc1));
  return layerNorm(tf.add(dense(hidden, block.fc2), attended), block.norm2, epsilon);
}

interface BertInputs {
  readonly ids: tf.Tensor2D;
  readonly mask: tf.Tensor2D;
  readonly types: tf.Tensor2D;
}

/** (1 − mask) · −1e9 as [N, 1, 1, T] */
function attentionBias(mask: tf.Tensor2D): tf.Tensor {
  const [n, tokens] = mask.shape;
  return tf.mul(tf.sub(1, tf.cast(tf.reshape(mask, [n, 1, 1, tokens]), 'float32')), masked);
}

/** Integer inputs `ids`, `mask` (1 at words, 0 at padding) and `types`, each [N, tokens], to logits [N, classes]. */
export function bertClassifier(options: BertOptions = {}): Transformer<BertWeights> {
  const {
    tokens = 5,
    vocabulary = 11,
    width = 12,
    depth = 2,
    heads = 3,
    hidden = 20,
    classes = 3,
    seed = 3,
  } = options;
  const params = weightsOf({ tokens, vocabulary, width, depth, heads, hidden, classes, seed });
  const fn = ({ ids, mask, types }: BertInputs, p: BertWeights): tf.Tensor => {
    const { words, positions, types: kinds, norm } = p.embeddings;
    const summed = tf.add(tf.add(tf.gather(words, ids), tf.gather(kinds, types)), positions);
    const bias = attentionBias(mask);
    const first = layerNorm(summed, norm, epsilon);
    const last = p.blocks.reduce((h, block) => blockOf(h, bias, block, heads), first);
    const start = tf.reshape(tf.slice(last, [0, 0, 0], [-1, 1, -1]), [-1, width]);
    return dense(tf.tanh(dense(start, p.pooler)), p.classifier);
  };
  const integers = { shape: [null, tokens], dtype: 'i32' } as const;
  return {
    fn: fn as ModelFunction,
    params,
    inputs: { ids: integers, mask: integers, types: integers },
    sample: (batch, own = 13) => ({
      ids: sampleOf([batch, tokens], own, vocabulary),
      mask: paddingMask(batch, tokens),
      types: sampleOf([batch, tokens], own + 1, 2),
    }),
  };
}

/** 1 at the words: all of the first sample, one fewer in each that follows, never fewer than two. */
function paddingMask(batch: number, tokens: number): tf.Tensor {
  const rows = Array.from({ length: batch }, (_, sample) =>
    Array.from({ length: tokens }, (__, at) => Number(at < Math.max(2, tokens - sample))),
  );
  return tf.tensor2d(rows, [batch, tokens], 'int32');
}
