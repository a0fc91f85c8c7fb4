// Resizing pictures and maps by a separable triangle filter that does not alias.
import type { Picture } from './picture.js';

/** What an output sample is made of: weights that sum to 1, for consecutive inputs from `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * The taps of every output along one axis. Sample i covers i .. i+1, so output o has its centre at
 * (o + 1/2) s in the input, s = input / output. The triangle is 1 wide each side, and s when s > 1.
 */
function tapsOf(inputSize: number, outputSize: number): Taps[] {
  const step = inputSize / outputSize;
  const reach = Math.max(step, 1);
  return Array.from({ length: outputSize }, (_, output) => {
    const centre = (output + 0.5) * step;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(inputSize, Math.floor(centre + reach + 0.5));
    const weights = Float64Array.from({ length: end - first }, (_, tap) =>
      Math.max(0, 1 - Math.abs(first + tap + 0.5 - centre) / reach),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** Filters `lines` independent lines whose samples lie `sampleStride` apart, into an array of the same layout. */
function filterAxis(
  source: ArrayLike<number>,
  taps: readonly Taps[],
  lines: readonly { readonly from: number; readonly to: number }[],
  sampleStride: number,
  target: Float32Array,
): void {
  for (const { from, to } of lines) {
    for (let output = 0; output < taps.length; output++) {
      const { first, weights } = taps[output]!;
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++) {
        sum += weights[tap]! * source[from + (first + tap) * sampleStride]!;
      }
      target[to + output * sampleStride] = sum;
    }
  }
}

/** Resizes `channels` interleaved channels, across and then down. */
function resample(
  data: ArrayLike<number>,
  channels: number,
  [width, height]: readonly [number, number],
  [newWidth, newHeight]: readonly [number, number],
): Float32Array {
  const across = new Float32Array(newWidth * height * channels);
  const rows = Array.from({ length: height * channels }, (_, i) => {
    const [row, channel] = [Math.floor(i / channels), i % channels];
    return { from: row * width * channels + channel, to: row * newWidth * channels + channel };
  });
  filterAxis(data, tapsOf(width, newWidth), rows, channels, across);

  const resized = new Float32Array(newWidth * newHeight * channels);
  const columns = Array.from({ length: newWidth * channels }, (_, i) => ({ from: i, to: i }));
  filterAxis(across, tapsOf(height, newHeight), columns, newWidth * channels, resized);
  return resized;
}

/**
 * Resizes a picture: bilinear interpolation upwards, an average over a widened triangle downwards (as PIL's).
 *
 * @param width  of the result, a positive integer
 * @param height  of the result, a positive integer
 * @returns the same picture where its size is the one wanted
 */
export function resizePicture(picture: Picture, width: number, height: number): Picture {
  if (picture.width === width && picture.height === height) return picture;
  const samples = resample(picture.data, 3, [picture.width, picture.height], [width, height]);
  // The filter's weights are positive and sum to 1: no sample leaves 0..255.
  const data = new Uint8Array(samples.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.round(samples[i]!);
  return { width, height, data };
}

/**
 * Resizes one channel by the filter of {@link resizePicture}. Values are averaged: their mean stays, not their sum.
 *
 * @param data  `width * height` values, row-major
 * @returns `newWidth * newHeight` values, in an array of their own
 */
export function resizeMap(
  data: Float32Array,
  width: number,
  height: number,
  newWidth: number,
  newHeight: number,
): Float32Array {
  if (width === newWidth && height === newHeight) return data.slice();
  return resample(data, 1, [width, height], [newWidth, newHeight]);
}
