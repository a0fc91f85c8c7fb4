// Windows: what convolutions and pools share; sizes, padding and the walk over their taps.
import { numberOf, numbersOf, OpProblem, pairsOf } from '../dialect.js';
import type { Attrs } from '../graph.js';
import { type Dim, rowMajorStrides } from '../type.js';
import { forEachIndex, wrongShape } from './shapes.js';

/** A sliding window over the spatial axes 1..rank of a channels-last tensor. */
export interface Window {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly dilations: readonly number[];
}

/** The window that attributes describe; `size` is the kernel's extent. */
export function windowOf(attrs: Attrs, size: readonly number[]): Window {
  const rank = size.length;
  const window = {
    size,
    strides: numbersOf(attrs, 'strides'),
    padding: pairsOf(attrs, 'padding'),
    dilations: attrs.dilations === undefined ? size.map(() => 1) : numbersOf(attrs, 'dilations'),
  };
  for (const [name, list] of Object.entries(window)) {
    if (list.length !== rank)
      throw new OpProblem('RELC1005', `${name} has ${list.length} entries, expected ${rank}`);
  }
  if ([...window.strides, ...window.dilations, ...size].some((step) => !Number.isInteger(step) || step < 1)) {
    throw new OpProblem('RELC1005', 'window sizes, strides and dilations are positive integers');
  }
  return window;
}

/** Output extents of the window over spatial extents: ⌊(n + pads − d(k−1) − 1)/s⌋ + 1. */
export function windowOutput(window: Window, spatial: readonly Dim[]): number[] {
  return spatial.map((extent, axis) => {
    if (typeof extent === 'string') throw wrongShape('a spatial axis cannot be the batch');
    const [low, high] = window.padding[axis]!;
    const reach = window.dilations[axis]! * (window.size[axis]! - 1) + 1;
    const output = Math.floor((extent + low + high - reach) / window.strides[axis]!) + 1;
    if (output < 1) {
      throw wrongShape(`axis ${axis + 1}: a window reaching over ${reach} does not fit ${extent} + padding`);
    }
    return output;
  });
}

/**
 * Calls `visit(output, input, tap)`, all positions counted row-major, for every tap of every output position that
 * lies inside the picture; outputs in order, and taps in order within one.
 */
export function forEachTap(
  window: Window,
  inputSize: readonly number[],
  outputSize: readonly number[],
  visit: (output: number, input: number, tap: number) => void,
): void {
  const steps = rowMajorStrides(inputSize);
  const still = window.size.map(() => 0);
  let output = 0;
  forEachIndex(outputSize, still, (_none, at) => {
    let tap = 0;
    forEachIndex(window.size, still, (_zero, k) => {
      let input = 0;
      let inside = true;
      for (let axis = 0; axis < k.length; axis++) {
        const place =
          at[axis]! * window.strides[axis]! + k[axis]! * window.dilations[axis]! - window.padding[axis]![0];
        if (place < 0 || place >= inputSize[axis]!) inside = false;
        input += place * steps[axis]!;
      }
      if (inside) visit(output, input, tap);
      tap++;
    });
    output++;
  });
}

/** Attributes of a window, without those that say nothing. */
export function windowAttrs(window: Omit<Window, 'size'>): Attrs {
  const padding = window.padding.map((pair) => [...pair]);
  const dilated = window.dilations.some((step) => step !== 1);
  return { strides: window.strides, padding, ...(dilated ? { dilations: window.dilations } : {}) };
}

export function groupsOf(attrs: Attrs): number {
  const groups = numberOf(attrs, 'groups', 1);
  if (!Number.isInteger(groups) || groups < 1) {
    throw new OpProblem('RELC1005', `groups is ${groups}, expected a positive integer`);
  }
  return groups;
}
