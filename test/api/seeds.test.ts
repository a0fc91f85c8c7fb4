// What is explained, chosen at run time: seeds, contrasts, several explanations of one forward, and intermediate values.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compile } from '../../src/api/compile.js';
import type { Explainer } from '../../src/api/explainer.js';
import type { ExplainOptions } from '../../src/api/seed.js';
import { base } from '../../src/rules/presets.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights, smallConvNet } from '../codegen/nets.js';
import { relativeError, sequence, useBackend } from '../codegen/support.js';
import { targets } from '../codegen/targets.js';
import { denseLayers, denseNet, denseParams } from './models.js';

const random = sequence(5);
const draw = (count: number) => Array.from({ length: count }, () => 2 * random() - 1);
const x = draw(8);

let params: ReturnType<typeof denseParams>;
let explainer: Explainer;

beforeAll(async () => {
  await useBackend('cpu');
  params = denseParams();
  explainer = await compile(denseNet, { input: [null, 4], params, rules: 'epsilon' });
});
afterAll(() => {
  explainer.dispose();
  tf.dispose([params.fc1, params.fc2]);
});

/** z of each sample and class: the scores before the softmax. */
async function logitsOf(input: number[]): Promise<number[][]> {
  const each = await explainer.explainEach(input, [{ target: 0 }, { target: 1 }, { target: 2 }]);
  return each[0]!.logits.map((_, sample) => each.map(({ logits }) => logits[sample]!));
}

const plus = (a: Float32Array, b: Float32Array, factor: number) =>
  a.map((value, i) => value + factor * b[i]!);

describe('a seed', () => {
  it('of outputs is the sum of the logits', async () => {
    const all = await explainer.explain(x, { seed: 'outputs' });
    const each = await explainer.explainEach(x, [{ target: 0 }, { target: 1 }, { target: 2 }]);
    const [a, b, c] = each.map(({ relevance }) => relevance.data) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect(relativeError(all.relevance.data, plus(plus(a, b, 1), c, 1))).toBeLessThan(1e-5);
    expect(all.starts[1]).toBeCloseTo(
      each.reduce((sum, { logits }) => sum + logits[1]!, 0),
      5,
    );
  });

  it('of a contrast is the difference of two logits', async () => {
    const [contrast, target, other] = await explainer.explainEach(x, [
      { target: 0, against: [2, 1] },
      { target: 0 },
      { target: [2, 1] },
    ]);
    const wanted = plus(target!.relevance.data, other!.relevance.data, -1);
    expect(relativeError(contrast!.relevance.data, wanted)).toBeLessThan(1e-5);
    expect(contrast).toMatchObject({ targets: [0, 0], against: 2, againsts: [2, 1] });
    expect(contrast!.start).toBeCloseTo(target!.logits[0]! - other!.logits[0]!, 5);
    expect(target).not.toHaveProperty('against');
  });

  it('of a contrast is against the strongest other class, if none is named', async () => {
    const logits = await logitsOf(x);
    const { targets, againsts } = await explainer.explain(x, { seed: 'contrast' });
    for (const [sample, own] of logits.entries()) {
      const order = [0, 1, 2].sort((a, b) => own[b]! - own[a]!);
      expect([targets[sample], againsts![sample]]).toEqual(order.slice(0, 2));
    }
  });

  it('is numbers or a tensor of the shape of the scores', async () => {
    const rows = [1, -2, 0, 0, 0.5, 3];
    const given = await explainer.explain(x, { seed: rows });
    const tensor = tf.tensor2d(rows, [2, 3]);
    expect((await explainer.explain(x, { seed: tensor })).relevance).toEqual(given.relevance);
    tensor.dispose();
    expect(given.starts).toEqual([-1, 3.5]);
    const each = await explainer.explainEach(x, [
      { target: 0, seed: 'one' },
      { target: 1, seed: 'one' },
    ]);
    const [a, b] = each.map(({ relevance }) => relevance.data.subarray(0, 4)) as [Float32Array, Float32Array];
    expect(relativeError(given.relevance.data.subarray(0, 4), plus(a, b, -2))).toBeLessThan(1e-5);
  });

  it('states what relevance starts with', async () => {
    const [logit, one] = await explainer.explainEach(x, [{}, { seed: 'one' }]);
    expect(logit!.starts).toEqual(logit!.logits);
    expect(one).toMatchObject({ start: 1, starts: [1, 1] });
  });

  it('of a gradient’s contrast is in no unit of the scores', async () => {
    const gradient = await compile(denseNet, { input: [null, 4], params, rules: 'gradient' });
    const [both, a, b] = await gradient.explainEach(x, [
      { target: 1, against: 0 },
      { target: 1 },
      { target: 0 },
    ]);
    const wanted = plus(a!.relevance.data, b!.relevance.data, -1);
    expect(relativeError(both!.relevance.data, wanted)).toBeLessThan(1e-5);
    expect(both!.starts).toEqual([0, 0]);
    gradient.dispose();
  });

  it('that is compiled is the one that is meant', async () => {
    const options = { input: [null, 4], params, rules: 'epsilon' };
    const contrast = await compile(denseNet, { ...options, seed: 'contrast' });
    const wanted = await explainer.explain(x, { seed: 'contrast' });
    expect((await contrast.explain(x)).relevance).toEqual(wanted.relevance);
    contrast.dispose();
    const tensor = await compile(denseNet, { ...options, seed: 'tensor' });
    await expect(tensor.explain(x)).rejects.toThrow(/RELC3004: the seed is a tensor, and none was given/);
    expect((await tensor.explain(x, { seed: draw(6) })).starts).toHaveLength(2);
    tensor.dispose();
  });
});

