// Every instruction of the encoder with what WebAssembly's text format calls it.
import type { Code } from '../../../src/codegen/wasm/encoder/bytes.js';
import type { Expression, Local, ValueType } from '../../../src/codegen/wasm/encoder/instructions.js';
import * as encoder from '../../../src/codegen/wasm/encoder/instructions.js';

export interface Instruction {
  readonly name: string;
  readonly operands: readonly ValueType[];
  readonly make: (operands: readonly Local[]) => Expression | Code;
  /** As a line of text. */
  readonly text: string;
}

type Namespace = Readonly<Record<string, (...args: never[]) => Expression | Code>>;

/** Operand types by letter: i32, f32, v128. */
const types: Readonly<Record<string, ValueType>> = { i: 'i32', f: 'f32', v: 'v128' };

/**
 * One line an instruction: its name here, its operands, its text, and constants behind the operands. A `#` among the
 * operands is the place of the first constant.
 */
type Line = readonly [name: string, operands: string, text: string, ...rest: unknown[]];

function listed(prefix: string, namespace: Namespace, lines: readonly Line[]): Instruction[] {
  const missing = Object.keys(namespace).filter((name) => !lines.some(([own]) => own === name));
  if (missing.length > 0) throw new Error(`${prefix}: no line for ${missing}`);
  return lines.map(([name, letters, text, ...rest]) => ({
    name: `${prefix}.${name}`,
    text,
    operands: [...letters].flatMap((letter) => (letter === '#' ? [] : [types[letter]!])),
    make: (operands) => {
      const [left, numbers] = [[...operands], [...rest]];
      const args = [...letters].map((letter) => (letter === '#' ? numbers.shift() : left.shift()));
      return namespace[name]!(...([...args, ...numbers] as never[]));
    },
  }));
}

const same = (prefix: string, operands: string, names: Readonly<Record<string, string>>): Line[] =>
  Object.entries(names).map(([name, text]) => [name, operands, `${prefix}.${text}`]);

const integers: readonly Line[] = [
  ['const', '', 'i32.const -70000', -70000],
  ['load', 'i', 'i32.load offset=300', 300],
  ...same('i32', 'i', { eqz: 'eqz' }),
  ...same('i32', 'ii', {
    ...{ eq: 'eq', ne: 'ne', lessThan: 'lt_s', lessThanUnsigned: 'lt_u', greaterThan: 'gt_s' },
    ...{ greaterEqual: 'ge_s', add: 'add', sub: 'sub', mul: 'mul', divide: 'div_u', remainder: 'rem_u' },
    ...{ divideSigned: 'div_s', and: 'and', or: 'or', shiftLeft: 'shl', shiftRight: 'shr_u' },
  }),
  ['ofLane', 'v', 'i32x4.extract_lane 3', 3],
  ['atomicLoad', 'i', 'i32.atomic.load offset=64', 64],
  ['atomicAdd', 'ii', 'i32.atomic.rmw.add offset=8', 8],
  ['atomicCompareExchange', 'iii', 'i32.atomic.rmw.cmpxchg', 0],
  ['atomicNotify', 'ii', 'memory.atomic.notify offset=4', 4],
];

const bits: readonly Line[] = [
  ['words', '', 'v128.const i32x4 0x00000001 0xffffffff 0x00000100 0x80000000', 1, -1, 256, -(2 ** 31)],
  ['load', 'i', 'v128.load offset=16 align=4', 16],
  ['loadSplat', 'i', 'v128.load32_splat offset=4', 4],
  ['loadZero', 'i', 'v128.load32_zero'],
  ['loadLane', 'iv', 'v128.load32_lane offset=8 2', 2, 8],
  ...same('v128', 'v', { not: 'not', anyTrue: 'any_true' }),
  ...same('v128', 'vv', { and: 'and', andNot: 'andnot', or: 'or', xor: 'xor' }),
  ['select', 'vvv', 'v128.bitselect'],
  ['shuffle', 'vv', 'i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 28 29 30 31', [0, 4, 1, 7]],
];

