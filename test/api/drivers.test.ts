// Drivers: means over noise, integrals along a line, and what they refuse.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { integratedGradients, smoothGrad } from '../../src/api/drivers.js';
import type { Explainer } from '../../src/api/explainer.js';
import { normals } from '../../src/api/random.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights } from '../codegen/nets.js';
import { relativeError, sequence, useBackend } from '../codegen/support.js';
import { denseNet, denseParams } from './models.js';

const random = sequence(8);
const x = Array.from({ length: 8 }, () => 2 * random() - 1);

let params: ReturnType<typeof denseParams>;
let gradient: Explainer;
let epsilon: Explainer;

beforeAll(async () => {
  await useBackend('cpu');
  params = denseParams();
  gradient = await compile(denseNet, { input: [null, 4], params, rules: 'gradient' });
  epsilon = await compile(denseNet, { input: [null, 4], params, rules: 'epsilon' });
});
afterAll(() => {
  for (const each of [gradient, epsilon]) each.dispose();
  tf.dispose([params.fc1, params.fc2]);
});

it('normal numbers have mean 0 and variance 1, and are the same for the same seed', () => {
  const next = normals(3);
  const drawn = Array.from({ length: 20000 }, next);
  const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length;
  const variance = drawn.reduce((sum, value) => sum + value * value, 0) / drawn.length;
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  expect(drawn.filter((value) => Math.abs(value) < 1).length / drawn.length).toBeCloseTo(0.683, 1);
  const again = normals(3);
  expect(drawn.slice(0, 5)).toEqual(Array.from({ length: 5 }, again));
  expect(normals(4)()).not.toBe(drawn[0]);
});

