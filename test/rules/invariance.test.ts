// Metamorphic laws: what may be changed of a batch, of a network or of R, and what relevance does then.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Inputs } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { type Attrs, activeValues, bindBatch, type Name } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { lastConvolution } from '../../src/rules/grad-cam.js';
import { base, type Preset, presetNamed } from '../../src/rules/presets.js';
import { resolved } from '../../src/rules/resolve.js';
import { ruleTable } from '../../src/rules/rules.js';
import { computing, type Identity, moving, withIdentity } from './identities.js';
import {
  allKinds,
  everyPreset,
  exactly,
  expectClose,
  expectSame,
  given,
  holds,
  kinds,
  presetNames,
  relevanceOfX,
  requestFor,
  unstabilised,
} from './law-support.js';
import { mixedNet, type Net, residualNet } from './random-nets.js';
import { explained, relevances, row, sequence, total, uniform } from './support.js';

/** Whether each sample of a batch gets what it gets alone, bit by bit. */
function sameAlone(net: Net, preset: Preset): boolean {
  const whole = relevanceOfX(net, preset);
  return [...new Array(net.x.shape[0]).keys()].every((sample) => {
    const alone = relevanceOfX({ ...net, x: row(net.x, sample) }, preset);
    const part = row(whole, sample);
    return alone.data.every((value, i) => Object.is(value, part.data[i]));
  });
}

describe('samples', () => {
  it.each(everyPreset.filter(([name]) => name !== 'chefer-original'))(
    '(L10) no sample of a batch changes another: %s, %s',
    (name, _kind, draw) => {
      holds((shape) => {
        expect(sameAlone(draw({ ...shape, batch: 3 }), presetNamed(name))).toBe(true);
      }, 6);
    },
  );

  it.each(everyPreset)(
    '(L36) one sample without a batch axis is a batch of one: %s, %s',
    (name, _kind, draw) => {
      holds((shape) => {
        const net = draw({ ...shape, batch: 1 });
        const graph = bindBatch(net.graph, 1);
        expectSame(relevanceOfX({ ...net, graph }, name).data, relevanceOfX(net, name).data);
      }, 4);
    },
  );

  describe('(L12) but under chefer-original, through chefer.addBatch alone', () => {
    const original = presetNamed('chefer-original');
    const perSample: Preset = {
      ...original,
      composite: original.composite.map(([name, match, choice]) =>
        choice.rule === 'chefer.addBatch'
          ? [name, match, { ...choice, rule: 'chefer.add' }]
          : [name, match, choice],
      ),
    };

    it('a sum makes them depend on each other', () => {
      for (const draw of [residualNet, mixedNet]) {
        const net = draw({ seed: 3, depth: 2, width: 2, batch: 3 });
        expect(sameAlone(net, original)).toBe(false);
        expect(sameAlone({ ...net, x: row(net.x, 0) }, original)).toBe(true);
      }
    });

    it.each(allKinds)('with sums per sample they do not: %s', (_kind, draw) => {
      holds((shape) => {
        expect(sameAlone(draw({ ...shape, batch: 3 }), perSample)).toBe(true);
      }, 8);
    });

    it.each(kinds.slice(0, 3))('without sums they do not: %s', (_kind, draw) => {
      holds((shape) => {
        expect(sameAlone(draw({ ...shape, batch: 3 }), original)).toBe(true);
      }, 8);
    });
  });
});

/** Values that an identity can stand after: in floating point, with a batch, down to the scores. */
function places({ graph }: Net): Name[] {
  const active = activeValues(graph);
  return [...graph.nodes.values()].filter(({ name }) => active.has(name)).map(({ name }) => name);
}

/** Relevance of a mixed network, and of the same with an identity anywhere. */
function compareIdentity(
  preset: Preset,
  identity: Identity,
  judge: (got: ArrayLike<number>, wanted: ArrayLike<number>) => void,
): void {
  const nets = fc.record({ seed: fc.integer(), place: fc.nat() });
  const check = ({ seed, place }: { seed: number; place: number }) => {
    const net = mixedNet({ seed, depth: 1, width: 2, batch: 2 });
    const names = places(net);
    const value = names[place % names.length]!;
    // Grad-CAM's own choice looks for an activation right behind the convolution
    const layer =
      preset.result === 'grad-cam' ? { layer: lastConvolution(net.graph, net.graph.outputs.y!) } : {};
    const request = { ...requestFor(preset), ...layer };
    const graph = withIdentity(net.graph, value, identity);
    const [wanted, got] = [net.graph, graph].map(
      (each) => explained({ ...net, graph: each }, request, net.x)['relevance.x']!.data,
    );
    judge(got!, wanted!);
  };
  fc.assert(fc.property(nets, check), { numRuns: 8, seed: 7 });
}

