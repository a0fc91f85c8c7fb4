// Graphs of one op each, at unit size: what every rule is tried on.
import type { Name } from '../../src/ir/graph.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { bindShape } from '../../src/ir/type.js';
import { layers } from './single-layers.js';
import { type SingleOp, type Sources, singleOp } from './single-op.js';
import { filled, sequence } from './support.js';

export type { SingleOp };

const x = (type: string): Sources => ({ x: `in ${type}` });
const xy = (type: string, other = type): Sources => ({ x: `in ${type}`, y: `in ${other}` });

const elementwise = [
  singleOp('add', xy('f32[N,2,3]'), 'add(%x, %y) : f32[N,2,3]'),
  singleOp('add of a value to itself', x('f32[N,4]'), 'add(%x, %x) : f32[N,4]'),
  singleOp('add without a batch', xy('f32[2,3]'), 'add(%x, %y) : f32[2,3]'),
  singleOp(
    'add of a constant',
    { x: 'in f32[N,3]', b: 'w f32[3]', c: 'broadcast(%b) {axes=[1]} : f32[N,3]' },
    'add(%x, %c) : f32[N,3]',
  ),
  singleOp(
    'add of a constant to one sample',
    { x: 'in f32[2,3]', c: 'w f32[2,3]' },
    'add(%x, %c) : f32[2,3]',
  ),
  singleOp('sub', xy('f32[N,5]'), 'sub(%x, %y) : f32[N,5]'),
  singleOp('mul', xy('f32[N,5]'), 'mul(%x, %y) : f32[N,5]'),
  singleOp('div', xy('f32[N,3]'), 'div(%x, %y) : f32[N,3]', true),
  singleOp('maximum', xy('f32[N,5]'), 'maximum(%x, %y) : f32[N,5]'),
  singleOp('minimum', xy('f32[N,5]'), 'minimum(%x, %y) : f32[N,5]'),
  singleOp('neg', x('f32[N,3]'), 'neg(%x) : f32[N,3]'),
  singleOp('relu', x('f32[N,5]'), 'relu(%x) : f32[N,5]'),
  singleOp('leaky_relu', x('f32[N,5]'), 'leaky_relu(%x) {alpha=0.25} : f32[N,5]'),
  singleOp('clip', x('f32[N,5]'), 'clip(%x) {min=-0.5, max=1} : f32[N,5]'),
  singleOp('elu', x('f32[N,5]'), 'elu(%x) : f32[N,5]'),
  singleOp('selu', x('f32[N,5]'), 'selu(%x) : f32[N,5]'),
  singleOp('sigmoid', x('f32[N,5]'), 'sigmoid(%x) : f32[N,5]'),
  singleOp('tanh', x('f32[N,5]'), 'tanh(%x) : f32[N,5]'),
  singleOp('softplus', x('f32[N,5]'), 'softplus(%x) : f32[N,5]'),
  singleOp('gelu', x('f32[N,5]'), 'gelu(%x) : f32[N,5]'),
  singleOp('gelu_tanh', x('f32[N,5]'), 'gelu_tanh(%x) : f32[N,5]'),
  singleOp('swish', x('f32[N,5]'), 'swish(%x) : f32[N,5]'),
  singleOp('prelu', xy('f32[N,5]'), 'prelu(%x, %y) : f32[N,5]'),
  singleOp('exp', x('f32[N,3]'), 'exp(%x) : f32[N,3]'),
  singleOp('square', x('f32[N,3]'), 'square(%x) : f32[N,3]'),
  singleOp('softmax', x('f32[N,2,3]'), 'softmax(%x) {axis=2} : f32[N,2,3]'),
  singleOp('softmax over rows', x('f32[N,3,2]'), 'softmax(%x) {axis=1} : f32[N,3,2]'),
  singleOp('log_softmax', x('f32[N,3]'), 'log_softmax(%x) {axis=1} : f32[N,3]'),
  singleOp(
    'select',
    { ...xy('f32[N,4]'), c: 'greater(%x, %y) : bool[N,4]' },
    'select(%c, %x, %y) : f32[N,4]',
  ),
  singleOp('accumulate', xy('f32[N,4]'), 'accumulate(%x, %y, %x) : f32[N,4]'),
  singleOp(
    'batch_norm',
    { x: 'in f32[N,2,2]', scale: 'w f32[2]', offset: 'w f32[2]', mean: 'w f32[2]', variance: 'w f32[2]' },
    'batch_norm(%x, %scale, %offset, %mean, %variance) {epsilon=0.001} : f32[N,2,2]',
  ),
];

