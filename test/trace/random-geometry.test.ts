// Random geometries: slices, paddings, convolutions, pools and resizes with parameters nobody chose.
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RelcError } from '../../src/ir/error.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { expectTraced, type Probe, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const small = fc.integer({ min: 1, max: 3 });
const extent = fc.integer({ min: 3, max: 7 });
const rounding = fc.constantFrom('floor', 'round', 'ceil', undefined);

const runs = 60;
const options = { numRuns: runs, seed: 20240229 };
let compared = 0;

/** Expects tfjs's values wherever tfjs itself can run the function and the tracer does not refuse what tfjs does wrong. */
function agrees(model: ModelFunction, probe: Probe): void {
  try {
    expectTraced(model, { ...probe, batches: [2] });
    compared++;
  } catch (error) {
    const refused = error instanceof RelcError && ['RELC2001', 'RELC1004'].includes(error.code);
    const impossible =
      error instanceof Error && /^Error in|only stride 1 allowed|out of bounds/.test(error.message);
    if (!refused && !impossible) throw error;
  }
}

beforeEach(() => {
  compared = 0;
});

afterEach(() => {
  // Where most geometries were refused, nothing would have been tested.
  expect(compared).toBeGreaterThan(runs / 3);
});

/** One axis of a strided slice that holds something. */
interface Cut {
  readonly begin: number;
  readonly end: number;
  readonly step: number;
  /** Begin and end do not count. */
  readonly open: readonly [boolean, boolean];
  readonly shrinks: boolean;
}

/** Cuts of an axis, places counted from either end. */
function cutOf(size: number): fc.Arbitrary<Cut> {
  const place = fc.integer({ min: 0, max: size - 1 });
  const counted = (at: number, back: boolean) => (back ? at - size : at);
  return fc
    .tuple(
      fc.tuple(place, place),
      fc.constantFrom(-2, -1, 1, 2),
      fc.tuple(fc.boolean(), fc.boolean()),
      fc.boolean(),
      fc.nat(7),
    )
    .map(([places, step, open, back, chance]) => {
      const [low, high] = [Math.min(...places), Math.max(...places)];
      if (chance === 0) return { begin: counted(low, back), end: 0, step: 1, open, shrinks: true };
      if (step > 0) return { begin: counted(low, back), end: high + 1, step, open, shrinks: false };
      // Going back, the end before the first element is one that only counting from the back can say.
      return {
        begin: counted(high, back),
        end: low === 0 ? -size - 1 : counted(low - 1, back),
        step,
        open,
        shrinks: false,
      };
    });
}

function cut(x: tf.Tensor, cuts: readonly Cut[]): tf.Tensor {
  const mask = (test: (axis: Cut) => boolean) =>
    cuts.reduce((bits, axis, i) => bits | (test(axis) ? 2 << i : 0), 0);
  return tf.stridedSlice(
    x,
    [0, ...cuts.map((axis) => axis.begin)],
    [0, ...cuts.map((axis) => axis.end)],
    [1, ...cuts.map((axis) => axis.step)],
    1 | mask(({ open }) => open[0]),
    1 | mask(({ open }) => open[1]),
    0,
    0,
    mask(({ shrinks }) => shrinks),
  );
}

