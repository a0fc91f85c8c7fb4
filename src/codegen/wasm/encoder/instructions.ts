// Instructions of WebAssembly as typed expressions: an i32 cannot stand where a v128 is wanted.
import { type Code, float32, float64, signed, unsigned } from './bytes.js';

export type ValueType = 'i32' | 'f32' | 'v128';

/** Code that leaves one value of type `T` on the stack. */
export interface Expression<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: Code;
}

export type I32 = Expression<'i32'>;
export type F32 = Expression<'f32'>;
export type V128 = Expression<'v128'>;

/** A variable of a function. */
export interface Local<T extends ValueType = ValueType> extends Expression<T> {
  readonly index: number;
}

const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
const expression = <T extends ValueType>(type: T, ...code: Code): Expression<T> => ({ type, code });

const unary =
  <A extends ValueType, R extends ValueType>(result: R, opcode: Code) =>
  (a: Expression<A>): Expression<R> =>
    expression(result, a.code, opcode);

const binary =
  <A extends ValueType, R extends ValueType, B extends ValueType = A>(result: R, opcode: Code) =>
  (a: Expression<A>, b: Expression<B>): Expression<R> =>
    expression(result, a.code, b.code, opcode);

const ternary =
  (opcode: Code) =>
  (a: V128, b: V128, c: V128): V128 =>
    expression('v128', a.code, b.code, c.code, opcode);

/** The memory operand of a load or store: alignment is a hint, and 4-byte alignment is all that is ever promised. */
const memory = (offset: number): Code => [2, ...unsigned(offset)];

const load =
  <R extends ValueType>(result: R, opcode: Code) =>
  (address: I32, offset = 0): Expression<R> =>
    expression(result, address.code, opcode, memory(offset));

const lane =
  <A extends ValueType, R extends ValueType>(result: R, opcode: number) =>
  (a: Expression<A>, index: number): Expression<R> =>
    expression(result, a.code, simd(opcode), [index]);

export const i32 = {
  const: (value: number): I32 => expression('i32', 0x41, ...signed(value)),
  load: load('i32', [0x28]),
  eqz: unary<'i32', 'i32'>('i32', [0x45]),
  eq: binary<'i32', 'i32'>('i32', [0x46]),
  ne: binary<'i32', 'i32'>('i32', [0x47]),
  lessThan: binary<'i32', 'i32'>('i32', [0x48]),
  lessThanUnsigned: binary<'i32', 'i32'>('i32', [0x49]),
  greaterThan: binary<'i32', 'i32'>('i32', [0x4a]),
  greaterEqual: binary<'i32', 'i32'>('i32', [0x4e]),
  add: binary<'i32', 'i32'>('i32', [0x6a]),
  sub: binary<'i32', 'i32'>('i32', [0x6b]),
  mul: binary<'i32', 'i32'>('i32', [0x6c]),
  divideSigned: binary<'i32', 'i32'>('i32', [0x6d]),
  /** Unsigned, and so is the remainder. */
  divide: binary<'i32', 'i32'>('i32', [0x6e]),
  remainder: binary<'i32', 'i32'>('i32', [0x70]),
  and: binary<'i32', 'i32'>('i32', [0x71]),
  or: binary<'i32', 'i32'>('i32', [0x72]),
  shiftLeft: binary<'i32', 'i32'>('i32', [0x74]),
  shiftRight: binary<'i32', 'i32'>('i32', [0x76]),
  ofLane: lane<'v128', 'i32'>('i32', 27),
  /** Read and write with sequential consistency: what threads agree on. */
  atomicLoad: load('i32', [0xfe, 0x10]),
  atomicAdd: (address: I32, value: I32, offset = 0): I32 =>
    expression('i32', address.code, value.code, [0xfe, 0x1e], memory(offset)),
  atomicCompareExchange: (address: I32, expected: I32, value: I32, offset = 0): I32 =>
    expression('i32', address.code, expected.code, value.code, [0xfe, 0x48], memory(offset)),
  /** Sleeps while the word at `address` holds `expected`; a time below zero is for ever. */
  atomicWait: (address: I32, expected: I32, offset = 0): I32 =>
    expression('i32', address.code, expected.code, [0x42, 0x7f], [0xfe, 0x01], memory(offset)),
  atomicNotify: (address: I32, count: I32, offset = 0): I32 =>
    expression('i32', address.code, count.code, [0xfe, 0x00], memory(offset)),
};

export const f32 = {
  const: (value: number): F32 => expression('f32', 0x43, ...float32(value)),
  load: load('f32', [0x2a]),
  add: binary<'f32', 'f32'>('f32', [0x92]),
  ofLane: lane<'v128', 'f32'>('f32', 31),
};

export const v128 = {
  /** Four 32-bit words. */
  words: (...words: readonly [number, number, number, number]): V128 =>
    expression('v128', simd(12), ...words.map((word) => wordBytes(word))),
  load: load('v128', simd(0)),
  loadSplat: load('v128', simd(9)),
  loadZero: load('v128', simd(92)),
  loadLane: (address: I32, vector: V128, index: number, offset = 0): V128 =>
    expression('v128', address.code, vector.code, simd(86), memory(offset), [index]),
  not: unary<'v128', 'v128'>('v128', simd(77)),
  and: binary<'v128', 'v128'>('v128', simd(78)),
  /** a and not b. */
  andNot: binary<'v128', 'v128'>('v128', simd(79)),
  or: binary<'v128', 'v128'>('v128', simd(80)),
  xor: binary<'v128', 'v128'>('v128', simd(81)),
  /** Bits of a where c is set, of b elsewhere. */
  select: ternary(simd(82)),
  anyTrue: unary<'v128', 'i32'>('i32', simd(83)),
  /** Words of two vectors by number: 0..3 of a, 4..7 of b. */
  shuffle: (a: V128, b: V128, words: readonly [number, number, number, number]): V128 =>
    expression(
      'v128',
      a.code,
      b.code,
      simd(13),
      words.flatMap((word) => [4 * word, 4 * word + 1, 4 * word + 2, 4 * word + 3]),
    ),
};

