// Code for gather and its transpose: runs of words that indices name.
import type { Dtype } from '../../ir/type.js';
import type { SpecialKernel } from '../kernels/kernel.js';
import { splitAt } from '../kernels/special.js';
import { divide } from './chunks.js';
import type { FunctionBuilder } from './encoder/function.js';
import {
  f32x4,
  type I32,
  i32,
  i32x4,
  type Local,
  statement,
  type V128,
  v128,
} from './encoder/instructions.js';
import { type Addresses, elementAt } from './indexing.js';
import { control } from './layout.js';
import { turnsOf } from './nest.js';
import { addWords, copyWords } from './words.js';

const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);

/** Runs `body` where the index is one of the axis, and says that it is not elsewhere: nothing outside is touched. */
function whereInside(f: FunctionBuilder, index: I32, extent: number, body: () => void): void {
  f.when(i32.lessThanUnsigned(index, i32.const(extent)), body, () =>
    f.emit(statement.storeI32(i32.const(0), i32.const(1), control.failed)),
  );
}

/** result[o, i, ·] = x[o, indices[i], ·] */
export function gatherCode(
  { shapes, attrs }: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  [x, indices, result]: Addresses,
): number {
  const [outer, extent, inner] = splitAt(shapes[0]!, attrs.axis as number);
  const count = sizeOf(shapes[1]!);
  const { size, chunks } = divide(outer * count, inner);
  const turns = turnsOf(f, chunk, size, outer * count);
  const target = f.hold(elementAt(result!, turns.begin, inner));
  f.loop({ from: turns.begin, until: turns.end }, (turn) => {
    const place = outer === 1 ? turn : f.hold(i32.remainder(turn, i32.const(count)));
    const index = f.hold(i32.load(elementAt(indices!, place)));
    whereInside(f, index, extent, () => {
      const row =
        outer === 1 ? index : i32.add(i32.mul(i32.divide(turn, i32.const(count)), i32.const(extent)), index);
      const source = f.hold(elementAt(x!, row, inner));
      copyWords(f, { base: target, bytes: 0 }, { base: source, bytes: 0 }, inner);
    });
    f.increase(target, 4 * inner);
  });
  return chunks;
}

const sums: Readonly<Record<Dtype, (a: V128, b: V128) => V128>> = {
  f32: f32x4.add,
  i32: i32x4.add,
  bool: v128.or,
};

/**
 * result = 0; result[o, indices[i], ·] += updates[o, i, ·] in the order of i. A chunk owns some rows of the result, and
 * takes of the updates those that go there: no two write to one place, and every sum has one order.
 */
export function scatterCode(
  { shapes, attrs, dtype }: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  [updates, indices, result]: Addresses,
): number {
  const [outer, extent, inner] = splitAt(shapes[2]!, attrs.axis as number);
  const count = sizeOf(shapes[1]!);
  const rows = outer * extent;
  // Every chunk looks at all indices, which is worth it for rows of some length
  const { size, chunks } =
    inner < 16 ? { size: rows, chunks: 1 } : divide(rows, inner + (inner * count) / extent);
  const { begin, end } = turnsOf(f, chunk, size, rows);
  const owned = i32.mul(i32.sub(end, begin), i32.const(4 * inner));
  f.emit(statement.fillMemory(elementAt(result!, begin, inner), i32.const(0), owned));
  const firstOuter = i32.divide(begin, i32.const(extent));
  const lastOuter = i32.divide(i32.sub(end, i32.const(1)), i32.const(extent));
  f.loop({ from: firstOuter, until: i32.add(lastOuter, i32.const(1)) }, (o) => {
    const source = f.hold(elementAt(updates!, o, count * inner));
    f.loop({ from: i32.const(0), until: i32.const(count) }, (place) => {
      const index = f.hold(i32.load(elementAt(indices!, place)));
      whereInside(f, index, extent, () => {
        const row = f.hold(i32.add(i32.mul(o, i32.const(extent)), index));
        const isOwn = i32.lessThanUnsigned(i32.sub(row, begin), i32.sub(end, begin));
        f.when(isOwn, () => {
          const target = f.hold(elementAt(result!, row, inner));
          addWords(f, { base: target, bytes: 0 }, { base: source, bytes: 0 }, inner, sums[dtype]);
        });
      });
      f.increase(source, 4 * inner);
    });
  });
  return chunks;
}