describe('random geometries', () => {
  it('strided slices', () => {
    fc.assert(
      fc.property(fc.tuple(cutOf(5), cutOf(4), cutOf(6)), (cuts) => {
        agrees((x: tf.Tensor) => cut(x, cuts), { input: [null, 5, 4, 6] });
      }),
      options,
    );
  });

  it('convolutions', () => {
    const padding = fc.oneof(
      fc.constantFrom('same' as const, 'valid' as const),
      fc.integer({ min: 0, max: 2 }),
    );
    const pair = fc.tuple(small, small);
    fc.assert(
      fc.property(
        fc.tuple(extent, extent),
        pair,
        pair,
        pair,
        padding,
        rounding,
        (size, window, stride, dilation, pad, round) => {
          const dilations = Math.max(...stride) > 1 ? ([1, 1] as [number, number]) : dilation;
          const mode = typeof pad === 'number' ? (round ?? 'floor') : undefined;
          const model = (x: tf.Tensor4D, { w }: { w: tf.Tensor4D }) =>
            tf.conv2d(x, w, stride, pad, 'NHWC', dilations, mode);
          agrees(model, { input: [null, ...size, 2], weights: { w: [...window, 2, 3] } });
        },
      ),
      options,
    );
  });

  it('transposed convolutions', () => {
    const padding = fc.constantFrom('same' as const, 'valid' as const);
    const pair = fc.tuple(small, small);
    fc.assert(
      fc.property(fc.tuple(extent, extent), pair, pair, padding, ([h, w], [kh, kw], [sh, sw], pad) => {
        const grown = (size: number, kernel: number, stride: number) =>
          pad === 'same' ? size * stride : (size - 1) * stride + Math.max(kernel, stride);
        const model = (x: tf.Tensor4D, p: { w: tf.Tensor4D }) =>
          tf.conv2dTranspose(x, p.w, [x.shape[0], grown(h, kh, sh), grown(w, kw, sw), 2], [sh, sw], pad);
        agrees(model, { input: [null, h, w, 3], weights: { w: [kh, kw, 2, 3] } });
      }),
      options,
    );
  });

  it('pools', () => {
    const pair = fc.tuple(small, small);
    const padding = fc.oneof(
      fc.constantFrom('same' as const, 'valid' as const),
      fc.integer({ min: 0, max: 1 }),
    );
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.tuple(extent, extent),
        pair,
        pair,
        padding,
        rounding,
        (max, size, window, stride, pad, round) => {
          const mode = typeof pad === 'number' ? (round ?? 'floor') : undefined;
          const model = (x: tf.Tensor4D) =>
            max ? tf.maxPool(x, window, stride, pad, mode) : tf.avgPool(x, window, stride, pad, mode);
          agrees(model, { input: [null, ...size, 2] });
        },
      ),
      options,
    );
  });

  it('mirrored borders', () => {
    const width = fc.integer({ min: 0, max: 3 });
    const pair = fc.tuple(width, width);
    fc.assert(
      fc.property(
        fc.constantFrom('reflect' as const, 'symmetric' as const),
        pair,
        pair,
        (mode, rows, columns) => {
          const model = (x: tf.Tensor3D) => tf.mirrorPad(x, [[0, 0], rows, columns], mode);
          agrees(model, { input: [null, 4, 5] });
        },
      ),
      options,
    );
  });

  it('resized pictures', () => {
    fc.assert(
      fc.property(
        fc.tuple(extent, extent),
        fc.tuple(extent, extent),
        fc.integer({ min: 0, max: 5 }),
        (from, to, kind) => {
          const resize = kind < 3 ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor;
          const model = (x: tf.Tensor4D) => resize(x, to, kind % 3 === 1, kind % 3 === 2);
          agrees(model, { input: [null, ...from, 2] });
        },
      ),
      options,
    );
  });

  it('broadcast operands', () => {
    // Along each axis an operand has the extent or 1; a constant may lack leading axes too.
    const full = [4, 3, 5];
    const along = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());
    const lacking = fc.integer({ min: 0, max: 3 });
    const narrowed = (keep: readonly boolean[]) => full.map((size, axis) => (keep[axis] ? size : 1));
    fc.assert(
      fc.property(along, along, along, lacking, (left, right, constant, dropped) => {
        const model = ({ a, b }: { a: tf.Tensor; b: tf.Tensor }, { w }: { w: tf.Tensor }) =>
          a.sub(b).mul(w).add(a);
        agrees(model, {
          input: { a: [null, ...narrowed(left)], b: [null, ...narrowed(right)] },
          weights: { w: narrowed(constant).slice(dropped) },
        });
      }),
      options,
    );
  });
});
