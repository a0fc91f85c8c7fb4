// Movement: ops whose every output element copies one input element (or a constant).
import { Arithmetic } from '../arithmetic.js';
import { numberOf, numbersOf, type OpDefinition, OpProblem, type VjpContext } from '../dialect.js';
import type { Attrs, Name, Node } from '../graph.js';
import { call, list, literal, shapeOf, value } from '../spelling.js';
import { allocate } from '../tensor.js';
import { concreteShape, type Dim, printType, rowMajorStrides, type TensorType } from '../type.js';
import {
  addDims,
  checkAxes,
  checkAxis,
  copyStrided,
  fixedDim,
  forEachIndex,
  mixesBatch,
  sameElements,
  stated,
  wrongShape,
} from './shapes.js';

const routes = { routes: true } as const;

function ones(rank: number): number[] {
  return new Array<number>(rank).fill(1);
}

function zeros(rank: number): number[] {
  return new Array<number>(rank).fill(0);
}

function stridesOf(attrs: Attrs, rank: number): readonly number[] {
  return attrs.stride === undefined ? ones(rank) : numbersOf(attrs, 'stride');
}

function interiorOf(attrs: Attrs, rank: number): readonly number[] {
  return attrs.interior === undefined ? zeros(rank) : numbersOf(attrs, 'interior');
}

function expectLength(attrs: Attrs, names: readonly string[], rank: number): void {
  for (const name of names) {
    if (attrs[name] !== undefined && numbersOf(attrs, name).length !== rank) {
      throw new OpProblem(
        'RELC1005',
        `${name} has ${numbersOf(attrs, name).length} entries for rank ${rank}`,
      );
    }
  }
}

/** The attributes of a slice or pad, without those that say nothing. */
export function sliceAttrs(begin: readonly number[], stride: readonly number[]): Attrs {
  return stride.every((step) => step === 1) ? { begin } : { begin, stride };
}

export function padAttrs(
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[],
): Attrs {
  return interior.every((gap) => gap === 0) ? { low, high } : { low, high, interior };
}

function inferSlice(x: TensorType, attrs: Attrs, declared: TensorType | undefined): TensorType {
  const type = stated(declared);
  const rank = x.shape.length;
  expectLength(attrs, ['begin', 'stride'], rank);
  const begin = numbersOf(attrs, 'begin');
  const stride = stridesOf(attrs, rank);
  if (type.shape.length !== rank || type.dtype !== x.dtype) {
    throw wrongShape(`${printType(type)} is not a slice of ${printType(x)}`);
  }
  type.shape.forEach((size, axis) => {
    const extent = x.shape[axis]!;
    if (size === extent && begin[axis] === 0 && stride[axis] === 1) return;
    if (typeof extent === 'string') throw mixesBatch('a slice of the batch axis');
    const last = begin[axis]! + (fixedDim(size, 'a slice') - 1) * stride[axis]!;
    if (begin[axis]! < 0 || stride[axis]! < 1 || last >= extent) {
      throw wrongShape(`axis ${axis}: [${begin[axis]}, ${last}] leaves the extent ${extent}`);
    }
  });
  return type;
}

function inferPad(x: TensorType, attrs: Attrs): TensorType {
  const rank = x.shape.length;
  expectLength(attrs, ['low', 'high', 'interior'], rank);
  const low = numbersOf(attrs, 'low');
  const high = numbersOf(attrs, 'high');
  const interior = interiorOf(attrs, rank);
  const shape = x.shape.map((extent, axis): Dim => {
    if (low[axis] === 0 && high[axis] === 0 && interior[axis] === 0) return extent;
    const size = fixedDim(extent, 'padding of the batch axis');
    if ([low, high, interior].some((counts) => counts[axis]! < 0)) {
      throw new OpProblem('RELC1005', 'padding cannot be negative');
    }
    return low[axis]! + size + (size - 1) * interior[axis]! + high[axis]!;
  });
  return { dtype: x.dtype, shape };
}

