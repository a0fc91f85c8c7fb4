// A picture in memory, and the way in from and out to the bytes of a file.
import { encode } from 'fast-png';
import { RelcError } from '../../ir/error.js';
import { decodeJpeg } from './jpeg.js';
import { decodePng } from './png.js';

/** An opaque picture of 8-bit RGB pixels. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Row-major, three bytes a pixel: `width * height * 3` in all. */
  readonly data: Uint8Array;
}

/** Other kinds of file a user may well try: the bytes they hold at an offset, and what to call them. */
const otherKinds: readonly (readonly [offset: number, magic: string, kind: string])[] = [
  [0, 'GIF8', 'a GIF picture'],
  [8, 'WEBP', 'a WebP picture'],
  [0, 'BM', 'a BMP picture'],
  [0, 'II*\0', 'a TIFF picture'],
  [0, 'MM\0*', 'a TIFF picture'],
  [4, 'ftyp', 'a HEIF, AVIF or video file'],
  [0, '%PDF', 'a PDF document'],
  [0, '<svg', 'an SVG drawing'],
  [0, '\x93NUMPY', 'an .npy array'],
];

function startsWith(bytes: Uint8Array, offset: number, magic: string): boolean {
  if (bytes.length < offset + magic.length) return false;
  for (let i = 0; i < magic.length; i++) {
    if (bytes[offset + i] !== magic.charCodeAt(i)) return false;
  }
  return true;
}

function kindOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const known = otherKinds.find(([offset, magic]) => startsWith(bytes, offset, magic));
  return known === undefined ? 'neither' : known[2];
}

/**
 * Decodes a PNG or JPEG file, told apart by their first bytes and not by their name.
 *
 * PNG: grey, RGB or palette, with or without alpha, 1 to 16 bits a sample; alpha is composited on white.
 * JPEG: grey, YCbCr, RGB or Adobe CMYK; turned upright where Exif says how the camera was held.
 *
 * @param bytes  the whole file
 * @param name  of the file, for messages
 * @throws RelcError RELC5003 for any other kind of file, one that is truncated or corrupt, and one too large
 */
export function decodePicture(bytes: Uint8Array, name: string): Picture {
  if (startsWith(bytes, 0, '\x89PNG\r\n\x1a\n')) return decodePng(bytes, name);
  if (startsWith(bytes, 0, '\xff\xd8\xff')) return decodeJpeg(bytes, name);
  throw new RelcError(
    'RELC5003',
    `${name}: a PNG or JPEG picture is wanted, and the file is ${kindOf(bytes)}.`,
    'convert the picture to PNG or JPEG first',
  );
}

/** Encodes a picture as an 8-bit RGB PNG file. */
export function encodePicture(picture: Picture): Uint8Array {
  const { width, height, data } = picture;
  return encode({ width, height, data, channels: 3, depth: 8 }, { zlib: { level: 6 } });
}

/**
 * The luma of each pixel by the weights of Rec. 709, from the sample values as they are (gamma not undone).
 *
 * @returns `width * height` values, 0 (black) to 1 (white)
 */
export function luminance(picture: Picture): Float32Array {
  const { data } = picture;
  const luma = new Float32Array(picture.width * picture.height);
  for (let i = 0; i < luma.length; i++) {
    const [red, green, blue] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    // The weights sum to 1: Y = 0.2126 R + 0.7152 G + 0.0722 B
    luma[i] = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  }
  return luma;
}
