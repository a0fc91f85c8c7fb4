// Shape and index arithmetic shared by the op tables.
import { OpProblem } from '../dialect.js';
import type { NumberArray } from '../tensor.js';
import {
  batchDim,
  batchMultiple,
  type Dim,
  elementCount,
  printType,
  type Shape,
  sameShape,
  type TensorType,
} from '../type.js';

export function wrongShape(message: string, hint?: string): OpProblem {
  return new OpProblem('RELC1004', message, hint);
}

export function mixesBatch(what: string): OpProblem {
  return new OpProblem(
    'RELC1007',
    `${what} mixes the samples of the batch`,
    'explanations are per sample; trace with batch: null to explain the whole input as one sample',
  );
}

/** The type a node states, for ops that need one. @throws OpProblem */
export function stated(declared: TensorType | undefined): TensorType {
  if (declared === undefined) throw wrongShape('the type must be stated');
  return declared;
}

export function expectDtype(type: TensorType, index: number, dtype: TensorType['dtype']): void {
  if (type.dtype !== dtype) throw wrongShape(`operand ${index} is ${printType(type)}, expected ${dtype}`);
}

export function expectRank(type: TensorType, index: number, rank: number): void {
  if (type.shape.length !== rank) {
    throw wrongShape(`operand ${index} is ${printType(type)}, expected rank ${rank}`);
  }
}

export function expectSameShape(args: readonly TensorType[]): void {
  for (const [index, type] of args.entries()) {
    if (!sameShape(type.shape, args[0]!.shape)) {
      throw wrongShape(
        `operand ${index} is ${printType(type)}, expected the shape of operand 0, ${printType(args[0]!)}`,
        'shapes are never broadcast implicitly: add a broadcast',
      );
    }
  }
}

/** An axis number within the rank. @throws OpProblem */
export function checkAxis(axis: number, rank: number, what = 'axis'): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
    throw new OpProblem('RELC1005', `${what} ${axis} is not an axis of a rank-${rank} tensor`);
  }
}

export function checkAxes(axes: readonly number[], rank: number): void {
  for (const axis of axes) checkAxis(axis, rank);
  if (new Set(axes).size !== axes.length) {
    throw new OpProblem('RELC1005', `axes [${axes}] name one axis twice`);
  }
}

/** A fixed extent. @throws OpProblem where it is the batch */
export function fixedDim(dim: Dim, what: string): number {
  if (typeof dim === 'number') return dim;
  throw mixesBatch(what);
}

/** Sum of two extents of one axis: of numbers or of batch multiples. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const left = batchMultiple(a);
  const right = batchMultiple(b);
  if (left === undefined || right === undefined) throw wrongShape(`cannot join extents ${a} and ${b}`);
  return batchDim(left + right);
}

/** Whether two shapes hold equally many elements, whatever N is. */
export function sameElements(a: Shape, b: Shape): boolean {
  const batched = (shape: Shape) => shape.some((dim) => typeof dim === 'string');
  return elementCount(a) === elementCount(b) && batched(a) === batched(b);
}

/**
 * Calls `visit(offset, index)` for every index of `shape` in row-major order, with Σ index·strides.
 * `index` is reused between calls.
 */
export function forEachIndex(
  shape: readonly number[],
  strides: readonly number[],
  visit: (offset: number, index: readonly number[]) => void,
): void {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const index = new Array<number>(shape.length).fill(0);
  let offset = 0;
  for (let position = 0; position < size; position++) {
    visit(offset, index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      offset += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      offset -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
}

/** Copies `source`, read at `start + Σ index·strides`, into `target` in row-major order of `shape`. */
export function copyStrided(
  target: NumberArray,
  shape: readonly number[],
  source: NumberArray,
  strides: readonly number[],
  start = 0,
): void {
  const length = shape.at(-1) ?? 1;
  const step = strides.at(-1) ?? 0;
  let position = 0;
  forEachIndex(shape.slice(0, -1), strides.slice(0, -1), (offset) => {
    for (let place = start + offset, left = length; left > 0; left--, place += step) {
      target[position++] = source[place]!;
    }
  });
}
