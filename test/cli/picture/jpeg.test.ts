// Decoding JPEG files: colour models, orientations, and files that are broken or of rarer kinds.
import { encode } from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { decodePicture, type Picture } from '../../../src/cli/picture/picture.js';
import { messageOf } from './failure.js';
import { characters, exif, type JpegSpecification, jpegFile, segment } from './jpeg-file.js';

function decoded(specification: JpegSpecification): Picture {
  return decodePicture(jpegFile(specification), 'p.jpg');
}

function pixelAt(picture: Picture, x: number, y: number): number[] {
  const start = 3 * (y * picture.width + x);
  return [...picture.data.subarray(start, start + 3)];
}

/** That every channel is within 1 of what is wanted: decoders round. */
function expectColour(got: readonly number[], wanted: readonly number[]): void {
  for (const [i, value] of wanted.entries()) expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(1);
}

describe('colour models', () => {
  it.each([0xc0, 0xc1, 0xc2])('grey, frame type %d', (frameMarker) => {
    const picture = decoded({ width: 20, height: 9, components: [[0, 50, 100, 150, 200, 255]], frameMarker });
    expect([picture.width, picture.height, picture.data.length]).toEqual([20, 9, 540]);
    expect(pixelAt(picture, 7, 7)).toEqual([0, 0, 0]);
    expect(pixelAt(picture, 8, 0)).toEqual([50, 50, 50]);
    expect(pixelAt(picture, 19, 7)).toEqual([100, 100, 100]);
    expect(pixelAt(picture, 0, 8)).toEqual([150, 150, 150]);
    expect(pixelAt(picture, 19, 8)).toEqual([255, 255, 255]);
  });

  it('YCbCr', () => {
    const picture = decoded({
      width: 16,
      height: 8,
      components: [
        [76, 29],
        [85, 255],
        [255, 107],
      ],
    });
    expectColour(pixelAt(picture, 0, 0), [254, 0, 0]);
    expectColour(pixelAt(picture, 15, 7), [0, 0, 254]);
  });

  it('RGB, which an Adobe segment tells', () => {
    const picture = decoded({ width: 8, height: 8, components: [[200], [30], [90]], adobeTransform: 0 });
    expect(pixelAt(picture, 3, 3)).toEqual([200, 30, 90]);
  });

  it('YCbCr with an Adobe segment', () => {
    const picture = decoded({ width: 8, height: 8, components: [[76], [85], [255]], adobeTransform: 1 });
    expectColour(pixelAt(picture, 0, 0), [254, 0, 0]);
  });

  it('Adobe CMYK, stored inverted: 255 is no ink', () => {
    const components = [
      [255, 0, 255],
      [255, 255, 255],
      [255, 255, 128],
      [255, 255, 128],
    ];
    const picture = decoded({ width: 24, height: 8, components, adobeTransform: 0 });
    expectColour(pixelAt(picture, 0, 0), [255, 255, 255]);
    expectColour(pixelAt(picture, 8, 0), [0, 255, 255]);
    expectColour(pixelAt(picture, 16, 0), [128, 128, 64]);
  });

  it('a picture an ordinary encoder wrote, nearly', () => {
    const data = Uint8Array.from({ length: 40 * 30 * 4 }, (_, i) => {
      const [pixel, channel] = [i >> 2, i & 3];
      return [5 * (pixel % 40), 7 * Math.floor(pixel / 40), 90, 255][channel]!;
    });
    const picture = decodePicture(new Uint8Array(encode({ width: 40, height: 30, data }, 100).data), 'p.jpg');
    expect([picture.width, picture.height]).toEqual([40, 30]);
    for (const [x, y] of [
      [0, 0],
      [39, 0],
      [17, 22],
      [39, 29],
    ] as const) {
      for (const [i, wanted] of [5 * x, 7 * y, 90].entries()) {
        expect(Math.abs(pixelAt(picture, x, y)[i]! - wanted)).toBeLessThan(8);
      }
    }
  });
});

describe('orientation', () => {
  // Stored: three blocks across and two down, 24 x 16.
  const stored = [10, 20, 30, 40, 50, 60];
  const components = [stored];

  it.each([
    [
      1,
      [
        [10, 20, 30],
        [40, 50, 60],
      ],
    ],
    [
      2,
      [
        [30, 20, 10],
        [60, 50, 40],
      ],
    ],
    [
      3,
      [
        [60, 50, 40],
        [30, 20, 10],
      ],
    ],
    [
      4,
      [
        [40, 50, 60],
        [10, 20, 30],
      ],
    ],
    [
      5,
      [
        [10, 40],
        [20, 50],
        [30, 60],
      ],
    ],
    [
      6,
      [
        [40, 10],
        [50, 20],
        [60, 30],
      ],
    ],
    [
      7,
      [
        [60, 30],
        [50, 20],
        [40, 10],
      ],
    ],
    [
      8,
      [
        [30, 60],
        [20, 50],
        [10, 40],
      ],
    ],
  ])('%d is turned upright', (value, upright) => {
    for (const littleEndian of [true, false]) {
      const picture = decoded({ width: 24, height: 16, components, orientation: { value, littleEndian } });
      expect([picture.width, picture.height]).toEqual([upright[0]!.length * 8, upright.length * 8]);
      const got = upright.map((row, y) => row.map((_, x) => pixelAt(picture, 8 * x + 3, 8 * y + 5)[0]));
      expect(got).toEqual(upright);
    }
  });

  it('beyond 8 is taken for upright', () => {
    const picture = decoded({
      width: 24,
      height: 16,
      components,
      orientation: { value: 9, littleEndian: true },
    });
    expect([picture.width, pixelAt(picture, 0, 0)[0]]).toEqual([24, 10]);
  });
});