describe('is refused:', () => {
  const refusals: [what: string, options: ExplainOptions, message: RegExp][] = [
    ['a contrast with another seed', { seed: 'one', against: 1 }, /RELC3004: against .* the seed is 'one'/],
    [
      'a contrast with numbers',
      { seed: [1, 0, 0, 1, 0, 0], against: 1 },
      /RELC3004: against .* given as numbers/,
    ],
    ['a class against itself', { target: 1, against: 1 }, /RELC4003: class 1 is compared with itself/],
    [
      'a class to compare with that there is not',
      { against: 3 },
      /RELC4003: against 3 is no class\n.*0 to 2/,
    ],
    ['too few classes to compare with', { against: [1] }, /RELC4003: 1 classes to compare with .* 2 samples/],
    ['a target of all outputs', { seed: 'outputs', target: 1 }, /RELC3004: .*explains all scores at once/],
    ['a target of numbers', { seed: draw(6), target: 1 }, /RELC3004: .*says itself how much/],
    ['a tensor by name', { seed: 'tensor' }, /RELC3004: the seed is a tensor, and none was given/],
    ['numbers of another shape', { seed: [1, 2] }, /RELC4002: input seed has 2 elements, expected \[N,3\]/],
    ['numbers for other samples', { seed: [1, 2, 3] }, /RELC4002: seed has shape \[1,3\], but .* 2 samples/],
  ];

  it.each(refusals)('%s; nothing is left behind', async (_what, options, message) => {
    await explainer.explainEach(x, [{}, { seed: 'contrast' }, { seed: draw(6) }]);
    const before = tf.memory().numTensors;
    await expect(explainer.explainEach(x, [{ target: 0 }, options])).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a contrast of one class', async () => {
    const net = ((input: tf.Tensor) => tf.sum(tf.relu(input), 1, true)) as ModelFunction;
    const single = await compile(net, { input: [null, 4], rules: base });
    await expect(single.explain(x, { seed: 'contrast' })).rejects.toThrow(/RELC3004: .*compares two classes/);
    single.dispose();
  });
});

describe('several explanations', () => {
  const requests: ExplainOptions[] = [
    { target: 3 },
    { seed: 'one', target: 1 },
    { target: [0, 4] },
    { target: 2, against: 0 },
    {},
    { seed: 'contrast' },
  ];

  it.each(targets)('are those that are asked for one by one, on $name', async ({ start, target }) => {
    await start();
    const net = smallConvNet();
    const { model, input, params: own } = net;
    const conv = await compile(model, { input, params: own, rules: 'epsilon-alpha2-beta1', target });
    const pictures = draw(2 * 12 * 12 * 3);
    await conv.explainEach(pictures, requests);
    const before = tf.memory().numTensors;
    const together = await conv.explainEach(pictures, requests);
    expect(tf.memory().numTensors).toBe(before);
    for (const [index, request] of requests.entries()) {
      expect(together[index]).toEqual(await conv.explain(pictures, request));
    }
    expect(await conv.explainEach(pictures, [])).toEqual([]);
    conv.dispose();
    net.dispose();
    await useBackend('cpu');
  });

  /** How often each kernel of a contraction runs. */
  async function contractionsOf(action: () => Promise<unknown>): Promise<number> {
    const spy = vi.spyOn(tf.engine(), 'runKernel');
    await action();
    const names = spy.mock.calls.map(([name]) => name);
    spy.mockRestore();
    return names.filter((name) => /Conv2D|MatMul|DepthwiseConv/.test(name)).length;
  }

  it('compute the forward once, modified forwards included', async () => {
    const net = smallConvNet();
    const { model, input, params: own } = net;
    const pictures = draw(12 * 12 * 3);
    const forward = await contractionsOf(async () =>
      tf.dispose(
        tf.tidy(() => {
          const given = tf.tensor4d(pictures, [1, 12, 12, 3]);
          return (model as (x: tf.Tensor, p: typeof own) => tf.Tensor)(given, own);
        }),
      ),
    );
    for (const rules of ['epsilon-plus', 'epsilon-alpha2-beta1']) {
      const conv = await compile(model, { input, params: own, rules, target: 'tfjs' });
      await conv.explain(pictures);
      const one = await contractionsOf(() => conv.explain(pictures));
      const two = await contractionsOf(() => conv.explainEach(pictures, [{ target: 0 }, { target: 1 }]));
      const five = await contractionsOf(() =>
        conv.explainEach(
          pictures,
          [0, 1, 2, 3, 4].map((target) => ({ target })),
        ),
      );
      const each = two - one;
      expect(five - two).toBe(3 * each);
      // What is shared is the forward and at least one modified forward more
      expect(one - each).toBeGreaterThan(forward);
      conv.dispose();
    }
    net.dispose();
  });
});

