// Telling kinds of file apart, encoding, and luminance.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePicture, encodePicture, luminance } from '../../../src/cli/picture/picture.js';
import { messageOf } from './failure.js';
import { jpegFile } from './jpeg-file.js';
import { pngFile } from './png-file.js';

function text(start: string): Uint8Array {
  return Buffer.from(start.padEnd(40, '\0'), 'latin1');
}

describe('decodePicture', () => {
  it('goes by the bytes and not by the name', () => {
    const png = pngFile({ width: 1, height: 1, depth: 8, colourType: 2, samples: [1, 2, 3] });
    const jpeg = jpegFile({ width: 8, height: 8, components: [[77]] });
    expect([...decodePicture(png, 'photo.jpg').data]).toEqual([1, 2, 3]);
    expect([...decodePicture(jpeg, 'photo.png').data.subarray(0, 3)]).toEqual([77, 77, 77]);
  });

  it.each([
    ['GIF89a', 'a GIF picture'],
    ['RIFF\x10\0\0\0WEBPVP8 ', 'a WebP picture'],
    ['BM', 'a BMP picture'],
    ['II*\0', 'a TIFF picture'],
    ['MM\0*', 'a TIFF picture'],
    ['\0\0\0\x18ftypheic', 'a HEIF, AVIF or video file'],
    ['%PDF-1.7', 'a PDF document'],
    ['<svg xmlns', 'an SVG drawing'],
    ['\x93NUMPY\x01\0', 'an .npy array'],
    ['once upon a time', 'neither'],
  ])('names the file and its kind: %j', (start, kind) => {
    const message = messageOf(() => decodePicture(text(start), 'shots/a.png'));
    expect(message).toContain('shots/a.png: a PNG or JPEG picture is wanted');
    expect(message).toContain(`the file is ${kind}.`);
    expect(message).toContain('help: convert');
  });

  it('refuses an empty file', () => {
    expect(messageOf(() => decodePicture(new Uint8Array(), 'a'))).toContain('an empty file');
  });
});

describe('encodePicture', () => {
  it('is undone by decodePicture', () => {
    const pictures = fc
      .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
      .chain(({ width, height }) => {
        const length = { minLength: width * height * 3, maxLength: width * height * 3 };
        return fc.uint8Array(length).map((data) => ({ width, height, data }));
      });
    fc.assert(
      fc.property(pictures, (picture) => {
        const again = decodePicture(encodePicture(picture), 'p.png');
        expect([again.width, again.height]).toEqual([picture.width, picture.height]);
        expect([...again.data]).toEqual([...picture.data]);
      }),
    );
  });

  it('writes an 8-bit RGB PNG', () => {
    const bytes = encodePicture({ width: 2, height: 1, data: new Uint8Array(6) });
    expect(Buffer.from(bytes.subarray(0, 4)).toString('latin1')).toBe('\x89PNG');
    expect([...bytes.subarray(16, 26)]).toEqual([0, 0, 0, 2, 0, 0, 0, 1, 8, 2]);
  });
});

describe('luminance', () => {
  it('weighs the colours by Rec. 709', () => {
    const data = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0]);
    const luma = luminance({ width: 5, height: 1, data });
    expect(luma).toHaveLength(5);
    for (const [i, wanted] of [0.2126, 0.7152, 0.0722, 1, 0].entries())
      expect(luma[i]).toBeCloseTo(wanted, 6);
  });
});
