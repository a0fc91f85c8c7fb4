// Lanes along a loop: many vectors a turn, then single ones, then the few elements that are left.
import type { Scalar } from '../../ir/scalar.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, type I32, i32, statement, type V128, v128 } from './encoder/instructions.js';
import { readLanes } from './lanes.js';
import type { MathFunctions } from './math.js';
import { advanced, bytesOf, type Loop, nest, type Pointer, running, type Turns } from './nest.js';
import { vectorsOf } from './scalars.js';

/** A reduction's operator on lanes. */
export interface Operator {
  readonly start: V128;
  combine(total: V128, value: V128): V128;
}

export const operators: Readonly<Record<'sum' | 'max', Operator>> = {
  sum: { start: f32x4.const(0), combine: (total, value) => f32x4.add(total, value) },
  max: { start: f32x4.const(Number.NEGATIVE_INFINITY), combine: (total, value) => f32x4.max(total, value) },
};

/** A pointer at the first turn of a loop. */
export function movedTo(
  f: FunctionBuilder,
  pointer: Pointer,
  stride: number,
  turns: Turns | undefined,
): Pointer {
  if (stride === 0 || turns === undefined) return pointer;
  const base = i32.add(pointer.base, i32.mul(turns.begin, i32.const(bytesOf(stride))));
  return { base: f.hold(base), bytes: pointer.bytes };
}

/** The loop that lanes run along, the part of it to run, and how many vectors are in flight. */
export interface Columns {
  readonly loop: Loop;
  readonly turns: Turns | undefined;
  readonly vectors: number;
}

/** Calls `body(pointers, vectors, lanes)` for blocks of neighbouring vectors, whose last lanes may be missing. */
export function alongColumns(
  f: FunctionBuilder,
  { loop, turns, vectors }: Columns,
  starts: readonly Pointer[],
  body: (pointers: readonly Pointer[], vectors: number, lanes: number) => void,
): void {
  f.scoped(() => {
    const { current, advance } = running(f, starts, loop.strides, turns);
    const block = (count: number) => {
      body(current, count, 4);
      advance(4 * count);
    };
    const rest = loop.extent % 4;
    const last = () => body(current, 1, rest);
    if (turns === undefined) {
      const whole = vectors === 1 ? 0 : Math.floor(loop.extent / (4 * vectors));
      if (whole > 0) f.times(whole, () => block(vectors));
      f.times(Math.floor((loop.extent - whole * 4 * vectors) / 4), () => block(1));
      if (rest > 0) last();
      return;
    }
    const index = f.hold(turns.begin);
    for (const count of vectors === 1 ? [1] : [vectors, 1]) {
      const more = () => i32.lessThan(i32.add(index, i32.const(4 * count - 1)), turns.end);
      f.when(more(), () => {
        f.repeat(() => {
          block(count);
          f.increase(index, 4 * count);
          return more();
        });
      });
    }
    if (rest > 0) f.when(i32.lessThan(index, turns.end), last);
  });
}

/** A reduction's body, and the strides of its operands along the columns: 0 or 1. */
export interface StreamedForm {
  readonly body: Scalar;
  readonly operator: Operator;
  readonly strides: readonly number[];
  readonly math: MathFunctions;
}

/** Terms that are added to the sums in one go over the columns. */
const termsAtOnce = 4;

/** Adds up all terms, in their order, into sums in memory: one go over the columns for every few terms. */
export function streamTerms(
  f: FunctionBuilder,
  form: StreamedForm,
  {
    reduced,
    starts,
    sums,
    vectors,
  }: {
    readonly reduced: readonly Loop[];
    readonly starts: readonly Pointer[];
    readonly sums: I32;
    readonly vectors: I32;
  },
): void {
  const innermost = reduced.at(-1)!;
  fill(f, sums, vectors, form.operator.start);
  nest(f, reduced.slice(0, -1), starts, (outer) => {
    const blocks = Math.floor(innermost.extent / termsAtOnce);
    const strides = innermost.strides.map((stride) => termsAtOnce * stride);
    const add = (pointers: readonly Pointer[], terms: number) =>
      addTerms(f, form, { pointers, innermost, terms, sums, vectors });
    if (blocks > 0) nest(f, [{ extent: blocks, strides }], outer, (inner) => add(inner, termsAtOnce));
    const done = outer.map((pointer, index) => advanced(pointer, blocks * strides[index]!));
    const rest = innermost.extent - blocks * termsAtOnce;
    if (rest > 0) add(done, rest);
  });
}

/** Runs over the vectors of sums. */
function overVectors(
  f: FunctionBuilder,
  sums: I32,
  vectors: I32,
  body: (sum: Pointer['base']) => void,
): void {
  const sum = f.hold(sums);
  const left = f.hold(vectors);
  f.repeat(() => {
    body(sum);
    f.increase(sum, 16);
    f.set(left, i32.sub(left, i32.const(1)));
    return left;
  });
}

function fill(f: FunctionBuilder, sums: I32, vectors: I32, value: V128): void {
  f.scoped(() => overVectors(f, sums, vectors, (sum) => f.emit(statement.storeV128(sum, value))));
}

function addTerms(
  f: FunctionBuilder,
  { body, operator, strides, math }: StreamedForm,
  {
    pointers,
    innermost,
    terms,
    sums,
    vectors,
  }: {
    readonly pointers: readonly Pointer[];
    readonly innermost: Loop;
    readonly terms: number;
    readonly sums: I32;
    readonly vectors: I32;
  },
): void {
  f.scoped(() => {
    const at = (index: number, term: number, from: readonly Pointer[]) =>
      advanced(from[index]!, term * innermost.strides[index]!);
    const still = new Map<string, V128>();
    const { current, advance } = running(f, pointers, strides);
    const isRead = operandsRead(body);
    for (const index of isRead) {
      if (strides[index] !== 0) continue;
      for (let term = 0; term < terms; term++) {
        still.set(`${index}.${term}`, f.hold(readLanes(f, at(index, term, pointers), 0, 4)));
      }
    }
    overVectors(f, sums, vectors, (sum) => {
      f.scoped(() => {
        const total = f.hold(v128.load(sum));
        for (let term = 0; term < terms; term++) {
          const read = (index: number) =>
            still.get(`${index}.${term}`) ?? readLanes(f, at(index, term, current), 1, 4);
          f.set(total, operator.combine(total, vectorsOf(f, [body], read, math)[0]!));
        }
        f.emit(statement.storeV128(sum, total));
        advance(4);
      });
    });
  });
}

/** The numbers of the operands that an expression reads. */
function operandsRead(value: Scalar, found = new Set<number>()): ReadonlySet<number> {
  if (value.kind === 'operand') found.add(value.index);
  if (value.kind === 'apply') for (const arg of value.args) operandsRead(arg, found);
  return found;
}
