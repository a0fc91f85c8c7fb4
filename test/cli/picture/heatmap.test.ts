// The heatmap picture: where colours stand, what they mean, and what the bar and the title say.
import { describe, expect, it } from 'vitest';
import { createCanvas } from '../../../src/cli/picture/canvas.js';
import { colourOf } from '../../../src/cli/picture/colours.js';
import { type Heat, renderHeatmap } from '../../../src/cli/picture/heatmap.js';
import type { Picture } from '../../../src/cli/picture/picture.js';
import { drawText } from '../../../src/cli/picture/text.js';
import { messageOf } from './failure.js';

function heatOf(width: number, height: number, at: (x: number, y: number) => number): Heat {
  const data = Float32Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width)));
  return { width, height, data };
}

function pixelAt(picture: Picture, x: number, y: number): number[] {
  const start = 3 * (y * picture.width + x);
  return [...picture.data.subarray(start, start + 3)];
}

const ink = [51, 51, 51] as const;
const frame = [190, 190, 190];

/** Where the map starts: the margin, and below it the title if there is one. */
const margin = 20;
const titleHeight = 28;

/** The value's own square: its middle, with a scale. */
function cellAt(picture: Picture, x: number, y: number, scale: number, top = margin): number[] {
  return pixelAt(picture, margin + x * scale + (scale >> 1), top + y * scale + (scale >> 1));
}

/** The first place, from a row down, of a text in a picture: the top left corner of its first capital. */
function placeOf(picture: Picture, text: string, size: number, from = 0): [number, number] | undefined {
  const stamp = createCanvas(text.length * 6 * size, 8 * size, [255, 255, 255]);
  drawText(stamp, text, 0, 0, size, ink);
  const dots: [number, number, number][] = [];
  for (let y = 0; y < stamp.height; y++) {
    for (let x = 0; x < stamp.width; x++) {
      const red = pixelAt(stamp, x, y)[0]!;
      if (red < 255) dots.push([x, y, red]);
    }
  }
  for (let top = from; top < picture.height; top++) {
    for (let left = 0; left < picture.width; left++) {
      const there = dots.every(
        ([x, y, red]) => picture.data[3 * ((top + y) * picture.width + left + x)] === red,
      );
      if (there) return [left, top];
    }
  }
  return undefined;
}

function hasText(picture: Picture, text: string, size: number): boolean {
  return placeOf(picture, text, size) !== undefined;
}

const corners = heatOf(4, 3, (x, y) =>
  x === 0 && y === 0 ? 2 : x === 3 && y === 2 ? -2 : x === 2 && y === 0 ? 1 : 0,
);

describe('the map', () => {
  it('shows sign, strength and place', () => {
    const drawn = renderHeatmap(corners, { scale: 40 });
    expect(cellAt(drawn, 0, 0, 40)).toEqual(colourOf(1));
    expect(cellAt(drawn, 3, 2, 40)).toEqual(colourOf(-1));
    expect(cellAt(drawn, 2, 0, 40)).toEqual(colourOf(0.5));
    for (const [x, y] of [
      [1, 0],
      [3, 0],
      [0, 1],
      [2, 1],
      [0, 2],
      [2, 2],
    ] as const) {
      expect(cellAt(drawn, x, y, 40)).toEqual([255, 255, 255]);
    }
  });

  it('magnifies each value to a sharp square', () => {
    const drawn = renderHeatmap(corners, { scale: 40 });
    const red = colourOf(1);
    expect(pixelAt(drawn, margin, margin)).toEqual(red);
    expect(pixelAt(drawn, margin + 39, margin + 39)).toEqual(red);
    expect(pixelAt(drawn, margin + 40, margin + 39)).toEqual([255, 255, 255]);
    expect(pixelAt(drawn, margin + 39, margin + 40)).toEqual([255, 255, 255]);
  });

  it('has a frame one pixel wide, just outside', () => {
    const drawn = renderHeatmap(corners, { scale: 40 });
    const [left, top, right, bottom] = [margin - 1, margin - 1, margin + 160, margin + 120];
    for (const [x, y] of [
      [left, top],
      [right, top],
      [left, bottom],
      [right, bottom],
      [left, 50],
      [right, 50],
      [50, top],
      [50, bottom],
    ] as const) {
      expect(pixelAt(drawn, x, y)).toEqual(frame);
    }
    for (const [x, y] of [
      [left - 1, 50],
      [right + 1, 50],
      [50, top - 1],
      [50, bottom + 1],
    ] as const) {
      expect(pixelAt(drawn, x, y)).toEqual([255, 255, 255]);
    }
  });

  it('is symmetric: the negated map has the colours of the other side', () => {
    const negated = renderHeatmap({ ...corners, data: corners.data.map((value) => -value) }, { scale: 40 });
    expect(cellAt(negated, 0, 0, 40)).toEqual(colourOf(-1));
    expect(cellAt(negated, 3, 2, 40)).toEqual(colourOf(1));
    expect(cellAt(negated, 2, 0, 40)).toEqual(colourOf(-0.5));
  });

  it('is not moved by the scale of the values', () => {
    const small = { ...corners, data: corners.data.map((value) => value * 2 ** -60) };
    expect(cellAt(renderHeatmap(small, { scale: 40 }), 2, 0, 40)).toEqual(colourOf(0.5));
  });

  it('shows zeros as white and says 0', () => {
    const drawn = renderHeatmap(
      heatOf(3, 3, () => 0),
      { scale: 60 },
    );
    expect(cellAt(drawn, 1, 1, 60)).toEqual([255, 255, 255]);
    expect(hasText(drawn, '0', 2)).toBe(true);
    expect(hasText(drawn, '+', 2)).toBe(false);
  });

  it.each([
    [28, 28, 16],
    [224, 224, 2],
    [500, 448, 1],
    [600, 500, 1],
    [100, 50, 9],
    [200, 1, 10],
    [3000, 2, 1],
  ])('of %d x %d is magnified %d times by default', (width, height, scale) => {
    const drawn = renderHeatmap(heatOf(width, height, (x) => (x === 0 ? 1 : -1)));
    expect(pixelAt(drawn, margin + scale - 1, margin)).toEqual(colourOf(1));
    expect(pixelAt(drawn, margin + scale, margin)).toEqual(colourOf(-1));
    expect(drawn.height).toBe(Math.max(height * scale, 120) + 2 * margin);
  });
});

