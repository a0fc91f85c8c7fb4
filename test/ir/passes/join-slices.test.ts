// Joined slices: pieces anywhere along an axis, overlapping or not, with other parts among them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arithmetic } from '../../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { type Graph, nodesWithOp } from '../../../src/ir/graph.js';
import { deadCode } from '../../../src/ir/passes/dead-code.js';
import { joinSlices } from '../../../src/ir/passes/join-slices.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { expectClose, f32, inputsFor, noWeights } from '../support.js';

const shape = ['N', 4, 6] as const;

interface Slice {
  readonly axis: 1 | 2;
  readonly begin: number;
  readonly size: number;
}

const along = (axis: Slice['axis']): fc.Arbitrary<Slice> =>
  fc
    .tuple(fc.nat(shape[axis] - 1), fc.nat(shape[axis] - 1))
    .map(([a, b]) => ({ axis, begin: Math.min(a, b), size: Math.abs(a - b) + 1 }));

const slices = fc.oneof(along(1), along(2));

const attrsOf = ({ axis, begin, size }: Slice) => ({
  low: shape.map((_, at) => (at === axis ? begin : 0)),
  high: shape.map((_, at) => (at === axis ? shape[axis] - begin - size : 0)),
});

/** The sum of pieces at these slices, with a part that is no piece where `whole` says so. */
function sumOf(pieces: readonly Slice[], whole: boolean): Graph {
  const builder = new GraphBuilder('sum', forward);
  const parts = pieces.map((slice) => {
    const type = f32(...shape.map((dim, at) => (at === slice.axis ? slice.size : dim)));
    return builder.add('pad', [builder.add('input', [], { type })], { attrs: attrsOf(slice) });
  });
  if (whole) parts.splice(1, 0, builder.add('input', [], { type: f32(...shape) }));
  return builder.finish({ r: builder.add('accumulate', parts, { name: 'r' }) });
}

const overlap = (a: Slice, b: Slice) =>
  a.axis === b.axis && a.begin < b.begin + b.size && b.begin < a.begin + a.size;

describe('joinSlices', () => {
  it('joins wherever two pieces of one axis do not overlap, and changes no value', () => {
    let joined = 0;
    fc.assert(
      fc.property(fc.array(slices, { minLength: 1, maxLength: 5 }), fc.boolean(), (pieces, whole) => {
        const graph = sumOf(pieces, whole);
        const after = runPasses({ graph, weights: noWeights }, [joinSlices, deadCode], forward).graph;
        const inputs = inputsFor(graph, 2, 21);
        const [wanted, got] = [graph, after].map((each) => evaluate(each, forward, inputs, noWeights).r!);
        expectClose(got!, wanted!, 1e-12);
        const disjoint = pieces.some((a, i) =>
          pieces.some((b, j) => i < j && a.axis === b.axis && !overlap(a, b)),
        );
        const concats = nodesWithOp(after, 'concat').length;
        expect(concats > 0).toBe(disjoint);
        joined += concats;
      }),
      { numRuns: 200, seed: 11 },
    );
    expect(joined).toBeGreaterThan(50);
  });

  it('makes of the relevances of all parts of a split one concat: no padding, no sum', () => {
    const builder = new GraphBuilder('split', forward);
    const k = new Arithmetic(builder);
    const x = builder.add('input', [], { name: 'x', type: f32('N', 6) });
    const back = [0, 2, 4].map((begin) => {
      const part = builder.add('slice', [x], { attrs: { begin: [0, begin] }, type: f32('N', 2) });
      const node = builder.node(part);
      return forward.slice.vjp!({ builder, node, operand: 0, cotangent: k.unary('square', part) });
    });
    const graph = builder.finish({ r: builder.add('accumulate', back, { name: 'r' }) });
    const after = runPasses({ graph, weights: noWeights }, [joinSlices, deadCode], forward).graph;
    const [pads, concats, sums] = ['pad', 'concat', 'accumulate'].map((op) => nodesWithOp(after, op).length);
    expect([pads, concats, sums]).toEqual([0, 1, 0]);
  });
});
