// Scores of one token: position explains what a model would that gives the scores of that token alone.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, type ModelFunction } from '../../src/index.js';
import { llamaDecoder } from '../models/transformers/llama.js';
import { relativeError } from '../rules/support.js';

beforeAll(() => tf.setBackend('cpu'));

const { fn, inputs, params, sample } = llamaDecoder({});
const ids = () => sample(2, 4) as tf.Tensor;

/** The decoder with the scores of one token as its output. */
const only =
  (token: number): ModelFunction =>
  (x, weights) =>
    tf.tidy(() => {
      const scores = fn(x, weights) as tf.Tensor;
      const [samples, , classes] = scores.shape as [number, number, number];
      return tf.reshape(tf.slice(scores, [0, token, 0], [samples, 1, classes]), [samples, classes]);
    });

describe('position', () => {
  it.each(['attnlrp', 'cp-lrp', 'gradient-times-input', 'transformer-attribution', 'attention-rollout'])(
    '%s: as of a model with the scores of one token, which tokens behind it do not reach',
    async (rules) => {
      const options = { input: inputs, params, rules, threads: 1 };
      for (const [position, token] of [
        [2, 2],
        [-1, 4],
      ] as const) {
        const whole = await compile(fn, { ...options, position });
        const part = await compile(only(token), options);
        const [found, wanted] = await Promise.all([whole, part].map((each) => each.explain(ids())));
        expect(found!.scores.shape).toEqual(wanted!.scores.shape);
        expect(found!.targets).toEqual(wanted!.targets);
        expect(relativeError(found!.relevance.data, wanted!.relevance.data)).toBeLessThan(1e-5);
        const behind = [...found!.relevance.data].filter((_, index) => index % 5 > token);
        expect(behind.every((value) => value === 0)).toBe(true);
        for (const explainer of [whole, part]) explainer.dispose();
      }
    },
  );

  it('is refused where there is no such token, or tokens have no scores', async () => {
    const options = { input: inputs, params, rules: 'attnlrp', threads: 1 };
    await expect(compile(fn, { ...options, position: 5 })).rejects.toMatchObject({
      code: 'RELC3005',
      detail: 'position is 5, but there are 5 tokens',
    });
    await expect(compile(only(0), { ...options, position: 0 })).rejects.toMatchObject({ code: 'RELC3005' });
    await expect(compile(fn, { ...options, rules: 'rollout' })).rejects.toMatchObject({
      code: 'RELC3005',
      detail: expect.stringContaining('each token has scores of its own'),
    });
  });
});