describe('the picture beneath', () => {
  const picture = { width: 2, height: 1, data: Uint8Array.of(0, 0, 0, 255, 255, 255) };

  it('shows in grey where relevance is zero', () => {
    const drawn = renderHeatmap(
      heatOf(2, 1, () => 0),
      { picture, scale: 100 },
    );
    expect(pixelAt(drawn, margin, margin)).toEqual([153, 153, 153]);
    expect(pixelAt(drawn, margin + 199, margin + 99)).toEqual([255, 255, 255]);
    const [red, green, blue] = pixelAt(drawn, margin + 100, margin + 50);
    expect(red).toBeGreaterThan(200);
    expect(red).toBeLessThan(210);
    expect([green, blue]).toEqual([red, red]);
  });

  it('gives way to the pure colour where relevance is strong', () => {
    const drawn = renderHeatmap(
      heatOf(2, 2, (x, y) => (x === y ? 1 : -1)),
      { picture, scale: 100 },
    );
    expect(pixelAt(drawn, margin, margin)).toEqual(colourOf(1));
    expect(pixelAt(drawn, margin + 199, margin)).toEqual(colourOf(-1));
    expect(pixelAt(drawn, margin, margin + 199)).toEqual(colourOf(-1));
    expect(pixelAt(drawn, margin + 199, margin + 199)).toEqual(colourOf(1));
  });

  it('gives way to the pure colour beyond the limit too', () => {
    const outliers = heatOf(100, 100, (x, y) => (y === 0 && x < 2 ? 40 * (1 - 2 * x) : 1));
    const drawn = renderHeatmap(outliers, { picture, scale: 2 });
    expect(pixelAt(drawn, margin, margin)).toEqual(colourOf(1));
    expect(pixelAt(drawn, margin + 2, margin)).toEqual(colourOf(-1));
  });

  it('darkens weaker colours', () => {
    const half = heatOf(2, 2, (x, y) => (x === 0 && y === 0 ? 1 : 0.5));
    const onBlack = renderHeatmap(half, { picture, scale: 100 });
    const alone = renderHeatmap(half, { scale: 100 });
    // Black is 0.6 of white; at half strength half way from there to 1.
    const wanted = pixelAt(alone, margin, margin + 150).map((value) => Math.round(0.8 * value));
    expect(pixelAt(onBlack, margin, margin + 150)).toEqual(wanted);
  });
});

