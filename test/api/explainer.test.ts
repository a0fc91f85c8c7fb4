// Explainers: targets, seeds, batches, forms of input, refusals, and what they leave on the backend.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import type { Explainer, Explanation } from '../../src/api/explainer.js';
import type { ExplainOptions } from '../../src/api/seed.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights, smallConvNet } from '../codegen/nets.js';
import { relativeError, sequence, useBackend } from '../codegen/support.js';
import { targets } from '../codegen/targets.js';
import { denseNet, denseParams } from './models.js';

const random = sequence(5);
const draw = (count: number) => Array.from({ length: count }, () => 2 * random() - 1);
/** Three samples of four inputs. */
const x = draw(12);
const one = x.slice(0, 4);

let params: ReturnType<typeof denseParams>;
let explainer: Explainer;

beforeAll(async () => {
  await useBackend('cpu');
  params = denseParams();
});
beforeEach(async () => {
  await useBackend('cpu');
  explainer?.dispose();
  explainer = await compile(denseNet, { input: [null, 4], params, rules: 'epsilon' });
});
afterAll(() => tf.dispose([params.fc1, params.fc2]));

const argmax = (scores: ArrayLike<number>) => Array.from(scores).indexOf(Math.max(...Array.from(scores)));
const rows = (data: Float32Array, count: number) =>
  Array.from({ length: count }, (_, i) =>
    data.subarray((i * data.length) / count, ((i + 1) * data.length) / count),
  );

