// BERT as the converter writes it: a graph model of two blocks, one with attention by Einsum as Keras has it, one with
// products of matrices as others do, layer norms as batch normalizations with statistics of rows, a padding mask.
import type * as tf from '@tensorflow/tfjs';
import { type GraphNode, integer, loadGraph, placeholder, text, type Weight } from './graph-models.js';

export const [tokens, width, heads, vocabulary, classes] = [5, 12, 3, 7, 3];
const depth = width / heads;
const hidden = 16;

const truth = (b: boolean) => ({ b });

/** Nodes in the order of execution, and the weights they read. */
class Draft {
  readonly nodes: GraphNode[] = [];
  readonly weights: Record<string, Weight> = {};

  op(name: string, op: string, input: readonly string[], attr: GraphNode['attr'] = {}): string {
    this.nodes.push({ name, op, input, attr });
    return name;
  }

  weight(name: string, weight: Weight): string {
    this.weights[name] = weight;
    return name;
  }

  number = (name: string, float: number) => this.weight(name, { float });
  whole = (name: string, whole: number | readonly number[]) => this.weight(name, { whole });
}

/** x·inv + (β − μ·inv) with inv = γ/√(σ² + ε) */
function layerNorm(d: Draft, at: string, x: string): string {
  const axes = d.whole(`${at}/axes`, [2]);
  const keep = { keep_dims: truth(true) };
  const mean = d.op(`${at}/mean`, 'Mean', [x, axes], keep);
  const squares = d.op(`${at}/squares`, 'SquaredDifference', [x, mean]);
  const variance = d.op(`${at}/variance`, 'Mean', [squares, axes], keep);
  const shifted = d.op(`${at}/shifted`, 'AddV2', [variance, d.number(`${at}/epsilon`, 1e-3)]);
  const root = d.op(`${at}/rsqrt`, 'Rsqrt', [shifted]);
  const inverse = d.op(`${at}/inverse`, 'Mul', [root, d.weight(`${at}/gamma`, [width])]);
  const scaled = d.op(`${at}/scaled`, 'Mul', [x, inverse]);
  const moved = d.op(`${at}/moved`, 'Mul', [mean, inverse]);
  const rest = d.op(`${at}/rest`, 'Sub', [d.weight(`${at}/beta`, [width]), moved]);
  return d.op(`${at}/normal`, 'AddV2', [scaled, rest]);
}

/** A dense layer on rows: [N, T, D] as [N·T, D] and back, by a shape worked out in the graph. */
function dense(d: Draft, at: string, x: string, inputs: number, outputs: number): string {
  const rows = d.op(`${at}/rows`, 'Reshape', [x, d.whole(`${at}/flat`, [-1, inputs])]);
  const product = d.op(`${at}/product`, 'MatMul', [rows, d.weight(`${at}/kernel`, [inputs, outputs])]);
  const back = d.op(`${at}/back`, 'Reshape', [product, shapeOf(d, at, x, [tokens, outputs])]);
  return d.op(`${at}/biased`, 'BiasAdd', [back, d.weight(`${at}/bias`, [outputs])]);
}

/** [batch of x, …rest] */
function shapeOf(d: Draft, at: string, x: string, rest: readonly number[]): string {
  const shape = d.op(`${at}/shape`, 'Shape', [x]);
  const cut = [[0], [1], [1]].map((whole, i) => d.whole(`${at}/cut${i}`, whole));
  const batch = d.op(`${at}/batch`, 'StridedSlice', [shape, ...cut], { shrink_axis_mask: integer(1) });
  const extents = rest.map((extent, i) => d.whole(`${at}/extent${i}`, extent));
  return d.op(`${at}/packed`, 'Pack', [batch, ...extents], {
    N: integer(extents.length + 1),
    axis: integer(0),
  });
}

const einsum = (d: Draft, name: string, equation: string, ...input: readonly string[]) =>
  d.op(name, 'Einsum', input, { equation: text(equation), N: integer(2) });

