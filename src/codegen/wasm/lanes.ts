// Reading and writing four lanes along a loop, whatever the stride, and the last few where four do not fit.
import type { FunctionBuilder } from './encoder/function.js';
import { i32x4, statement, type V128, v128 } from './encoder/instructions.js';
import { addressed, advanced, type Pointer } from './nest.js';

/**
 * Up to four elements along a stride. Reading four neighbours may reach beyond the last one: the memory goes on behind
 * every buffer, and what lies there is not used.
 */
export function readLanes(f: FunctionBuilder, pointer: Pointer, stride: number, count: number): V128 {
  const [base, offset] = addressed(pointer);
  if (stride === 0) return v128.loadSplat(base, offset);
  if (stride === 1) return count === 1 ? v128.loadZero(base, offset) : v128.load(base, offset);
  const lanes = f.hold(v128.loadZero(base, offset));
  for (let lane = 1; lane < count; lane++) {
    const [address, bytes] = addressed(advanced(pointer, lane * stride));
    f.set(lanes, v128.loadLane(address, lanes, lane, bytes));
  }
  return lanes;
}

/** Writes the first lanes along a stride. */
export function writeLanes(
  f: FunctionBuilder,
  pointer: Pointer,
  stride: number,
  count: number,
  vector: V128,
): void {
  if (stride === 1 && count === 4) {
    const [base, offset] = addressed(pointer);
    f.emit(statement.storeV128(base, vector, offset));
    return;
  }
  const held = f.hold(vector);
  for (let lane = 0; lane < count; lane++) {
    const [base, offset] = addressed(advanced(pointer, lane * stride));
    f.emit(statement.storeLane(base, held, lane, offset));
  }
}

/** Keeps the first `count` lanes of a vector; the others become `filler`. */
export function keepLanes(vector: V128, count: number, filler: V128): V128 {
  if (count === 4) return vector;
  const mask = v128.words(
    ...([0, 1, 2, 3].map((lane) => (lane < count ? -1 : 0)) as [number, number, number, number]),
  );
  return v128.select(vector, filler, mask);
}

export const zero = i32x4.const(0);