const floatLanes: readonly Line[] = [
  ['const', '', 'v128.const i32x4 0x3f800000 0x3f800000 0x3f800000 0x3f800000', 1],
  ...same('f32x4', 'vv', {
    ...{
      equal: 'eq',
      notEqual: 'ne',
      lessThan: 'lt',
      greaterThan: 'gt',
      lessEqual: 'le',
      greaterEqual: 'ge',
    },
    ...{ add: 'add', sub: 'sub', mul: 'mul', div: 'div', min: 'min', max: 'max' },
    ...{ pseudoMin: 'pmin', pseudoMax: 'pmax' },
  }),
  ...same('f32x4', 'v', {
    ...{ truncate: 'trunc', nearest: 'nearest' },
    ...{ abs: 'abs', neg: 'neg', sqrt: 'sqrt', fromI32: 'convert_i32x4_s' },
  }),
  ['relaxedMultiplyAdd', 'vvv', 'f32x4.relaxed_madd'],
];

const integerLanes: readonly Line[] = [
  ['const', '', 'v128.const i32x4 0xfffffffe 0xfffffffe 0xfffffffe 0xfffffffe', -2],
  ['splat', 'i', 'i32x4.splat'],
  ['replaceLane', 'v#i', 'i32x4.replace_lane 1', 1],
  ...same('i32x4', 'vv', {
    ...{ equal: 'eq', lessThan: 'lt_s', lessEqual: 'le_s', greaterThan: 'gt_s', greaterEqual: 'ge_s' },
    ...{ add: 'add', sub: 'sub', mul: 'mul', min: 'min_s', max: 'max_s' },
  }),
  ...same('i32x4', 'vi', { shiftLeft: 'shl', shiftRight: 'shr_s', shiftRightUnsigned: 'shr_u' }),
  ...same('i32x4', 'v', {
    ...{ abs: 'abs', neg: 'neg', truncateF32: 'trunc_sat_f32x4_s', truncateF64: 'trunc_sat_f64x2_s_zero' },
  }),
];

const doubleLanes: readonly Line[] = [
  ['const', '', 'v128.const i32x4 0x00000000 0x3ff00000 0x00000000 0x3ff00000', 1],
  ['promoteLow', 'v', 'f64x2.promote_low_f32x4'],
  ['demote', 'v', 'f32x4.demote_f64x2_zero'],
  ...same('f64x2', 'v', { nearest: 'nearest', fromLowI32: 'convert_low_i32x4_s' }),
  ...same('f64x2', 'vv', {
    ...{ add: 'add', sub: 'sub', mul: 'mul', div: 'div', pseudoMin: 'pmin', pseudoMax: 'pmax' },
  }),
];

const statements: readonly Line[] = [
  ['storeI32', 'ii', 'i32.store offset=4', 4],
  ['storeF32', 'if', 'f32.store', 0],
  ['storeV128', 'iv', 'v128.store offset=32 align=4', 32],
  ['storeLane', 'iv', 'v128.store32_lane offset=8 1', 1, 8],
  ['atomicStore', 'ii', 'i32.atomic.store offset=64', 64],
  ['copyMemory', 'iii', 'memory.copy'],
  ['fillMemory', 'iii', 'memory.fill'],
];

const { atomicWait: _wait, ...integerNamespace } = encoder.i32;
const { drop: _drop, set: _set, ...statementNamespace } = encoder.statement;

export const instructions: readonly Instruction[] = [
  ...listed('i32', integerNamespace, integers),
  ...listed('f32', encoder.f32, [
    ['const', '', 'f32.const -0x1.8p+0 (;=-1.5;)', -1.5],
    ['load', 'i', 'f32.load', 0],
    ...same('f32', 'ff', { add: 'add' }),
    ['ofLane', 'v', 'f32x4.extract_lane 1', 1],
  ]),
  ...listed('v128', encoder.v128, bits),
  ...listed('f32x4', encoder.f32x4, floatLanes),
  ...listed('i32x4', encoder.i32x4, integerLanes),
  ...listed('f64x2', encoder.f64x2, doubleLanes),
  ...listed('statement', statementNamespace, statements),
];
