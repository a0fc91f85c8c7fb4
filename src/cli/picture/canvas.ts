// A picture to draw on: rectangles, frames and single pixels.
import type { Colour } from './colours.js';
import type { Picture } from './picture.js';

/** A picture whose pixels are written in place; what falls outside it is not drawn. */
export type Canvas = Picture;

/** A canvas of one colour. */
export function createCanvas(width: number, height: number, colour: Colour): Canvas {
  const canvas = { width, height, data: new Uint8Array(width * height * 3) };
  fillRectangle(canvas, 0, 0, width, height, colour);
  return canvas;
}

/** Fills `width * height` pixels whose top left one is (left, top). */
export function fillRectangle(
  canvas: Canvas,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: Colour,
): void {
  const right = Math.min(left + width, canvas.width);
  const bottom = Math.min(top + height, canvas.height);
  const [red, green, blue] = colour;
  for (let y = Math.max(top, 0); y < bottom; y++) {
    for (let x = Math.max(left, 0); x < right; x++) {
      const start = 3 * (y * canvas.width + x);
      canvas.data[start] = red;
      canvas.data[start + 1] = green;
      canvas.data[start + 2] = blue;
    }
  }
}

/** Draws a frame one pixel wide just outside the rectangle. */
export function drawFrame(
  canvas: Canvas,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: Colour,
): void {
  fillRectangle(canvas, left - 1, top - 1, width + 2, 1, colour);
  fillRectangle(canvas, left - 1, top + height, width + 2, 1, colour);
  fillRectangle(canvas, left - 1, top, 1, height, colour);
  fillRectangle(canvas, left + width, top, 1, height, colour);
}

/** Mixes a share 0..1 of a colour into a pixel. */
export function blendPixel(canvas: Canvas, x: number, y: number, colour: Colour, share: number): void {
  if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return;
  const start = 3 * (y * canvas.width + x);
  for (const [channel, value] of colour.entries()) {
    const before = canvas.data[start + channel]!;
    canvas.data[start + channel] = Math.round(before + share * (value - before));
  }
}
