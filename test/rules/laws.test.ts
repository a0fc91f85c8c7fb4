// Laws of relevance that hold whatever the network, each under its label.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Name } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { explain } from '../../src/rules/explanation.js';
import type { Preset } from '../../src/rules/presets.js';
import { presetNamed } from '../../src/rules/presets.js';
import type { RuleName } from '../../src/rules/rules.js';
import { targetInput } from '../../src/rules/seed.js';
import { specialize } from '../../src/rules/specialize.js';
import { convNet, denseNet, type Net, type NetShape, residualNet } from './random-nets.js';
import {
  dialect,
  explained,
  lower,
  noWeights,
  propagate,
  relativeError,
  row,
  sequence,
  total,
  uniform,
  withDenominator,
  withRule,
} from './support.js';

const shapes: fc.Arbitrary<NetShape> = fc.record({
  seed: fc.integer(),
  depth: fc.integer({ min: 1, max: 3 }),
  width: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 3 }),
});

const kinds: readonly (readonly [string, (shape: NetShape) => Net])[] = [
  ['dense', denseNet],
  ['conv with max pool', (shape) => convNet(shape, 'max_pool')],
  ['conv with average pool', (shape) => convNet(shape, 'avg_pool')],
  ['residual', (shape) => residualNet(shape)],
];

/** Runs a property on few, but seeded and shrinkable, networks. */
function holds(property: (shape: NetShape) => void): void {
  fc.assert(fc.property(shapes, property), { numRuns: 12, seed: 20 });
}

/** A preset without stabilisers: what laws are exact for. */
const unstabilised = (name: string): Preset => withDenominator(presetNamed(name), { denominator: 'exact' });

const relevanceOfX = (net: Net, preset: Preset) => explained(net, { preset }, net.x)['relevance.x']!;

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(relativeError(got, wanted)).toBeLessThan(1e-9);
}

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

/** One op `%z` on random data: what a rule gives to operand `to`. */
function given(
  z: string,
  inputs: Readonly<Record<Name, TensorData>>,
  rule: RuleName,
  params: Attrs,
  to = 0,
): TensorData {
  const lines = Object.entries(inputs)
    .filter(([name]) => name !== 'R')
    .map(([name, { shape }]) => `%${name} = input() : f32[N,${shape.slice(1)}]`);
  const graph = parse(['graph @single {', ...lines, `%z = ${z}`, 'return %z', '}'].join('\n'), forward);
  return evaluate(lower(withRule(graph, rule, params, to)), dialect, inputs, noWeights).r!;
}

const exactly = { denominator: 'exact' };

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

describe('samples', () => {
  const presets = ['epsilon-plus-flat', 'epsilon-alpha2-beta1', 'chefer', 'gradient-times-input'];

  it.each(presets)('(L10) no sample of a batch changes another: %s', (name) => {
    for (const [, draw] of kinds) {
      holds((shape) => {
        const net = draw({ ...shape, batch: 3 });
        const whole = relevanceOfX(net, presetNamed(name));
        for (let sample = 0; sample < 3; sample++) {
          const alone = relevanceOfX({ ...net, x: row(net.x, sample) }, presetNamed(name));
          expect([...alone.data]).toEqual([...row(whole, sample).data]);
        }
      });
    }
  });
});

describe('specialization', () => {
  it.each(['epsilon-plus', 'epsilon-alpha2-beta1'])('(L11) changes no relevance: %s', (name) => {
    holds((shape) => {
      const { graph, weights, x } = convNet(shape, 'max_pool');
      const whole = explain(graph, dialect, { preset: presetNamed(name) }).graph;
      const special = runPasses({ graph: whole, weights }, [specialize], dialect).graph;
      const told = [...special.nodes.values()].filter(({ attrs }) => attrs.nonnegative === true);
      expect(told.length).toBeGreaterThan(0);
      const inputs = {
        x,
        [targetInput]: tensor([x.shape[0]!], x.data.slice(0, x.shape[0]!).fill(-1), 'i32'),
      };
      const [plain, specialized] = [whole, special].map(
        (stage) => evaluate(lower(stage), dialect, inputs, weights)['relevance.x']!,
      );
      expectClose(specialized!.data, plain!.data);
    });
  });
});
