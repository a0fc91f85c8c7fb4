// Kernels that contract: matrix products, einsum and convolutions, fused ones taken apart.
import * as tf from '@tensorflow/tfjs';
import { OpProblem } from '../../ir/dialect.js';
import type { Attrs, Name } from '../../ir/graph.js';
import { type Window, windowAttrs } from '../../ir/ops/window.js';
import type { Recorder } from '../recorder.js';
import {
  aligned,
  broadcastTo,
  type KernelCall,
  listOf,
  need,
  numberAttr,
  numbersAttr,
  reshape,
  type TranslationTable,
} from './kernel.js';

/** An einsum with a constant factor on the right, where the weight and the bias belong. */
function einsum(
  r: Recorder,
  left: Name,
  right: Name,
  indices: readonly [string, string, string],
  bias: readonly Name[] = [],
): Name {
  const [l, rr, out] = indices;
  const swap = r.isConstant(left) && !r.isConstant(right);
  return swap
    ? r.add('einsum', [right, left], { eq: `${rr},${l}->${out}` })
    : r.add('einsum', [left, right, ...bias], { eq: `${l},${rr}->${out}` });
}

/** Without its leading axes of extent 1: they only align the factors. */
function squeezeOuter(r: Recorder, x: Name): Name {
  const shape = r.shapeOf(x);
  const first = shape.slice(0, -2).findIndex((extent) => extent !== 1);
  return reshape(r, x, first < 0 ? shape.slice(-2) : shape.slice(first));
}

/** tfjs repeats the shorter list of matrices along the longer one: right only where its axes end those of the other. */
function checkOuterAxes(left: readonly number[], right: readonly number[]): void {
  const shared = Math.min(left.length, right.length) - 2;
  const [a, b] = [left, right].map((shape) => shape.slice(shape.length - 2 - shared, -2).join());
  if (a === b) return;
  throw new OpProblem(
    'RELC2001',
    `tfjs pairs the matrices of [${left}] and [${right}] wrongly`,
    'broadcast both operands to one shape first, or use tf.einsum',
  );
}

/** A product at its smallest rank, the shape that tfjs gives it, and whether a fused bias is in it. */
interface Product {
  readonly name: Name;
  readonly shape: readonly number[];
  readonly biased: boolean;
}

/** A fused bias that is a constant vector: the affine op takes it as an operand. */
function biasOperand(call: KernelCall): readonly Name[] {
  const bias = call.inputs.bias?.name;
  if (bias === undefined || !call.r.isConstant(bias) || call.r.shapeOf(bias).length !== 1) return [];
  return [bias];
}

function matMul(call: KernelCall): Product {
  const { r } = call;
  const [a, b] = [need(call, 'a'), need(call, 'b')];
  const [left, right] = [squeezeOuter(r, a), squeezeOuter(r, b)];
  checkOuterAxes(r.shapeOf(left), r.shapeOf(right));
  const ranks = [left, right].map((name) => r.shapeOf(name).length - 2);
  const outer = Math.max(...ranks);
  const [letters, row] = ['bcdefgh'.slice(0, outer), 'bcdefgh'[outer]!];
  const [ownLeft, ownRight] = ranks.map((rank) => letters.slice(letters.length - rank)) as [string, string];
  const bias = r.isConstant(right) && ranks[1]! <= ranks[0]! ? biasOperand(call) : [];
  const indices = [
    ownLeft + (call.attrs.transposeA ? `i${row}` : `${row}i`),
    ownRight + (call.attrs.transposeB ? 'ji' : 'ij'),
    `${letters}${row}j`,
  ] as const;
  const name = einsum(r, left, right, indices, bias);
  const shape = [...outerShape(r.shapeOf(a), r.shapeOf(b)), ...r.shapeOf(name).slice(-2)];
  return { name, shape, biased: bias.length > 0 };
}

function outerShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length) - 2;
  const at = (shape: readonly number[], axis: number) => shape[axis - rank + shape.length - 2] ?? 1;
  return Array.from({ length: rank }, (_, axis) => Math.max(at(a, axis), at(b, axis)));
}

/** An einsum as written. */
function einsumKernel(call: KernelCall): Name {
  const { r } = call;
  const factors = listOf(call);
  const [inputs, out] = String(call.attrs.equation).replace(/\s/g, '').split('->') as [
    string,
    string | undefined,
  ];
  const terms = inputs.split(',');
  if (factors.length > 2 || out === undefined || inputs.includes('.')) {
    throw new OpProblem(
      'RELC2001',
      `einsum "${String(call.attrs.equation)}" is not supported`,
      'write it as products of two factors with an explicit result',
    );
  }
  if (factors.length === 1) return summedAndPermuted(r, factors[0]!, terms[0]!, out);
  const [left, right] = terms as [string, string];
  const lone = [...left, ...right].find(
    (index) => !out.includes(index) && left.includes(index) !== right.includes(index),
  );
  if (lone !== undefined) {
    throw new OpProblem(
      'RELC2001',
      `tfjs sums index ${lone} of einsum "${inputs}->${out}", which one factor alone has, wrongly`,
      'sum that factor over the index first',
    );
  }
  return einsum(r, factors[0]!, factors[1]!, [left, right, out]);
}

