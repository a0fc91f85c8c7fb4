// A map of relevance, and the limit that its colours stand for.
import { RelcError } from '../../ir/error.js';

/** One relevance a pixel. */
export interface Heat {
  readonly width: number;
  readonly height: number;
  /** Row-major, `width * height` finite values. */
  readonly data: Float32Array;
}

/** The value that the strongest colour stands for. */
export interface Limit {
  /** Zero for a map that is zero everywhere. */
  readonly value: number;
  /** Whether some values lie beyond it. */
  readonly exceeded: boolean;
}

/** The share of all relevance (by magnitude) that may lie beyond the limit, so that a few outliers do not pale the rest. */
const clippedShare = 0.01;

/** How many times the limit the largest magnitude must be for the limit to be below it at all. */
const outlierFactor = 1.5;

/**
 * @throws RelcError RELC5003 for a map without pixels, of a wrong count of values, or with NaN or an infinity
 */
export function checkHeat(heat: Heat): void {
  const { width, height, data } = heat;
  const sides = [width, height].every((side) => Number.isInteger(side) && side > 0);
  if (!sides || data.length !== width * height) {
    throw new RelcError(
      'RELC5003',
      `the heatmap is ${width} x ${height} and has ${data.length} values; one a pixel is wanted.`,
    );
  }
  const index = data.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) {
    const place = `row ${Math.floor(index / width)}, column ${index % width}`;
    throw new RelcError(
      'RELC5003',
      `the heatmap is ${data[index]} at ${place}; finite values are wanted.`,
      'look for the first value that is not finite: in the input, the weights, or a division by a denominator near 0',
    );
  }
}

/**
 * The limit of a map's colours: its largest magnitude, or where outliers are more than 1.5 times as large, the
 * level above which 1 % of the map's total magnitude lies.
 */
export function limitOf(data: Float32Array): Limit {
  const magnitudes = data.map(Math.abs).sort().reverse();
  const largest = magnitudes[0] ?? 0;
  const level = levelBelow(magnitudes);
  return largest > outlierFactor * level
    ? { value: level, exceeded: true }
    : { value: largest, exceeded: false };
}

/**
 * @param magnitudes  in descending order
 */
function levelBelow(magnitudes: Float32Array): number {
  const allowed = clippedShare * magnitudes.reduce((sum, magnitude) => sum + magnitude, 0);
  // Above a level l, with the k largest beyond it, lies (m_1 + ... + m_k) - k l: solved for l.
  let sum = 0;
  for (const [index, magnitude] of magnitudes.entries()) {
    sum += magnitude;
    const level = (sum - allowed) / (index + 1);
    if (level >= (magnitudes[index + 1] ?? 0)) return level;
  }
  return 0;
}

/** A value by three significant digits, as `0.0123`, `12.3` or `1.23e-7`. */
export function formatValue(value: number): string {
  if (value === 0) return '0';
  const text = Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(3);
  return text.replace('e+', 'e');
}
