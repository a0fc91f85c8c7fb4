// Laws of scale: relevance under rescaled weights, and as a function of the R that arrives.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import type { TensorData, Weights } from '../../src/ir/tensor.js';
import type { RuleName } from '../../src/rules/rules.js';
import {
  everyPreset,
  exactly,
  expectClose,
  given,
  holds,
  relevanceOfX,
  unstabilised,
} from './law-support.js';
import type { Net } from './random-nets.js';
import { dataFor } from './single-ops.js';
import { dialect, exact, lower, sequence, uniform, withRule } from './support.js';
import { promised, ruleNames, type Trial, trials } from './trials.js';

/** One layer's weights times c, the next one's by c; layers one after another, with nothing but a ReLU or a pool between. */
function rescaled({ graph, weights, x }: Net, layer: number, c: number): Net {
  const keys = nodesWithOp(graph, 'param').map(({ attrs }) => attrs.key as string);
  const scale = (data: TensorData, by: number): TensorData => ({
    ...data,
    data: data.data.map((v) => v * by),
  });
  const factors = new Map([
    [keys[layer], c],
    [keys[layer + 1], 1 / c],
  ]);
  const all: Weights = new Map([...weights].map(([key, data]) => [key, scale(data, factors.get(key) ?? 1)]));
  return { graph, weights: all, x };
}

describe('weights', () => {
  const chains = everyPreset.filter(([, kind]) => kind === 'dense' || kind.startsWith('conv'));

  it.each(chains)('(L16) one layer times c, the next by c, changes nothing: %s, %s', (name, _kind, draw) => {
    holds((shape) => {
      const net = draw(shape);
      const layer = Math.abs(shape.seed) % (net.weights.size - 1);
      for (const c of [3, 1 / 8]) {
        const wanted = relevanceOfX(net, unstabilised(name));
        expectClose(relevanceOfX(rescaled(net, layer, c), unstabilised(name)).data, wanted.data);
      }
    }, 6);
  });
});

/** What a trial's rule makes of R, and of other relevances that vanish where R does. */
function ruleOf(trial: Trial) {
  const { graph } = trial.single;
  const lowered = lower(withRule(graph, trial.rule, trial.params, trial.operand));
  const { inputs, weights } = promised(trial, dataFor(trial.single, 'of both signs', 5));
  const R = inputs.R!.data;
  const random = sequence(9);
  const other = Float64Array.from(R, (r) => (r === 0 ? 0 : Math.round(16 * random() - 8) / 4));
  const apply = (relevance: ArrayLike<number>) => {
    const given = { ...inputs.R!, data: Float64Array.from(relevance) };
    return evaluate(lowered, dialect, { ...inputs, R: given }, weights).r!.data;
  };
  return { R, other, apply };
}

/** a·v + b·w */
const combined = (v: ArrayLike<number>, w: ArrayLike<number>, a: number, b: number) =>
  Array.from(v, (value, i) => a * value + b * w[i]!);

/** R⁺ and |Σa| are linear on no more than a half of all relevances. */
const positive: ReadonlySet<RuleName> = new Set(['guided', 'deconv']);
const absolute: ReadonlySet<RuleName> = new Set(['chefer.add', 'chefer.addBatch']);

describe('relevance', () => {
  const linear = ruleNames.filter((rule) => !positive.has(rule) && !absolute.has(rule));

  it.each(linear)('(L17) rule(2R − 3R′) = 2 rule(R) − 3 rule(R′): %s', (rule) => {
    for (const trial of trials.filter((each) => each.rule === rule)) {
      const { R, other, apply } = ruleOf(trial);
      const wanted = combined(apply(R), apply(other), 2, -3);
      // Terms that cancel leave no digits: the scale is that of what is combined
      const scale = Math.max(...apply(R).map(Math.abs), ...apply(other).map(Math.abs), 0);
      const got = apply(combined(R, other, 2, -3));
      for (const [i, value] of got.entries())
        expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(1e-11 * scale);
    }
  });

  it.each([...positive, ...absolute])('(L17) %s is homogeneous, rule(cR) = c rule(R) for c > 0', (rule) => {
    for (const trial of trials.filter((each) => each.rule === rule)) {
      const { R, apply } = ruleOf(trial);
      expectClose(
        apply(R.map((r) => 4 * r)),
        apply(R).map((r) => 4 * r),
        1e-5,
      );
    }
  });

  it('(L17) guided and deconv cut what is negative: rule(−R) is not −rule(R)', () => {
    const inputs = { x: uniform([1, 6], sequence(1), 0.1, 1), R: uniform([1, 6], sequence(2), 0.1, 1) };
    const negative = { ...inputs, R: { ...inputs.R, data: inputs.R.data.map((r) => -r) } };
    for (const rule of positive) {
      expect([...given('relu(%x) : f32[N,6]', inputs, rule, {}).data]).toEqual([...inputs.R.data]);
      expect(given('relu(%x) : f32[N,6]', negative, rule, {}).data.every((r) => Math.abs(r) === 0)).toBe(
        true,
      );
    }
  });

  it('(L17) the sums of the original share by |Σa|: rule(R + R′) is not rule(R) + rule(R′)', () => {
    // z = (4, −2): of R = (4, 0) x gets (1, 0); of R′ = (0, 6) it gets (0, 2); of both (−1/2, 3)
    const inputs = { x: exact([1, 2], [1, 2]), y: exact([1, 2], [3, -4]) };
    for (const rule of absolute) {
      const found = (R: readonly number[]) =>
        given('add(%x, %y) : f32[N,2]', { ...inputs, R: exact([1, 2], R) }, rule, exactly).data;
      expectClose(found([4, 0]), [1, 0]);
      expectClose(found([0, 6]), [0, 2]);
      expectClose(found([4, 6]), [-1 / 2, 3]);
    }
  });
});