function wordBytes(word: number): number[] {
  return [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, (word >>> 24) & 255];
}

const vectorBinary = (opcode: number) => binary<'v128', 'v128'>('v128', simd(opcode));
const vectorUnary = (opcode: number) => unary<'v128', 'v128'>('v128', simd(opcode));
const shift = (opcode: number) => binary<'v128', 'v128', 'i32'>('v128', simd(opcode));

export const f32x4 = {
  const: (value: number): V128 => {
    const bytes = float32(value);
    return expression('v128', simd(12), bytes, bytes, bytes, bytes);
  },
  equal: vectorBinary(65),
  notEqual: vectorBinary(66),
  lessThan: vectorBinary(67),
  greaterThan: vectorBinary(68),
  lessEqual: vectorBinary(69),
  greaterEqual: vectorBinary(70),
  truncate: vectorUnary(105),
  nearest: vectorUnary(106),
  abs: vectorUnary(224),
  neg: vectorUnary(225),
  sqrt: vectorUnary(227),
  add: vectorBinary(228),
  sub: vectorBinary(229),
  mul: vectorBinary(230),
  div: vectorBinary(231),
  /** NaN if either is. */
  min: vectorBinary(232),
  max: vectorBinary(233),
  /** b < a ? b : a, one instruction; NaN in a stays. */
  pseudoMin: vectorBinary(234),
  /** a < b ? b : a, one instruction; NaN in a stays. */
  pseudoMax: vectorBinary(235),
  /** a·b + c with one rounding or two, as the machine likes it. */
  relaxedMultiplyAdd: ternary(simd(0x105)),
  fromI32: vectorUnary(250),
};

export const i32x4 = {
  const: (value: number): V128 => v128.words(value, value, value, value),
  splat: unary<'i32', 'v128'>('v128', simd(17)),
  equal: vectorBinary(55),
  lessThan: vectorBinary(57),
  greaterThan: vectorBinary(59),
  lessEqual: vectorBinary(61),
  greaterEqual: vectorBinary(63),
  abs: vectorUnary(160),
  neg: vectorUnary(161),
  shiftLeft: shift(171),
  shiftRight: shift(172),
  shiftRightUnsigned: shift(173),
  add: vectorBinary(174),
  sub: vectorBinary(177),
  mul: vectorBinary(181),
  min: vectorBinary(182),
  max: vectorBinary(184),
  truncateF32: vectorUnary(248),
  /** Two lanes, then zeros. */
  truncateF64: vectorUnary(252),
  replaceLane: (vector: V128, index: number, value: I32): V128 =>
    expression('v128', vector.code, value.code, simd(28), [index]),
};

/** Two lanes of 64 bits. */
export const f64x2 = {
  const: (value: number): V128 => {
    const bytes = float64(value);
    return expression('v128', simd(12), bytes, bytes);
  },
  /** The first two lanes of 32 bits. */
  promoteLow: vectorUnary(95),
  /** Two lanes of 32 bits, then zeros. */
  demote: vectorUnary(94),
  nearest: vectorUnary(148),
  add: vectorBinary(240),
  sub: vectorBinary(241),
  mul: vectorBinary(242),
  div: vectorBinary(243),
  /** b < a ? b : a and a < b ? b : a: NaN in a stays. */
  pseudoMin: vectorBinary(246),
  pseudoMax: vectorBinary(247),
  /** The first two lanes of integers. */
  fromLowI32: vectorUnary(254),
};

const store =
  <A extends ValueType>(opcode: Code) =>
  (address: I32, value: Expression<A>, offset = 0): Code => [
    address.code,
    value.code,
    opcode,
    memory(offset),
  ];

/** Instructions that leave nothing on the stack. */
export const statement = {
  storeI32: store<'i32'>([0x36]),
  storeF32: store<'f32'>([0x38]),
  storeV128: store<'v128'>(simd(11)),
  storeLane: (address: I32, vector: V128, index: number, offset = 0): Code => [
    address.code,
    vector.code,
    simd(90),
    memory(offset),
    [index],
  ],
  atomicStore: store<'i32'>([0xfe, 0x17]),
  drop: (value: Expression): Code => [value.code, 0x1a],
  set: <T extends ValueType>(local: Local<T>, value: Expression<T>): Code => [
    value.code,
    0x21,
    ...unsigned(local.index),
  ],
  /** Copies bytes; regions may overlap. */
  copyMemory: (target: I32, source: I32, bytes: I32): Code => [
    target.code,
    source.code,
    bytes.code,
    [0xfc, 0x0a, 0, 0],
  ],
  fillMemory: (target: I32, byte: I32, bytes: I32): Code => [
    target.code,
    byte.code,
    bytes.code,
    [0xfc, 0x0b, 0],
  ],
};
