// Decoding PNG files: every colour type and depth, transparency, and files that are broken.
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../../src/cli/picture/picture.js';
import { messageOf } from './failure.js';
import { type PngSpecification, pngFile } from './png-file.js';

function pixelsOf(specification: PngSpecification): number[] {
  const picture = decodePicture(pngFile(specification), 'p.png');
  expect([picture.width, picture.height]).toEqual([specification.width, specification.height]);
  return [...picture.data];
}

function greys(...values: number[]): number[] {
  return values.flatMap((value) => [value, value, value]);
}

describe('grey', () => {
  it('1 bit, rows that end within a byte', () => {
    const samples = [1, 0, 1, 0, 1, 1, 0, 0, 1, /**/ 0, 1, 0, 0, 0, 0, 0, 0, 1];
    const wanted = greys(...samples.map((sample) => 255 * sample));
    expect(pixelsOf({ width: 9, height: 2, depth: 1, colourType: 0, samples })).toEqual(wanted);
  });

  it('2 bits', () => {
    const samples = [0, 1, 2, 3, 3, /**/ 2, 1, 0, 0, 1];
    const wanted = greys(...samples.map((sample) => 85 * sample));
    expect(pixelsOf({ width: 5, height: 2, depth: 2, colourType: 0, samples })).toEqual(wanted);
  });

  it('4 bits', () => {
    const samples = [0, 1, 15, /**/ 8, 7, 14];
    const wanted = greys(...samples.map((sample) => 17 * sample));
    expect(pixelsOf({ width: 3, height: 2, depth: 4, colourType: 0, samples })).toEqual(wanted);
  });

  it('8 bits', () => {
    const samples = [0, 1, 128, 255];
    expect(pixelsOf({ width: 2, height: 2, depth: 8, colourType: 0, samples })).toEqual(greys(...samples));
  });

  it('16 bits, rounded to 8', () => {
    const samples = [0, 128, 129, 0x8080, 65535];
    expect(pixelsOf({ width: 5, height: 1, depth: 16, colourType: 0, samples })).toEqual(
      greys(0, 0, 1, 128, 255),
    );
  });

  it('with alpha, on white', () => {
    const samples = [0, 255, 0, 0, 0, 51, 100, 102];
    expect(pixelsOf({ width: 4, height: 1, depth: 8, colourType: 4, samples })).toEqual(
      greys(0, 255, 204, 193),
    );
  });

  it('with 16-bit alpha, on white', () => {
    const samples = [0, 0x3333, 65535, 0];
    expect(pixelsOf({ width: 2, height: 1, depth: 16, colourType: 4, samples })).toEqual(greys(204, 255));
  });

  it('with one transparent value', () => {
    const samples = [3, 2, 1];
    const transparency = [0, 2];
    expect(pixelsOf({ width: 3, height: 1, depth: 2, colourType: 0, samples, transparency })).toEqual(
      greys(255, 255, 85),
    );
  });
});

describe('colour', () => {
  it('8 bits, row-major', () => {
    const samples = Array.from({ length: 18 }, (_, i) => 10 * i);
    expect(pixelsOf({ width: 3, height: 2, depth: 8, colourType: 2, samples })).toEqual(samples);
  });

  it('16 bits', () => {
    const samples = [0x0101, 0xfefe, 0x7f7f];
    expect(pixelsOf({ width: 1, height: 1, depth: 16, colourType: 2, samples })).toEqual([1, 254, 127]);
  });

  it('with alpha, on white', () => {
    const samples = [10, 20, 30, 255, 10, 20, 30, 0, 255, 0, 100, 51];
    expect(pixelsOf({ width: 3, height: 1, depth: 8, colourType: 6, samples })).toEqual([
      10, 20, 30, 255, 255, 255, 255, 204, 224,
    ]);
  });

  it('with 16-bit alpha, on white', () => {
    const samples = [65535, 0, 0, 0x3333];
    expect(pixelsOf({ width: 1, height: 1, depth: 16, colourType: 6, samples })).toEqual([255, 204, 204]);
  });

  it('with one transparent colour, of which every channel counts', () => {
    const samples = [1, 2, 3, 1, 2, 4, 0, 2, 3];
    const transparency = [0, 1, 0, 2, 0, 3];
    expect(pixelsOf({ width: 3, height: 1, depth: 8, colourType: 2, samples, transparency })).toEqual([
      255, 255, 255, 1, 2, 4, 0, 2, 3,
    ]);
  });

  it('a palette that is only a suggestion is left alone', () => {
    const samples = [1, 2, 3];
    const palette = [9, 9, 9, 8, 8, 8];
    expect(pixelsOf({ width: 1, height: 1, depth: 8, colourType: 2, samples, palette })).toEqual(samples);
  });

  it('interlaced', () => {
    const data = Uint8Array.from({ length: 11 * 9 * 3 }, (_, i) => (i * 37) % 256);
    const bytes = encode({ width: 11, height: 9, data, channels: 3, depth: 8 }, { interlace: 'Adam7' });
    expect(bytes[28]).toBe(1);
    expect([...decodePicture(bytes, 'p.png').data]).toEqual([...data]);
  });
});