describe('(L13) an identity anywhere changes nothing', () => {
  const chefer = ['chefer', 'chefer-original', 'full'];
  const each = (names: readonly string[], identities: Readonly<Record<string, Identity>>) =>
    names.flatMap((name) =>
      Object.entries(identities).map(([title, identity]) => [name, title, identity] as const),
    );

  it.each(each(presetNames, moving))('%s: %s', (name, title, identity) => {
    // Cat and IndexSelect of the original divide by the value: to rounding, without a stabiliser
    const divides = chefer.includes(name) && /joined|gather/.test(title);
    if (divides) compareIdentity(unstabilised(name), identity, expectClose);
    else compareIdentity(presetNamed(name), identity, expectSame);
  });

  it.each(each(presetNames, computing))('%s: %s, without stabilisers', (name, _title, identity) => {
    compareIdentity(unstabilised(name), identity, (got, wanted) => {
      expectClose(got, wanted, 1e-8);
    });
  });

  it.each(presetNames)('%s: a relu of a relu', (name) => {
    const again: Identity = (k, x) => k.unary('relu', x);
    const request = requestFor(name);
    holds((shape) => {
      const net = mixedNet({ ...shape, depth: 1, width: 2 });
      const layer = name === 'grad-cam' ? { layer: 'pooled' } : {};
      const wanted = explained(net, { ...request, ...layer }, net.x)['relevance.x']!.data;
      const rectified = [...net.graph.nodes.values()].filter(({ op }) => op === 'relu');
      const graph = rectified.reduce((now, { name: value }) => withIdentity(now, value, again), net.graph);
      expectSame(explained({ ...net, graph }, { ...request, ...layer }, net.x)['relevance.x']!.data, wanted);
    }, 8);
  });
});

describe('(L13) zeros that a layer pads with, and zeros put before it', () => {
  const random = sequence(6);
  const inputs = {
    x: uniform([2, 4, 2], random),
    w: uniform([3, 2, 3], random),
    R: uniform([2, 4, 3], random),
  };
  const own = ['%z = conv(%x, %w) {strides=[1], padding=[[1,1]]} : f32[N,4,3]'];
  const before = [
    '%p = pad(%x) {low=[0,1,0], high=[0,1,0], interior=[0,0,0]} : f32[N,6,2]',
    '%z = conv(%p, %w) {strides=[1], padding=[[0,0]]} : f32[N,4,3]',
  ];
  const found = (rule: string, params: Attrs, lines: readonly string[]) => {
    const sources = ['%x = input() : f32[N,4,2]', '%w = param() {key="w"} : f32[3,2,3]'];
    const graph = parse(['graph @padded {', ...sources, ...lines, 'return %z', '}'].join('\n'), forward);
    const composite = resolved([['layer', { op: 'conv' }, { rule, params }], ...base], ruleTable);
    const { x, w, R } = inputs;
    return relevances(graph, composite, { x, R }, new Map([['w', w]])).x!.data;
  };

  it.each<[string, Attrs]>([
    ['epsilon', {}],
    ['zPlus', {}],
    ['alphaBeta', {}],
    ['gamma', {}],
    ['captum.gamma', {}],
    ['captum.alpha1Beta0', {}],
    ['chefer.conv', {}],
    ['norm', {}],
    ['gradient', {}],
  ])('are the same to %s, which multiplies by the input', (rule, params) => {
    expectSame(found(rule, params, before), found(rule, params, own));
  });

  it.each<[string, Attrs]>([
    ['flat', {}],
    ['wSquare', {}],
    ['zBox', { low: -1, high: 1 }],
  ])('are not to %s, which shares with whatever is an input', (rule, params) => {
    const [mine, given] = [total(found(rule, params, own)), total(found(rule, params, before))];
    expect(mine).toBeCloseTo(total(inputs.R.data), 4);
    expect(Math.abs(given - mine)).toBeGreaterThan(1e-3);
  });
});

/** What a graph of `lines` from a, b and c to z gives to each of them. */
function sumOf(lines: readonly string[], preset: Preset, data: Inputs): Record<Name, TensorData> {
  const inputs = ['a', 'b', 'c'].map((name) => `%${name} = input() : f32[N,5]`);
  const graph = parse(['graph @sums {', ...inputs, ...lines, 'return %z', '}'].join('\n'), forward);
  return relevances(graph, preset.composite, data);
}

describe('sums', () => {
  const data = (seed: number, low: number) => {
    const random = sequence(seed);
    const draw = () => uniform([2, 5], random, low, 1);
    return { a: draw(), b: draw(), c: draw(), R: uniform([2, 5], random) };
  };
  const left = ['%p = add(%a, %b) : f32[N,5]', '%z = add(%p, %c) : f32[N,5]'];
  const right = ['%p = add(%b, %c) : f32[N,5]', '%z = add(%a, %p) : f32[N,5]'];

  it('(L14) (a + b) + c gives a, b and c what a + (b + c) gives them, under norm', () => {
    holds(({ seed }) => {
      for (const [preset, low, within] of [
        [unstabilised('epsilon'), -1, 1e-9],
        // All above 0.1, so that no partial sum is small against ε
        [presetNamed('epsilon'), 0.1, 1e-4],
      ] as const) {
        const [one, other] = [left, right].map((lines) => sumOf(lines, preset, data(seed, low)));
        for (const term of ['a', 'b', 'c']) expectClose(one![term]!.data, other![term]!.data, within);
      }
    });
  });

  it.each(['norm', 'chefer.add', 'chefer.addBatch', 'zPlus', 'alphaBeta', 'gamma'] as const)(
    '(L15) a + b gives a what b + a gives it: %s',
    (rule) => {
      const params = { alphaBeta: { alpha: 2, beta: 1 }, gamma: { gamma: 0.25 } }[rule as 'gamma'] ?? {};
      holds(({ seed }) => {
        const { a, b, R } = data(seed, -1);
        for (const [to, swapped] of [
          [0, 1],
          [1, 0],
        ] as const) {
          const at = (z: string, operand: number) =>
            given(z, { a, b, R }, rule, { ...params, ...exactly }, operand);
          expectSame(at('add(%b, %a) : f32[N,5]', swapped).data, at('add(%a, %b) : f32[N,5]', to).data);
        }
      });
    },
  );
});