function summedAndPermuted(r: Recorder, x: Name, indices: string, out: string): Name {
  const axes = [...indices].flatMap((index, axis) => (out.includes(index) ? [] : [axis]));
  const kept = [...indices].filter((index) => out.includes(index));
  return r.k.transpose(
    r.k.sum(x, axes),
    [...out].map((index) => kept.indexOf(index)),
  );
}

type ConvInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** The window of a 2-D convolution or pool as tfjs works it out, padding in numbers. */
export function windowFrom(
  info: Pick<
    ConvInfo,
    | 'padInfo'
    | 'strideHeight'
    | 'strideWidth'
    | 'dilationHeight'
    | 'dilationWidth'
    | 'outHeight'
    | 'outWidth'
    | 'inHeight'
    | 'inWidth'
  >,
  size: readonly [number, number],
): Window {
  const strides = [info.strideHeight, info.strideWidth];
  const dilations = [info.dilationHeight, info.dilationWidth];
  const extents = [info.inHeight, info.inWidth];
  const outputs = [info.outHeight, info.outWidth];
  const { top, left, bottom, right } = info.padInfo;
  const low = [top, left];
  const stated = [bottom, right];
  // Rounding makes windows that reach beyond the stated padding, or fewer than it holds: it follows the windows.
  const high = size.map((extent, axis) => {
    const reach = (outputs[axis]! - 1) * strides[axis]! + dilations[axis]! * (extent - 1) + 1;
    const end = reach - extents[axis]! - low[axis]!;
    return stated[axis]! - end < strides[axis]! ? Math.max(stated[axis]!, end) : end;
  });
  if (high.some((count) => count < 0)) {
    throw new OpProblem(
      'RELC2001',
      'tfjs applies a padding in numbers as if windows and strides were square: the picture is cut off',
      "state the padding as 'valid', 'same' or explicit pairs",
    );
  }
  return { size, strides, dilations, padding: low.map((count, axis) => [count, high[axis]!] as const) };
}

/** Channels-last operand and a way back, for kernels that may be stated channels-first. */
function channelsLast(call: KernelCall, x: Name): { x: Name; back: (y: Name) => Name } {
  if (call.attrs.dataFormat !== 'NCHW') return { x, back: (y) => y };
  const { k } = call.r;
  return { x: k.transpose(x, [0, 2, 3, 1]), back: (y) => k.transpose(y, [0, 3, 1, 2]) };
}

type Quad = [number, number, number, number];

function convInfo(
  call: KernelCall,
  shape: readonly number[],
  filter: readonly number[],
  depthwise: boolean,
): ConvInfo {
  const strides = numbersAttr(call, 'strides', 2) as [number, number];
  const dilations = numbersAttr(call, 'dilations', 2) as [number, number];
  const pad = explicitPad(call);
  return tf.backend_util.computeConv2DInfo(
    shape as Quad,
    filter as Quad,
    strides,
    dilations,
    pad,
    call.attrs.dimRoundingMode as 'floor' | undefined,
    depthwise,
  );
}

type Pad = Parameters<typeof tf.backend_util.computeConv2DInfo>[4];

function explicitPad(call: KernelCall): Pad {
  const pad = call.attrs.pad as Pad;
  if (!Array.isArray(pad) || call.attrs.dataFormat !== 'NCHW') return pad;
  const [n, c, h, w] = pad as unknown as [
    [number, number],
    [number, number],
    [number, number],
    [number, number],
  ];
  return [n, h, w, c] as unknown as Pad;
}

function conv2d(call: KernelCall): Product {
  const { r } = call;
  const { x, back } = channelsLast(call, need(call, 'x'));
  const filter = need(call, 'filter');
  const shape = r.shapeOf(filter);
  const info = convInfo(call, r.shapeOf(x), shape, false);
  const window = windowFrom(info, [shape[0]!, shape[1]!]);
  const groups = r.shapeOf(x)[3]! / shape[2]!;
  const attrs = { ...windowAttrs(window), ...(groups === 1 ? {} : { groups }) };
  return convolved(call, [x, filter], attrs, back);
}

