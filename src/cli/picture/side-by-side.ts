// Several pictures in one: row by row on white, each at its own size.
import { createCanvas } from './canvas.js';
import type { Picture } from './picture.js';

/** Draws pictures from the left to the right, at most `columns` in a row; one picture is returned as it is. */
export function sideBySide(pictures: readonly Picture[], columns: number): Picture {
  if (pictures.length === 1) return pictures[0]!;
  const rows = Array.from({ length: Math.ceil(pictures.length / columns) }, (_, row) =>
    pictures.slice(row * columns, (row + 1) * columns),
  );
  const widths = rows.map((row) => row.reduce((sum, { width }) => sum + width, 0));
  const heights = rows.map((row) => Math.max(...row.map(({ height }) => height)));
  const canvas = createCanvas(
    Math.max(...widths),
    heights.reduce((sum, height) => sum + height, 0),
    [255, 255, 255],
  );
  let top = 0;
  for (const [index, row] of rows.entries()) {
    let left = 0;
    for (const picture of row) {
      for (let y = 0; y < picture.height; y++) {
        const line = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
        canvas.data.set(line, 3 * ((top + y) * canvas.width + left));
      }
      left += picture.width;
    }
    top += heights[index]!;
  }
  return canvas;
}