describe('smoothGrad', () => {
  it('is the mean over noisy inputs, drawn in order, with the class of the input', async () => {
    const samples = 11;
    const { relevance, targets, scores } = await smoothGrad(epsilon, x, {
      samples,
      sigma: 0.3,
      randomSeed: 7,
    });
    const one = await epsilon.explain(x);
    expect([targets, scores]).toEqual([one.targets, one.scores]);
    const next = normals(7);
    const ranges = [x.slice(0, 4), x.slice(4)].map((row) => Math.max(...row) - Math.min(...row));
    const sums = new Array<number>(8).fill(0);
    for (let run = 0; run < samples; run++) {
      const noisy = x.map((value, i) => value + 0.3 * ranges[Math.floor(i / 4)]! * next());
      const { data } = (await epsilon.explain(noisy, { target: one.targets })).relevance;
      for (const [i, value] of data.entries()) sums[i]! += value / samples;
    }
    expect(relativeError(relevance.data, sums)).toBeLessThan(1e-5);
    expect(relevance.shape).toEqual([2, 4]);
  });

  it('without noise is the explanation itself, for every kind of seed', async () => {
    const seeds = [
      {},
      { seed: 'outputs' },
      { seed: 'contrast', target: 1 },
      { seed: [1, 0, 2, 0, -1, 0] },
    ] as const;
    for (const asked of seeds) {
      const smooth = await smoothGrad(epsilon, x, { ...asked, sigma: 0, samples: 3 });
      const one = await epsilon.explain(x, asked);
      expect(relativeError(smooth.relevance.data, one.relevance.data)).toBeLessThan(1e-6);
      expect({ ...smooth, relevance: 0, relevances: 0 }).toEqual({ ...one, relevance: 0, relevances: 0 });
    }
  });

  it('is the same for the same random seed', async () => {
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((randomSeed) => smoothGrad(gradient, x, { randomSeed })),
    );
    expect(a).toEqual(b);
    expect(a!.relevance).not.toEqual(c!.relevance);
  });

  it('tells how far it is, stops when told, and leaves nothing behind', async () => {
    const done: number[] = [];
    await smoothGrad(gradient, x, { samples: 10, onProgress: (count, all) => done.push(count, all) });
    expect(done).toEqual([4, 10, 8, 10, 10, 10]);
    const before = tf.memory().numTensors;
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('enough'));
    await expect(smoothGrad(gradient, x, { onProgress, signal: stop.signal })).rejects.toThrow('enough');
    await expect(smoothGrad(gradient, x, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('integratedGradients', () => {
  it('sums to f(x) − f(baseline) but for the gap, which vanishes with the steps', async () => {
    const gaps: number[] = [];
    for (const steps of [5, 50, 500]) {
      const {
        starts,
        relevance,
        gaps: own,
        logits,
      } = await integratedGradients(gradient, x, { steps, target: 1 });
      const origin = await gradient.explain(new Array<number>(8).fill(0), { target: 1 });
      for (const row of [0, 1]) {
        expect(starts[row]).toBeCloseTo(logits[row]! - origin.logits[row]!, 5);
        const sum = relevance.data.subarray(4 * row, 4 * row + 4).reduce((a, b) => a + b, 0);
        expect(own[row]).toBeCloseTo(starts[row]! - sum, 6);
      }
      gaps.push(Math.max(...own.map(Math.abs)));
    }
    expect(gaps[2]).toBeLessThan(2e-3);
    expect(gaps[0]).toBeGreaterThan(gaps[2]!);
  });

  it('is exact by the midpoint rule for a quadratic, from any baseline', async () => {
    // f = Σ w x²: R = w (x² − x₀²)
    const square = ((input: tf.Tensor) => tf.sum(tf.mul(tf.square(input), [1, 2]), 1, true)) as ModelFunction;
    const quadratic = await compile(square, { input: [null, 2], rules: 'gradient' });
    const expectExact = async (baseline: number | number[] | tf.Tensor, wanted: number[]) => {
      const { relevance, gaps } = await integratedGradients(quadratic, [1, 2, -1, 3], { baseline, steps: 2 });
      expect(relativeError(relevance.data, wanted)).toBeLessThan(1e-6);
      for (const gap of gaps) expect(gap).toBeCloseTo(0, 4);
    };
    await expectExact(0, [1, 8, 1, 18]);
    await expectExact(1, [0, 6, 0, 16]);
    await expectExact([2, 1], [-3, 6, -3, 16]);
    const origin = tf.tensor2d([0, 0, 1, 1], [2, 2]);
    await expectExact(origin, [1, 8, 0, 16]);
    origin.dispose();
    quadratic.dispose();
  });
});

describe('is refused:', () => {
  it('any explainer but that of the gradient at the input', async () => {
    const hint = /RELC4007: .*compiled with rules epsilon\n.*rules: 'gradient'/;
    await expect(integratedGradients(epsilon, x)).rejects.toThrow(hint);
    for (const rules of ['gradient-times-input', 'guided-backprop']) {
      const other = await compile(denseNet, { input: [null, 4], params, rules });
      await expect(integratedGradients(other, x)).rejects.toThrow(/RELC4007/);
      other.dispose();
    }
    const inner = await compile(denseNet, {
      input: [null, 4],
      params,
      rules: 'gradient',
      relevanceOf: ['relu'],
    });
    await expect(integratedGradients(inner, x)).rejects.toThrow(/RELC4007: .*relevanceOf/);
    inner.dispose();
  });

  it('wrong counts, noise and baselines', async () => {
    await expect(smoothGrad(gradient, x, { samples: 0 })).rejects.toThrow(/RELC4007: samples is 0/);
    await expect(smoothGrad(gradient, x, { sigma: -1 })).rejects.toThrow(/RELC4007: sigma is -1/);
    await expect(integratedGradients(gradient, x, { steps: 1.5 })).rejects.toThrow(/RELC4007: steps is 1.5/);
    const baseline = [1, 2];
    await expect(integratedGradients(gradient, x, { baseline })).rejects.toThrow(
      /RELC4007: the baseline holds 2/,
    );
    await expect(smoothGrad(gradient, [1, 2])).rejects.toThrow(/RELC4002: input x has 2 elements/);
  });

  it('inputs of integers', async () => {
    const table = seededWeights<tf.Tensor2D>(9, [5, 3]);
    const tokens = ((ids: tf.Tensor, { table: rows }: { table: tf.Tensor2D }) =>
      tf.sum(tf.gather(rows, ids as tf.Tensor2D), 1)) as ModelFunction;
    const input = { shape: [null, 2], dtype: 'i32' } as const;
    const reader = await compile(tokens, { input, params: { table }, rules: 'gradient' });
    await expect(smoothGrad(reader, [4, 0])).rejects.toThrow(
      /RELC4007: .*one input of floats, and .* i32\[N,2\]/,
    );
    reader.dispose();
    table.dispose();
  });
});
