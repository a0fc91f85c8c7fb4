// Dense tensors on the host: what weights are stored in and what the reference evaluator computes with.
import type { Dtype } from './type.js';

export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A dense row-major tensor. f32 may be held in 64 bits: the evaluator's exact mode. */
export interface TensorData {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** Weights by key; `param` nodes name their key. */
export type Weights = ReadonlyMap<string, TensorData>;

export type Precision = 'f32' | 'f64';

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A zeroed tensor. */
export function allocate(dtype: Dtype, shape: readonly number[], precision: Precision): TensorData {
  const size = sizeOf(shape);
  if (dtype === 'i32') return { dtype, shape, data: new Int32Array(size) };
  if (dtype === 'bool') return { dtype, shape, data: new Uint8Array(size) };
  return { dtype, shape, data: precision === 'f64' ? new Float64Array(size) : new Float32Array(size) };
}

export function tensor(
  shape: readonly number[],
  values: ArrayLike<number>,
  dtype: Dtype = 'f32',
): TensorData {
  if (values.length !== sizeOf(shape)) {
    throw new Error(`${values.length} values for shape [${shape.join(',')}]`);
  }
  if (dtype === 'i32') return { dtype, shape, data: new Int32Array(values) };
  if (dtype === 'bool') return { dtype, shape, data: new Uint8Array(values) };
  return { dtype, shape, data: new Float32Array(values) };
}

export function scalar(value: number, dtype: Dtype = 'f32'): TensorData {
  return tensor([], [value], dtype);
}
