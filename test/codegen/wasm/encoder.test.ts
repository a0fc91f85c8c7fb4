// The encoder against an independent reader of WebAssembly: every instruction, control flow, whole modules, integers, and
// the flag that makes a memory shared.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { float32, float64, signed, text, unsigned } from '../../../src/codegen/wasm/encoder/bytes.js';
import { FunctionBuilder } from '../../../src/codegen/wasm/encoder/function.js';
import {
  i32,
  type Local,
  statement,
  type ValueType,
} from '../../../src/codegen/wasm/encoder/instructions.js';
import { encodeModule, globalGet } from '../../../src/codegen/wasm/encoder/module.js';
import { dataFor, graphOf } from '../support.js';
import { type Instruction, instructions } from './instruction-table.js';
import { Loaded } from './support.js';

const reader = await wabt();
const features = { simd: true, threads: true, relaxed_simd: true };

/** A module as text, after it was found valid. */
function readBack(bytes: Uint8Array): string {
  const module = reader.readWasm(bytes, features);
  const checked: { validate(given: typeof features): void } = module;
  checked.validate(features);
  const result = module.toText({ foldExprs: false, inlineExport: false });
  module.destroy();
  return result;
}

function moduleOf(write: (f: FunctionBuilder) => void, parameters: readonly ValueType[] = [], pages = 1) {
  const f = new FunctionBuilder(parameters);
  write(f);
  return encodeModule({ pages, functions: [f.build()], exports: { f: 0 }, globals: { g: 7 }, data: [] });
}

/** The lines of the one function's body. */
function bodyOf(write: (f: FunctionBuilder) => void, parameters: readonly ValueType[] = []): string[] {
  const lines = readBack(moduleOf(write, parameters).bytes).split('\n');
  const begin = lines.findIndex((line) => line.startsWith('  (func '));
  const end = lines.findIndex((line, index) => index > begin && /^ {2}\(/.test(line));
  const body = lines.slice(begin + 1, end).map((line) => line.replace(/^ {4}/, ''));
  body[body.length - 1] = body.at(-1)!.replace(/\)$/, '');
  return body;
}

describe('an instruction', () => {
  it.each(instructions.map((each) => [each.name, each] as const))(
    '%s',
    (_name, { operands, make, text: wat }) => {
      const body = bodyOf((f) => {
        const made = make(f.parameters as Parameters<Instruction['make']>[0]);
        f.emit(...('type' in made ? statement.drop(made) : made));
      }, operands);
      const gets = operands.map((_, index) => `local.get ${index}`);
      const isValue = 'type' in make(operands.map((type) => new FunctionBuilder([type]).parameters[0]!));
      expect(body).toEqual([...gets, wat, ...(isValue ? ['drop'] : [])]);
    },
  );

  it('is in the table once', () => {
    const names = instructions.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('that waits does so without end', () => {
    const wait = () => i32.atomicWait(i32.const(64), i32.const(5), 4);
    expect(bodyOf((f) => f.emit(statement.drop(wait())))).toEqual([
      'i32.const 64',
      'i32.const 5',
      'i64.const -1',
      'memory.atomic.wait32 offset=4',
      'drop',
    ]);
  });
});

describe('a function', () => {
  it('runs a loop while its index is in the range', () => {
    const body = bodyOf(
      (f) => f.loop({ from: i32.const(1), until: f.parameters[0] as Local<'i32'>, step: 2 }, () => {}),
      ['i32'],
    );
    expect(body.join(' ')).toBe(
      '(local i32 i32) i32.const 1 local.set 1 local.get 0 local.set 2 local.get 1 local.get 2 i32.lt_s ' +
        'if  ;; label = @1   loop  ;; label = @2     local.get 1     i32.const 2     i32.add     local.set 1 ' +
        '    local.get 1     local.get 2     i32.lt_s     br_if 0 (;@2;)   end end',
    );
  });

  it('chooses a case by number, and none beyond the last', () => {
    const { bytes } = moduleOf(
      (f) => {
        const at = (address: number) => f.emit(statement.storeI32(i32.const(0), i32.const(address), 0));
        f.choose(f.parameters[0] as Local<'i32'>, [() => at(10), () => at(11), () => at(12)]);
      },
      ['i32'],
    );
    readBack(bytes);
    const { memory, exports } = instantiated(bytes, true);
    const word = new Int32Array(memory.buffer, 0, 1);
    const results = [0, 1, 2, 3, -1].map((index) => {
      word[0] = -7;
      (exports.f as (index: number) => void)(index);
      return word[0];
    });
    expect(results).toEqual([10, 11, 12, -7, -7]);
  });

  it('gives back variables of a scope, and none that are still held', () => {
    const f = new FunctionBuilder(['i32']);
    const kept = f.hold(i32.const(1));
    let inner: Local<'i32'> | undefined;
    f.scoped(() => {
      inner = f.hold(i32.const(2));
      expect(f.local('f32').index).not.toBe(inner.index);
    });
    expect(f.local('i32').index).toBe(inner!.index);
    expect(f.local('i32').index).not.toBe(kept.index);
  });
});

function instantiated(bytes: Uint8Array<ArrayBuffer>, shared: boolean, pages = 1) {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, ...(shared ? { shared } : {}) });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return { memory, exports: instance.exports };
}

