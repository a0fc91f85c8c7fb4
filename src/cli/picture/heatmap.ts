// The heatmap picture: relevance in colour over the grey picture, with a colour bar and a title.
import { RelcError } from '../../ir/error.js';
import { type Canvas, createCanvas, drawFrame, fillRectangle } from './canvas.js';
import { type Colour, colourOf } from './colours.js';
import { capitalHeight } from './font.js';
import { checkHeat, formatValue, type Heat, type Limit, limitOf } from './heat.js';
import { luminance, type Picture } from './picture.js';
import { resizePicture } from './resize.js';
import { drawText, textWidth } from './text.js';

export type { Heat } from './heat.js';

/** How to draw a heatmap. */
export interface HeatmapOptions {
  /** What was explained: drawn beneath in grey, stretched to the map's size. */
  readonly picture?: Picture;
  /** Pixels a value, each way: a positive integer. By default the shorter side comes to 448 pixels or just above. */
  readonly scale?: number;
  /** One line above the map; cut where it is too long. */
  readonly title?: string;
  /** A part of the map to frame, in shares of the map's width and height. */
  readonly marked?: Box;
}

const white: Colour = [255, 255, 255];
const ink: Colour = [51, 51, 51];
const frameColour: Colour = [190, 190, 190];

/** Pixels that the shorter side of a map comes to, or just above. */
export const shorterSide = 448;
const longerSideLimit = 2048;
const pixelLimit = 100e6;

/** Black in the picture beneath becomes this share of white: colours stay legible over its darkest parts. */
const lightestBlack = 0.6;

/** Where everything stands, in pixels; `size` is the width of a dot of the text. */
interface Layout {
  readonly size: number;
  readonly width: number;
  readonly height: number;
  readonly map: Box;
  readonly bar: Box;
}

/** A rectangle, of the canvas where nothing else is said. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws a heatmap. Zero shows the picture in light grey (white without one), positive values red, negative blue,
 * symmetrically up to a limit that the colour bar states: the largest magnitude, or a level below outliers (the
 * bar then ends in points), see `limitOf`.
 *
 * @throws RelcError RELC5003 for a map that is empty, of a wrong count of values, or not finite; RELC5001 for a
 *   scale that is no positive integer or makes more than 100 megapixels
 */
export function renderHeatmap(heat: Heat, options: HeatmapOptions = {}): Picture {
  checkHeat(heat);
  const scale = options.scale ?? scaleTo(shorterSide, heat);
  checkScale(scale, heat);
  const limit = limitOf(heat.data);
  const layout = layOut(heat.width * scale, heat.height * scale, limit, options.title);
  const canvas = createCanvas(layout.width, layout.height, white);
  drawMap(canvas, layout.map, heat, limit, options.picture);
  if (options.marked !== undefined) drawMark(canvas, layout, options.marked);
  drawBar(canvas, layout, limit);
  if (options.title !== undefined) drawTitle(canvas, layout, options.title);
  return canvas;
}

/** How many times as large a map is drawn for its shorter side to come to so many pixels, or just above. */
export function scaleTo(shorter: number, { width, height }: Pick<Heat, 'width' | 'height'>): number {
  const wanted = Math.ceil(shorter / Math.min(width, height));
  const allowed = Math.floor(longerSideLimit / Math.max(width, height));
  return Math.max(1, Math.min(wanted, allowed));
}

function checkScale(scale: number, { width, height }: Heat): void {
  if (!Number.isInteger(scale) || scale < 1) {
    throw new RelcError('RELC5001', `the scale of a heatmap is ${scale}; a positive integer is wanted.`);
  }
  if (width * height * scale ** 2 > pixelLimit) {
    throw new RelcError(
      'RELC5001',
      `a heatmap of ${width} x ${height} values at scale ${scale} has more than ${pixelLimit / 1e6} megapixels.`,
      'choose a smaller scale',
    );
  }
}

/** The labels of the bar's ends and middle, from the top. */
function labelsOf(limit: Limit): string[] {
  if (limit.value === 0) return ['', '0', ''];
  const text = formatValue(limit.value);
  return [`+${text}`, '0', `-${text}`];
}

function layOut(mapWidth: number, mapHeight: number, limit: Limit, title: string | undefined): Layout {
  const size = Math.max(2, Math.round(Math.min(mapWidth, mapHeight) / 320));
  const margin = 10 * size;
  const titleHeight = title === undefined ? 0 : (capitalHeight + 7) * size;
  // A bar lower than this would have its three labels overlap.
  const contentHeight = Math.max(mapHeight, 60 * size);
  const map = { left: margin, top: margin + titleHeight, width: mapWidth, height: mapHeight };
  const bar = {
    left: map.left + mapWidth + 8 * size,
    top: map.top + 4 * size,
    width: 8 * size,
    height: contentHeight - 8 * size,
  };
  const labelWidth = Math.max(...labelsOf(limit).map((label) => textWidth(label, size)));
  const width = bar.left + bar.width + 5 * size + labelWidth + margin;
  return { size, width, height: map.top + contentHeight + margin, map, bar };
}

