// Code for one-hot vectors and arg-max: from indices to places and back.
import type { Dtype } from '../../ir/type.js';
import type { SpecialKernel } from '../kernels/kernel.js';
import { splitAt } from '../kernels/special.js';
import { divide } from './chunks.js';
import type { FunctionBuilder } from './encoder/function.js';
import {
  f32,
  f32x4,
  type I32,
  i32,
  i32x4,
  type Local,
  statement,
  type V128,
  v128,
} from './encoder/instructions.js';
import { readLanes, writeLanes } from './lanes.js';
import { bytesOf, turnsOf } from './nest.js';

/** Addresses of the operands, then of the result. */
export type Addresses = readonly Local<'i32'>[];

/** address + index · elements, in words. */
export const elementAt = (address: I32, index: I32, elements = 1): I32 =>
  i32.add(address, i32.mul(index, i32.const(bytesOf(elements))));

/** result[i, j] = 1 where j = index[i], else 0. */
export function oneHotCode(
  { shapes, attrs }: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  [indices, result]: Addresses,
): number {
  const depth = attrs.depth as number;
  const count = shapes[0]!.reduce((product, extent) => product * extent, 1);
  const { size, chunks } = divide(count, depth + 1);
  const turns = turnsOf(f, chunk, size, count);
  const row = f.hold(elementAt(result!, turns.begin, depth));
  const bytes = i32.mul(i32.sub(turns.end, turns.begin), i32.const(bytesOf(depth)));
  f.emit(statement.fillMemory(row, i32.const(0), bytes));
  const source = f.hold(elementAt(indices!, turns.begin));
  f.loop({ from: turns.begin, until: turns.end }, () => {
    const index = f.hold(i32.load(source));
    f.when(i32.lessThanUnsigned(index, i32.const(depth)), () =>
      f.emit(statement.storeF32(elementAt(row, index), f32.const(1))),
    );
    f.increase(source, bytesOf(1));
    f.increase(row, bytesOf(depth));
  });
  return chunks;
}

/** a > b on lanes; the mask of true is −1. */
const greater: Readonly<Record<Dtype, (a: V128, b: V128) => V128>> = {
  f32: f32x4.greaterThan,
  i32: i32x4.greaterThan,
  bool: i32x4.lessThan,
};

/**
 * best = 0, then best = k wherever x[k] > x[best], k = 1, 2, …: the first of the largest; a NaN wins only where it
 * stands first. Four results at once: neighbours along the inner axes, or along the outer ones where there is no inner.
 */
export function argmaxCode(
  { shapes, attrs, dtype }: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  [x, result]: Addresses,
): number {
  const [outer, extent, inner] = splitAt(shapes[0]!, attrs.axis as number);
  // Rows of results whose places lie `stride` apart
  const [rows, places, stride] = inner > 1 ? [outer, inner, 1] : [1, outer, extent];
  const vectors = Math.ceil(places / 4);
  const { size, chunks } = divide(rows * vectors, 4 * extent);
  const turns = turnsOf(f, chunk, size, rows * vectors);
  f.loop({ from: turns.begin, until: turns.end }, (turn) => {
    const row = f.hold(i32.divide(turn, i32.const(vectors)));
    const vector = f.hold(i32.remainder(turn, i32.const(vectors)));
    const source = f.hold(elementAt(elementAt(x!, row, extent * inner), vector, 4 * stride));
    const target = f.hold(elementAt(elementAt(result!, row, places), vector, 4));
    const lanes = (count: number) => {
      const found = firstLargest(f, { source, stride, count, extent, inner, dtype });
      writeLanes(f, { base: target, bytes: 0 }, 1, count, found);
    };
    const rest = places % 4;
    if (rest === 0) lanes(4);
    else if (vectors === 1) lanes(rest);
    else
      f.when(
        i32.eq(vector, i32.const(vectors - 1)),
        () => lanes(rest),
        () => lanes(4),
      );
  });
  return chunks;
}

interface Search {
  /** Moves along. */
  readonly source: Local<'i32'>;
  readonly stride: number;
  readonly count: number;
  readonly extent: number;
  readonly inner: number;
  readonly dtype: Dtype;
}

function firstLargest(f: FunctionBuilder, search: Search): V128 {
  const { source, stride, count, extent, inner, dtype } = search;
  const read = () => readLanes(f, { base: source, bytes: 0 }, stride, count);
  const best = f.hold(read());
  const place = f.hold(i32x4.const(0));
  f.loop({ from: i32.const(1), until: i32.const(extent) }, (index) => {
    f.increase(source, bytesOf(inner));
    const value = f.hold(read());
    const wins = f.hold(greater[dtype](value, best));
    f.set(best, v128.select(value, best, wins));
    f.set(place, v128.select(i32x4.splat(index), place, wins));
  });
  return place;
}
