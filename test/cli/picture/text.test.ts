// The bitmap font and the strokes drawn from it.
import { describe, expect, it } from 'vitest';
import { createCanvas } from '../../../src/cli/picture/canvas.js';
import { glyphsOf } from '../../../src/cli/picture/font.js';
import { drawText, textWidth } from '../../../src/cli/picture/text.js';

const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));

/** The canvas as rows of characters: '#' black, '+' grey, '.' white. */
function drawn(text: string, width: number, height: number, size: number, left = 0, top = 0): string[] {
  const canvas = createCanvas(width, height, [255, 255, 255]);
  drawText(canvas, text, left, top, size, [0, 0, 0]);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const value = canvas.data[3 * (y * width + x)]!;
      return value === 0 ? '#' : value === 255 ? '.' : '+';
    }).join(''),
  );
}

describe('glyphsOf', () => {
  it('has a shape of its own for each printable ASCII character', () => {
    const shapes = glyphsOf(printable).map((glyph) => glyph.join('\n'));
    expect(new Set(shapes).size).toBe(95);
  });

  it('has glyphs of 8 rows, as wide as their ink and at most 5', () => {
    for (const glyph of glyphsOf(printable.slice(1))) {
      const width = glyph[0]!.length;
      expect(glyph).toHaveLength(8);
      expect(width).toBeLessThanOrEqual(5);
      for (const row of glyph) expect(row).toMatch(new RegExp(`^[.#]{${width}}$`));
      expect(glyph.some((row) => row.startsWith('#'))).toBe(true);
      expect(glyph.some((row) => row.endsWith('#'))).toBe(true);
    }
  });

  it('keeps capitals and digits above the line', () => {
    for (const glyph of glyphsOf('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789')) {
      expect(glyph[0]).toContain('#');
      expect(glyph[6]).toContain('#');
      expect(glyph[7]).not.toContain('#');
    }
  });

  it('draws the letter asked for', () => {
    expect(glyphsOf('T')[0]).toEqual([
      '#####',
      '..#..',
      '..#..',
      '..#..',
      '..#..',
      '..#..',
      '..#..',
      '.....',
    ]);
    expect(glyphsOf('l')[0]).toEqual(['##.', '.#.', '.#.', '.#.', '.#.', '.#.', '###', '...']);
    expect(glyphsOf('~')[0]!.join('')).toContain('#..##.##');
  });

  it('drops accents, keeps dashes, and marks what it cannot draw', () => {
    expect(glyphsOf('é–\u2212☃\n🦊')).toEqual(glyphsOf('e--???'));
  });
});

describe('drawText', () => {
  it('draws dots where the glyph has ink', () => {
    expect(drawn('T', 5, 8, 1)).toEqual(glyphsOf('T')[0]);
    expect(drawn('I', 8, 10, 1, 2, 1)).toEqual([
      '........',
      '..###...',
      ...new Array<string>(5).fill('...#....'),
      '..###...',
      '........',
      '........',
    ]);
  });

  it('leaves one dot between letters and advances by their own width', () => {
    expect(drawn('LI', 9, 7, 1)).toEqual([
      '#.....###',
      ...new Array<string>(5).fill('#......#.'),
      '#####.###',
    ]);
    // At three times the size the second letter's stem is 7 dots along, and as wide as a dot.
    const large = drawn('LI', 27, 24, 3)[12]!;
    expect([large.slice(0, 3), large.slice(3, 21), large.slice(21)]).toEqual([
      '###',
      '.'.repeat(18),
      '###...',
    ]);
    expect(textWidth('LI', 1)).toBe(9);
    expect(textWidth('LI', 3)).toBe(27);
    expect(textWidth('', 2)).toBe(0);
  });

  it('fills straight strokes and joins diagonal dots', () => {
    const rows = drawn('/', 20, 32, 4);
    // The slash steps left below its rows 1 to 4: the corner between the two dots is inked on both sides.
    for (const [row, column] of [
      [1, 4],
      [2, 3],
      [3, 2],
      [4, 1],
    ] as const) {
      expect(rows[4 * row + 3]![4 * column - 1]).not.toBe('.');
      expect(rows[4 * row + 4]![4 * column]).not.toBe('.');
    }
    expect(drawn('\\', 20, 32, 4)).toEqual(rows.map((row) => Array.from(row).toReversed().join('')));
    expect(drawn('.', 1, 8, 1)).toEqual(['.', '.', '.', '.', '.', '.', '#', '.']);
    const foot = drawn('L', 20, 32, 4);
    for (const row of foot.slice(25, 27)) expect(row.slice(1, 19)).toBe('#'.repeat(18));
    const stem = drawn('l', 12, 32, 4);
    for (const row of stem.slice(4, 24)) expect(row.slice(4, 8)).toBe('####');
  });

  it('draws what lies within the canvas only', () => {
    // Of "HH", the lower rows from the last stem of the first letter on.
    const rows = drawn('HH', 7, 4, 1, -4, -2);
    expect(rows).toEqual(['#.#...#', '#.#####', '#.#...#', '#.#...#']);
    // And of "H" beyond the right edge, whose pixels must not come back at the left of the next row.
    expect(drawn('H', 4, 4, 1, 2)).toEqual(['..#.', '..#.', '..#.', '..##']);
  });
});
