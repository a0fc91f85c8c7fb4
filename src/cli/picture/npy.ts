// Arrays in NumPy's .npy file format, in and out.
import { RelcError } from '../../ir/error.js';

/** An array of any rank, in C order. */
export interface NpyArray {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array;
}

interface Header {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: number[];
  /** Where the data starts. */
  readonly end: number;
}

interface Reader {
  readonly bytes: number;
  readonly real: boolean;
  readonly read: (view: DataView, offset: number) => number;
}

const magic = '\x93NUMPY';
const alignment = 64;
const wantedTypes = 'f2, f4, f8, i1, i2, i4, i8, u1, u2, u4 or bool, little-endian';

const readers = new Map<string, Reader>([
  ['f2', { bytes: 2, real: true, read: (view, offset) => halfToNumber(view.getUint16(offset, true)) }],
  ['f4', { bytes: 4, real: true, read: (view, offset) => view.getFloat32(offset, true) }],
  ['f8', { bytes: 8, real: true, read: (view, offset) => view.getFloat64(offset, true) }],
  ['i1', { bytes: 1, real: false, read: (view, offset) => view.getInt8(offset) }],
  ['u1', { bytes: 1, real: false, read: (view, offset) => view.getUint8(offset) }],
  ['b1', { bytes: 1, real: false, read: (view, offset) => (view.getUint8(offset) === 0 ? 0 : 1) }],
  ['i2', { bytes: 2, real: false, read: (view, offset) => view.getInt16(offset, true) }],
  ['u2', { bytes: 2, real: false, read: (view, offset) => view.getUint16(offset, true) }],
  ['i4', { bytes: 4, real: false, read: (view, offset) => view.getInt32(offset, true) }],
  ['u4', { bytes: 4, real: false, read: (view, offset) => view.getUint32(offset, true) }],
  ['i8', { bytes: 8, real: false, read: (view, offset) => Number(view.getBigInt64(offset, true)) }],
]);

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // Subnormal: f 2^-24. Normal: (1 + f / 2^10) 2^(e - 15).
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function refuse(name: string, detail: string, hint?: string): never {
  throw new RelcError('RELC5003', `${name}: ${detail}.`, hint);
}

/**
 * Decodes an .npy file of format version 1, 2 or 3, written in C or Fortran order.
 *
 * @param bytes  the whole file
 * @param name  of the file, for messages
 * @returns reals (f2, f4, f8) as float32, integers and bools as int32
 * @throws RelcError RELC5003 for another kind of file, an element type that is not read, a file of another length
 *   than its header says, and values that float32 or int32 cannot hold
 */
