// Reductions over axes, softmax, and batch normalization with constant statistics.
import { Arithmetic } from '../arithmetic.js';
import {
  keepsSign,
  neverNegative,
  numberOf,
  numbersOf,
  type OpDefinition,
  OpProblem,
  type VjpContext,
} from '../dialect.js';
import type { Attrs, Name } from '../graph.js';
import { call, literal, type Spelling, spelled, value } from '../spelling.js';
import { allocate, type Precision, sizeOf, type TensorData } from '../tensor.js';
import { concreteShape, printType, rowMajorStrides, type TensorType } from '../type.js';
import { winners } from './indexing.js';
import { checkAxes, checkAxis, expectDtype, fixedDim, forEachIndex, wrongShape } from './shapes.js';

function inferReduction([x]: readonly TensorType[], attrs: Attrs): TensorType {
  const axes = numbersOf(attrs, 'axes');
  expectDtype(x!, 0, 'f32');
  checkAxes(axes, x!.shape.length);
  for (const axis of axes) fixedDim(x!.shape[axis]!, 'a reduction over the batch axis');
  return { dtype: 'f32', shape: x!.shape.filter((_, axis) => !axes.includes(axis)) };
}

/** Folds `x` over `axes` in index order. */
function reduce(
  x: TensorData,
  axes: readonly number[],
  precision: Precision,
  start: number,
  step: (sum: number, element: number) => number,
): TensorData {
  const shape = x.shape.filter((_, axis) => !axes.includes(axis));
  const result = allocate('f32', shape, precision);
  result.data.fill(start);
  const own = rowMajorStrides(shape);
  let kept = 0;
  const strides = x.shape.map((_, axis) => (axes.includes(axis) ? 0 : own[kept++]!));
  let position = 0;
  forEachIndex(x.shape, strides, (offset) => {
    result.data[offset] = step(result.data[offset]!, x.data[position++]!);
  });
  return result;
}

/** Spreads a reduction's cotangent over the axes it removed. */
function spread({ builder, node, cotangent }: VjpContext): Name {
  const type = builder.typeOf(node.args[0]!);
  return new Arithmetic(builder).spreadBack(cotangent, numbersOf(node.attrs, 'axes'), type);
}

function vjpMax({ builder, node, cotangent }: VjpContext): Name {
  const k = new Arithmetic(builder);
  const [x] = node.args;
  const type = builder.typeOf(x!);
  const axes = [...numbersOf(node.attrs, 'axes')].sort((a, b) => a - b);
  const kept = type.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const perm = [...kept, ...axes];
  const count = sizeOf(axes.map((axis) => type.shape[axis] as number));
  const moved = k.transpose(x!, perm);
  const rows = k.reshape(moved, [...node.type.shape, count]);
  const hot = winners(k, rows);
  const routed = k.mul(hot, k.spreadBack(cotangent, [kept.length], builder.typeOf(rows)));
  const unmoved = k.reshape(routed, builder.typeOf(moved).shape);
  return k.transpose(
    unmoved,
    perm.map((_, axis) => perm.indexOf(axis)),
  );
}

function forEachRow(
  x: TensorData,
  axis: number,
  visit: (place: (index: number) => number, extent: number) => void,
) {
  const extent = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const outer = sizeOf(x.shape.slice(0, axis));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit((index) => (o * extent + index) * inner + i, extent);
  }
}

function inferSoftmax([x]: readonly TensorType[], attrs: Attrs): TensorType {
  expectDtype(x!, 0, 'f32');
  checkAxis(numberOf(attrs, 'axis'), x!.shape.length);
  fixedDim(x!.shape[numberOf(attrs, 'axis')]!, 'a softmax over the batch axis');
  return x!;
}

/** ln Σ eˣ and the maximum of one row, shifted so that nothing overflows. */
function rowTotals(
  x: TensorData,
  place: (index: number) => number,
  extent: number,
  round: (v: number) => number,
) {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < extent; i++) top = Math.max(top, x.data[place(i)]!);
  let total = 0;
  for (let i = 0; i < extent; i++) total = round(total + round(Math.exp(round(x.data[place(i)]! - top))));
  return { top, total };
}

function sumAlong(k: Arithmetic, x: Name, axis: number): Name {
  return k.spreadBack(k.sum(x, [axis]), [axis], k.builder.typeOf(x));
}

const rounding = (precision: Precision) => (precision === 'f32' ? Math.fround : (v: number) => v);

/** Spells a softmax over `axis` with tfjs, which has it for the last axis only. */
function softmaxTfjs(name: string): Spelling {
  return (node) => {
    const last = node.type.shape.length - 1;
    return node.attrs.axis === last
      ? call(`tf.${name}`, value(node.args[0]!))
      : call(`rt.${name}`, value(node.args[0]!), literal(node.attrs.axis!));
  };
}