const normalizations = [
  singleOp('layer_norm', x('f32[N,2,3]'), 'layer_norm(%x) {epsilon=0.5} : f32[N,2,3]'),
  singleOp(
    'layer_norm with a scale and an offset',
    { x: 'in f32[N,4]', scale: 'w f32[4]', offset: 'w f32[4]' },
    'layer_norm(%x, %scale, %offset) {epsilon=0.25} : f32[N,4]',
  ),
  singleOp('rms_norm', x('f32[N,2,3]'), 'rms_norm(%x) {epsilon=0.5} : f32[N,2,3]'),
  singleOp(
    'rms_norm with a scale',
    { x: 'in f32[N,4]', scale: 'w f32[4]' },
    'rms_norm(%x, %scale) {epsilon=0.25} : f32[N,4]',
  ),
];

const products = [
  singleOp('matmul', xy('f32[N,2,3]', 'f32[N,3,2]'), 'einsum(%x, %y) {eq="bij,bjk->bik"} : f32[N,2,2]'),
  singleOp(
    'attention scores',
    xy('f32[N,2,2,3]', 'f32[N,3,2,3]'),
    'einsum(%x, %y) {eq="bqhd,bkhd->bhqk"} : f32[N,2,2,3]',
  ),
  singleOp(
    'attention on values',
    { ...xy('f32[N,2,3]', 'f32[N,3,2]'), p: 'softmax(%x) {axis=2} : f32[N,2,3]' },
    'einsum(%p, %y) {eq="bij,bjk->bik"} : f32[N,2,2]',
  ),
  singleOp('gate on a value', { ...xy('f32[N,5]'), g: 'swish(%x) : f32[N,5]' }, 'mul(%g, %y) : f32[N,5]'),
  singleOp(
    'gate that is explained',
    { ...xy('f32[N,5]'), g: 'sigmoid(%x) : f32[N,5]' },
    'mul(%y, %g) : f32[N,5]',
  ),
];

const reductions = [
  singleOp('sum', x('f32[N,2,3]'), 'sum(%x) {axes=[1]} : f32[N,3]'),
  singleOp('mean', x('f32[N,2,3,2]'), 'mean(%x) {axes=[1,2]} : f32[N,2]'),
  singleOp('reduce_max', x('f32[N,3,2]'), 'reduce_max(%x) {axes=[1]} : f32[N,2]'),
  singleOp(
    'max_pool',
    x('f32[N,4,4,2]'),
    'max_pool(%x) {window=[2,2], strides=[2,2], padding=[[0,0],[0,0]]} : f32[N,2,2,2]',
  ),
  singleOp(
    'max_pool, overlapping',
    x('f32[N,5,5,1]'),
    'max_pool(%x) {window=[3,3], strides=[2,2], padding=[[1,1],[1,1]]} : f32[N,3,3,1]',
  ),
  singleOp(
    'avg_pool',
    x('f32[N,4,4,2]'),
    'avg_pool(%x) {window=[2,2], strides=[2,2], padding=[[0,0],[0,0]]} : f32[N,2,2,2]',
  ),
  singleOp(
    'avg_pool, overlapping',
    x('f32[N,5,5,1]'),
    'avg_pool(%x) {window=[3,3], strides=[2,2], padding=[[1,1],[1,1]]} : f32[N,3,3,1]',
  ),
  singleOp(
    'avg_pool, with gaps',
    x('f32[N,5,2]'),
    'avg_pool(%x) {window=[1], strides=[2], padding=[[0,0]]} : f32[N,3,2]',
  ),
  singleOp(
    'avg_pool 3-D',
    x('f32[N,2,3,2,1]'),
    'avg_pool(%x) {window=[2,2,1], strides=[1,1,1], padding=[[0,1],[0,0],[0,0]]} : f32[N,2,2,2,1]',
  ),
  singleOp(
    'max_pool 1-D',
    x('f32[N,5,2]'),
    'max_pool(%x) {window=[3], strides=[2], padding=[[1,1]]} : f32[N,3,2]',
  ),
  singleOp(
    'max_pool 3-D',
    x('f32[N,2,3,2,1]'),
    'max_pool(%x) {window=[2,2,1], strides=[1,1,1], padding=[[0,0],[0,0],[0,0]]} : f32[N,1,2,2,1]',
  ),
  singleOp(
    'resize, bilinear',
    x('f32[N,2,3,1]'),
    'resize(%x) {mode="bilinear", half_pixel=true} : f32[N,3,5,1]',
  ),
  singleOp('resize, nearest', x('f32[N,2,2,2]'), 'resize(%x) {mode="nearest"} : f32[N,3,4,2]'),
  singleOp(
    'resize_transpose',
    x('f32[N,3,4,1]'),
    'resize_transpose(%x) {mode="bilinear", align_corners=true} : f32[N,2,2,1]',
  ),
];

