// Weights on disk: the safetensors format, a JSON header and raw little-endian data.
import { RelcError } from './error.js';
import { type TensorData, tensor, type Weights } from './tensor.js';
import type { Dtype } from './type.js';

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const names: Readonly<Record<Dtype, string>> = { f32: 'F32', i32: 'I32', bool: 'BOOL' };

function bytesOf({ dtype, data }: TensorData): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(new Float32Array(data).buffer);
  return dtype === 'i32' ? new Uint8Array(new Int32Array(data).buffer) : new Uint8Array(data);
}

/** Weights as the bytes of a safetensors file; data starts at a multiple of 8. */
export function encodeSafetensors(weights: Weights): Uint8Array {
  const header: Record<string, Entry> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [key, data] of [...weights].sort(
    (a, b) => Number(a[1].dtype === 'bool') - Number(b[1].dtype === 'bool'),
  )) {
    const bytes = bytesOf(data);
    header[key] = {
      dtype: names[data.dtype],
      shape: data.shape,
      data_offsets: [offset, offset + bytes.length],
    };
    parts.push(bytes);
    offset += bytes.length;
  }
  const plain = JSON.stringify(header);
  const text = new TextEncoder().encode(
    plain + ' '.repeat((8 - (new TextEncoder().encode(plain).length % 8)) % 8),
  );
  const file = new Uint8Array(8 + text.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let at = 8 + text.length;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function decodeEntry(key: string, entry: Entry, data: Uint8Array): TensorData {
  // A copy: a Buffer's own slice would share, and its offset need not be a multiple of four.
  const bytes = new Uint8Array(data.subarray(...entry.data_offsets));
  if (entry.dtype === 'F32') return tensor(entry.shape, new Float32Array(bytes.buffer));
  if (entry.dtype === 'I32') return tensor(entry.shape, new Int32Array(bytes.buffer), 'i32');
  if (entry.dtype === 'BOOL') return tensor(entry.shape, bytes, 'bool');
  throw new RelcError('RELC1009', `weight "${key}" is ${entry.dtype}; expected F32, I32 or BOOL`);
}

/**
 * Weights from the bytes of a safetensors file.
 * @throws RelcError RELC1009 where the file is truncated or holds other dtypes
 */
export function decodeSafetensors(file: Uint8Array): Weights {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = file.length < 8 ? -1 : Number(view.getBigUint64(0, true));
  if (length < 0 || 8 + length > file.length) {
    throw new RelcError('RELC1009', `${file.length} bytes are not a safetensors file: its header is cut off`);
  }
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, Entry>;
  const data = file.subarray(8 + length);
  const entries = Object.entries(header).filter(([key]) => key !== '__metadata__');
  const end = Math.max(0, ...entries.map(([, entry]) => entry.data_offsets[1]));
  if (end > data.length) {
    throw new RelcError('RELC1009', `a safetensors file of ${end} bytes of data holds only ${data.length}`);
  }
  return new Map(entries.map(([key, entry]) => [key, decodeEntry(key, entry, data)]));
}
