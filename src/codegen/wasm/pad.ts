// Code for pads: one pass over the rows of the result, each filled, or copied with something on both sides.
import type { PadKernel } from '../kernels/kernel.js';
import { chunkWork, divide } from './chunks.js';
import type { FunctionBuilder } from './encoder/function.js';
import { type I32, i32, type Local } from './encoder/instructions.js';
import { elementAt } from './indexing.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { readLanes, writeLanes } from './lanes.js';
import { advanced, bytesOf, nest, type Pointer, turnsOf } from './nest.js';
import { copyWords, fillWords } from './words.js';

/** One axis: `low` fillers, the elements with `interior` fillers between two, `high` fillers. */
interface Axis {
  readonly extent: number;
  readonly low: number;
  readonly high: number;
  readonly interior: number;
  /** Elements of the source from one to the next. */
  readonly stride: number;
}

const isPlain = ({ low, high, interior }: Axis) => low === 0 && high === 0 && interior === 0;

/** Places from the first element to behind the last. */
const spanOf = ({ extent, interior }: Axis) => extent + (extent - 1) * interior;
const lengthOf = (axis: Axis) => axis.low + spanOf(axis) + axis.high;

/**
 * Puts two axes in one where the inner one is not padded and the source crosses both in one stride. Of much data several
 * rows are left, to be divided.
 */
function joinedAxes(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes) {
    if (lengthOf(axis) === 1) continue;
    const outer = result.at(-1);
    const isOneStride = outer?.extent === 1 || outer?.stride === axis.stride * axis.extent;
    const joins = outer !== undefined && isPlain(axis) && outer.interior === 0 && isOneStride;
    if (joins && (result.length > 1 || isPlain(outer) || lengthOf(outer) * axis.extent < chunkWork)) {
      result[result.length - 1] = {
        extent: outer.extent * axis.extent,
        low: outer.low * axis.extent,
        high: outer.high * axis.extent,
        interior: 0,
        stride: axis.stride,
      };
    } else result.push(axis);
  }
  return result;
}

const scratch = new DataView(new ArrayBuffer(4));

/** The bits that a filler has in memory. */
function wordOf({ filler, dtype }: PadKernel): number {
  if (dtype === 'bool') return filler === 0 ? 0 : -1;
  if (dtype === 'i32') return filler | 0;
  scratch.setFloat32(0, filler);
  return scratch.getInt32(0);
}

class PadCode {
  private readonly outer: readonly Axis[];
  private readonly row: Axis;
  private readonly word: number;

  constructor(
    kernel: PadKernel,
    private readonly f: FunctionBuilder,
  ) {
    const { low, high, interior, from } = kernel;
    const axes = kernel.shape.map(
      (extent, axis): Axis => ({
        ...{ extent, stride: from.strides[axis]! },
        ...{ low: low[axis]!, high: high[axis]!, interior: interior[axis]! },
      }),
    );
    const joined = joinedAxes(axes);
    this.row = joined.at(-1) ?? { extent: 1, low: 0, high: 0, interior: 0, stride: 1 };
    this.outer = joined.slice(0, -1);
    this.word = wordOf(kernel);
  }

  /** The rows of a chunk, one after another. */
  generate(chunk: Local<'i32'>, source: I32, result: I32): number {
    const { f } = this;
    const length = lengthOf(this.row);
    const rows = this.outer.reduce((product, axis) => product * lengthOf(axis), 1);
    const { size, chunks } = divide(rows, length);
    const turns = turnsOf(f, chunk, size, rows);
    const target = f.hold(elementAt(result, turns.begin, length));
    f.loop({ from: turns.begin, until: turns.end }, (turn) => {
      f.scoped(() => this.paddedRow(turn, source, target));
      f.increase(target, bytesOf(length));
    });
    return chunks;
  }

  /** Finds where a row comes from, if it does: digit by digit of its number, the last axis running fastest. */
  private paddedRow(turn: Local<'i32'>, source: I32, target: Local<'i32'>): void {
    const { f } = this;
    const rest = f.hold(turn);
    const address = f.hold(source);
    const checks: I32[] = [];
    for (const [place, axis] of [...this.outer].reverse().entries()) {
      const isLast = place === this.outer.length - 1;
      const length = i32.const(lengthOf(axis));
      const digit = f.hold(i32.sub(isLast ? rest : i32.remainder(rest, length), i32.const(axis.low)));
      if (!isLast) f.set(rest, i32.divide(rest, length));
      if (!isPlain(axis)) checks.push(i32.lessThanUnsigned(digit, i32.const(spanOf(axis))));
      const step = i32.const(axis.interior + 1);
      if (axis.interior > 0) checks.push(i32.eqz(i32.remainder(digit, step)));
      const element = axis.interior > 0 ? i32.divide(digit, step) : digit;
      f.set(address, elementAt(address, element, axis.stride));
    }
    const to: Pointer = { base: target, bytes: 0 };
    const copied = () => this.copiedRow({ base: address, bytes: 0 }, to);
    if (checks.length === 0) copied();
    else {
      const inside = checks.reduce((all, each) => i32.and(all, each));
      f.when(inside, copied, () => fillWords(f, to, this.word, lengthOf(this.row)));
    }
  }

  private copiedRow(source: Pointer, target: Pointer): void {
    const { f, row } = this;
    const { extent, low, high, interior, stride } = row;
    const middle = advanced(target, low);
    if (interior > 0) fillWords(f, target, this.word, lengthOf(row));
    else {
      fillWords(f, target, this.word, low);
      fillWords(f, advanced(middle, extent), this.word, high);
    }
    if (interior === 0 && stride === 1) copyWords(f, middle, source, extent);
    else this.spreadRow(source, middle);
  }

  /** Elements that are not neighbours, in the source or in the result, by fours. */
  private spreadRow(source: Pointer, target: Pointer): void {
    const { f } = this;
    const { extent, interior, stride } = this.row;
    const step = interior + 1;
    const lanes = (from: Pointer, to: Pointer, count: number) =>
      f.scoped(() => writeLanes(f, to, step, count, readLanes(f, from, stride, count)));
    const whole = Math.floor(extent / 4);
    nest(f, [{ extent: whole, strides: [4 * stride, 4 * step] }], [source, target], ([from, to]) =>
      lanes(from!, to!, 4),
    );
    if (extent % 4 === 0) return;
    lanes(advanced(source, 4 * whole * stride), advanced(target, 4 * whole * step), extent % 4);
  }
}

/** Code for a copy with elements around and between. */
export function padCode(kernel: PadKernel, context: KernelContext): KernelCode {
  const { from, to } = kernel;
  return context.define(kernel, [from.buffer, to], (f, chunk, addresses) => {
    const source = f.hold(i32.add(addresses.get(from.buffer)!, i32.const(bytesOf(from.offset))));
    return new PadCode(kernel, f).generate(chunk, source, addresses.get(to)!);
  });
}
