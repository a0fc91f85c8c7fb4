// Indexing: gather, its transpose, one-hot vectors and arg-max.
import type { Arithmetic } from '../arithmetic.js';
import { neverNegative, numberOf, type OpDefinition, OpProblem } from '../dialect.js';
import { call, literal, shapeOf, spelled, value } from '../spelling.js';
import { allocate, type NumberArray, sizeOf } from '../tensor.js';
import { concreteShape, printType } from '../type.js';
import { checkAxis, expectDtype, fixedDim, stated, wrongShape } from './shapes.js';

/** Outer, axis and inner extents of a shape split at `axis`. */
function split(shape: readonly number[], axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}

/** Calls `visit(place in the whole, place in the picked)` for each run of `inner` picked elements. */
function forEachPick(
  shape: readonly number[],
  axis: number,
  indices: NumberArray,
  visit: (whole: number, picked: number, inner: number) => void,
): void {
  const [outer, extent, inner] = split(shape, axis);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (index < 0 || index >= extent) {
        throw new OpProblem('RELC1009', `index ${index} is not in 0..${extent - 1}`);
      }
      visit((o * extent + index) * inner, (o * indices.length + i) * inner, inner);
    }
  }
}

export const indexingOps = {
  gather: {
    summary: 'the slices of x along an axis that the indices name',
    operands: ['x', 'indices'],
    attrs: { axis: 'number' },
    traits: { routes: true },
    infer([x, indices], attrs) {
      const axis = numberOf(attrs, 'axis');
      checkAxis(axis, x!.shape.length);
      expectDtype(indices!, 1, 'i32');
      fixedDim(x!.shape[axis]!, 'gathering along the batch axis');
      const shape = [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)];
      return { dtype: x!.dtype, shape };
    },
    evaluate([x, indices], node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      forEachPick(x!.shape, numberOf(node.attrs, 'axis'), indices!.data, (whole, picked, inner) => {
        for (let i = 0; i < inner; i++) result.data[picked + i] = x!.data[whole + i]!;
      });
      return result;
    },
    vjp({ builder, node, operand, cotangent }) {
      if (operand === 1) throw new OpProblem('RELC1008', 'no derivative with respect to the indices');
      const type = builder.typeOf(node.args[0]!);
      return builder.add('scatter_add', [cotangent, node.args[1]!], { attrs: node.attrs, type });
    },
    tfjs: spelled('tf.gather', 'axis'),
  },
  scatter_add: {
    summary: 'the transpose of gather: updates added up at the places that the indices name',
    operands: ['updates', 'indices'],
    attrs: { axis: 'number' },
    infer([updates, indices], attrs, declared) {
      const type = stated(declared);
      const axis = numberOf(attrs, 'axis');
      checkAxis(axis, type.shape.length);
      expectDtype(indices!, 1, 'i32');
      fixedDim(type.shape[axis]!, 'scattering along the batch axis');
      const picked = [...type.shape.slice(0, axis), ...indices!.shape, ...type.shape.slice(axis + 1)];
      expectDtype(updates!, 0, type.dtype);
      if (picked.join() !== updates!.shape.join()) {
        throw wrongShape(`operand 0 is ${printType(updates!)}, expected shape [${picked}]`);
      }
      return type;
    },
    evaluate([updates, indices], node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      forEachPick(result.shape, numberOf(node.attrs, 'axis'), indices!.data, (whole, picked, inner) => {
        for (let i = 0; i < inner; i++) result.data[whole + i]! += updates!.data[picked + i]!;
      });
      return result;
    },
    vjp({ builder, node, operand, cotangent }) {
      if (operand === 1) throw new OpProblem('RELC1008', 'no derivative with respect to the indices');
      return builder.add('gather', [cotangent, node.args[1]!], { attrs: node.attrs });
    },
    tfjs: (node) =>
      call(
        'rt.scatterAdd',
        value(node.args[0]!),
        value(node.args[1]!),
        literal(node.attrs.axis!),
        shapeOf(node.type.shape),
      ),
  },
  one_hot: {
    summary: 'a new last axis, 1 at the index and 0 elsewhere',
    operands: ['indices'],
    attrs: { depth: 'number' },
    nonnegative: neverNegative,
    infer([indices], attrs) {
      expectDtype(indices!, 0, 'i32');
      return { dtype: 'f32', shape: [...indices!.shape, numberOf(attrs, 'depth')] };
    },
    evaluate([indices], node, context) {
      const result = allocate('f32', concreteShape(node.type), context.precision);
      const depth = numberOf(node.attrs, 'depth');
      indices!.data.forEach((index, i) => {
        if (index >= 0 && index < depth) result.data[i * depth + index] = 1;
      });
      return result;
    },
    tfjs: spelled('tf.oneHot', 'depth'),
  },
  argmax: {
    summary: 'the index of the first largest element along an axis',
    operands: ['x'],
    attrs: { axis: 'number' },
    infer([x], attrs) {
      const axis = numberOf(attrs, 'axis');
      checkAxis(axis, x!.shape.length);
      fixedDim(x!.shape[axis]!, 'the arg-max over the batch axis');
      return { dtype: 'i32', shape: x!.shape.filter((_, i) => i !== axis) };
    },
    evaluate([x], node, context) {
      const result = allocate('i32', concreteShape(node.type), context.precision);
      const [outer, extent, inner] = split(x!.shape, numberOf(node.attrs, 'axis'));
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          let best = 0;
          const at = (index: number) => x!.data[(o * extent + index) * inner + i]!;
          for (let index = 1; index < extent; index++) if (at(index) > at(best)) best = index;
          result.data[o * inner + i] = best;
        }
      }
      return result;
    },
    tfjs: spelled('tf.argMax', 'axis'),
  },
} satisfies Record<string, OpDefinition>;

/** One-hot of the winners along the last axis, as the derivative of a maximum needs it. */
export function winners(k: Arithmetic, x: string): string {
  const { shape } = k.builder.typeOf(x);
  const axis = shape.length - 1;
  const index = k.builder.add('argmax', [x], { attrs: { axis } });
  return k.builder.add('one_hot', [index], { attrs: { depth: shape[axis] as number } });
}
