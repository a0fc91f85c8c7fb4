// Tensor types: dtype and shape, where dimension 0 may be a multiple of the batch size N.

export type Dtype = 'f32' | 'i32' | 'bool';

/** A multiple of the batch size, only ever dimension 0: `N`, `2N`, … */
export type BatchDim = 'N' | `${number}N`;

/** The extent of one axis: a positive integer, or a multiple of the batch size. */
export type Dim = number | BatchDim;

export type Shape = readonly Dim[];

export interface TensorType {
  readonly dtype: Dtype;
  readonly shape: Shape;
}

export const dtypes: readonly Dtype[] = ['f32', 'i32', 'bool'];

/** `k` as the dimension k·N. */
export function batchDim(multiple: number): BatchDim {
  return multiple === 1 ? 'N' : `${multiple}N`;
}

/** k of the dimension k·N, or undefined for a fixed extent. */
export function batchMultiple(dim: Dim): number | undefined {
  if (typeof dim === 'number') return undefined;
  return dim === 'N' ? 1 : Number(dim.slice(0, -1));
}

export function isBatched(type: TensorType): boolean {
  return typeof type.shape[0] === 'string';
}

export function parseDim(text: string): Dim | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  return /^([1-9]\d*)?N$/.test(text) ? batchDim(Number(text.slice(0, -1) || 1)) : undefined;
}

/** The extent of `dim` when the batch holds `batch` samples. */
export function bindDim(dim: Dim, batch: number): number {
  const multiple = batchMultiple(dim);
  return multiple === undefined ? (dim as number) : multiple * batch;
}

export function bindShape(shape: Shape, batch: number): number[] {
  return shape.map((dim) => bindDim(dim, batch));
}

/** Elements of a shape; with a batch dimension, elements of N = 1 (see {@link isBatched}). */
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, dim) => product * bindDim(dim, 1), 1);
}

/** The shape as plain numbers. @throws if a batch dimension is still unbound */
export function concreteShape(type: TensorType): readonly number[] {
  if (type.shape.some((dim) => typeof dim === 'string')) {
    throw new Error(`${printType(type)} still has an unbound batch dimension`);
  }
  return type.shape as readonly number[];
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

export function printShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

/** `f32[N,4]`; a scalar is `f32[]`. */
export function printType(type: TensorType): string {
  return `${type.dtype}${printShape(type.shape)}`;
}

/** Row-major strides of a concrete shape. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}