function vjpSlice({ builder, node, cotangent }: VjpContext): Name {
  const { shape } = builder.typeOf(node.args[0]!);
  const begin = numbersOf(node.attrs, 'begin');
  const stride = stridesOf(node.attrs, shape.length);
  const high = shape.map((extent, axis) => {
    const size = node.type.shape[axis]!;
    if (typeof extent === 'string' || typeof size === 'string') return 0;
    return extent - begin[axis]! - (size - 1) * stride[axis]! - 1;
  });
  const interior = stride.map((step) => step - 1);
  return builder.add('pad', [cotangent], { attrs: padAttrs(begin, high, interior) });
}

function vjpBroadcast({ builder, node, cotangent }: VjpContext): Name {
  const k = new Arithmetic(builder);
  const x = builder.typeOf(node.args[0]!);
  const axes = numbersOf(node.attrs, 'axes');
  const spread = node.type.shape.flatMap((dim, axis) => {
    const from = axes.indexOf(axis);
    return from >= 0 && x.shape[from] === dim ? [] : [axis];
  });
  const summed = k.sum(cotangent, spread);
  return builder.typeOf(summed).shape.length === x.shape.length ? summed : k.reshape(summed, x.shape);
}

function stridedTfjs(node: Node) {
  const [x] = node.args;
  const rank = node.type.shape.length;
  const begin = numbersOf(node.attrs, 'begin');
  if (node.attrs.stride === undefined) {
    return call('tf.slice', value(x!), literal(begin), shapeOf(node.type.shape));
  }
  const stride = stridesOf(node.attrs, rank);
  return call('rt.stridedSlice', value(x!), literal(begin), shapeOf(node.type.shape), literal(stride));
}

function padTfjs(node: Node) {
  const [x] = node.args;
  const low = numbersOf(node.attrs, 'low');
  const high = numbersOf(node.attrs, 'high');
  const widths = literal(low.map((count, axis) => [count, high[axis]!]));
  const filler = node.attrs.value ?? 0;
  if (filler !== 0 && interiorOf(node.attrs, low.length).some((gap) => gap > 0)) {
    throw new OpProblem('RELC4001', `tfjs spreads elements apart with zeros only, not with ${filler}`);
  }
  const padded =
    node.attrs.interior === undefined
      ? value(x!)
      : call('rt.dilate', value(x!), literal(node.attrs.interior));
  const nothing = [...low, ...high].every((count) => count === 0);
  return nothing ? padded : call('tf.pad', padded, widths, literal(filler));
}

