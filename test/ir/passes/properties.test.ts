// Every pass on random graphs: the result verifies, reads back, keeps its outputs and keeps their values.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelcError } from '../../../src/ir/error.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { commonSubexpressions } from '../../../src/ir/passes/common-subexpressions.js';
import { crop } from '../../../src/ir/passes/crop/crop.js';
import { deadCode } from '../../../src/ir/passes/dead-code.js';
import { decompose } from '../../../src/ir/passes/decompose.js';
import { foldConstants } from '../../../src/ir/passes/fold-constants.js';
import { joinSlices } from '../../../src/ir/passes/join-slices.js';
import { oneHot } from '../../../src/ir/passes/one-hot.js';
import { type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { shareBiasless } from '../../../src/ir/passes/share-biasless.js';
import { shareHalves } from '../../../src/ir/passes/share-halves.js';
import { simplify } from '../../../src/ir/passes/simplify.js';
import { print } from '../../../src/ir/print.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { tameGraphs } from '../arbitrary-graph.js';
import { inputsFor, weightsFor } from '../support.js';

/** The outputs, or undefined where the graph cannot be evaluated: an index may lie outside of what it picks from. */
function outputsOf({ graph, weights }: Program): Record<string, TensorData> | undefined {
  try {
    return evaluate(graph, forward, inputsFor(graph, 2, 5), weights);
  } catch (error) {
    if (error instanceof RelcError && error.code === 'RELC1009') return undefined;
    throw error;
  }
}

/** |a − b| ≤ tolerance · max(1, |b|), or both the same infinity or NaN. */
function agree(a: number, b: number, tolerance: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
}

const passes = [
  { pass: decompose, tolerance: 1e-12 },
  { pass: simplify, tolerance: 0 },
  { pass: shareBiasless, tolerance: 0 },
  { pass: shareHalves, tolerance: 1e-12 },
  { pass: oneHot, tolerance: 1e-12 },
  { pass: joinSlices, tolerance: 1e-12 },
  { pass: commonSubexpressions, tolerance: 0 },
  { pass: crop, tolerance: 1e-12 },
  { pass: deadCode, tolerance: 0 },
  { pass: foldConstants, tolerance: 1e-5 },
  { pass: canonicalize, tolerance: 1e-5 },
];

describe.each(passes)('$pass.name', ({ pass, tolerance }) => {
  it('keeps random graphs what they are', () => {
    let compared = 0;
    fc.assert(
      fc.property(tameGraphs, (graph) => {
        const before = { graph, weights: weightsFor(graph, 3) };
        const after = runPasses(before, [pass], forward);
        expect(print(parse(print(after.graph), forward))).toBe(print(after.graph));
        const wanted = outputsOf(before);
        if (wanted === undefined) return;
        const got = outputsOf(after)!;
        expect(Object.keys(got)).toEqual(Object.keys(wanted));
        for (const [key, { data, shape }] of Object.entries(wanted)) {
          expect(got[key]!.shape).toEqual(shape);
          expect(data.every((value, index) => agree(got[key]!.data[index]!, value, tolerance))).toBe(true);
        }
        compared++;
      }),
      { numRuns: 200, seed: 7 },
    );
    expect(compared).toBeGreaterThan(100);
  });
});