describe('the target', () => {
  it('is the top class of each sample', async () => {
    const { scores, target, targets } = await explainer.explain(x);
    expect(targets).toEqual(rows(scores.data, 3).map(argmax));
    expect(target).toBe(targets[0]);
  });

  it('is the class that is asked for, one for all or one for each', async () => {
    const all = await explainer.explain(x, { target: 1 });
    expect(all.targets).toEqual([1, 1, 1]);
    const each = await explainer.explain(x, { target: [2, 1, 0] });
    expect(each.targets).toEqual([2, 1, 0]);
    const [, second] = rows(each.relevance.data, 3);
    expect(second).toEqual(rows(all.relevance.data, 3)[1]);
    expect(each.logits[1]).toBe(all.logits[1]);
    expect(each.logit).toBe(each.logits[0]);
  });

  it('has the logit before the softmax as f(x)', async () => {
    const { logits, scores } = await explainer.explain(one, { target: 0 });
    const others = await Promise.all([1, 2].map((target) => explainer.explain(one, { target })));
    const all = [logits[0]!, ...others.map(({ logit }) => logit)];
    const total = all.reduce((sum, logit) => sum + Math.exp(logit), 0);
    expect(
      relativeError(
        scores.data,
        all.map((logit) => Math.exp(logit) / total),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe('the seed', () => {
  it('may change with each explanation: logit is f(x) times one', async () => {
    const [logit, unit, again] = [
      await explainer.explain(one, { seed: 'logit' }),
      await explainer.explain(one, { seed: 'one' }),
      await explainer.explain(one),
    ];
    const scaled = unit.relevance.data.map((value) => value * logit.logit);
    expect(relativeError(scaled, logit.relevance.data)).toBeLessThan(1e-5);
    expect(Math.abs(logit.logit - 1)).toBeGreaterThan(0.1);
    expect(again.relevance.data).toEqual(logit.relevance.data);
  });

  it('is refused where it is none', async () => {
    const options = { seed: 'two' } as unknown as ExplainOptions;
    await expect(explainer.explain(one, options)).rejects.toThrow(/RELC3004: there is no seed 'two'/);
  });
});

describe.each(targets)('a batch on $name', ({ start, target }) => {
  it('of three is three explanations', async () => {
    await start();
    const net = smallConvNet();
    const pictures = draw(3 * 12 * 12 * 3);
    const size = pictures.length / 3;
    const conv = await compile(net.model, {
      input: net.input,
      params: net.params,
      rules: 'epsilon-plus-flat',
      target,
    });
    const whole = await conv.explain(pictures);
    for (const [i, part] of rows(whole.relevance.data, 3).entries()) {
      const single = await conv.explain(pictures.slice(i * size, (i + 1) * size));
      expect(single.target).toBe(whole.targets[i]);
      expect(relativeError(part, single.relevance.data)).toBeLessThan(1e-6);
      expect(single.relevance.shape).toEqual([1, 12, 12, 3]);
    }
    conv.dispose();
    net.dispose();
  });
});

describe('an input', () => {
  it('is a Float32Array, a list of numbers or a tensor, with equal results', async () => {
    const wanted = await explainer.explain(x);
    const tensor = tf.tensor2d(x, [3, 4]);
    for (const input of [Float32Array.from(x), tensor, { x: tensor }, { x }]) {
      expect(await explainer.explain(input)).toEqual(wanted);
    }
    expect(tensor.isDisposed).toBe(false);
    tensor.dispose();
  });

  it('is one of several, by name', async () => {
    const weighted = (({ a, b }: Record<'a' | 'b', tf.Tensor>) =>
      tf.add(tf.mul(a, [1, 2]), tf.mul(b, [3, 4]))) as ModelFunction;
    const two = await compile(weighted, {
      input: { a: [null, 2], b: [null, 2] },
      rules: 'gradient-times-input',
    });
    const { relevances, relevance } = await two.explain({ a: [1, 1], b: [1, -1] }, { target: 1 });
    expect([...relevances.a!.data, ...relevances.b!.data]).toEqual([0, 2, 0, -4]);
    expect(relevance).toBe(relevances.a);
    await expect(two.explain([1, 1])).rejects.toThrow(
      /RELC4002: one input was given, expected 2\n.*\{ a, b \}/,
    );
    await expect(two.explain({ a: [1, 1] })).rejects.toThrow(/RELC4002: input b \[N,2\] is missing/);
    await expect(two.explain({ a: [1, 1], b: [1, 1, 1, 1] })).rejects.toThrow(
      /RELC4002: input b holds 2 samples/,
    );
    await expect(two.explain({ a: [1, 1], b: [1, 1], c: [1] })).rejects.toThrow(
      /RELC4002: there is no input 'c'\n.*inputs: a, b/,
    );
    two.dispose();
  });

  it('of integers is explained at what they look up, a number each', async () => {
    const table = seededWeights<tf.Tensor2D>(9, [5, 3]);
    const tokens = ((ids: tf.Tensor, { table: rowsOf }: { table: tf.Tensor2D }) =>
      tf.sum(tf.gather(rowsOf, ids as tf.Tensor2D), 1)) as ModelFunction;
    const input = { shape: [null, 2], dtype: 'i32' } as const;
    const reader = await compile(tokens, { input, params: { table }, rules: 'gradient-times-input' });
    const { relevance, logit } = await reader.explain([4, 0], { target: 2 });
    expect(relevance.shape).toEqual([1, 2]);
    expect(relevance.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(logit, 6);
    reader.dispose();
    table.dispose();
  });
});

describe('explanations at once', () => {
  const requests: readonly ExplainOptions[] = [
    {},
    { seed: 'one', target: 1 },
    { target: 2, against: 0 },
    { seed: 'one', target: 0 },
    { target: 1 },
  ];

  it.each(targets)('are those one after another, on $name', async ({ start, target }) => {
    await start();
    const options = { input: [null, 4], params, rules: 'epsilon', target };
    const patient = await compile(denseNet, options);
    const inputs = requests.map((_, index) => x.map((value) => value + index));
    const wanted: Explanation[] = [];
    for (const [index, request] of requests.entries()) {
      wanted.push(await patient.explain(inputs[index]!, request));
    }
    const before = tf.memory().numTensors;
    const fresh = await compile(denseNet, options);
    const together = await Promise.all(requests.map((request, i) => fresh.explain(inputs[i]!, request)));
    expect(together).toEqual(wanted);
    fresh.dispose();
    expect(tf.memory().numTensors).toBe(before);
    patient.dispose();
    await useBackend('cpu');
  });

  it('beside a check and beside one that is refused', async () => {
    const wanted = await explainer.explain(one, { target: 1 });
    const [report, refused, explanation] = await Promise.allSettled([
      explainer.check(one),
      explainer.explain(one, { target: 1, against: 1 }),
      explainer.explain(one, { target: 1 }),
    ]);
    expect(report).toMatchObject({ status: 'fulfilled', value: { ok: true } });
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'RELC4003' } });
    expect(explanation).toEqual({ status: 'fulfilled', value: wanted });
  });

  it('are refused where the explainer is disposed of before they run, and leave nothing behind', async () => {
    const empty = tf.memory().numTensors;
    const fresh = await compile(denseNet, { input: [null, 4], params });
    const all = Promise.allSettled([fresh.explain(x), fresh.explain(x, { seed: 'one' }), fresh.check(one)]);
    fresh.dispose();
    const refused = { status: 'rejected', reason: { code: 'RELC4004' } };
    expect(await all).toMatchObject([refused, refused, refused]);
    expect(tf.memory().numTensors).toBe(empty);
  });
});

describe('refusals', () => {
  const nan = [0, Number.NaN, 0, 0];
  const wrong: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
    [
      'a wrong length',
      () => explainer.explain([1, 2, 3]),
      /RELC4002: input x has 3 elements, expected \[N,4\]: 4 a sample/,
    ],
    ['nothing', () => explainer.explain([]), /RELC4002: input x has 0 elements/],
    [
      'a wrong shape',
      () => explainer.explain(tf.zeros([4, 1])),
      /RELC4002: input x has shape \[4,1\], expected \[N,4\]/,
    ],
    ['NaN', () => explainer.explain(nan), /RELC4002: input x holds NaN at element 1/],
    [
      'NaN in a tensor',
      () => explainer.explain(tf.tensor2d(nan, [1, 4])),
      /RELC4002: input x holds NaN at element 1/,
    ],
    [
      'what overflows in f32',
      () => explainer.explain([1e39, 0, 0, 0]),
      /RELC4006: \S+ is NaN at element 0\n.*overflow/,
    ],
    [
      'what is no list',
      () => explainer.explain({ x: 'abcd' as never }),
      /RELC4002: input x \[N,4\] is neither/,
    ],
    [
      'a tensor of another tfjs',
      () => explainer.explain({ dataId: {}, shape: [1, 4] } as never),
      /RELC4002: .*neither a tensor nor a list of numbers\n.*install one copy/,
    ],
    [
      'a class that there is not',
      () => explainer.explain(one, { target: 3 }),
      /RELC4003: target 3 is no class\n.*0 to 2/,
    ],
    ['a negative class', () => explainer.explain(one, { target: -1 }), /RELC4003: target -1 is no class/],
    ['half a class', () => explainer.explain(one, { target: 0.5 }), /RELC4003: target 0.5 is no class/],
    [
      'too few classes',
      () => explainer.explain(x, { target: [0, 1] }),
      /RELC4003: 2 targets were given for 3 samples/,
    ],
  ];

  it.each(wrong)('%s; the explainer stays usable', async (_what, call, message) => {
    const before = await explainer.explain(one);
    const tensors = tf.memory().numTensors;
    await expect(call()).rejects.toThrow(message);
    expect(tf.memory().numTensors - tensors).toBeLessThanOrEqual(1);
    expect(await explainer.explain(one)).toEqual(before);
  });

  it('any explanation after dispose; the stages stay', async () => {
    explainer.dispose();
    explainer.dispose();
    await expect(explainer.explain(one)).rejects.toThrow(/RELC4004: the explainer was disposed of/);
    expect(explainer.stages.get('trace')!.print()).toContain('einsum');
  });
});

describe('on the backend', () => {
  it('nothing is left by an explanation, and nothing after dispose', async () => {
    const empty = tf.memory().numTensors;
    const fresh = await compile(denseNet, { input: [null, 4], params, target: 'tfjs' });
    const held = tf.memory().numTensors;
    await fresh.explain(one);
    for (const seed of ['logit', 'logit'] as const) await fresh.explain(x, { seed, target: 1 });
    expect(tf.memory().numTensors).toBe(held);
    expect(held).toBeGreaterThan(empty);
    await fresh.explain(one, { seed: 'one' });
    fresh.dispose();
    expect(tf.memory().numTensors).toBe(empty);
  });

  it('the current one computes, also after it is changed', async () => {
    const onTfjs = await compile(denseNet, { input: [null, 4], params, target: 'tfjs' });
    const cpu = await onTfjs.explain(x);
    const tensors = tf.memory().numTensors;
    await useBackend('wasm');
    const tensor = tf.tensor2d(x, [3, 4]);
    const wasm = await onTfjs.explain(tensor);
    await useBackend('cpu');
    const again = await onTfjs.explain(tensor);
    expect(relativeError(wasm.relevance.data, cpu.relevance.data)).toBeLessThan(1e-5);
    expect(again).toEqual(cpu);
    tensor.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    onTfjs.dispose();
  });

  it.each(targets)(
    'one class, and an image that goes straight into a kernel, are fine on $name',
    async ({ start, target }) => {
      await start();
      const kernel = seededWeights<tf.Tensor4D>(3, [3, 3, 1, 1]);
      const net = ((image: tf.Tensor4D, { w }: { w: tf.Tensor4D }) =>
        tf.reshape(tf.conv2d(image, w, 1, 'valid'), [-1, 1])) as ModelFunction;
      const options = { input: [null, 3, 3, 1], params: { w: kernel }, rules: 'gradient', target };
      const single = await compile(net, options);
      const {
        relevance,
        targets: [found],
      } = await single.explain(draw(9));
      expect(found).toBe(0);
      expect(relativeError(relevance.data, kernel.dataSync())).toBeLessThan(1e-6);
      single.dispose();
      kernel.dispose();
    },
  );
});
