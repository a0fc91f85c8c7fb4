// Drawing lines of text: the font's dots joined into smooth strokes.
import { blendPixel, type Canvas } from './canvas.js';
import type { Colour } from './colours.js';
import { type Glyph, glyphsOf } from './font.js';

/** A straight piece of a stroke between the centres of two dots (row, column); a lone dot is joined to itself. */
type Stroke = readonly [row: number, column: number, endRow: number, endColumn: number];

/** The width in pixels of a text whose dots are `size` pixels wide. */
export function textWidth(text: string, size: number): number {
  const widths = glyphsOf(text).map((glyph) => glyph[0]!.length + 1);
  return Math.max(0, widths.reduce((sum, width) => sum + width, 0) - 1) * size;
}

/** Draws a line of text, the top left corner of its first capital at (left, top), its dots `size` pixels wide. */
export function drawText(
  canvas: Canvas,
  text: string,
  left: number,
  top: number,
  size: number,
  colour: Colour,
): void {
  let start = left;
  for (const glyph of glyphsOf(text)) {
    drawGlyph(canvas, glyph, start, top, size, colour);
    start += (glyph[0]!.length + 1) * size;
  }
}

function drawGlyph(
  canvas: Canvas,
  glyph: Glyph,
  left: number,
  top: number,
  size: number,
  colour: Colour,
): void {
  const strokes = strokesOf(glyph);
  if (strokes.length === 0) return;
  for (let y = 0; y < glyph.length * size; y++) {
    for (let x = 0; x < glyph[0]!.length * size; x++) {
      const [row, column] = [(y + 0.5) / size - 0.5, (x + 0.5) / size - 0.5];
      const distance = Math.min(...strokes.map((stroke) => distanceTo(stroke, row, column)));
      // A stroke is one dot wide. Within half a pixel of its edge, a pixel is covered in part.
      const covered = Math.max(0, Math.min((0.5 - distance) * size + 0.5, 1));
      if (covered > 0) blendPixel(canvas, left + x, top + y, colour, covered);
    }
  }
}

/** Joins each dot to its neighbours right and below, and to diagonal ones that it does not meet around a corner. */
function strokesOf(glyph: Glyph): Stroke[] {
  const inked = (row: number, column: number) => glyph[row]?.[column] === '#';
  const strokes: Stroke[] = [];
  for (let row = 0; row < glyph.length; row++) {
    for (let column = 0; column < glyph[row]!.length; column++) {
      if (!inked(row, column)) continue;
      strokes.push([row, column, row, column]);
      const [right, below] = [inked(row, column + 1), inked(row + 1, column)];
      if (right) strokes.push([row, column, row, column + 1]);
      if (below) strokes.push([row, column, row + 1, column]);
      if (!right && !below && inked(row + 1, column + 1)) strokes.push([row, column, row + 1, column + 1]);
      const left = inked(row, column - 1);
      if (!left && !below && inked(row + 1, column - 1)) strokes.push([row, column, row + 1, column - 1]);
    }
  }
  return strokes;
}

/** The distance from a point to a stroke, in dots. */
function distanceTo([row, column, endRow, endColumn]: Stroke, y: number, x: number): number {
  const [down, across] = [endRow - row, endColumn - column];
  // The nearest point is p + t (q - p), t = (x - p) . (q - p) / |q - p|^2 kept within 0..1.
  const length = down * down + across * across;
  const along = length === 0 ? 0 : ((y - row) * down + (x - column) * across) / length;
  const share = Math.max(0, Math.min(along, 1));
  return Math.hypot(y - row - share * down, x - column - share * across);
}
