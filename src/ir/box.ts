// Boxes: a range along each axis of a value, for saying which part of it is read or can be other than zero.
import { bindDim, type Dim, type Shape } from './type.js';

/** From `begin` to before `end`; empty where they are the same. */
export type Range = readonly [begin: number, end: number];

/** A range along each axis; empty where one of them is. */
export type Box = readonly Range[];

/** In place of the batch, whose axis is only ever whole: a prime, so that products agree only where the batch does. */
export const batchStandIn = 1_000_003;

export const extentOf = (dim: Dim): number => bindDim(dim, batchStandIn);

export const wholeRange = (dim: Dim): Range => [0, extentOf(dim)];

/** All of a value. */
export const wholeBox = (shape: Shape): Box => shape.map(wholeRange);

export const emptyBox = (shape: Shape): Box => shape.map(() => [0, 0]);

export const isEmpty = (box: Box): boolean => box.some(([begin, end]) => begin >= end);

const sameRange = (a: Range, b: Range): boolean => a[0] === b[0] && a[1] === b[1];

export const sameBox = (a: Box, b: Box): boolean => a.every((range, axis) => sameRange(range, b[axis]!));

export const isWhole = (box: Box, shape: Shape): boolean =>
  box.every(([begin, end], axis) => begin === 0 && end === extentOf(shape[axis]!));

/** Whether `inner` lies within `outer`. */
export const holds = (outer: Box, inner: Box): boolean =>
  inner.every(([begin, end], axis) => outer[axis]![0] <= begin && end <= outer[axis]![1]);

export const shifted = ([begin, end]: Range, by: number): Range => [begin + by, end + by];

export const commonRange = (a: Range, b: Range): Range => {
  const begin = Math.max(a[0], b[0]);
  return [begin, Math.max(begin, Math.min(a[1], b[1]))];
};

/** The part that two boxes have in common. */
export const common = (a: Box, b: Box): Box => a.map((range, axis) => commonRange(range, b[axis]!));

/** The least box that holds both. */
export function hull(a: Box, b: Box): Box {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return a.map(([begin, end], axis) => [Math.min(begin, b[axis]![0]), Math.max(end, b[axis]![1])]);
}

/** The shape of the part of a value that lies in a box. */
export const shapeWithin = (shape: Shape, box: Box): Shape =>
  shape.map((dim, axis) => (typeof dim === 'string' ? dim : box[axis]![1] - box[axis]![0]));

const countFrom = (extents: readonly number[], axis: number) =>
  extents.slice(axis).reduce((product, extent) => product * extent, 1);

/** The elements of a box as one range in row-major order; undefined where they do not lie one after another. */
export function flatRange(box: Box, extents: readonly number[]): Range | undefined {
  const axis = box.findIndex(([begin, end]) => end - begin !== 1);
  if (axis >= 0 && !isWhole(box.slice(axis + 1), extents.slice(axis + 1))) return undefined;
  const first = box.reduce((sum, [begin], at) => sum + begin * countFrom(extents, at + 1), 0);
  const [begin, end] = axis < 0 ? [0, 1] : box[axis]!;
  return [first, first + (end - begin) * (axis < 0 ? 1 : countFrom(extents, axis + 1))];
}

/** The box of a range of elements in row-major order; undefined where they are none. */
export function boxOfFlat([begin, end]: Range, extents: readonly number[]): Box | undefined {
  const [, ...inner] = extents;
  if (extents.length === 0) return [];
  const size = countFrom(inner, 0);
  const row = Math.floor(begin / size);
  if (row === Math.floor((end - 1) / size)) {
    const rest = boxOfFlat(shifted([begin, end], -row * size), inner);
    return rest && [[row, row + 1], ...rest];
  }
  if (begin % size !== 0 || end % size !== 0) return undefined;
  return [[begin / size, end / size], ...wholeBox(inner)];
}
