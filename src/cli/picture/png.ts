// Decoding PNG files of every colour type and depth to RGB.
import { type DecodedPng, decode } from 'fast-png';
import { RelcError } from '../../ir/error.js';
import type { Picture } from './picture.js';
import { checkPictureSize } from './size.js';

interface Header {
  readonly width: number;
  readonly height: number;
  readonly colourType: number;
}

const grey = 0;
const palette = 3;

/** The depths the PNG specification allows each colour type. */
const depthsOf = new Map<number, readonly number[]>([
  [grey, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [palette, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);

/** A raw pixel's colour and opacity, each 0..1. */
type Paint = (pixel: number) => readonly [red: number, green: number, blue: number, alpha: number];

/**
 * Decodes a PNG file.
 *
 * @param bytes  the whole file, its signature already seen
 * @param name  of the file, for messages
 * @throws RelcError RELC5003 for a file that is truncated, corrupt or too large
 */
export function decodePng(bytes: Uint8Array, name: string): Picture {
  const header = readHeader(bytes, name);
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RelcError(
      'RELC5003',
      `${name}: the PNG file is truncated or corrupt: ${reason}.`,
      'save or download the picture again',
      { cause: error },
    );
  }
  const paint = header.colourType === palette ? palettePaint(png, name) : directPaint(png);
  return { width: header.width, height: header.height, data: compositeOnWhite(header, paint) };
}

function readHeader(bytes: Uint8Array, name: string): Header {
  if (bytes.length < 33) {
    throw new RelcError('RELC5003', `${name}: the PNG file ends in its header, after ${bytes.length} bytes.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colourType, interlaced] = [view.getUint8(24), view.getUint8(25), view.getUint8(28) !== 0];
  checkPictureSize(width, height, name);
  if (depthsOf.get(colourType)?.includes(depth) !== true) {
    throw new RelcError(
      'RELC5003',
      `${name}: the PNG header is corrupt: colour type ${colourType} of ${depth} bits a sample does not exist.`,
    );
  }
  if (interlaced && depth < 8) {
    throw new RelcError(
      'RELC5003',
      `${name}: an interlaced PNG of ${depth} bits a sample is not supported.`,
      'save the picture without interlacing',
    );
  }
  return { width, height, colourType };
}

/** The samples, one an element: below 8 bits a file packs several into a byte, each row starting a new one. */
function unpackSamples(png: DecodedPng): ArrayLike<number> {
  const { width, height, depth, data } = png;
  if (depth >= 8) return data;
  const rowBytes = Math.ceil((width * depth) / 8);
  const perByte = 8 / depth;
  const samples = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = data[y * rowBytes + Math.floor(x / perByte)]!;
      const shift = 8 - depth * ((x % perByte) + 1);
      samples[y * width + x] = (byte >> shift) & ((1 << depth) - 1);
    }
  }
  return samples;
}

function palettePaint(png: DecodedPng, name: string): Paint {
  const samples = unpackSamples(png);
  const entries = png.palette ?? [];
  return (pixel) => {
    const entry = entries[samples[pixel]!];
    if (entry === undefined) {
      throw new RelcError(
        'RELC5003',
        `${name}: the PNG file is corrupt: a pixel has colour ${samples[pixel]} of a palette of ${entries.length}.`,
      );
    }
    const [red, green, blue, alpha = 255] = entry;
    return [red! / 255, green! / 255, blue! / 255, alpha / 255];
  };
}

function directPaint(png: DecodedPng): Paint {
  const samples = unpackSamples(png);
  const { channels } = png;
  const full = 2 ** png.depth - 1;
  const colours = channels < 3 ? 1 : 3;
  const isClear = clearColour(png, samples, colours);
  return (pixel) => {
    const first = pixel * channels;
    const red = samples[first]! / full;
    const green = colours === 1 ? red : samples[first + 1]! / full;
    const blue = colours === 1 ? red : samples[first + 2]! / full;
    const alpha = channels > colours ? samples[first + colours]! / full : isClear(first) ? 0 : 1;
    return [red, green, blue, alpha];
  };
}

/** Whether the pixel whose samples start at an index has the one colour that a tRNS chunk makes transparent. */
function clearColour(
  png: DecodedPng,
  samples: ArrayLike<number>,
  colours: number,
): (first: number) => boolean {
  const clear = png.transparency;
  if (clear === undefined || clear.length < colours) return () => false;
  return (first) => {
    for (let i = 0; i < colours; i++) {
      if (samples[first + i] !== clear[i]) return false;
    }
    return true;
  };
}

function compositeOnWhite(header: Header, paint: Paint): Uint8Array {
  const data = new Uint8Array(header.width * header.height * 3);
  for (let pixel = 0; pixel < header.width * header.height; pixel++) {
    const [red, green, blue, alpha] = paint(pixel);
    // over white: c alpha + 1 (1 - alpha)
    data[3 * pixel] = Math.round(255 * (red * alpha + 1 - alpha));
    data[3 * pixel + 1] = Math.round(255 * (green * alpha + 1 - alpha));
    data[3 * pixel + 2] = Math.round(255 * (blue * alpha + 1 - alpha));
  }
  return data;
}
