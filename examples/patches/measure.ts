// How much of the positive relevance lies on the drawn shape, whose mask is known.

import type { Explainer, TokenLayout, Values } from '../../src/index.js';
import { toInputs } from '../shapes/batches.js';
import { drawPicture, type Picture } from '../shapes/draw.js';
import { testSeed } from '../shapes/schedule.js';

/** What is compared: names of presets. */
export const methods = [
  'transformer-attribution',
  'rollout',
  'full',
  'last-layer',
  'last-layer-ablation',
  'second-layer',
  'second-layer-ablation',
  'last-layer-attn',
  'attention-rollout',
  'gradient-attention',
  'attention-grad-cam',
  'attnlrp',
  'cp-lrp',
  'gradient-times-input',
] as const;

/** Pictures that the network was not trained on. */
export function heldOutPictures(count: number): Picture[] {
  return Array.from({ length: count }, (_, index) => drawPicture(testSeed + index));
}

/** The share of the pictures that their shapes cover: what relevance that is spread evenly would reach. */
export function shapeArea(pictures: readonly Picture[]): number {
  return mean(pictures.map(({ mask }) => positiveShare(new Float32Array(mask.length).fill(1), mask)));
}

/** The mean share, over the pictures, of positive relevance for the shape's own class that lies on the shape. */
export async function shareOnShape(explainer: Explainer, pictures: readonly Picture[]): Promise<number> {
  const inputs = toInputs(pictures);
  const { relevance } = await explainer.explain(inputs, { target: pictures.map(({ label }) => label) });
  inputs.dispose();
  return mean(
    pictures.map((picture, sample) => {
      const maps = pixelRelevance(sampleOf(relevance, sample), picture, explainer.tokens);
      return positiveShare(maps, picture.mask);
    }),
  );
}

/** One sample of a batch. */
export function sampleOf({ data, shape }: Values, sample: number): Values {
  const [samples = 1, ...rest] = shape;
  const size = data.length / samples;
  return { data: data.subarray(sample * size, (sample + 1) * size), shape: rest };
}

/**
 * A number for each pixel. Of pixels [H,W,C] it is the sum over the channels; the relevance of a token [T] is spread
 * evenly over its patch, and that of a token which stands for no patch is left out.
 */
export function pixelRelevance(
  { data, shape }: Values,
  { width, height }: Pick<Picture, 'width' | 'height'>,
  tokens: TokenLayout | undefined,
): Float32Array {
  const pixels = new Float32Array(width * height);
  if (shape.length === 3) {
    const channels = data.length / pixels.length;
    data.forEach((value, index) => {
      pixels[Math.floor(index / channels)]! += value;
    });
    return pixels;
  }
  if (tokens?.grid === undefined) throw new Error('the tokens are no grid of patches');
  const [rows, columns] = tokens.grid;
  const patches = data.filter((_, token) => !tokens.special.includes(token));
  const area = (width / columns) * (height / rows);
  return pixels.map((_, pixel) => {
    const row = Math.floor((Math.floor(pixel / width) * rows) / height);
    const column = Math.floor(((pixel % width) * columns) / width);
    return patches[row * columns + column]! / area;
  });
}

/** The share of the positive values that lies where the mask is 1; 0 where no value is positive. */
function positiveShare(values: Float32Array, mask: Uint8Array): number {
  let [inside, all] = [0, 0];
  values.forEach((value, pixel) => {
    if (value <= 0) return;
    all += value;
    inside += value * mask[pixel]!;
  });
  return all > 0 ? inside / all : 0;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