export const reductionOps = {
  sum: {
    summary: 'the sum over axes, which disappear',
    operands: ['x'],
    attrs: { axes: 'numbers' },
    nonnegative: keepsSign,
    infer: inferReduction,
    evaluate: ([x], node, { precision }) =>
      reduce(x!, numbersOf(node.attrs, 'axes'), precision, 0, (a, b) => a + b),
    vjp: spread,
    tfjs: spelled('tf.sum', 'axes'),
  },
  mean: {
    summary: 'the mean over axes, which disappear',
    operands: ['x'],
    attrs: { axes: 'numbers' },
    nonnegative: keepsSign,
    infer: inferReduction,
    evaluate([x], node, { precision }) {
      const axes = numbersOf(node.attrs, 'axes');
      const result = reduce(x!, axes, precision, 0, (a, b) => a + b);
      const count = sizeOf(axes.map((axis) => x!.shape[axis]!));
      for (let i = 0; i < result.data.length; i++) result.data[i]! /= count;
      return result;
    },
    vjp(context) {
      const { shape } = context.builder.typeOf(context.node.args[0]!);
      const count = sizeOf(numbersOf(context.node.attrs, 'axes').map((axis) => shape[axis] as number));
      const k = new Arithmetic(context.builder);
      return spread({ ...context, cotangent: k.scale(context.cotangent, 1 / count) });
    },
    tfjs: spelled('tf.mean', 'axes'),
  },
  reduce_max: {
    summary: 'the maximum over axes, which disappear; its derivative goes to the first winner',
    operands: ['x'],
    attrs: { axes: 'numbers' },
    nonnegative: keepsSign,
    infer: inferReduction,
    evaluate: ([x], node, { precision }) =>
      reduce(x!, numbersOf(node.attrs, 'axes'), precision, Number.NEGATIVE_INFINITY, Math.max),
    vjp: vjpMax,
    tfjs: spelled('tf.max', 'axes'),
  },
  softmax: {
    summary: 'eˣ / Σ eˣ along an axis',
    operands: ['x'],
    attrs: { axis: 'number' },
    nonnegative: neverNegative,
    infer: inferSoftmax,
    evaluate([x], node, { precision }) {
      const result = allocate('f32', x!.shape, precision);
      const round = rounding(precision);
      forEachRow(x!, numberOf(node.attrs, 'axis'), (place, extent) => {
        const { top, total } = rowTotals(x!, place, extent, round);
        for (let i = 0; i < extent; i++) {
          result.data[place(i)] = round(Math.exp(round(x!.data[place(i)]! - top))) / total;
        }
      });
      return result;
    },
    vjp({ builder, node, cotangent }) {
      const k = new Arithmetic(builder);
      const total = sumAlong(k, k.mul(cotangent, node.name), numberOf(node.attrs, 'axis'));
      return k.mul(node.name, k.sub(cotangent, total));
    },
    tfjs: softmaxTfjs('softmax'),
  },
  log_softmax: {
    summary: 'x − ln Σ eˣ along an axis',
    operands: ['x'],
    attrs: { axis: 'number' },
    infer: inferSoftmax,
    evaluate([x], node, { precision }) {
      const result = allocate('f32', x!.shape, precision);
      const round = rounding(precision);
      forEachRow(x!, numberOf(node.attrs, 'axis'), (place, extent) => {
        const { top, total } = rowTotals(x!, place, extent, round);
        for (let i = 0; i < extent; i++) {
          result.data[place(i)] = round(x!.data[place(i)]! - top) - round(Math.log(total));
        }
      });
      return result;
    },
    vjp({ builder, node, cotangent }) {
      const k = new Arithmetic(builder);
      const total = sumAlong(k, cotangent, numberOf(node.attrs, 'axis'));
      return k.sub(cotangent, k.mul(k.unary('exp', node.name), total));
    },
    tfjs: softmaxTfjs('logSoftmax'),
  },
  batch_norm: {
    summary: '(x − mean)/√(variance + epsilon) · scale + offset over the last axis, statistics constant',
    operands: ['x', 'scale', 'offset', 'mean', 'variance'],
    attrs: { epsilon: 'number' },
    infer([x, ...statistics]) {
      expectDtype(x!, 0, 'f32');
      const channels = x!.shape.at(-1)!;
      for (const [index, type] of statistics.entries()) {
        if (type.shape.length !== 1 || type.shape[0] !== channels || type.dtype !== 'f32') {
          throw wrongShape(`operand ${index + 1} is ${printType(type)}, expected f32[${channels}]`);
        }
      }
      return x!;
    },
    evaluate([x, scale, offset, mean, variance], node, { precision }) {
      const result = allocate('f32', concreteShape(node.type), precision);
      const channels = x!.shape.at(-1)!;
      const epsilon = numberOf(node.attrs, 'epsilon');
      const round = rounding(precision);
      for (let i = 0; i < result.data.length; i++) {
        const c = i % channels;
        const factor = round(scale!.data[c]! / round(Math.sqrt(variance!.data[c]! + epsilon)));
        result.data[i] = round((x!.data[i]! - mean!.data[c]!) * factor) + offset!.data[c]!;
      }
      return result;
    },
    vjp({ builder, node, operand, cotangent }) {
      if (operand !== 0) {
        throw new OpProblem('RELC1008', 'the statistics of a batch normalization must be constants');
      }
      const k = new Arithmetic(builder);
      const [, scale, , , variance] = node.args;
      const spreadOut = k.add(variance!, k.constant(numberOf(node.attrs, 'epsilon'), variance!));
      const factor = k.mul(scale!, k.unary('rsqrt', spreadOut));
      return k.mul(cotangent, k.broadcast(factor, [node.type.shape.length - 1], node.type));
    },
    tfjs(node) {
      const [x, scale, offset, mean, variance] = node.args.map(value);
      return call('tf.batchNorm', x!, mean!, variance!, offset!, scale!, literal(node.attrs.epsilon!));
    },
  },
} satisfies Record<string, OpDefinition>;
