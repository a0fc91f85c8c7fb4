// Laws of relevance that hold whatever the network, each under its label: what is conserved, and what is not.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { presetNamed } from '../../src/rules/presets.js';
import type { RuleName } from '../../src/rules/rules.js';
import { exactly, expectClose, given, holds, kinds, relevanceOfX, unstabilised } from './law-support.js';
import { residualNet } from './random-nets.js';
import { dialect, explained, lower, noWeights, propagate, row, sequence, total, uniform } from './support.js';

/** Σ over each sample. */
const sums = (data: TensorData) =>
  Array.from({ length: data.shape[0]! }, (_, sample) => total(row(data, sample).data));

describe('without biases', () => {
  it.each(kinds.slice(0, 2))('(L1) ε → 0, ReLU only, is gradient times input: %s', (_name, draw) => {
    holds((shape) => {
      const net = draw(shape);
      const wanted = relevanceOfX(net, presetNamed('gradient-times-input'));
      expectClose(relevanceOfX(net, unstabilised('epsilon')).data, wanted.data);
    });
  });

  const conserving = ['epsilon', 'epsilon-plus', 'epsilon-plus-flat'];

  it.each(conserving.flatMap((preset) => kinds.map(([kind, draw]) => [preset, kind, draw] as const)))(
    '(L2) %s conserves: ΣR at x is the logit: %s',
    (name, _kind, draw) => {
      holds((shape) => {
        const net = draw(shape);
        const { logit, ...found } = explained(net, { preset: unstabilised(name) }, net.x);
        expectClose(sums(found['relevance.x']!), logit!.data);
      });
    },
  );

  it('(L3) three blocks x + f(x) do not inflate; the plain gradient at each + makes it eight logits', () => {
    holds((shape) => {
      // tanh, so that no branch is dead
      const net = residualNet({ ...shape, depth: 3 }, 'tanh');
      const { logit, ...found } = explained(net, { preset: unstabilised('epsilon') }, net.x);
      expectClose(sums(found['relevance.x']!), logit!.data);
      const epsilon = unstabilised('epsilon');
      const gradient = [['sum', { op: 'add' }, { rule: 'gradient', params: {} }]] as const;
      const naive = { ...epsilon, composite: [...gradient, ...epsilon.composite] };
      expectClose(
        sums(relevanceOfX(net, naive)),
        logit!.data.map((value) => 8 * value),
      );
    });
  });
});

describe('neurons of one sign', () => {
  const dense = 'einsum(%x, %w) {eq="bi,bij->bj"} : f32[N,4]';

  /** x and w of one sign each, so that every contribution to every neuron has the sign of their product. */
  const draw = (seed: number, sign: 1 | -1) => {
    const random = sequence(seed);
    const x = uniform([2, 5], random, 0.1, 1);
    const w = uniform([2, 5, 4], random, 0.1 * sign, sign);
    return { x, w, R: uniform([2, 4], random) };
  };

  it('(L4) α2β1 on neurons of positive contributions returns 2R', () => {
    holds(({ seed }) => {
      const data = draw(seed, 1);
      const found = given(dense, data, 'alphaBeta', { alpha: 2, beta: 1, ...exactly });
      expectClose(
        sums(found),
        sums(data.R).map((sum) => 2 * sum),
      );
    });
  });

  it('(L5) α1β0 on neurons of negative contributions returns 0', () => {
    holds(({ seed }) => {
      const data = draw(seed, -1);
      const found = given(dense, data, 'alphaBeta', { alpha: 1, beta: 0, ...exactly });
      expect([...found.data].every((value) => value === 0)).toBe(true);
    });
  });

  it('(L6) αβ conserves where every neuron has contributions of both signs', () => {
    holds(({ seed }) => {
      const { x, w, R } = draw(seed, 1);
      const mixed = { ...w, data: w.data.map((value, i) => (i % 8 < 4 ? value : -value)) };
      const found = given(dense, { x, w: mixed, R }, 'alphaBeta', { alpha: 2, beta: 1, ...exactly });
      expectClose(sums(found), sums(R));
    });
  });
});

const pair = (seed: number) => {
  const random = sequence(seed);
  return { x: uniform([2, 6], random), y: uniform([2, 6], random), R: uniform([2, 6], random) };
};
const both = (z: string, seed: number, rule: RuleName, params: Attrs) =>
  [0, 1].map((to) => sums(given(z, pair(seed), rule, params, to)));

describe('sums', () => {
  it('(L7) add(add(x, x), x) gives x three parts, a third of R each', () => {
    const text = `graph @three {
      %x = input() : f32[N,6]
      %y = add(%x, %x) : f32[N,6]
      %z = add(%y, %x) : f32[N,6]
      return %z
    }`;
    const graph = propagate(parse(text, forward), unstabilised('epsilon').composite);
    const parts = graph.nodes.get('r.x')!;
    expect(parts.op).toBe('accumulate');
    expect(parts.args).toEqual(['r.x.z', 'r.x.y', 'r.x.y_1']);
    holds(({ seed }) => {
      const { x, R } = pair(seed);
      const outputs = Object.fromEntries(parts.args.map((part) => [part, part]));
      const found = evaluate(lower({ ...graph, outputs }), dialect, { x, R }, noWeights);
      for (const part of Object.values(found))
        expectClose(
          part.data,
          R.data.map((value) => value / 3),
        );
    });
  });

  it('(L8) add and sub conserve under norm, add under the rule of Chefer et al. too, sample by sample', () => {
    holds(({ seed }) => {
      const wanted = sums(pair(seed).R);
      for (const [op, rule] of [
        ['add', 'norm'],
        ['sub', 'norm'],
        ['add', 'chefer.add'],
      ] as const) {
        const [a, b] = both(`${op}(%x, %y) : f32[N,6]`, seed, rule, exactly);
        expectClose(
          a!.map((sum, sample) => sum + b![sample]!),
          wanted,
        );
      }
    });
  });
});

describe('products', () => {
  it('(L9) a product gives each factor all of ΣR, half of it with share = 1/2', () => {
    holds(({ seed }) => {
      const wanted = sums(pair(seed).R);
      for (const share of [1, 0.5]) {
        for (const sum of both('mul(%x, %y) : f32[N,6]', seed, 'norm', { ...exactly, share })) {
          expectClose(
            sum,
            wanted.map((value) => share * value),
          );
        }
      }
    });
  });
});
