// The sheet: the example picture of examples/shapes explained under every preset, one labelled tile each.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { compile } from '../src/api/compile.js';
import { trace } from '../src/api/model.js';
import { percent } from '../src/api/percent.js';
import { type Canvas, createCanvas, drawFrame } from '../src/cli/picture/canvas.js';
import type { Colour } from '../src/cli/picture/colours.js';
import { limitOf } from '../src/cli/picture/heat.js';
import { type Box, drawMap } from '../src/cli/picture/heatmap.js';
import { decodePicture, encodePicture, type Picture } from '../src/cli/picture/picture.js';
import { drawText } from '../src/cli/picture/text.js';
import { heatOf } from '../src/cli/subject.js';
import { parseManifest } from '../src/codegen/manifest.js';
import type { Program } from '../src/ir/passes/pass.js';
import { type Preset, presetNamed } from '../src/rules/presets.js';
import { families, misplacedPresets } from './families.js';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const shapes = (name: string) => here(`../examples/shapes/${name}`);

const ink: Colour = [34, 34, 34];
const pale: Colour = [120, 120, 120];
const frame: Colour = [190, 190, 190];
const white: Colour = [255, 255, 255];

/** Output pixels for a pixel of the picture, and for a dot of the text. */
const zoom = 4;
const dot = 2;
const gap = 24;
const columns = 4;
const headingHeight = 30;
const captionHeight = 56;

interface Tile {
  /** Of the family that begins here. */
  readonly heading?: string;
  readonly name: string;
  readonly caption: string;
  draw(canvas: Canvas, box: Box): void;
}

/** What the model and its manifest say of the input. */
interface Subject {
  readonly program: Program;
  /** Enlarged to the size of a tile. */
  readonly picture: Picture;
  readonly pixels: Float32Array;
  readonly range: readonly [low: number, high: number];
  readonly labels: readonly string[];
}

async function openSubject(): Promise<Subject> {
  const manifest = parseManifest(readFileSync(shapes('model/relc.json'), 'utf8'), 'relc.json');
  const [factor, offset] = manifest.scale ?? [1 / 255, 0];
  const picture = decodePicture(readFileSync(shapes('example.png')), 'example.png');
  return {
    program: await trace(shapes('model/model.json')),
    picture: enlarged(picture),
    pixels: Float32Array.from(picture.data, (value) => value * factor + offset),
    range: [offset, 255 * factor + offset],
    labels: manifest.labels ?? [],
  };
}

/** Σ of the result as a share of f(x), where it is a share of anything: not for plain gradients and Grad-CAM. */
function captionOf(preset: Preset, total: number, logit: number): string {
  if (preset.result === 'grad-cam') return 'not a share of f(x)';
  if (preset.quantity === 'gradient' && preset.result !== 'times input') return 'not a share of f(x)';
  return `${percent(total / logit)} of f(x)`;
}

async function explainedTile(name: string, subject: Subject): Promise<Tile> {
  const preset = presetNamed(name);
  const { program, pixels, picture, range } = subject;
  const explainer = await compile(program, { rules: name, range });
  // What relevance starts as scales a map and changes no colour; shares are taken of f(x)
  const seed = preset.quantity === 'relevance' ? 'logit' : preset.seed;
  const { relevance, logit } = await explainer.explain(pixels, { seed });
  explainer.dispose();
  const heat = heatOf(relevance)!;
  const total = heat.data.reduce((sum, value) => sum + value, 0);
  return {
    name,
    caption: captionOf(preset, total, logit),
    draw: (canvas, box) => drawMap(canvas, box, heat, limitOf(heat.data), picture),
  };
}

/** Every pixel as a square. */
function enlarged({ width, height, data }: Picture): Picture {
  const large = createCanvas(width * zoom, height * zoom, white);
  for (let y = 0; y < large.height; y++) {
    for (let x = 0; x < large.width; x++) {
      const from = 3 * (Math.floor(y / zoom) * width + Math.floor(x / zoom));
      large.data.set(data.subarray(from, from + 3), 3 * (y * large.width + x));
    }
  }
  return large;
}

function drawPicture(canvas: Canvas, { left, top, width, height }: Box, picture: Picture): void {
  for (let y = 0; y < height; y++) {
    const row = picture.data.subarray(3 * y * width, 3 * (y + 1) * width);
    canvas.data.set(row, 3 * ((top + y) * canvas.width + left));
  }
  drawFrame(canvas, left, top, width, height, frame);
}

async function pictureTile({ program, pixels, picture, labels }: Subject): Promise<Tile> {
  const explainer = await compile(program, { rules: 'epsilon' });
  const { target, logit } = await explainer.explain(pixels);
  explainer.dispose();
  return {
    name: 'the picture',
    caption: `${labels[target] ?? target}, f(x) = ${logit.toFixed(2)}`,
    draw: (canvas, box) => drawPicture(canvas, box, picture),
  };
}

function drawTile(canvas: Canvas, tile: Tile, box: Box): void {
  if (tile.heading !== undefined) drawText(canvas, tile.heading, box.left, box.top - 26, dot, pale);
  tile.draw(canvas, box);
  const bottom = box.top + box.height;
  drawText(canvas, tile.name, box.left, bottom + 12, dot, ink);
  drawText(canvas, tile.caption, box.left, bottom + 34, dot, pale);
}

/** The tiles in rows, and a line below that says how to read them. */
function drawSheet(tiles: readonly Tile[], side: number, legend: string): Canvas {
  const rowHeight = headingHeight + side + captionHeight;
  const rows = Math.ceil(tiles.length / columns);
  const canvas = createCanvas(gap + columns * (side + gap), gap + rows * (rowHeight + gap) + 2 * gap, white);
  for (const [index, tile] of tiles.entries()) {
    const left = gap + (index % columns) * (side + gap);
    const top = gap + Math.floor(index / columns) * (rowHeight + gap) + headingHeight;
    drawTile(canvas, tile, { left, top, width: side, height: side });
  }
  drawText(canvas, legend, gap, canvas.height - 2 * gap, dot, pale);
  return canvas;
}

/** The picture, then every preset by family. */
async function explainAll(subject: Subject): Promise<Tile[]> {
  const tiles = [await pictureTile(subject)];
  for (const { title, presets, ofTokens } of families) {
    if (ofTokens) continue;
    for (const [index, name] of presets.entries()) {
      const tile = await explainedTile(name, subject);
      tiles.push(index === 0 ? { ...tile, heading: title } : tile);
    }
  }
  return tiles;
}

const misplaced = misplacedPresets();
if (misplaced.length > 0)
  throw new Error(`scripts/families.ts and the presets differ: ${misplaced.join(', ')}`);
await tf.setBackend('cpu');
const subject = await openSubject();
const tiles = await explainAll(subject);
for (const tile of tiles) console.log(`${tile.name}: ${tile.caption}`);
const legend = 'red speaks for the class, blue against it; each map has a scale of its own';
const path = here('../docs/presets.png');
writeFileSync(path, encodePicture(drawSheet(tiles, subject.picture.width, legend)));
console.log(`wrote ${path}`);
