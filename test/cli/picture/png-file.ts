// Builds small PNG files of any colour type and depth from raw samples, for the decoder's tests.
import { deflateSync } from 'node:zlib';

export interface PngSpecification {
  width: number;
  height: number;
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  colourType: number;
  /** One raw sample an element, row-major, channels interleaved. */
  samples: readonly number[];
  interlaced?: boolean;
  /** Bytes of the PLTE chunk. */
  palette?: readonly number[];
  /** Bytes of the tRNS chunk. */
  transparency?: readonly number[];
}

const channelsOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type: string, body: Uint8Array): Buffer {
  const buffer = Buffer.alloc(12 + body.length);
  buffer.writeUInt32BE(body.length, 0);
  buffer.write(type, 4, 'latin1');
  buffer.set(body, 8);
  buffer.writeUInt32BE(crc32(buffer.subarray(4, 8 + body.length)), 8 + body.length);
  return buffer;
}

/** A row's samples packed from the high bits down, after the byte that says "no filter". */
function packedRow(samples: readonly number[], depth: number): number[] {
  const bits = samples.map((sample) => sample.toString(2).padStart(depth, '0')).join('');
  const bytes = [0];
  for (let start = 0; start < bits.length; start += 8) {
    bytes.push(Number.parseInt(bits.slice(start, start + 8).padEnd(8, '0'), 2));
  }
  return bytes;
}

export function pngFile(specification: PngSpecification): Uint8Array {
  const { width, height, depth, colourType, samples, interlaced, palette, transparency } = specification;
  const rowLength = width * (channelsOf[colourType] ?? 1);
  const rows = Array.from({ length: samples.length / rowLength }, (_, row) =>
    packedRow(samples.slice(row * rowLength, (row + 1) * rowLength), depth),
  );
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, interlaced ? 1 : 0], 8);
  const chunks = [chunk('IHDR', header)];
  if (palette !== undefined) chunks.push(chunk('PLTE', Uint8Array.from(palette)));
  if (transparency !== undefined) chunks.push(chunk('tRNS', Uint8Array.from(transparency)));
  chunks.push(chunk('IDAT', deflateSync(Uint8Array.from(rows.flat()))), chunk('IEND', new Uint8Array()));
  return new Uint8Array(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]));
}
