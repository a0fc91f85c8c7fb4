// Pictures side by side: rows of pictures of different sizes on white.
import { expect, it } from 'vitest';
import { createCanvas } from '../../../src/cli/picture/canvas.js';
import { sideBySide } from '../../../src/cli/picture/side-by-side.js';

const [black, red, blue] = [
  createCanvas(2, 1, [0, 0, 0]),
  createCanvas(1, 2, [255, 0, 0]),
  createCanvas(2, 2, [0, 0, 255]),
];

it('draws row by row, and leaves white what no picture covers', () => {
  const { width, height, data } = sideBySide([black, red, blue], 2);
  expect([width, height]).toEqual([3, 4]);
  const letters = { '0,0,0': 'k', '255,0,0': 'r', '0,0,255': 'b', '255,255,255': '.' } as Record<
    string,
    string
  >;
  const text = Array.from({ length: 12 }, (_, i) => letters[data.subarray(3 * i, 3 * i + 3).join()]).join('');
  expect(text.match(/.../g)).toEqual(['kkr', '..r', 'bb.', 'bb.']);
});

it('leaves one picture as it is', () => expect(sideBySide([red], 3)).toBe(red));
