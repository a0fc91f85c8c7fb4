// Shared halves: what the sum saves, and that it moves values by rounding only, for every affine op.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contractions } from '../../../src/ir/analyses/multiply-adds.js';
import { Arithmetic } from '../../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph, Name } from '../../../src/ir/graph.js';
import { commonSubexpressions } from '../../../src/ir/passes/common-subexpressions.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { shareHalves } from '../../../src/ir/passes/share-halves.js';
import { expectClose, f32, inputsFor, noWeights, uniform } from '../support.js';
import { type Affine, affineOps, weightsOf } from './affine-ops.js';

interface Layer {
  readonly affine: Affine;
  readonly bias: boolean;
  /** Whether x has both signs, so that each half is the sum of two terms. */
  readonly bothSigns: boolean;
  readonly halvesFirst: boolean;
}

const layers: fc.Arbitrary<Layer> = fc.record({
  affine: fc.constantFrom(...affineOps),
  bias: fc.boolean(),
  bothSigns: fc.boolean(),
  halvesFirst: fc.boolean(),
});

/** f(x; w, b) as z, its halves as plus and minus. */
function graphOf({ affine, bias, bothSigns, halvesFirst }: Layer): Graph {
  const builder = new GraphBuilder('layer', forward);
  const k = new Arithmetic(builder);
  const param = (key: string, shape: readonly number[]) =>
    builder.add('param', [], { attrs: { key }, type: f32(...shape), name: key });
  const x = builder.add('input', [], { name: 'x', type: f32(...affine.x) });
  const w = param('w', affine.w);
  const b = bias ? [param('b', affine.b)] : [];
  const { op, attrs, type } = affine;
  const apply = (...args: Name[]) => builder.add(op, args, { attrs, ...(type ? { type } : {}) });
  const half = (own: string, other: string) => {
    const offset = b.map((name) => k.unary(own, name));
    if (!bothSigns) return apply(x, k.unary(own, w), ...offset);
    const first = apply(k.unary('relu', x), k.unary(own, w), ...offset);
    return k.add(first, apply(k.unary('negative_part', x), k.unary(other, w)));
  };
  const halves = () => ({ plus: half('relu', 'negative_part'), minus: half('negative_part', 'relu') });
  const before = halvesFirst ? halves() : undefined;
  const z = apply(x, w, ...b);
  return builder.finish({ z, ...(before ?? halves()) });
}

describe('shareHalves', () => {
  it('saves the whole of every affine op, and moves no value by more than rounding', () => {
    fc.assert(
      fc.property(layers, (layer) => {
        const graph = graphOf(layer);
        const weights = weightsOf(layer.affine);
        const shared = runPasses({ graph, weights }, [shareHalves, commonSubexpressions], forward).graph;
        const halves = layer.bothSigns ? 4 : 2;
        expect([contractions(graph).length, contractions(shared).length]).toEqual([halves + 1, halves]);
        const inputs = inputsFor(graph, 2, 9);
        const wanted = evaluate(graph, forward, inputs, weights);
        const got = evaluate(shared, forward, inputs, weights);
        for (const [key, value] of Object.entries(wanted)) expectClose(got[key]!, value, 1e-12, key);
      }),
      { numRuns: 120, seed: 3 },
    );
  });

  it('keeps z as exact as the dot product where one half vanishes beside the other', () => {
    const layer = { affine: affineOps[0]!, bias: true, bothSigns: false, halvesFirst: false };
    const graph = graphOf(layer);
    const small = uniform([5, 4], 1).data.map((value) => (value < 0 ? value * 1e-14 : value * 1e6));
    const weights = new Map(weightsOf(layer.affine)).set('w', { ...uniform([5, 4], 1), data: small });
    const shared = runPasses({ graph, weights }, [shareHalves], forward).graph;
    const inputs = { x: uniform([2, 5], 4, 0, 1) };
    const [wanted, got] = [graph, shared].map((each) => evaluate(each, forward, inputs, weights));
    for (const key of ['z', 'plus', 'minus']) expectClose(got![key]!, wanted![key]!, 1e-14, key);
  });

  it('takes whichever terms there are, each once, of layers that share a weight', () => {
    const builder = new GraphBuilder('twice', forward);
    const k = new Arithmetic(builder);
    const attrs = { eq: 'bi,ij->bj' };
    const input = builder.add('input', [], { name: 'x', type: f32('N', 3) });
    const w = builder.add('param', [], { attrs: { key: 'w' }, type: f32(3, 3), name: 'w' });
    const wholes = [1, 2].reduce<Name[]>((all) => {
      const x = k.unary('relu', all.at(-1) ?? input);
      return [...all, builder.add('einsum', [x, w], { attrs })];
    }, []);
    const halves = wholes.flatMap((z) => {
      const [x] = builder.node(z).args as [Name];
      return ['relu', 'negative_part'].map((op) => builder.add('einsum', [x, k.unary(op, w)], { attrs }));
    });
    const graph = builder.finish(Object.fromEntries([...wholes, ...halves].map((name) => [name, name])));
    const shared = runPasses(
      { graph, weights: noWeights },
      [shareHalves, commonSubexpressions],
      forward,
    ).graph;
    expect([contractions(graph).length, contractions(shared).length]).toEqual([6, 4]);
    expect([...shared.nodes.values()].filter(({ op }) => op === 'negative_part')).toHaveLength(1);
  });
});