describe('the colour bar', () => {
  it('runs from the limit at its top to minus the limit', () => {
    const drawn = renderHeatmap(corners, { scale: 100 });
    const x = margin + 400 + 16 + 8;
    const [top, bottom] = [margin + 8, margin + 300 - 8 - 1];
    expect(pixelAt(drawn, x, top)).toEqual(colourOf(1));
    expect(pixelAt(drawn, x, bottom)).toEqual(colourOf(-1));
    for (const offset of [0, 30, 100]) {
      const strength = 1 - (2 * offset) / (bottom - top);
      expect(pixelAt(drawn, x, top + offset)).toEqual(colourOf(strength));
    }
  });

  it('has ticks and labels at its ends and its middle', () => {
    const drawn = renderHeatmap(corners, { scale: 100 });
    const tickLeft = margin + 400 + 16 + 16 + 1;
    const rows = [margin + 8, margin + 150, margin + 300 - 8 - 1];
    for (const [index, label] of ['+2.00', '0', '-2.00'].entries()) {
      const y = rows[index]!;
      expect(pixelAt(drawn, tickLeft - 1, y)).toEqual(frame);
      for (let x = tickLeft; x < tickLeft + 4; x++) {
        expect(pixelAt(drawn, x, y)).toEqual([...ink]);
        expect(pixelAt(drawn, x, y - 1)).toEqual([255, 255, 255]);
        expect(pixelAt(drawn, x, y + 1)).toEqual([255, 255, 255]);
      }
      expect(pixelAt(drawn, tickLeft + 4, y)).toEqual([255, 255, 255]);
      expect(placeOf(drawn, label, 2, y - 20)).toEqual([tickLeft - 1 + 10, y - 7]);
    }
    // The longest label ends a margin before the edge: "+2.00" is 5 + 5 + 1 + 4 + 4 dots wide and 4 apart.
    expect(drawn.width).toBe(tickLeft - 1 + 10 + 2 * 23 + margin);
  });

  it('states the limit by three digits', () => {
    const drawn = renderHeatmap(
      { ...corners, data: corners.data.map((value) => value * 0.61728) },
      { scale: 60 },
    );
    expect(hasText(drawn, '+1.23', 2)).toBe(true);
    expect(hasText(drawn, '-1.23', 2)).toBe(true);
    expect(hasText(drawn, '+1.24', 2)).toBe(false);
  });

  it('states the level below outliers, and ends in points then', () => {
    const outlier = heatOf(100, 100, (x, y) => (x === 3 && y === 50 ? 40 : y < 50 ? 1 : -1));
    const drawn = renderHeatmap(outlier, { scale: 2 });
    // (10039 - 100.39) / 10000
    expect(hasText(drawn, '+0.994', 2)).toBe(true);
    const x = margin + 200 + 16 + 8;
    expect(pixelAt(drawn, x, margin + 8 - 5)).toEqual(colourOf(1));
    expect(pixelAt(drawn, x, margin + 200 - 8 + 4)).toEqual(colourOf(-1));
    // The points are 16 pixels wide at their base, 2 less each row, and end after 8.
    for (let row = 0; row < 8; row++) {
      for (const [y, strength] of [
        [margin + 8 - 2 - row, 1],
        [margin + 200 - 8 + 1 + row, -1],
      ] as const) {
        const inside = [x - 8 + row, x + 7 - row].map((column) => pixelAt(drawn, column, y));
        const outside = [x - 9 + row, x + 8 - row].map((column) => pixelAt(drawn, column, y));
        expect(inside).toEqual(new Array(2).fill(colourOf(strength)));
        expect(outside).toEqual(new Array(2).fill([255, 255, 255]));
      }
    }
    expect(pixelAt(drawn, x, margin + 8 - 10)).toEqual([255, 255, 255]);
    const plain = renderHeatmap(
      heatOf(100, 100, (_, y) => (y < 50 ? 1 : -1)),
      { scale: 2 },
    );
    expect(pixelAt(plain, x, margin + 8 - 5)).toEqual([255, 255, 255]);
    expect(pixelAt(plain, x, margin + 200 - 8 + 4)).toEqual([255, 255, 255]);
  });
});

describe('the title', () => {
  it('stands above the map and moves it down', () => {
    const drawn = renderHeatmap(corners, { scale: 60, title: 'class 7' });
    expect(placeOf(drawn, 'class 7', 2)).toEqual([margin, margin]);
    expect(drawn.height).toBe(180 + 2 * margin + titleHeight);
    expect(cellAt(drawn, 0, 0, 60, margin + titleHeight)).toEqual(colourOf(1));
    expect(hasText(renderHeatmap(corners, { scale: 60 }), 'class 7', 2)).toBe(false);
  });

  it('shrinks where it is long, and is cut where it still is', () => {
    const long = 'a title of thirty-five characters';
    const drawn = renderHeatmap(corners, { scale: 50, title: long });
    expect(hasText(drawn, long, 2)).toBe(false);
    // The line on which the letters stand is that of large ones.
    expect(placeOf(drawn, long, 1)).toEqual([margin, margin + 7]);
    const cut = renderHeatmap(corners, { scale: 50, title: long.repeat(3) });
    expect(hasText(cut, long, 1)).toBe(true);
    expect(hasText(cut, long.repeat(3), 1)).toBe(false);
    expect(hasText(cut, '...', 1)).toBe(true);
    expect(cut.width).toBe(drawn.width);
  });
});

describe('refusals', () => {
  it('a map that is not finite, and one of another length', () => {
    const data = Float32Array.of(0, Number.NaN);
    expect(messageOf(() => renderHeatmap({ width: 2, height: 1, data }))).toContain('NaN at row 0, column 1');
    expect(messageOf(() => renderHeatmap({ width: 3, height: 1, data }))).toContain('3 x 1 and has 2 values');
  });

  it.each([0, -1, 1.5, Number.NaN])('the scale %d', (scale) => {
    expect(messageOf(() => renderHeatmap(corners, { scale }), 'RELC5001')).toContain(
      `the scale of a heatmap is ${scale}; a positive integer is wanted`,
    );
  });

  it('a scale that makes the picture too large', () => {
    const message = messageOf(() => renderHeatmap(corners, { scale: 2887 }), 'RELC5001');
    expect(message).toContain('4 x 3 values at scale 2887 has more than 100 megapixels');
    expect(() => renderHeatmap(corners, { scale: 300 })).not.toThrow();
  });
});