export const movementOps = {
  reshape: {
    summary: 'the same elements in another shape',
    operands: ['x'],
    traits: routes,
    infer([x], _attrs, declared) {
      const type = stated(declared);
      if (!sameElements(x!.shape, type.shape) || x!.dtype !== type.dtype) {
        throw wrongShape(`${printType(x!)} cannot be reshaped to ${printType(type)}`);
      }
      return type;
    },
    evaluate: ([x], node) => ({ ...x!, shape: concreteShape(node.type) }),
    vjp: ({ builder, node, cotangent }) =>
      new Arithmetic(builder).reshape(cotangent, builder.typeOf(node.args[0]!).shape),
    tfjs: (node) => call('tf.reshape', value(node.args[0]!), shapeOf(node.type.shape)),
  },
  transpose: {
    summary: 'axis i of the result is axis perm[i] of x',
    operands: ['x'],
    attrs: { perm: 'numbers' },
    traits: routes,
    infer([x], attrs) {
      const perm = numbersOf(attrs, 'perm');
      checkAxes(perm, x!.shape.length);
      if (perm.length !== x!.shape.length) {
        throw new OpProblem('RELC1005', `perm [${perm}] is not a permutation of ${x!.shape.length} axes`);
      }
      return { dtype: x!.dtype, shape: perm.map((axis) => x!.shape[axis]!) };
    },
    evaluate([x], node, context) {
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      const strides = rowMajorStrides(x!.shape);
      copyStrided(
        result.data,
        shape,
        x!.data,
        numbersOf(node.attrs, 'perm').map((axis) => strides[axis]!),
      );
      return result;
    },
    vjp({ builder, node, cotangent }) {
      const perm = numbersOf(node.attrs, 'perm');
      return new Arithmetic(builder).transpose(
        cotangent,
        perm.map((_, axis) => perm.indexOf(axis)),
      );
    },
    tfjs: (node) => call('tf.transpose', value(node.args[0]!), literal(node.attrs.perm!)),
  },
  broadcast: {
    summary: 'axis i of x becomes axis axes[i]; other axes, and axes of extent 1, repeat it',
    operands: ['x'],
    attrs: { axes: 'numbers' },
    traits: routes,
    infer([x], attrs, declared) {
      const type = stated(declared);
      const axes = numbersOf(attrs, 'axes');
      checkAxes(axes, type.shape.length);
      const fits =
        axes.length === x!.shape.length &&
        x!.dtype === type.dtype &&
        axes.every(
          (axis, i) => (i === 0 || axis > axes[i - 1]!) && [1, type.shape[axis]].includes(x!.shape[i]!),
        );
      if (!fits) throw wrongShape(`${printType(x!)} along axes [${axes}] does not fill ${printType(type)}`);
      return type;
    },
    evaluate([x], node, context) {
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      const axes = numbersOf(node.attrs, 'axes');
      const own = rowMajorStrides(x!.shape);
      const strides = shape.map((_, axis) => {
        const from = axes.indexOf(axis);
        return from < 0 || x!.shape[from] === 1 ? 0 : own[from]!;
      });
      copyStrided(result.data, shape, x!.data, strides);
      return result;
    },
    vjp: vjpBroadcast,
    tfjs: (node, { typeOf }) =>
      call(
        'rt.broadcast',
        value(node.args[0]!),
        shapeOf(alignedShape(typeOf(node.args[0]!), node)),
        shapeOf(node.type.shape),
      ),
  },
  slice: {
    summary: 'a box of x from begin, every stride-th element; the type states its size',
    operands: ['x'],
    attrs: { begin: 'numbers', stride: 'numbers?' },
    traits: routes,
    infer: ([x], attrs, declared) => inferSlice(x!, attrs, declared),
    evaluate([x], node, context) {
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      const own = rowMajorStrides(x!.shape);
      const stride = stridesOf(node.attrs, shape.length);
      const start = numbersOf(node.attrs, 'begin').reduce((sum, at, axis) => sum + at * own[axis]!, 0);
      copyStrided(
        result.data,
        shape,
        x!.data,
        own.map((step, axis) => step * stride[axis]!),
        start,
      );
      return result;
    },
    vjp: vjpSlice,
    tfjs: stridedTfjs,
  },
  pad: {
    summary: 'low and high elements of value around x, interior ones between its elements',
    operands: ['x'],
    attrs: { low: 'numbers', high: 'numbers', interior: 'numbers?', value: 'number?' },
    traits: routes,
    nonnegative: (attrs, operands) => operands.every(Boolean) && numberOf(attrs, 'value', 0) >= 0,
    infer: ([x], attrs) => inferPad(x!, attrs),
    evaluate([x], node, context) {
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      result.data.fill(numberOf(node.attrs, 'value', 0));
      const own = rowMajorStrides(shape);
      const interior = interiorOf(node.attrs, shape.length);
      const start = numbersOf(node.attrs, 'low').reduce((sum, low, axis) => sum + low * own[axis]!, 0);
      const strides = own.map((step, axis) => step * (interior[axis]! + 1));
      let position = 0;
      forEachIndex(x!.shape, strides, (offset) => {
        result.data[start + offset] = x!.data[position++]!;
      });
      return result;
    },
    vjp({ builder, node, cotangent }) {
      const type = builder.typeOf(node.args[0]!);
      const stride = interiorOf(node.attrs, type.shape.length).map((gap) => gap + 1);
      return builder.add('slice', [cotangent], {
        attrs: sliceAttrs(numbersOf(node.attrs, 'low'), stride),
        type: { ...type, dtype: 'f32' },
      });
    },
    tfjs: padTfjs,
  },
  concat: {
    summary: 'the operands one after another along an axis',
    operands: ['x', 'x*'],
    attrs: { axis: 'number' },
    traits: routes,
    infer(args, attrs) {
      const axis = numberOf(attrs, 'axis');
      const first = args[0]!;
      checkAxis(axis, first.shape.length);
      for (const [index, type] of args.entries()) {
        const agrees =
          type.dtype === first.dtype &&
          type.shape.length === first.shape.length &&
          type.shape.every((dim, i) => i === axis || dim === first.shape[i]);
        if (!agrees) {
          throw wrongShape(
            `operand ${index} is ${printType(type)}, expected ${printType(first)} off axis ${axis}`,
          );
        }
      }
      if (axis === 0 && typeof first.shape[0] === 'string') throw mixesBatch('concatenation of batches');
      const joined = args.map((type) => type.shape[axis]!).reduce(addDims);
      return { dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? joined : dim)) };
    },
    evaluate(args, node, context) {
      const axis = numberOf(node.attrs, 'axis');
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      const own = rowMajorStrides(shape);
      let start = 0;
      for (const { shape: part, data } of args) {
        let position = 0;
        forEachIndex(part, own, (offset) => {
          result.data[start + offset] = data[position++]!;
        });
        start += part[axis]! * own[axis]!;
      }
      return result;
    },
    vjp({ builder, node, operand, cotangent }) {
      const axis = numberOf(node.attrs, 'axis');
      const type = builder.typeOf(node.args[operand]!);
      const begin = type.shape.map(() => 0);
      for (const arg of node.args.slice(0, operand))
        begin[axis]! += builder.typeOf(arg).shape[axis] as number;
      return builder.add('slice', [cotangent], { attrs: { begin }, type: { ...type, dtype: 'f32' } });
    },
    tfjs: (node) => call('tf.concat', list(node.args.map(value)), literal(node.attrs.axis!)),
  },
  reverse: {
    summary: 'x with the given axes running backwards',
    operands: ['x'],
    attrs: { axes: 'numbers' },
    traits: routes,
    infer([x], attrs) {
      const axes = numbersOf(attrs, 'axes');
      checkAxes(axes, x!.shape.length);
      for (const axis of axes) fixedDim(x!.shape[axis]!, 'reversing the batch axis');
      return x!;
    },
    evaluate([x], node, context) {
      const shape = concreteShape(node.type);
      const result = allocate(node.type.dtype, shape, context.precision);
      const axes = numbersOf(node.attrs, 'axes');
      const own = rowMajorStrides(shape);
      const start = axes.reduce((sum, axis) => sum + (shape[axis]! - 1) * own[axis]!, 0);
      const strides = own.map((step, axis) => (axes.includes(axis) ? -step : step));
      copyStrided(result.data, shape, x!.data, strides, start);
      return result;
    },
    vjp: ({ builder, node, cotangent }) => builder.add('reverse', [cotangent], { attrs: node.attrs }),
    tfjs: (node) => call('tf.reverse', value(node.args[0]!), literal(node.attrs.axes!)),
  },
} satisfies Record<string, OpDefinition>;

/** The shape of a broadcast's operand with 1s on the axes it lacks: what implicit broadcasting needs. */
export function alignedShape(x: TensorType, node: Node): readonly Dim[] {
  const axes = numbersOf(node.attrs, 'axes');
  return node.type.shape.map((_, axis) => {
    const from = axes.indexOf(axis);
    return from < 0 ? 1 : x.shape[from]!;
  });
}