describe('orientation of every pixel', () => {
  const [width, height] = [13, 10];
  const noise = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * i * 7 + i * 13) % 256);
  const file = encode({ width, height, data: noise }, 90).data;
  const stored = decodePicture(new Uint8Array(file), 'p.jpg');

  /** Where a pixel of the upright picture lies in the stored one. */
  const sources: Record<number, (x: number, y: number) => [number, number]> = {
    2: (x, y) => [12 - x, y],
    3: (x, y) => [12 - x, 9 - y],
    4: (x, y) => [x, 9 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, 9 - x],
    7: (x, y) => [12 - y, 9 - x],
    8: (x, y) => [12 - y, x],
  };

  it.each([2, 3, 4, 5, 6, 7, 8])('%d', (value) => {
    const marked = Uint8Array.from([0xff, 0xd8, ...exif({ value, littleEndian: true }), ...file.subarray(2)]);
    const upright = decodePicture(marked, 'p.jpg');
    for (let y = 0; y < upright.height; y++) {
      for (let x = 0; x < upright.width; x++) {
        expect(pixelAt(upright, x, y)).toEqual(pixelAt(stored, ...sources[value]!(x, y)));
      }
    }
  });
});

describe('odd but readable headers', () => {
  const components = [[10, 20]];

  it.each([
    ['fill bytes ahead of a marker', [0xff, 0xff, 0xff]],
    ['an Adobe segment of another kind', segment(0xee, characters('Adobe\0d'))],
    ['an APP14 segment of another maker', segment(0xee, [...characters('Other'), 0, 100, 0, 0, 0, 0, 0])],
    ['an empty comment', segment(0xfe, [])],
  ])('%s', (_, inserted) => {
    const picture = decoded({ width: 16, height: 8, components, inserted });
    expect([picture.width, picture.height, pixelAt(picture, 8, 0)[0]]).toEqual([16, 8, 20]);
  });

  it('an APP14 segment of another maker does not make YCbCr RGB', () => {
    const inserted = segment(0xee, [...characters('Other'), 0, 100, 0, 0, 0, 0, 0]);
    const picture = decoded({ width: 8, height: 8, components: [[76], [85], [255]], inserted });
    expectColour(pixelAt(picture, 0, 0), [254, 0, 0]);
  });

  it('an Exif segment that ends too early or points beyond itself is passed over', () => {
    const whole = exif({ value: 6, littleEndian: true }).slice(4);
    // What it points to lies 10 bytes in, and takes 12 bytes more a directory entry; the second one counts.
    for (let length = 6; length < 6 + 10 + 12 + 12; length++) {
      const picture = decoded({
        width: 16,
        height: 8,
        components,
        inserted: segment(0xe1, whole.slice(0, length)),
      });
      expect([picture.width, picture.height]).toEqual([16, 8]);
    }
    const beyond = whole.slice();
    beyond[10] = 250;
    const picture = decoded({ width: 16, height: 8, components, inserted: segment(0xe1, beyond) });
    expect([picture.width, picture.height]).toEqual([16, 8]);
    const turned = decoded({ width: 16, height: 8, components, inserted: segment(0xe1, whole) });
    expect([turned.width, turned.height]).toEqual([8, 16]);
  });

  it('an Exif segment without an orientation leaves the picture upright', () => {
    const bytes = exif({ value: 6, littleEndian: true }).slice(4);
    // The entry's tag, the second of two, becomes another one.
    bytes[6 + 10 + 12] = 0x13;
    const picture = decoded({ width: 16, height: 8, components, inserted: segment(0xe1, bytes) });
    expect([picture.width, picture.height]).toEqual([16, 8]);
  });
});

describe('files that are refused', () => {
  const components = [
    [10, 200, 30, 90],
    [128, 100, 80, 9],
    [128, 1, 2, 250],
  ];
  const whole = jpegFile({ width: 16, height: 16, components });

  it('cut anywhere', () => {
    for (let length = 3; length < whole.length; length++) {
      expect(messageOf(() => decodePicture(whole.slice(0, length), 'cut.jpg'))).toContain(
        'cut.jpg: the JPEG file',
      );
    }
  });

  it('too large, or without pixels', () => {
    expect(messageOf(() => decoded({ width: 60_000, height: 60_000, components }))).toContain(
      'at most 100 megapixels',
    );
    expect(messageOf(() => decoded({ width: 16, height: 0, components }))).toContain(
      '16 x 0 pixels: it has none',
    );
  });

  it.each([
    [{ frameMarker: 0xc3 }, 'its coding (frame type 3) is neither baseline nor progressive'],
    [{ frameMarker: 0xc9 }, 'its coding (frame type 9) is neither baseline nor progressive'],
    [{ precision: 12 }, 'its samples have 12 bits; 8 are wanted'],
    [{ components: [[1], [2], [3], [4]] }, 'it has 4 components and no Adobe segment'],
    [{ components: [[1], [2]] }, 'it has 2 components; 1, 3 or 4 are wanted'],
  ])('of a rarer kind: %j', (change, reason) => {
    const message = messageOf(() => decoded({ width: 8, height: 8, components: [[1]], ...change }));
    expect(message).toContain('p.jpg: this kind of JPEG file is not supported: ');
    expect(message).toContain(reason);
  });

  it('not if it is a part of a larger buffer', () => {
    const buffer = new Uint8Array(whole.length + 20).fill(0xff);
    buffer.set(whole, 13);
    const part = buffer.subarray(13, 13 + whole.length);
    expect([...decodePicture(part, 'p.jpg').data]).toEqual([...decodePicture(whole, 'p.jpg').data]);
  });
});
