// One-hot factors: what a row saves, and that nothing changes, whatever the equation, the order and the classes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contractions } from '../../../src/ir/analyses/multiply-adds.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph } from '../../../src/ir/graph.js';
import { oneHot } from '../../../src/ir/passes/one-hot.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { expectValues, f32, integers, single, uniform } from '../support.js';

/** Equations of a one-hot [N, 2, j] or its transpose with a weight. */
const equations = [
  { eq: 'btj,ji->bti', w: ['j', 'i'] },
  { eq: 'btj,ij->bti', w: ['i', 'j'] },
  { eq: 'btj,ikj->bitk', w: ['i', 'k', 'j'] },
  { eq: 'btj,ijk->btki', w: ['i', 'j', 'k'] },
  { eq: 'ij,btj->bti', w: ['i', 'j'] },
  { eq: 'kji,btj->btik', w: ['k', 'j', 'i'] },
] as const;

interface Product {
  readonly equation: (typeof equations)[number];
  readonly extents: Readonly<Record<'i' | 'j' | 'k', number>>;
  readonly classes: readonly number[];
}

const extent = fc.integer({ min: 4, max: 7 });
const products: fc.Arbitrary<Product> = fc.record({
  equation: fc.constantFrom(...equations),
  extents: fc.record({ i: extent, j: extent, k: extent }),
  // Three samples of two, some of them no class at all
  classes: fc.array(fc.integer({ min: -2, max: 8 }), { minLength: 6, maxLength: 6 }),
});

/** (onehot(class) ⊙ z / den(z)) times w. */
function graphOf({ equation, extents }: Pick<Product, 'equation' | 'extents'>): Graph {
  const builder = new GraphBuilder('product', forward);
  const depth = extents.j;
  const z = builder.add('input', [], { name: 'z', type: f32('N', 2, depth) });
  const index = builder.add('input', [], { name: 'class', type: { dtype: 'i32', shape: ['N', 2] } });
  const shape = equation.w.map((name) => extents[name]);
  const w = builder.add('param', [], { name: 'w', attrs: { key: 'w' }, type: f32(...shape) });
  const hot = builder.add('one_hot', [index], { attrs: { depth } });
  const start = builder.add('mul', [hot, z]);
  const s = builder.add('quotient', [start, z], { attrs: { mode: 'signed', eps: 1e-6 } });
  const args = equation.eq.startsWith('btj') ? [s, w] : [w, s];
  return builder.finish({ c: builder.add('einsum', args, { attrs: { eq: equation.eq }, name: 'c' }) });
}

const operands = ({ equation, extents, classes }: Product) => {
  const shape = equation.w.map((name) => extents[name]);
  const weights = new Map([['w', single(shape, uniform(shape, 2).data)]]);
  return { inputs: { z: uniform([3, 2, extents.j], 1), class: integers([3, 2], classes) }, weights };
};

describe('oneHot', () => {
  it('leaves no contraction and changes no value, also where a class is none', () => {
    fc.assert(
      fc.property(products, (product) => {
        const graph = graphOf(product);
        const { inputs, weights } = operands(product);
        const selected = runPasses({ graph, weights }, [oneHot], forward).graph;
        expect([contractions(graph).length, contractions(selected).length]).toEqual([1, 0]);
        const wanted = evaluate(graph, forward, inputs, weights).c!;
        const got = evaluate(selected, forward, inputs, weights).c!;
        // Exact, but for the sign of zero
        expectValues({ ...got, data: got.data.map((v) => v + 0) }, wanted.shape, [...wanted.data]);
      }),
      { numRuns: 150, seed: 17 },
    );
  });

  it('gives exactly the same numbers in single precision', () => {
    const product: Product = {
      equation: equations[1],
      extents: { i: 6, j: 5, k: 1 },
      classes: [0, 4, 2, 1, 3, 3],
    };
    const { inputs, weights } = operands(product);
    const graph = graphOf(product);
    const selected = runPasses({ graph, weights }, [oneHot], forward).graph;
    const [wanted, got] = [graph, selected].map((each) => evaluate(each, forward, inputs, weights, 'f32').c!);
    expectValues(got!, wanted!.shape, [...wanted!.data]);
  });

  it.each([
    [1, 9, false],
    [2, 9, false],
    [3, 3, false],
    [3, 4, true],
    [1000, 1, false],
    [1000, 2, true],
  ])('of %i classes and rows of %i: %s', (j, i, fires) => {
    const graph = graphOf({ equation: equations[0], extents: { i, j, k: 1 } });
    const selected = runPasses({ graph, weights: new Map() }, [oneHot], forward).graph;
    expect(contractions(selected).length).toBe(fires ? 0 : 1);
  });
});
