// The .npy format: round trips, bytes as NumPy writes them, and files that are refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy } from '../../../src/cli/picture/npy.js';
import { messageOf } from './failure.js';

interface FileOptions {
  version?: number;
  order?: string;
}

/** A file as NumPy lays it out. */
function npyFile(
  descr: string,
  shape: string,
  body: ArrayLike<number>,
  options: FileOptions = {},
): Uint8Array {
  const { version = 1, order = 'False' } = options;
  const text = `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const header = Buffer.from(`${text.padEnd(127 - start)}\n`, version === 3 ? 'utf8' : 'latin1');
  const file = Buffer.alloc(start + header.length + body.length);
  file.write('\x93NUMPY', 0, 'latin1');
  file.set([version, 0], 6);
  if (version === 1) file.writeUInt16LE(header.length, 8);
  else file.writeUInt32LE(header.length, 8);
  file.set(header, start);
  file.set(Array.from(body), start + header.length);
  return new Uint8Array(file);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

function filled<Data>(shape: number[], values: fc.Arbitrary<number>, make: (values: number[]) => Data) {
  const count = shape.reduce((product, size) => product * size, 1);
  return fc
    .array(values, { minLength: count, maxLength: count })
    .map((array) => ({ shape, data: make(array) }));
}

describe('round trip', () => {
  it('keeps float32 values, NaN and infinities too', () => {
    const arrays = shapes.chain((shape) => filled(shape, fc.float(), (values) => Float32Array.from(values)));
    fc.assert(
      fc.property(arrays, ({ shape, data }) => {
        const again = decodeNpy(encodeNpy(data, shape), 'a.npy');
        expect(again.shape).toEqual(shape);
        expect(again.data).toBeInstanceOf(Float32Array);
        expect(again.data).toEqual(data);
      }),
    );
  });

  it('keeps int32 values', () => {
    const arrays = shapes.chain((shape) => filled(shape, fc.integer(), (values) => Int32Array.from(values)));
    fc.assert(
      fc.property(arrays, ({ shape, data }) => {
        const again = decodeNpy(encodeNpy(data, shape), 'a.npy');
        expect(again.shape).toEqual(shape);
        expect(again.data).toEqual(data);
      }),
    );
  });
});

describe('encodeNpy', () => {
  it('writes version 1.0 as NumPy does', () => {
    const bytes = encodeNpy(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    const start = Buffer.from(`\x93NUMPY\x01\x00\x76\x00${header.padEnd(117)}\n`, 'latin1');
    expect(Buffer.from(bytes.subarray(0, 128)).toString('latin1')).toBe(start.toString('latin1'));
    expect([...bytes.subarray(128)]).toEqual([...bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6))]);
  });

  it.each([
    [[], '()'],
    [[4], '(4,)'],
    [[2, 2], '(2, 2)'],
  ])('writes shape %j as Python does', (shape, text) => {
    const bytes = encodeNpy(Int32Array.of(1, 2, 3, 4).subarray(0, shape.length === 0 ? 1 : 4), shape);
    expect(Buffer.from(bytes).toString('latin1')).toContain(
      `'descr': '<i4', 'fortran_order': False, 'shape': ${text}, }`,
    );
  });

  it('starts the data at a multiple of 64, after a newline, whatever the length of the header', () => {
    for (let rank = 0; rank < 40; rank++) {
      const bytes = encodeNpy(Float32Array.of(7), new Array<number>(rank).fill(1));
      const start = 10 + bytes[8]! + 256 * bytes[9]!;
      expect([start % 64, bytes[start - 1], bytes.length - start]).toEqual([0, 10, 4]);
    }
  });

  it('refuses a shape that does not fit', () => {
    expect(messageOf(() => encodeNpy(Float32Array.of(1, 2, 3), [2, 2]))).toContain(
      'an array of shape [2, 2] has 4 values, and 3 are given',
    );
  });
});

describe('decodeNpy', () => {
  it.each([
    ["'<f4'", Float32Array.of(1.5, -2, 3e38)],
    ["'<f8'", Float64Array.of(1.5, -2, 0.25)],
    ["'|i1'", Int8Array.of(-128, 0, 127)],
    ["'|u1'", Uint8Array.of(0, 128, 255)],
    ["'<i2'", Int16Array.of(-32768, 5, 32767)],
    ["'<u2'", Uint16Array.of(0, 5, 65535)],
    ["'<i4'", Int32Array.of(-(2 ** 31), 5, 2 ** 31 - 1)],
    ["'<u4'", Uint32Array.of(0, 5, 2 ** 31 - 1)],
    ["'<i8'", BigInt64Array.of(-(2n ** 31n), -1n, 2n ** 31n - 1n)],
  ])('reads %s', (descr, values) => {
    const { shape, data } = decodeNpy(npyFile(descr, '(3,)', bytesOf(values)), 'a.npy');
    expect(shape).toEqual([3]);
    expect(data).toBeInstanceOf(descr.includes('f') ? Float32Array : Int32Array);
    expect([...data]).toEqual(
      Array.from(values as ArrayLike<number | bigint>, Number).map((each) =>
        descr.includes('f') ? Math.fround(each) : each,
      ),
    );
  });

  it('reads bools as 0 and 1', () => {
    expect([...decodeNpy(npyFile("'|b1'", '(3,)', [0, 1, 1]), 'a.npy').data]).toEqual([0, 1, 1]);
  });

  it('reads half precision: normal, subnormal, largest, infinite, and not a number', () => {
    const halves = Uint16Array.of(0x3c00, 0xc100, 0x3555, 0x0001, 0x8400, 0x7bff, 0xfc00, 0x7e00, 0x0000);
    const { data } = decodeNpy(npyFile("'<f2'", '(9,)', bytesOf(halves)), 'a.npy');
    const wanted = [
      1,
      -2.5,
      0.333251953125,
      2 ** -24,
      -(2 ** -14),
      65504,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      0,
    ];
    expect([...data]).toEqual(wanted);
  });

  it('reads the versions 1, 2 and 3', () => {
    for (const version of [1, 2, 3]) {
      const bytes = npyFile("'<f4'", '(1, 2)', bytesOf(Float32Array.of(8, 9)), { version });
      expect(decodeNpy(bytes, 'a.npy')).toEqual({ shape: [1, 2], data: Float32Array.of(8, 9) });
    }
  });

  it('puts Fortran order into C order', () => {
    const options = { order: 'True' };
    const matrix = decodeNpy(npyFile("'|u1'", '(2, 3)', [1, 4, 2, 5, 3, 6], options), 'a.npy');
    expect(matrix).toEqual({ shape: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) });
    // Element (i, j, k) of shape (2, 3, 4) is 100 i + 10 j + k, the first index fastest.
    const fortran: number[] = [];
    for (let k = 0; k < 4; k++)
      for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) fortran.push(100 * i + 10 * j + k);
    const { data } = decodeNpy(npyFile("'|u1'", '(2, 3, 4)', fortran, options), 'a.npy');
    expect([...data]).toEqual(
      Array.from({ length: 24 }, (_, n) => 100 * Math.floor(n / 12) + 10 * (Math.floor(n / 4) % 3) + (n % 4)),
    );
  });

  it('reads scalars, empty arrays, and sizes written as longs', () => {
    expect(decodeNpy(npyFile("'|u1'", '()', [9]), 'a')).toEqual({ shape: [], data: Int32Array.of(9) });
    expect(decodeNpy(npyFile("'|u1'", '(0, 3)', []), 'a')).toEqual({ shape: [0, 3], data: new Int32Array() });
    expect(decodeNpy(npyFile("'|u1'", '(2L, 1L)', [9, 8]), 'a').shape).toEqual([2, 1]);
  });

  it('reads a file that is a part of a larger buffer, at any offset', () => {
    const file = encodeNpy(Float32Array.of(1, 2), [2]);
    const buffer = new Uint8Array(file.length + 9).fill(7);
    buffer.set(file, 3);
    expect([...decodeNpy(buffer.subarray(3, 3 + file.length), 'a').data]).toEqual([1, 2]);
  });
});

describe('refusals', () => {
  it.each([
    ["'>f4'", "elements of type '>f4' (big-endian) are not read"],
    ["'<u8'", "elements of type '<u8' are not read"],
    ["'<c8'", "elements of type '<c8' are not read"],
    ["'|O'", "elements of type '|O' are not read"],
    ["'<U5'", "elements of type '<U5' are not read"],
    [
      "[('a', '<f4'), ('b', '<i4')]",
      "elements of the structured type [('a', '<f4'), ('b', '<i4')] are not read",
    ],
  ])('names the type %s', (descr, reason) => {
    const message = messageOf(() => decodeNpy(npyFile(descr, '(1,)', new Uint8Array(8)), 'x/a.npy'));
    expect(message).toContain(`x/a.npy: ${reason}`);
    expect(message).toContain('wanted are f2, f4, f8,');
  });

  it('names a structured type as it is spelt, in each version', () => {
    for (const version of [1, 2, 3]) {
      const file = npyFile("[('é', '<f4')]", '(1,)', new Uint8Array(4), { version });
      expect(messageOf(() => decodeNpy(file, 'a.npy'))).toContain("the structured type [('é', '<f4')]");
    }
  });

  it.each([
    ["'<i8'", BigInt64Array.of(0n, 2n ** 31n), 'value 1 is 2147483648, which int32 cannot hold'],
    ["'<u4'", Uint32Array.of(0, 2 ** 32 - 1), 'value 1 is 4294967295, which int32 cannot hold'],
    ["'<f8'", Float64Array.of(0, 1e300), 'value 1 is 1e+300, which float32 cannot hold'],
  ])('names a value out of range: %s', (descr, values, reason) => {
    expect(messageOf(() => decodeNpy(npyFile(descr, '(2,)', bytesOf(values)), 'a.npy'))).toContain(reason);
  });

  it('a file cut anywhere, and one too long', () => {
    const file = encodeNpy(Float32Array.of(1, 2, 3), [3]);
    for (let length = 0; length < file.length; length++) {
      expect(messageOf(() => decodeNpy(file.slice(0, length), 'cut.npy'))).toContain('cut.npy: ');
    }
    expect(messageOf(() => decodeNpy(file.slice(0, -1), 'cut.npy'))).toContain(
      'shape [3] of <f4, which takes 12 bytes, and 11 follow',
    );
    const longer = new Uint8Array(file.length + 1);
    longer.set(file);
    expect(messageOf(() => decodeNpy(longer, 'long.npy'))).toContain('and 13 follow');
  });

  it('another kind of file, another version, and a header that cannot be read', () => {
    expect(messageOf(() => decodeNpy(Buffer.from('PK\x03\x04 an .npz archive'), 'a.npz'))).toContain(
      'a.npz: an .npy file is wanted, and the file does not start as one',
    );
    const file = npyFile("'|u1'", '(1,)', [1]);
    file[6] = 4;
    expect(messageOf(() => decodeNpy(file, 'a.npy'))).toContain('format version 4; 1, 2 or 3 is wanted');
    expect(messageOf(() => decodeNpy(npyFile("'|u1'", '(-1,)', [1]), 'a.npy'))).toContain(
      'no readable descr, fortran_order and shape',
    );
    expect(messageOf(() => decodeNpy(npyFile("'|u1'", '(1,)', [1], { order: '0' }), 'a.npy'))).toContain(
      'no readable',
    );
  });
});
