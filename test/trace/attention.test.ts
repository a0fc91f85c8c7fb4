// Attention in every spelling that models have: softmax, then a product with the values, nothing but views between.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { attentionMatrices } from '../../src/ir/analyses/attention.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { expectTraced, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const [tokens, width, heads] = [5, 12, 3];
const depth = width / heads;

type Weights = Readonly<Record<'q' | 'k' | 'v' | 'qkv' | 'bias', tf.Tensor2D>>;
type Attention = (x: tf.Tensor, w: Weights) => tf.Tensor;

const shapes = {
  q: [width, width],
  k: [width, width],
  v: [width, width],
  qkv: [width, 3 * width],
  bias: [tokens, tokens],
};

/** [N, T, H·d] as [N, H, T, d]. */
const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [-1, tokens, heads, depth]), [0, 2, 1, 3]);
const joined = (x: tf.Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, tokens, width]);
const weigh = (q: tf.Tensor, k: tf.Tensor) => tf.softmax(tf.matMul(q, k, false, true));
const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => joined(tf.matMul(weigh(q, k), v));
const projected = (x: tf.Tensor, { q, k, v }: Weights) =>
  [q, k, v].map((kernel) => split(tf.matMul(x, kernel))) as [tf.Tensor, tf.Tensor, tf.Tensor];

/** [N, T, 3, H, d] of one dense layer. */
const fused = (x: tf.Tensor, { qkv }: Weights) =>
  tf.reshape(tf.matMul(x, qkv), [-1, tokens, 3, heads, depth]);

const spellings: Readonly<Record<string, Attention>> = {
  'products of matrices': (x, w) => attend(...projected(x, w)),
  'einsum on heads in the middle': (x, w) => {
    const [q, k, v] = [w.q, w.k, w.v].map((kernel) =>
      tf.reshape(tf.matMul(x, kernel), [-1, tokens, heads, depth]),
    );
    const weights = tf.softmax(tf.einsum('bqhd,bkhd->bhqk', q!, k!));
    return tf.reshape(tf.einsum('bhqk,bkhd->bqhd', weights, v!), [-1, tokens, width]);
  },
  'heads in the batch': (x, w) => {
    const [q, k, v] = projected(x, w).map((part) => tf.reshape(part, [-1, tokens, depth])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const mixed = tf.matMul(tf.softmax(tf.matMul(q, tf.transpose(k, [0, 2, 1]))), v);
    return joined(tf.reshape(mixed, [-1, heads, tokens, depth]));
  },
  'one dense layer, split along the features': (x, { qkv }) => {
    const [q, k, v] = tf.split(tf.matMul(x, qkv), 3, -1).map(split);
    return attend(q!, k!, v!);
  },
  'one dense layer, unstacked in front': (x, w) => {
    const [q, k, v] = tf.unstack(tf.transpose(fused(x, w), [2, 0, 3, 1, 4]));
    return attend(q!, k!, v!);
  },
  'one dense layer, gathered in front': (x, w) => {
    const parts = tf.transpose(fused(x, w), [2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((at) => tf.gather(parts, tf.scalar(at, 'int32'), 0));
    return attend(q!, k!, v!);
  },
  'one dense layer, sliced in front': (x, w) => {
    const parts = tf.transpose(fused(x, w), [2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((at) =>
      tf.squeeze(tf.slice(parts, [at, 0, 0, 0, 0], [1, -1, -1, -1, -1]), [0]),
    );
    return attend(q!, k!, v!);
  },
  'one dense layer, gathered in the middle': (x, w) => {
    const parts = fused(x, w);
    const [q, k, v] = [0, 1, 2].map((at) =>
      tf.transpose(tf.gather(parts, tf.scalar(at, 'int32'), 2), [0, 2, 1, 3]),
    );
    return attend(q!, k!, v!);
  },
  'a scale behind the scores': (x, w) => {
    const [q, k, v] = projected(x, w);
    const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(depth));
    return joined(tf.matMul(tf.softmax(scores), v));
  },
  'a scale at the queries': (x, w) => {
    const [q, k, v] = projected(x, w);
    return attend(tf.mul(q, 1 / Math.sqrt(depth)), k, v);
  },
  'softmax by hand': (x, w) => {
    const [q, k, v] = projected(x, w);
    const scores = tf.matMul(q, k, false, true);
    const powers = tf.exp(tf.sub(scores, tf.max(scores, -1, true)));
    return joined(tf.matMul(tf.div(powers, tf.sum(powers, -1, true)), v));
  },
  'a learned bias': (x, w) => {
    const [q, k, v] = projected(x, w);
    return joined(tf.matMul(tf.softmax(tf.add(tf.matMul(q, k, false, true), w.bias)), v));
  },
  'a causal mask added': (x, w) => {
    const [q, k, v] = projected(x, w);
    const hidden = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([tokens, tokens]), -1, 0)), -1e9);
    return joined(tf.matMul(tf.softmax(tf.add(tf.matMul(q, k, false, true), hidden)), v));
  },
  'a causal mask selected, of minus infinity': (x, w) => {
    const [q, k, v] = projected(x, w);
    const seen = tf.cast(tf.linalg.bandPart(tf.ones([tokens, tokens]), -1, 0), 'bool');
    const scores = tf.matMul(q, k, false, true);
    const masked = tf.where(seen, scores, tf.fill(scores.shape, Number.NEGATIVE_INFINITY));
    return joined(tf.matMul(tf.softmax(masked), v));
  },
  'keys and values of one head, shared': (x, { q, qkv }) => {
    const queries = split(tf.matMul(x, q));
    const [k, v] = [0, depth].map((start) => tf.slice(tf.matMul(x, qkv), [0, 0, start], [-1, -1, depth]));
    const spread = (part: tf.Tensor) => tf.tile(tf.expandDims(part, 1), [1, heads, 1, 1]);
    return attend(queries, spread(k!), spread(v!));
  },
  'weights turned before the product': (x, w) => {
    const [q, k, v] = projected(x, w);
    const turned = tf.transpose(weigh(q, k), [0, 1, 3, 2]);
    return joined(tf.matMul(turned, v, true, false));
  },
};

describe('attention', () => {
  it.each(Object.entries(spellings))('by %s', (_name, attention) => {
    const program = expectTraced(attention as ModelFunction, {
      input: [null, tokens, width],
      weights: shapes,
    });
    const { graph } = runPasses(program, [canonicalize], forward);
    const [softmax, ...others] = nodesWithOp(graph, 'softmax');
    expect(others).toEqual([]);
    const axis = softmax!.type.shape.length - 1;
    expect(softmax!.attrs).toEqual({ axis });
    expect(attentionMatrices(graph)).toMatchObject([
      { matrix: softmax!.name, query: axis - 1, key: axis, block: 0 },
    ]);
  });
});

const ends: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  'a slice and a reshape': (x) => tf.reshape(tf.slice(x, [0, 0, 0], [-1, 1, -1]), [-1, width]),
  'a gathered token': (x) => tf.gather(x, tf.scalar(0, 'int32'), 1),
  'a gathered list of one': (x) => tf.squeeze(tf.gather(x, tf.tensor1d([0], 'int32'), 1), [1]),
  'a strided slice that drops the axis': (x) =>
    tf.stridedSlice(x, [0, 0, 0], [0, 1, 0], [1, 1, 1], 5, 5, 0, 0, 2),
  'the last of them, unstacked': (x) => tf.unstack(x, 1).at(-1)!,
  'the mean': (x) => tf.mean(x, 1),
};

