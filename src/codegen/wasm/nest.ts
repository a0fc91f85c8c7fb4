// Loop nests in code: pointers that run along, one loop a dimension.
import { collapse } from '../kernels/contraction.js';
import type { Access } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import { type I32, i32, type Local } from './encoder/instructions.js';

/** One loop with the strides of all accesses, in elements. */
export interface Loop {
  readonly extent: number;
  readonly strides: readonly number[];
}

/** Addresses of the accesses of a kernel, each with bytes to add. */
export interface Pointer {
  readonly base: I32;
  readonly bytes: number;
}

export const bytesOf = (elements: number) => 4 * elements;

/** Loops over extents with the strides of accesses, joined where they can be. */
export function loopsOf(extents: readonly number[], accesses: readonly Access[], first = 0): Loop[] {
  return collapse(
    extents.map((extent, loop) => ({
      extent,
      strides: accesses.map(({ strides }) => strides[first + loop] ?? 0),
    })),
  );
}

/** A pointer moved on by whole elements. */
export function advanced(pointer: Pointer, elements: number): Pointer {
  return { base: pointer.base, bytes: pointer.bytes + bytesOf(elements) };
}

/** A pointer as an address and an offset that an instruction can take: offsets there are never negative. */
export function addressed({ base, bytes }: Pointer): [I32, number] {
  return bytes >= 0 ? [base, bytes] : [i32.add(base, i32.const(bytes)), 0];
}

/** Which turns of a loop to run: all, or those of a chunk. */
export interface Turns {
  readonly begin: I32;
  readonly end: I32;
}

/**
 * Runs `body` for every index of some loops, with pointers that have moved along.
 * @param chunked  the loop of which only a part is run, and which
 */
export function nest(
  f: FunctionBuilder,
  loops: readonly Loop[],
  pointers: readonly Pointer[],
  body: (pointers: readonly Pointer[]) => void,
  chunked?: { readonly loop: Loop; readonly turns: Turns },
): void {
  const [loop, ...inner] = loops;
  if (loop === undefined) {
    body(pointers);
    return;
  }
  f.scoped(() => {
    const turns = chunked?.loop === loop ? chunked.turns : undefined;
    const { current, advance } = running(f, pointers, loop.strides, turns);
    const turn = () => {
      nest(f, inner, current, body, chunked);
      advance(1);
    };
    if (turns === undefined) f.times(loop.extent, turn);
    else f.loop({ from: turns.begin, until: turns.end }, turn);
  });
}

/** Pointers that run along a loop: those that it moves are variables, which `advance` moves by so many turns. */
export function running(
  f: FunctionBuilder,
  pointers: readonly Pointer[],
  strides: readonly number[],
  turns?: Turns,
): { readonly current: readonly Pointer[]; advance(count: number): void } {
  const moving = pointers.map((pointer, index) =>
    strides[index] === 0 ? undefined : f.hold(startOf(pointer, strides[index]!, turns)),
  );
  return {
    current: pointers.map((pointer, index) => {
      const local = moving[index];
      return local === undefined ? pointer : { base: local, bytes: 0 };
    }),
    advance(count) {
      moving.forEach((local, index) => {
        if (local !== undefined) f.increase(local, bytesOf(count * strides[index]!));
      });
    },
  };
}

function startOf({ base, bytes }: Pointer, stride: number, turns: Turns | undefined): I32 {
  const start = bytes === 0 ? base : i32.add(base, i32.const(bytes));
  return turns === undefined ? start : i32.add(start, i32.mul(turns.begin, i32.const(bytesOf(stride))));
}

/** The turns of chunk number `chunk` of a loop. */
export function turnsOf(f: FunctionBuilder, chunk: Local<'i32'>, size: number, extent: number): Turns {
  const begin = f.hold(i32.mul(chunk, i32.const(size)));
  const end = f.hold(i32.add(begin, i32.const(size)));
  f.when(i32.greaterThan(end, i32.const(extent)), () => f.set(end, i32.const(extent)));
  return { begin, end };
}