describe('relevanceOf', () => {
  it('explains values in place of the inputs, by name, layer and alias', async () => {
    const model = denseLayers();
    const layers = await compile(model, { rules: 'epsilon', relevanceOf: ['fc1', 'fc1_input'] });
    const { relevances, relevance, logits } = await layers.explain(x);
    expect(Object.keys(relevances)).toEqual(['fc1', 'fc1_input']);
    expect(relevance).toBe(relevances.fc1);
    expect(relevance.shape).toEqual([2, 6]);
    const whole = await compile(model, { rules: 'epsilon' });
    expect(relevances.fc1_input).toEqual((await whole.explain(x)).relevance);
    // The layer above has a bias: what it takes is missing
    const weights = model.getLayer('fc2').getWeights()[1]!.dataSync();
    const { targets } = await layers.explain(x);
    const sums = [0, 1].map((row) =>
      relevance.data.subarray(6 * row, 6 * row + 6).reduce((a, b) => a + b, 0),
    );
    for (const row of [0, 1]) expect(sums[row]).toBeCloseTo(logits[row]! - weights[targets[row]!]!, 4);
    for (const each of [layers, whole]) each.dispose();
    model.dispose();
  });

  it('refuses what is no value of the model, with near names', async () => {
    const options = { input: [null, 4], params, rules: 'epsilon', relevanceOf: ['softmux'] };
    await expect(compile(denseNet, options)).rejects.toThrow(/RELC3008: .*no value 'softmux'\n.*softmax/);
  });
});

describe('options of compile', () => {
  it('take a composite of lines, and a preset of one’s own', async () => {
    const line = ['affine', { kind: 'dense' }, { rule: 'epsilon' }] as const;
    const own = await compile(denseNet, { input: [null, 4], params, rules: [line, ...base] });
    expect(own.rules).toBe('custom');
    const wanted = await explainer.explain(x);
    expect((await own.explain(x)).relevance).toEqual(wanted.relevance);
    own.dispose();
    const named = { name: 'mine', extends: 'epsilon', seed: 'one', composite: [] } as const;
    const mine = await compile(denseNet, { input: [null, 4], params, rules: named });
    expect([mine.rules, mine.seed]).toEqual(['mine', 'one']);
    mine.dispose();
  });

  it('name the layer of grad-cam', async () => {
    const net = ((image: tf.Tensor4D, { w, v }: Record<'w' | 'v', tf.Tensor4D>) => {
      const first = tf.relu(tf.conv2d(image, w, 1, 'same')) as tf.Tensor4D;
      return tf.mean(tf.conv2d(first, v, 2, 'same'), [1, 2]);
    }) as ModelFunction;
    const weights = {
      w: seededWeights<tf.Tensor4D>(1, [3, 3, 1, 4]),
      v: seededWeights<tf.Tensor4D>(2, [3, 3, 4, 3]),
    };
    const options = { input: [null, 6, 6, 1], params: weights, rules: 'grad-cam' };
    const [last, first] = [await compile(net, options), await compile(net, { ...options, layer: 'relu' })];
    const picture = draw(36);
    const [a, b] = [await last.explain(picture), await first.explain(picture)];
    expect([a.relevance.shape, b.relevance.shape]).toEqual([
      [1, 6, 6, 1],
      [1, 6, 6, 1],
    ]);
    expect(a.relevance.data).not.toEqual(b.relevance.data);
    await expect(compile(net, { ...options, rules: 'epsilon', layer: 'relu' })).rejects.toThrow(
      /RELC3005: .*grad-cam/,
    );
    for (const each of [last, first]) each.dispose();
    tf.dispose(weights);
  });
});