/** Draws the map itself into a box, with a frame around it: colours up to `limit`, over the picture in grey. */
export function drawMap(
  canvas: Canvas,
  box: Box,
  heat: Heat,
  limit: Limit,
  picture: Picture | undefined,
): void {
  const beneath = picture && luminance(resizePicture(picture, box.width, box.height));
  const [cellWidth, cellHeight] = [box.width / heat.width, box.height / heat.height];
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const value = heat.data[Math.floor(y / cellHeight) * heat.width + Math.floor(x / cellWidth)]!;
      const strength = limit.value === 0 ? 0 : Math.max(-1, Math.min(value / limit.value, 1));
      const light =
        beneath === undefined ? 1 : lightestBlack + (1 - lightestBlack) * beneath[y * box.width + x]!;
      canvas.data.set(overlay(strength, light), 3 * ((box.top + y) * canvas.width + box.left + x));
    }
  }
  drawFrame(canvas, box.left, box.top, box.width, box.height, frameColour);
}

/** Frames a part of the map: a dark line along its edges, between white ones. */
function drawMark(canvas: Canvas, { size, map }: Layout, marked: Box): void {
  const [left, right] = [marked.left, marked.left + marked.width].map((at) => Math.round(at * map.width));
  const [top, bottom] = [marked.top, marked.top + marked.height].map((at) => Math.round(at * map.height));
  for (let inset = 0; inset <= size + 1; inset++) {
    const colour = inset === 0 || inset === size + 1 ? white : ink;
    const [width, height] = [right! - left! - 2 * inset, bottom! - top! - 2 * inset];
    if (width > 0 && height > 0) {
      drawFrame(canvas, map.left + left! + inset, map.top + top! + inset, width, height, colour);
    }
  }
}

/** The colour of a strength -1..1 over a grey 0..1: the grey itself at strength 0, the pure colour at 1 and -1. */
function overlay(strength: number, grey: number): Colour {
  // The colour is white at 0: multiplying by the grey tints it, and the grey gives way as strength grows.
  const shade = grey + (1 - grey) * Math.abs(strength);
  const [red, green, blue] = colourOf(strength);
  return [Math.round(red * shade), Math.round(green * shade), Math.round(blue * shade)];
}

function drawBar(canvas: Canvas, { size, bar }: Layout, limit: Limit): void {
  for (let row = 0; row < bar.height; row++) {
    const strength = limit.value === 0 ? 0 : 1 - (2 * row) / (bar.height - 1);
    fillRectangle(canvas, bar.left, bar.top + row, bar.width, 1, colourOf(strength));
  }
  drawFrame(canvas, bar.left, bar.top, bar.width, bar.height, frameColour);
  if (limit.exceeded) drawPoints(canvas, bar);
  for (const [index, label] of labelsOf(limit).entries()) {
    const y = bar.top + Math.round((index * (bar.height - 1)) / 2);
    fillRectangle(canvas, bar.left + bar.width + 1, y, 2 * size, 1, ink);
    const textTop = y - Math.floor((capitalHeight * size) / 2);
    drawText(canvas, label, bar.left + bar.width + 5 * size, textTop, size, ink);
  }
}

/** Points at both ends of the bar: values beyond the limit exist. */
function drawPoints(canvas: Canvas, bar: Box): void {
  for (let row = 1; row <= bar.width / 2; row++) {
    const width = bar.width - 2 * row + 2;
    fillRectangle(canvas, bar.left + row - 1, bar.top - row - 1, width, 1, colourOf(1));
    fillRectangle(canvas, bar.left + row - 1, bar.top + bar.height + row, width, 1, colourOf(-1));
  }
}

/** Draws the title over the map, in smaller letters where it is too long, and cut where it still is. */
function drawTitle(canvas: Canvas, { size, map }: Layout, title: string): void {
  const room = canvas.width - 2 * map.left;
  const fits = [size, Math.ceil(size / 2)].find((candidate) => textWidth(title, candidate) <= room);
  const letterSize = fits ?? Math.ceil(size / 2);
  const text = fits === undefined ? cut(title, letterSize, room) : title;
  const bottom = map.top - 7 * size;
  drawText(canvas, text, map.left, bottom - capitalHeight * letterSize, letterSize, ink);
}

function cut(text: string, size: number, room: number): string {
  const characters = Array.from(text);
  while (characters.length > 0 && textWidth(`${characters.join('')}...`, size) > room) characters.pop();
  return `${characters.join('')}...`;
}