/** Attention as Keras spells it, on heads in the middle. */
function byEinsum(d: Draft, at: string, x: string, bias: string): string {
  const projected = (part: string) => {
    const product = einsum(
      d,
      `${at}/${part}/einsum`,
      'abc,cde->abde',
      x,
      d.weight(`${at}/${part}/kernel`, [width, heads, depth]),
    );
    return d.op(`${at}/${part}/add`, 'AddV2', [product, d.weight(`${at}/${part}/bias`, [heads, depth])]);
  };
  const [q, k, v] = ['query', 'key', 'value'].map(projected) as [string, string, string];
  const scaled = d.op(`${at}/scaled`, 'Mul', [q, d.number(`${at}/scale`, depth ** -0.5)]);
  const scores = einsum(d, `${at}/scores`, 'aecd,abcd->acbe', k, scaled);
  const weights = d.op(`${at}/softmax`, 'Softmax', [d.op(`${at}/masked`, 'AddV2', [scores, bias])]);
  const mixed = einsum(d, `${at}/mixed`, 'acbe,aecd->abcd', weights, v);
  const out = einsum(
    d,
    `${at}/out`,
    'abcd,cde->abe',
    mixed,
    d.weight(`${at}/out/kernel`, [heads, depth, width]),
  );
  return d.op(`${at}/out/add`, 'AddV2', [out, d.weight(`${at}/out/bias`, [width])]);
}

/** The same by products of matrices, heads in front. */
function byMatrices(d: Draft, at: string, x: string, bias: string): string {
  const turn = (part: string) => d.whole(`${at}/${part}/turn`, [0, 2, 1, 3]);
  const projected = (part: string) => {
    const whole = dense(d, `${at}/${part}`, x, width, width);
    const split = d.op(`${at}/${part}/split`, 'Reshape', [
      whole,
      d.whole(`${at}/${part}/heads`, [-1, tokens, heads, depth]),
    ]);
    return d.op(`${at}/${part}/heads_first`, 'Transpose', [split, turn(part)]);
  };
  const [q, k, v] = ['query', 'key', 'value'].map(projected) as [string, string, string];
  const scores = d.op(`${at}/scores`, 'BatchMatMulV2', [q, k], { adj_x: truth(false), adj_y: truth(true) });
  const scaled = d.op(`${at}/scaled`, 'RealDiv', [scores, d.number(`${at}/root`, Math.sqrt(depth))]);
  const repeated = d.op(`${at}/repeated`, 'Tile', [bias, d.whole(`${at}/times`, [1, heads, 1, 1])]);
  const weights = d.op(`${at}/softmax`, 'Softmax', [d.op(`${at}/masked`, 'AddV2', [scaled, repeated])]);
  const mixed = d.op(`${at}/mixed`, 'BatchMatMulV2', [weights, v], {
    adj_x: truth(false),
    adj_y: truth(false),
  });
  const back = d.op(`${at}/joined/back`, 'Transpose', [mixed, turn('joined')]);
  const joined = d.op(`${at}/joined`, 'Reshape', [back, d.whole(`${at}/whole`, [-1, tokens, width])]);
  return dense(d, `${at}/out`, joined, width, width);
}

function gelu(d: Draft, at: string, x: string): string {
  const gate = d.op(`${at}/erf`, 'Erf', [
    d.op(`${at}/over`, 'RealDiv', [x, d.number(`${at}/root2`, Math.SQRT2)]),
  ]);
  const half = d.op(`${at}/half`, 'Mul', [d.number(`${at}/one_half`, 0.5), x]);
  return d.op(`${at}/gelu`, 'Mul', [half, d.op(`${at}/more`, 'AddV2', [d.number(`${at}/one`, 1), gate])]);
}

type AttentionWriter = (d: Draft, at: string, x: string, bias: string) => string;

