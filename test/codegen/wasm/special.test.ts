// Ops with a loop of their own, as WebAssembly against the evaluator.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import type { Dtype } from '../../../src/ir/type.js';
import { runOnWasm } from './support-special.js';

const extent = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 11, 17);
const shape = (rank: number) => fc.array(extent, { minLength: 1, maxLength: rank });
const sizeOf = (extents: readonly number[]) => extents.reduce((product, each) => product * each, 1);

/** Few values, so that there are ties. */
const ties = fc.constantFrom(-2, -1, -0.5, 0, 0.25, 1, 3);

/** What a graph gives on both sides. */
function bothSides(text: string, inputs: Readonly<Record<string, TensorData>>) {
  const graph = parse(text, forward);
  const expected = evaluate(graph, forward, inputs, new Map());
  return { expected, got: runOnWasm(graph, inputs).outputs };
}

function expectSame(text: string, inputs: Readonly<Record<string, TensorData>>): void {
  const { expected, got } = bothSides(text, inputs);
  for (const [key, { data }] of Object.entries(got)) expect([...data]).toEqual([...expected[key]!.data]);
}

describe('one_hot', () => {
  it('puts a one where the index points, and none where it points outside', () => {
    const cases = fc.record({ shape: shape(3), depth: extent }).chain((each) =>
      fc.record({
        ...{ shape: fc.constant(each.shape), depth: fc.constant(each.depth) },
        indices: fc.array(fc.integer({ min: -2, max: each.depth + 1 }), {
          minLength: sizeOf(each.shape),
          maxLength: sizeOf(each.shape),
        }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape: extents, depth, indices }) => {
        const text = `graph @g {
          %i = input() : i32[${extents}]
          %o = one_hot(%i) {depth=${depth}} : f32[${[...extents, depth]}]
          return o=%o
        }`;
        expectSame(text, { i: tensor(extents, indices, 'i32') });
      }),
      { numRuns: 60 },
    );
  });
});

describe('argmax', () => {
  const dtypes: readonly Dtype[] = ['f32', 'i32', 'bool'];
  const values: Readonly<Record<Dtype, fc.Arbitrary<number>>> = {
    f32: fc.oneof({ weight: 8, arbitrary: ties }, fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY)),
    i32: fc.integer({ min: -2, max: 2 }),
    bool: fc.integer({ min: 0, max: 1 }),
  };

  it.each(dtypes)('finds the first largest of %s along any axis', (dtype) => {
    const cases = shape(4).chain((extents) =>
      fc.record({
        extents: fc.constant(extents),
        axis: fc.nat(extents.length - 1),
        data: fc.array(values[dtype], { minLength: sizeOf(extents), maxLength: sizeOf(extents) }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ extents, axis, data }) => {
        const kept = extents.filter((_, index) => index !== axis);
        const text = `graph @g {
          %x = input() : ${dtype}[${extents}]
          %o = argmax(%x) {axis=${axis}} : i32[${kept}]
          return o=%o
        }`;
        expectSame(text, { x: tensor(extents, data, dtype) });
      }),
      { numRuns: 60 },
    );
  });
});