describe('palette', () => {
  const palette = [0, 0, 0, 255, 0, 0, 0, 250, 0, 10, 20, 30];

  it.each([1, 2, 4, 8])('%d bits', (depth) => {
    const samples = depth === 1 ? [0, 1, 1, 1, 0, 0] : [0, 1, 2, 3, 1, 0];
    const wanted = samples.flatMap((sample) => palette.slice(3 * sample, 3 * sample + 3));
    expect(pixelsOf({ width: 3, height: 2, depth, colourType: 3, samples, palette })).toEqual(wanted);
  });

  it('with alpha for its first entries, on white', () => {
    const specification = { width: 4, height: 1, depth: 8, colourType: 3, samples: [0, 1, 2, 3], palette };
    expect(pixelsOf({ ...specification, transparency: [0, 204] })).toEqual([
      255, 255, 255, 255, 51, 51, 0, 250, 0, 10, 20, 30,
    ]);
  });

  it('refuses an entry it does not have', () => {
    const bytes = pngFile({ width: 1, height: 1, depth: 8, colourType: 3, samples: [4], palette });
    expect(messageOf(() => decodePicture(bytes, 'p.png'))).toContain(
      'p.png: the PNG file is corrupt: a pixel has colour 4 of a palette of 4.',
    );
  });
});

describe('broken files', () => {
  const samples = Array.from({ length: 48 }, (_, i) => (i * 31) % 256);
  const whole = pngFile({ width: 4, height: 4, depth: 8, colourType: 2, samples });

  it('refuses a file cut anywhere', () => {
    for (let length = 8; length < whole.length; length++) {
      expect(messageOf(() => decodePicture(whole.slice(0, length), 'cut.png'))).toContain(
        'cut.png: the PNG file',
      );
    }
  });

  it('refuses a file with a changed byte in its data', () => {
    const bytes = whole.slice();
    bytes[50]! ^= 1;
    expect(messageOf(() => decodePicture(bytes, 'p.png'))).toContain('CRC mismatch');
  });

  it('refuses data that is too short, though its checksum is right', () => {
    const bytes = pngFile({ width: 4, height: 5, depth: 8, colourType: 2, samples });
    expect(messageOf(() => decodePicture(bytes, 'p.png'))).toContain('truncated or corrupt');
  });

  it('refuses impossible and unsupported headers', () => {
    const specification = { width: 1, height: 1, depth: 4, colourType: 2, samples: [1, 2, 3] };
    expect(messageOf(() => decodePicture(pngFile(specification), 'p.png'))).toContain(
      'colour type 2 of 4 bits a sample does not exist',
    );
    const interlaced = { ...specification, colourType: 0, samples: [1], interlaced: true };
    expect(messageOf(() => decodePicture(pngFile(interlaced), 'p.png'))).toContain(
      'an interlaced PNG of 4 bits a sample is not supported',
    );
  });

  it('refuses sizes before it makes room for them', () => {
    const specification = { width: 60_000, height: 60_000, depth: 8, colourType: 6, samples: [] };
    expect(messageOf(() => decodePicture(pngFile(specification), 'p.png'))).toContain(
      '60000 x 60000 pixels; at most 100 megapixels are read',
    );
    expect(messageOf(() => decodePicture(pngFile({ ...specification, height: 0 }), 'p.png'))).toContain(
      '60000 x 0 pixels: it has none',
    );
  });

  it('reads a file that is a part of a larger buffer', () => {
    const buffer = new Uint8Array(whole.length + 20).fill(7);
    buffer.set(whole, 13);
    expect([...decodePicture(buffer.subarray(13, 13 + whole.length), 'p.png').data]).toEqual(samples);
  });
});