const movement = [
  singleOp('reshape', x('f32[N,2,3]'), 'reshape(%x) : f32[N,6]'),
  singleOp('transpose', x('f32[N,2,3]'), 'transpose(%x) {perm=[0,2,1]} : f32[N,3,2]'),
  singleOp('broadcast', x('f32[N,1,3]'), 'broadcast(%x) {axes=[0,1,3]} : f32[N,2,2,3]'),
  singleOp('slice', x('f32[N,5,2]'), 'slice(%x) {begin=[0,1,0], stride=[1,2,1]} : f32[N,2,2]'),
  singleOp(
    'pad',
    x('f32[N,2,2]'),
    'pad(%x) {low=[0,1,0], high=[0,0,2], interior=[0,1,0], value=0.5} : f32[N,4,4]',
  ),
  singleOp(
    'concat',
    { ...xy('f32[N,2,2]', 'f32[N,1,2]'), v: 'in f32[N,3,2]' },
    'concat(%x, %y, %v) {axis=1} : f32[N,6,2]',
  ),
  singleOp('reverse', x('f32[N,2,3]'), 'reverse(%x) {axes=[1,2]} : f32[N,2,3]'),
  singleOp(
    'gather',
    { x: 'in f32[N,3,2]', i: 'constant() {value=[2,0,2]} : i32[3]' },
    'gather(%x, %i) {axis=1} : f32[N,3,2]',
  ),
  singleOp(
    'scatter_add',
    { x: 'in f32[N,3,2]', i: 'constant() {value=[1,0,1]} : i32[3]' },
    'scatter_add(%x, %i) {axis=1} : f32[N,2,2]',
  ),
];

export const singleOps: readonly SingleOp[] = [
  ...layers,
  ...elementwise,
  ...normalizations,
  ...products,
  ...reductions,
  ...movement,
];

/** What the inputs are like; weights have both signs throughout. */
export const flavours = ['of both signs', 'all positive', 'with exact zeros'] as const;
export type Flavour = (typeof flavours)[number];

/**
 * Quarters between −2 and 2: sums of their products are exact, so a zero is a zero in whatever order it is summed.
 */
function quarters(random: () => number, flavour: Flavour): number {
  if (flavour === 'all positive') return (1 + Math.floor(random() * 8)) / 4;
  if (flavour === 'with exact zeros' && random() < 0.4) return 0;
  return (Math.floor(random() * 17) - 8) / 4;
}

export interface SingleOpData {
  readonly inputs: Readonly<Record<Name, TensorData>>;
  readonly weights: ReadonlyMap<string, TensorData>;
}

/** Zeroes the first sample's inputs, and what weights and biases give to the last channel: z is exactly 0 there. */
function withZeros(name: Name, data: TensorData): TensorData {
  const inner = data.data.length / data.shape[0]!;
  const last = data.shape.at(-1)!;
  const isWeight = name === 'w' || name === 'b';
  const zero = (i: number) => (isWeight ? i % last === last - 1 : i < inner);
  return { ...data, data: data.data.map((value, i) => (zero(i) ? 0 : value)) };
}

/** Seeded data for every source and for R, at a batch of three. */
export function dataFor({ graph, node, positive }: SingleOp, flavour: Flavour, seed: number): SingleOpData {
  const random = sequence(seed);
  const inputs: Record<Name, TensorData> = {};
  const weights = new Map<string, TensorData>();
  for (const source of graph.nodes.values()) {
    const shape = bindShape(source.type.shape, 3);
    const isParam = source.op === 'param';
    const mustBePositive = positive || source.name === 'variance';
    const kind = mustBePositive ? 'all positive' : isParam ? 'of both signs' : flavour;
    const drawn = filled(shape, () => quarters(random, kind));
    const data = flavour === 'with exact zeros' && !mustBePositive ? withZeros(source.name, drawn) : drawn;
    if (source.op === 'input') inputs[source.name] = data;
    if (isParam) weights.set(source.name, data);
  }
  inputs.R = filled(bindShape(node.type.shape, 3), () => quarters(random, 'with exact zeros'));
  return { inputs, weights };
}