function block(d: Draft, at: string, x: string, bias: string, attention: AttentionWriter): string {
  const attended = d.op(`${at}/add1`, 'AddV2', [attention(d, `${at}/attention`, x, bias), x]);
  const normal = layerNorm(d, `${at}/norm1`, attended);
  const wide = gelu(d, `${at}/act`, dense(d, `${at}/fc1`, normal, width, hidden));
  const narrow = dense(d, `${at}/fc2`, wide, hidden, width);
  return layerNorm(d, `${at}/norm2`, d.op(`${at}/add2`, 'AddV2', [narrow, normal]));
}

/** (1 − mask) · −10000 as [N, 1, 1, T] */
function maskBias(d: Draft): string {
  const floats = d.op('mask/cast', 'Cast', ['mask'], {
    DstT: { type: 'DT_FLOAT' },
    SrcT: { type: 'DT_INT32' },
  });
  const rows = d.op('mask/heads', 'ExpandDims', [floats, d.whole('mask/one', 1)]);
  const queries = d.op('mask/queries', 'ExpandDims', [rows, d.whole('mask/two', 2)]);
  const hiddenOnes = d.op('mask/hidden', 'Sub', [d.number('mask/unit', 1), queries]);
  return d.op('mask/bias', 'Mul', [hiddenOnes, d.number('mask/far', -10000)]);
}

/** Word rows gathered, type rows by a one-hot product, positions added. */
function embedded(d: Draft): string {
  const words = d.op('embeddings/words', 'GatherV2', [
    d.weight('embeddings/table', [vocabulary, width]),
    'ids',
    d.whole('embeddings/axis', 0),
  ]);
  const hot = d.op(
    'embeddings/hot',
    'OneHot',
    ['types', d.whole('embeddings/two', 2), d.number('embeddings/on', 1), d.number('embeddings/off', 0)],
    { axis: integer(-1) },
  );
  const rows = d.op('embeddings/rows', 'Reshape', [hot, d.whole('embeddings/flat', [-1, 2])]);
  const kinds = d.op('embeddings/kinds', 'MatMul', [rows, d.weight('embeddings/types', [2, width])]);
  const back = d.op('embeddings/back', 'Reshape', [kinds, d.whole('embeddings/shape', [-1, tokens, width])]);
  const sum = d.op('embeddings/sum', 'AddV2', [words, back]);
  return d.op('embeddings/placed', 'AddV2', [sum, d.weight('embeddings/positions', [tokens, width])]);
}

/** Integer inputs `ids`, `mask` and `types`, [N, tokens], to logits [N, classes]. */
export function graphBert(): Promise<tf.GraphModel> {
  const d = new Draft();
  for (const name of ['ids', 'mask', 'types']) d.nodes.push(placeholder(name, [-1, tokens], 'DT_INT32'));
  const bias = maskBias(d);
  const first = layerNorm(d, 'embeddings/norm', embedded(d));
  const second = block(d, 'block0', first, bias, byEinsum);
  const last = block(d, 'block1', second, bias, byMatrices);
  const cut = [
    [0, 0, 0],
    [0, 1, 0],
    [1, 1, 1],
  ].map((whole, i) => d.whole(`start/cut${i}`, whole));
  const masks = { begin_mask: integer(5), end_mask: integer(5), shrink_axis_mask: integer(2) };
  const start = d.op('start', 'StridedSlice', [last, ...cut], masks);
  const pooled = d.op('pooler/product', 'MatMul', [start, d.weight('pooler/kernel', [width, width])]);
  const tanh = d.op('pooler', 'Tanh', [
    d.op('pooler/biased', 'BiasAdd', [pooled, d.weight('pooler/bias', [width])]),
  ]);
  const logits = d.op('logits/product', 'MatMul', [tanh, d.weight('logits/kernel', [width, classes])]);
  d.op('logits', 'BiasAdd', [logits, d.weight('logits/bias', [classes])]);
  return loadGraph(d.nodes, d.weights);
}