describe('the end of a transformer', () => {
  it.each(Object.entries(ends))('%s', (_name, end) => {
    const { graph } = expectTraced(end as ModelFunction, { input: [null, tokens, width] });
    const ops = new Set([...graph.nodes.values()].map(({ op }) => op));
    expect(
      [...ops].filter((op) => !['input', 'constant', 'slice', 'reshape', 'gather', 'mean'].includes(op)),
    ).toEqual([]);
    expect(graph.nodes.get(Object.values(graph.outputs)[0]!)!.type.shape).toEqual(['N', width]);
  });
});

const embeddings: Readonly<
  Record<string, (ids: tf.Tensor, w: { readonly table: tf.Tensor2D }) => tf.Tensor>
> = {
  'rows gathered': (ids, { table }) => tf.gather(table, ids as tf.Tensor2D),
  'a one-hot times the table': (ids, { table }) =>
    tf.matMul(tf.cast(tf.oneHot(ids as tf.Tensor2D, 6), 'float32'), table),
  'a one-hot in an einsum': (ids, { table }) =>
    tf.einsum('btv,vd->btd', tf.cast(tf.oneHot(ids as tf.Tensor2D, 6), 'float32'), table),
};

describe('an embedding', () => {
  it.each(Object.entries(embeddings))('by %s', (_name, embedding) => {
    const input = { shape: [null, tokens], dtype: 'i32' } as const;
    const { graph } = expectTraced(embedding as ModelFunction, {
      input,
      weights: { table: [6, width] },
      integers: 6,
    });
    expect(graph.nodes.get(Object.values(graph.outputs)[0]!)!.type.shape).toEqual(['N', tokens, width]);
  });
});