export function decodeNpy(bytes: Uint8Array, name: string): NpyArray {
  const header = readHeader(bytes, name);
  const reader = readerOf(header.descr, name);
  const count = header.shape.reduce((product, size) => product * size, 1);
  const wanted = count * reader.bytes;
  if (bytes.length - header.end !== wanted) {
    const shape = `[${header.shape.join(', ')}] of ${header.descr}`;
    refuse(
      name,
      `the header says shape ${shape}, which takes ${wanted} bytes, and ${bytes.length - header.end} follow`,
      'the file is truncated or holds more than one array: save the array again',
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + header.end, wanted);
  const data = reader.real ? new Float32Array(count) : new Int32Array(count);
  const places = header.fortranOrder ? fortranPlaces(header.shape) : undefined;
  for (let i = 0; i < count; i++) {
    const value = reader.read(view, i * reader.bytes);
    const place = places === undefined ? i : places[i]!;
    data[place] = value;
    if (Number.isFinite(value) && !holds(reader.real, value, data[place]!)) {
      const type = reader.real ? 'float32' : 'int32';
      refuse(name, `value ${i} is ${value}, which ${type} cannot hold`, 'scale the values down');
    }
  }
  return { shape: header.shape, data };
}

function holds(real: boolean, value: number, stored: number): boolean {
  return real ? Number.isFinite(stored) : stored === value;
}

function readHeader(bytes: Uint8Array, name: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = String.fromCharCode(...bytes.subarray(0, magic.length));
  if (start !== magic) refuse(name, 'an .npy file is wanted, and the file does not start as one');
  if (bytes.length < 12) refuse(name, `the .npy file ends in its header, after ${bytes.length} bytes`);
  const version = bytes[6]!;
  if (version < 1 || version > 3) {
    refuse(name, `the .npy file has format version ${version}; 1, 2 or 3 is wanted`);
  }
  const textStart = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const end = textStart + length;
  if (bytes.length < end) {
    refuse(name, `the .npy file ends in its header: ${end} bytes are wanted, and it has ${bytes.length}`);
  }
  const encoding = version === 3 ? 'utf-8' : 'latin1';
  return { ...parseHeader(new TextDecoder(encoding).decode(bytes.subarray(textStart, end)), name), end };
}

/** Reads a header's text, a Python dict such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. */
function parseHeader(text: string, name: string): Omit<Header, 'end'> {
  const structured = /['"]descr['"]\s*:\s*([[(].*?[\])])\s*,\s*['"]fortran_order/s.exec(text)?.[1];
  if (structured !== undefined) {
    refuse(name, `elements of the structured type ${structured} are not read; wanted are ${wantedTypes}`);
  }
  const descr = /['"]descr['"]\s*:\s*['"]([^'"]*)['"]/.exec(text)?.[1];
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  // Python 2 wrote sizes as longs: 3L.
  const sizes = /['"]shape['"]\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || sizes === undefined) {
    refuse(name, `the .npy header has no readable descr, fortran_order and shape: ${text.trim()}`);
  }
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  return { descr, fortranOrder: order === 'True', shape };
}

function readerOf(descr: string, name: string): Reader {
  const [, order, type] = /^([<>|=]?)(.*)$/s.exec(descr)!;
  const reader = readers.get(type!);
  if (reader === undefined || (order === '>' && reader.bytes > 1)) {
    const reason = order === '>' && reader !== undefined ? ' (big-endian)' : '';
    refuse(
      name,
      `elements of type '${descr}'${reason} are not read; wanted are ${wantedTypes}`,
      "convert the array first, for example array.astype('<f4')",
    );
  }
  return reader;
}

/** For each element in Fortran order (first index fastest), its index in C order (last index fastest). */
function fortranPlaces(shape: readonly number[]): Uint32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const count = shape.reduce((product, size) => product * size, 1);
  const places = new Uint32Array(count);
  const index = shape.map(() => 0);
  let place = 0;
  for (let i = 0; i < count; i++) {
    places[i] = place;
    for (let axis = 0; axis < shape.length; axis++) {
      index[axis] = index[axis]! + 1;
      place += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      place -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return places;
}

/**
 * Encodes an array as an .npy file of format version 1.0, in C order, its data at a multiple of 64 bytes.
 *
 * @param data  float32 or int32 values, in C order
 * @param shape  non-negative integers whose product is the count of values; empty for a scalar
 * @throws RelcError RELC5003 for a shape that does not fit the count of values
 */
export function encodeNpy(data: Float32Array | Int32Array, shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length) {
    throw new RelcError(
      'RELC5003',
      `an array of shape [${shape.join(', ')}] has ${count} values, and ${data.length} are given.`,
    );
  }
  const real = data instanceof Float32Array;
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${real ? '<f4' : '<i4'}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const dataStart = Math.ceil((10 + text.length + 1) / alignment) * alignment;
  const bytes = new Uint8Array(dataStart + 4 * count);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(`${magic}\x01\x00`, 'latin1'));
  view.setUint16(8, dataStart - 10, true);
  bytes.set(Buffer.from(`${text.padEnd(dataStart - 11)}\n`, 'latin1'), 10);
  for (let i = 0; i < count; i++) {
    if (real) view.setFloat32(dataStart + 4 * i, data[i]!, true);
    else view.setInt32(dataStart + 4 * i, data[i]!, true);
  }
  return bytes;
}
