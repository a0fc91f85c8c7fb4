// Resizing pictures: linear maps along rows and columns, and their transpose.
import { type AttrSchema, keepsSign, type OpDefinition, OpProblem } from '../dialect.js';
import type { Attrs, Node } from '../graph.js';
import { call, literal, value } from '../spelling.js';
import { allocate, type TensorData, tensor } from '../tensor.js';
import { concreteShape, printType, type TensorType } from '../type.js';
import { expectDtype, expectRank, stated, wrongShape } from './shapes.js';

const attrs: AttrSchema = { mode: 'string', align_corners: 'boolean?', half_pixel: 'boolean?' };

/** One output coordinate as a weighted sum of input coordinates. */
type Taps = readonly (readonly [from: number, weight: number])[];

/** Where every output coordinate along one axis comes from, as TensorFlow's resize kernels define it. */
export function resizeTaps(from: number, to: number, nodeAttrs: Attrs): Taps[] {
  const aligned = nodeAttrs.align_corners === true;
  const half = nodeAttrs.half_pixel === true;
  const ratio = aligned && to > 1 ? (from - 1) / (to - 1) : from / to;
  const last = from - 1;
  return Array.from({ length: to }, (_, at): Taps => {
    if (nodeAttrs.mode === 'nearest') {
      const source = ratio * (half ? at + 0.5 : at);
      return [[Math.max(0, Math.min(last, aligned ? Math.round(source) : Math.floor(source))), 1]];
    }
    const source = half ? ratio * (at + 0.5) - 0.5 : ratio * at;
    const floor = Math.max(0, Math.floor(source));
    const part = source - floor;
    const ceil = Math.min(last, Math.ceil(source));
    return part === 0 || floor === ceil
      ? [[floor, 1]]
      : [
          [floor, 1 - part],
          [ceil, part],
        ];
  });
}

/** M with result = M·x along one axis, from the taps of a resize. */
export function resizeMatrix(from: number, to: number, nodeAttrs: Attrs): TensorData {
  const matrix = new Float32Array(to * from);
  resizeTaps(from, to, nodeAttrs).forEach((taps, row) => {
    for (const [column, weight] of taps) matrix[row * from + column]! += weight;
  });
  return tensor([to, from], matrix);
}

/** @param argument  the one of the two that is the operand */
function checkResize(from: TensorType, to: TensorType, nodeAttrs: Attrs, argument: TensorType): void {
  expectRank(argument, 0, 4);
  expectDtype(argument, 0, 'f32');
  const agrees =
    from.shape.length === 4 &&
    from.dtype === to.dtype &&
    to.shape.length === 4 &&
    to.shape[0] === from.shape[0] &&
    to.shape[3] === from.shape[3];
  if (!agrees) throw wrongShape(`${printType(from)} cannot be resized to ${printType(to)}`);
  if (nodeAttrs.mode !== 'bilinear' && nodeAttrs.mode !== 'nearest') {
    throw new OpProblem('RELC1005', `mode is "${nodeAttrs.mode}", expected "bilinear" or "nearest"`);
  }
  if (nodeAttrs.align_corners === true && nodeAttrs.half_pixel === true) {
    throw new OpProblem('RELC1005', 'align_corners and half_pixel exclude each other');
  }
}

/** Calls `visit(small element, large element, weight)` for each pair that the map joins. */
function forEachJoin(
  from: readonly number[],
  to: readonly number[],
  nodeAttrs: Attrs,
  visit: (input: number, output: number, weight: number) => void,
): void {
  const [batch, height, width, channels] = from as [number, number, number, number];
  const rows = resizeTaps(height, to[1]!, nodeAttrs);
  const columns = resizeTaps(width, to[2]!, nodeAttrs);
  for (let n = 0; n < batch; n++) {
    for (const [y, rowTaps] of rows.entries()) {
      for (const [x, columnTaps] of columns.entries()) {
        const output = ((n * rows.length + y) * columns.length + x) * channels;
        for (const [row, rowWeight] of rowTaps) {
          for (const [column, columnWeight] of columnTaps) {
            const input = ((n * height + row) * width + column) * channels;
            for (let c = 0; c < channels; c++) visit(input + c, output + c, rowWeight * columnWeight);
          }
        }
      }
    }
  }
}

const flags = (node: Node) => [
  literal(node.attrs.mode!),
  literal(node.attrs.align_corners === true),
  literal(node.attrs.half_pixel === true),
];

const spatialOf = (shape: readonly unknown[]) => literal(shape.slice(1, 3) as number[]);

export const resizeOps = {
  resize: {
    summary: 'a picture at another size, bilinear or nearest, by the conventions of TensorFlow',
    operands: ['x'],
    attrs,
    nonnegative: keepsSign,
    infer([x], nodeAttrs, declared) {
      const type = stated(declared);
      checkResize(x!, type, nodeAttrs, x!);
      return type;
    },
    evaluate([x], node, { precision }) {
      const result = allocate('f32', concreteShape(node.type), precision);
      forEachJoin(x!.shape, result.shape, node.attrs, (input, output, weight) => {
        result.data[output]! += weight * x!.data[input]!;
      });
      return result;
    },
    vjp: ({ builder, node, cotangent }) =>
      builder.add('resize_transpose', [cotangent], {
        attrs: node.attrs,
        type: builder.typeOf(node.args[0]!),
      }),
    tfjs: (node) => call('rt.resize', value(node.args[0]!), spatialOf(node.type.shape), ...flags(node)),
  },
  resize_transpose: {
    summary: 'the transpose of resize: spreads a picture back over the size that the type states',
    operands: ['z'],
    attrs,
    nonnegative: keepsSign,
    infer([z], nodeAttrs, declared) {
      const type = stated(declared);
      checkResize(type, z!, nodeAttrs, z!);
      return type;
    },
    evaluate([z], node, { precision }): TensorData {
      const result = allocate('f32', concreteShape(node.type), precision);
      forEachJoin(result.shape, z!.shape, node.attrs, (input, output, weight) => {
        result.data[input]! += weight * z!.data[output]!;
      });
      return result;
    },
    vjp: ({ builder, node, cotangent }) =>
      builder.add('resize', [cotangent], { attrs: node.attrs, type: builder.typeOf(node.args[0]!) }),
    tfjs: (node) =>
      call('rt.resizeTranspose', value(node.args[0]!), spatialOf(node.type.shape), ...flags(node)),
  },
} satisfies Record<string, OpDefinition>;