describe('a module', () => {
  const small = () =>
    new Loaded(
      (({ graph, drawnAs }) => ({ graph, weights: dataFor({ graph, drawnAs }).weights }))(
        graphOf(
          {
            x: 'in f32[N,9,7,3]',
            w: 'w f32[3,3,3,20]',
            b: 'w f32[20]',
            c: 'constant() {value=[1,2]} : f32[2]',
          },
          '%y = conv(%x, %w, %b) {padding=[[1,1],[1,1]], strides=[1,1]} : f32[N,9,7,20]',
          '%m = max_pool(%y) {padding=[[0,0],[0,0]], strides=[2,2], window=[2,2]} : f32[N,4,3,20]',
          '%z = softmax(%m) {axis=3} : f32[N,4,3,20]',
        ),
      ),
      1,
    ).wasm;

  it('of a program is valid to another reader, too', () => {
    const { bytes, pages } = small();
    const wat = readBack(bytes);
    expect(wat).toContain(`(import "env" "memory" (memory (;0;) ${pages} ${pages} shared))`);
    for (const name of ['chunk', 'run', 'work']) expect(wat).toMatch(`(export "${name}" (func `);
    for (const name of ['scratch', 'workers']) expect(wat).toMatch(`(export "${name}" (global `);
  });

  it('reads as it was written: types once, globals, data', () => {
    const add = new FunctionBuilder(['i32', 'v128'], 'i32');
    add.return(i32.add(add.parameters[0] as Local<'i32'>, globalGet(0)));
    add.emit(i32.const(0).code);
    const same = new FunctionBuilder(['i32', 'v128'], 'i32');
    same.emit(i32.const(-5).code);
    const { bytes } = encodeModule({
      pages: 300,
      functions: [add.build(), same.build(), new FunctionBuilder([]).build()],
      exports: { first: 0, last: 2 },
      globals: { g: -3 },
      data: [{ address: 130, bytes: new Uint8Array([104, 105, 34]) }],
    });
    expect(readBack(bytes)).toBe(`(module
  (type (;0;) (func (param i32 v128) (result i32)))
  (type (;1;) (func))
  (import "env" "memory" (memory (;0;) 300 300 shared))
  (func (;0;) (type 0) (param i32 v128) (result i32)
    local.get 0
    global.get 0
    i32.add
    return
    i32.const 0)
  (func (;1;) (type 0) (param i32 v128) (result i32)
    i32.const -5)
  (func (;2;) (type 1))
  (global (;0;) (mut i32) (i32.const -3))
  (export "first" (func 0))
  (export "last" (func 2))
  (export "g" (global 0))
  (data (;0;) (i32.const 130) "hi\\22"))
`);
  });

  it.each([1, 127, 128, 300, 16384])(
    'wants a shared memory, and without its flag one that is not; %d pages',
    (pages) => {
      const { bytes, memoryFlag } = moduleOf(() => {}, [], pages);
      expect(bytes[memoryFlag]).toBe(3);
      const own = bytes.slice();
      own[memoryFlag] = 1;
      expect(readBack(own)).toContain(`(memory (;0;) ${pages} ${pages}))`);
      instantiated(bytes, true, pages);
      instantiated(own, false, pages);
      expect(() => instantiated(bytes, false, pages)).toThrow(/shared/);
      expect(() => instantiated(own, true, pages)).toThrow(/shared/);
    },
  );
});

/** An integer from LEB128, and how many bytes it took. */
function decoded(bytes: readonly number[], isSigned: boolean): [bigint, number] {
  let [value, shift, at] = [0n, 0n, 0];
  for (;;) {
    const byte = BigInt(bytes[at++]!);
    value |= (byte & 0x7fn) << shift;
    shift += 7n;
    if ((byte & 0x80n) !== 0n) continue;
    return [isSigned && (byte & 0x40n) !== 0n ? value - (1n << shift) : value, at];
  }
}

describe('numbers', () => {
  const edges = [0, 1, 63, 64, 127, 128, 8191, 8192, 16383, 16384, 2 ** 31 - 1];

  it('unsigned, up to 32 bits', () => {
    const check = (value: number) => {
      const bytes = unsigned(value);
      expect(decoded(bytes, false)).toEqual([BigInt(value), bytes.length]);
      expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
    };
    [...edges, 2 ** 31, 2 ** 32 - 1].forEach(check);
    fc.assert(fc.property(fc.nat({ max: 2 ** 32 - 1 }), check));
  });

  it('signed, of 32 bits', () => {
    const check = (value: number) => {
      const bytes = signed(value);
      expect(decoded(bytes, true)).toEqual([BigInt(value | 0), bytes.length]);
      expect(bytes.length).toBeLessThanOrEqual(5);
    };
    [...edges, ...edges.map((value) => -value), -(2 ** 31)].forEach(check);
    fc.assert(fc.property(fc.integer(), check));
  });

  it('floats as they lie in memory, NaN and −0 among them', () => {
    const check = (value: number) => {
      expect(float32(value)).toEqual([...new Uint8Array(Float32Array.of(value).buffer)]);
      expect(float64(value)).toEqual([...new Uint8Array(Float64Array.of(value).buffer)]);
    };
    fc.assert(fc.property(fc.float(), check));
  });

  it('names in UTF-8 behind their length in bytes', () => {
    expect([text('a'), text('é')].map((code) => code.flat(9))).toEqual([
      [1, 97],
      [2, 0xc3, 0xa9],
    ]);
  });
});