/** A depthwise convolution is one group a channel: kernel [h, w, c, m] becomes [h, w, 1, c·m]. */
function depthwise(call: KernelCall): Product {
  const { r } = call;
  const { x, back } = channelsLast(call, need(call, 'x'));
  const filter = need(call, 'filter');
  const [h, w, channels, multiplier] = r.shapeOf(filter) as Quad;
  const info = convInfo(call, r.shapeOf(x), r.shapeOf(filter), true);
  const kernel = r.k.reshape(filter, [h, w, 1, channels * multiplier]);
  const groups = channels === 1 ? {} : { groups: channels };
  return convolved(call, [x, kernel], { ...windowAttrs(windowFrom(info, [h, w])), ...groups }, back);
}

function transposedConv(call: KernelCall): Name {
  const { r } = call;
  const { x, back } = channelsLast(call, need(call, 'dy'));
  const filter = need(call, 'filter');
  const [h, w] = r.shapeOf(filter) as Quad;
  const stated = call.attrs.inputShape as number[];
  const [n, height, width, channels] = (
    call.attrs.dataFormat === 'NCHW' ? [0, 2, 3, 1].map((axis) => stated[axis]!) : stated
  ) as Quad;
  const info = convInfo(call, [n, height, width, channels], r.shapeOf(filter), false);
  const type = { dtype: 'f32', shape: [n, height, width, channels] } as const;
  return back(r.add('conv_transpose', [x, filter], windowAttrs(windowFrom(info, [h, w])), type));
}

const activations: Readonly<Record<string, (call: KernelCall) => [op: string, attrs: Attrs]>> = {
  relu: () => ['relu', {}],
  relu6: () => ['clip', { min: 0, max: 6 }],
  elu: () => ['elu', {}],
  sigmoid: () => ['sigmoid', {}],
  leakyrelu: (call) => ['leaky_relu', { alpha: numberAttr(call, 'leakyreluAlpha', 0.2) }],
};

function convolved(call: KernelCall, args: readonly Name[], attrs: Attrs, back: (y: Name) => Name): Product {
  const { r } = call;
  const bias = r.isConstant(args[1]!) ? biasOperand(call) : [];
  const name = back(r.add('conv', [...args, ...bias], attrs));
  return { name, shape: r.shapeOf(name), biased: bias.length > 0 };
}

/** A product alone. */
function plain(product: (call: KernelCall) => Product): (call: KernelCall) => Name {
  return (call) => {
    const { name, shape } = product(call);
    return reshape(call.r, name, shape);
  };
}

/** A fused kernel: its product, then bias, then activation. */
function takenApart(product: (call: KernelCall) => Product): (call: KernelCall) => Name {
  return (call) => {
    const result = product(call);
    return reshape(call.r, activated(call, withBias(call, result)), result.shape);
  };
}

function withBias(call: KernelCall, { name, biased }: Product): Name {
  const bias = call.inputs.bias?.name;
  return bias === undefined || biased ? name : call.r.add('add', [name, biasFor(call, bias, name)]);
}

function activated(call: KernelCall, result: Name): Name {
  const { r } = call;
  const activation = (call.attrs.activation ?? 'linear') as string;
  if (activation === 'linear') return result;
  if (activation === 'prelu')
    return r.add('prelu', aligned(r, [result, need(call, 'preluActivationWeights')]));
  const known = activations[activation];
  if (known === undefined)
    throw new OpProblem('RELC2001', `a fused activation '${activation}' is not supported`);
  const [op, attrs] = known(call);
  return r.add(op, [result], attrs);
}

/** The bias spread over a product: along the channels, leading axes of extent 1 dropped. */
function biasFor(call: KernelCall, bias: Name, result: Name): Name {
  const { r } = call;
  const shape = r.shapeOf(result);
  const rank = r.shapeOf(bias).length;
  if (rank > shape.length)
    return broadcastTo(r, reshape(r, bias, r.shapeOf(bias).slice(rank - shape.length)), shape);
  const alongChannels = call.attrs.dataFormat === 'NCHW' && r.shapeOf(bias).length === 1;
  return broadcastTo(r, alongChannels ? r.k.reshape(bias, [r.shapeOf(bias)[0]!, 1, 1]) : bias, shape);
}

export const contraction: TranslationTable = {
  BatchMatMul: plain(matMul),
  _FusedMatMul: takenApart(matMul),
  Einsum: einsumKernel,
  Conv2D: plain(conv2d),
  FusedConv2D: takenApart(conv2d),
  DepthwiseConv2dNative: plain(depthwise),
  FusedDepthwiseConv2D: takenApart(depthwise),
  Conv2DBackpropInput: transposedConv,
};
