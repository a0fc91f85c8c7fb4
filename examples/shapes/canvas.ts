// A square colour canvas on which paints are laid through antialiased outlines.

import type { Outline, Point } from './outlines.js';
import { clampChannel, type Paint } from './paints.js';
import type { Random } from './random.js';

/** The canvas' width and height in pixels. */
export const side = 64;

/** RGB on 0..255, row by row. */
export type Canvas = Float32Array;

/** An outline in picture coordinates, with a box that holds it: at most `reach` away from `centre`. */
export interface Figure {
  outline: Outline;
  centre: Point;
  reach: number;
}

export function createCanvas(): Canvas {
  return new Float32Array(side * side * 3);
}

/** Lays the paint over the whole canvas. */
export function fill(canvas: Canvas, paint: Paint): void {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) blend(canvas, 3 * (y * side + x), paint(x, y), 1);
  }
}

/** Lays the paint inside the figure's outline. */
export function stamp(canvas: Canvas, figure: Figure, paint: Paint): void {
  forEachCovered(figure, (x, y, share) => blend(canvas, 3 * (y * side + x), paint(x, y), share));
}

/** Calls for every pixel that the figure covers, with the covered share of it. */
function forEachCovered(
  { outline, centre, reach }: Figure,
  call: (x: number, y: number, share: number) => void,
): void {
  const [left, right] = pixelRange(centre[0], reach);
  const [top, bottom] = pixelRange(centre[1], reach);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const share = coverage(outline, x, y);
      if (share > 0) call(x, y, share);
    }
  }
}

/** 1 for every pixel of which at least half lies inside the outline. */
export function maskOf(figure: Figure): Uint8Array {
  const mask = new Uint8Array(side * side);
  forEachCovered(figure, (x, y, share) => {
    if (share >= 0.5) mask[y * side + x] = 1;
  });
  return mask;
}

/** The canvas as bytes, with a little noise that differs from pixel to pixel. */
export function develop(canvas: Canvas, random: Random, noise: number): Uint8Array {
  const noisy = canvas.map((value) => Math.round(clampChannel(value + random.between(-noise, noise))));
  return new Uint8Array(noisy);
}

function pixelRange(middle: number, reach: number): [first: number, last: number] {
  return [Math.max(0, Math.floor(middle - reach)), Math.min(side - 1, Math.ceil(middle + reach))];
}

/** Near the outline the covered share of a pixel is about 1/2 minus the signed distance of its centre. */
function coverage(outline: Outline, x: number, y: number): number {
  return Math.min(1, Math.max(0, 0.5 - outline(x + 0.5, y + 0.5)));
}

function blend(canvas: Canvas, start: number, colour: readonly number[], share: number): void {
  for (let channel = 0; channel < 3; channel++) {
    const under = canvas[start + channel]!;
    canvas[start + channel] = under + (colour[channel]! - under) * share;
  }
}
