// compile: every kind of model becomes an explainer whose numbers are the evaluator's and the model's own.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { executionTargets } from '../../src/api/engine.js';
import type { Explainer } from '../../src/api/explainer.js';
import { dialect, stageNames } from '../../src/api/pipeline.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { parse } from '../../src/ir/parse.js';
import { print as printed } from '../../src/ir/print.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { presets } from '../../src/rules/presets.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { relativeError, useBackend } from '../codegen/support.js';
import { valuePresets } from '../presets.js';
import { loadGraph, placeholder } from '../trace/graph-models.js';
import { denseLayers, denseNet, denseParams, saveLayers, scratch } from './models.js';

beforeAll(() => useBackend('cpu'));

const x = [0.5, -1, 2, 0.25, -0.5, 1, 1, -2];

/** Explains two samples and judges scores and relevance by the evaluator in f64. */
async function expectEvaluated(explainer: Explainer): Promise<void> {
  const { scores, targets, relevance } = await explainer.explain(x);
  const { graph, weights } = explainer.compiled.program;
  const feed: Record<string, TensorData> = { 'seed.target': tensor([2], [-1, -1], 'i32') };
  feed[explainer.inputs[0]!.name] = tensor([2, 4], x);
  const wanted = evaluate(graph, dialect, feed, weights);
  expect(targets).toEqual([...wanted.target!.data]);
  expect(scores.shape).toEqual(wanted.scores!.shape);
  expect(relativeError(scores.data, wanted.scores!.data)).toBeLessThan(1e-5);
  const [[, input]] = Object.entries(wanted).filter(([key]) => key.startsWith('relevance.')) as [
    [string, TensorData],
  ];
  expect(relevance.shape).toEqual([2, 4]);
  expect(relativeError(relevance.data, input.data)).toBeLessThan(1e-5);
}

/** The model's own scores for x. */
const ownScores = (predict: (input: tf.Tensor2D) => tf.Tensor) =>
  tf.tidy(() => predict(tf.tensor2d(x, [2, 4])).dataSync());

async function expectOwn(explainer: Explainer, predict: (input: tf.Tensor2D) => tf.Tensor): Promise<void> {
  const { scores } = await explainer.explain(x);
  expect(relativeError(scores.data, ownScores(predict))).toBeLessThan(1e-6);
  await expectEvaluated(explainer);
  explainer.dispose();
}

describe('compile takes', () => {
  it('a function with its weights', async () => {
    const params = denseParams();
    const explainer = await compile(denseNet, { input: [null, 4], params });
    await expectOwn(explainer, (input) => denseNet(input, params) as tf.Tensor);
    tf.dispose([params.fc1, params.fc2]);
  });

  it('a layers model, which states its input', async () => {
    const model = denseLayers();
    await expectOwn(await compile(model), (input) => model.predict(input) as tf.Tensor);
    model.dispose();
  });

  it('a graph model', async () => {
    const nodes = [
      placeholder('x', [-1, 4]),
      { name: 'product', op: 'MatMul', input: ['x', 'w'] },
      { name: 'scores', op: 'Tanh', input: ['product'] },
    ];
    const model = await loadGraph(nodes, { w: [4, 3] });
    await expectOwn(await compile(model), (input) => model.predict(input) as tf.Tensor);
    model.dispose();
  });

  it('the path of a model.json', async () => {
    const model = denseLayers();
    const path = await saveLayers(model, scratch('compile'));
    await expectOwn(await compile(path), (input) => model.predict(input) as tf.Tensor);
    model.dispose();
  });

  it('a graph text with its weights', async () => {
    const text = `graph @text {
      %x = input() : f32[N,4]
      %w = param() {key="w"} : f32[4,3]
      %z = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,3]
      return %z
    }`;
    const w = tensor([4, 3], [1, -1, 0.5, 2, 0.25, -1, 0.75, 1, 1, -0.5, -0.25, 2]);
    const explainer = await compile({ graph: parse(text, dialect), weights: new Map([['w', w]]) });
    await expectOwn(explainer, (input) => tf.matMul(input, tf.tensor2d([...w.data], [4, 3])));
  });

  it('a function without a batch axis', async () => {
    const sum = ((input: tf.Tensor1D) => tf.reshape(tf.sum(tf.mul(input, [1, 2, 3])), [1])) as ModelFunction;
    const explainer = await compile(sum, { input: [3], batch: null, rules: 'gradient-times-input' });
    const { logit, relevance } = await explainer.explain([1, 1, -1]);
    expect([logit, [...relevance.data], relevance.shape]).toEqual([0, [1, 2, -3], [3]]);
    explainer.dispose();
  });

  it.each(valuePresets.filter((name) => name !== 'grad-cam'))('the preset %s', async (rules) => {
    const params = denseParams();
    const explainer = await compile(denseNet, { input: [null, 4], params, rules, range: [-1, 1] });
    expect([explainer.rules, explainer.seed]).toEqual([rules, presets.get(rules)!.seed]);
    await expectEvaluated(explainer);
    explainer.dispose();
    tf.dispose([params.fc1, params.fc2]);
  });
});

describe('a model with two outputs', () => {
  const both = ((input: tf.Tensor2D, { fc1, fc2 }: ReturnType<typeof denseParams>) => {
    const h = tf.matMul(input, fc1.kernel);
    return { first: h, second: tf.matMul(h, fc2.kernel) };
  }) as ModelFunction;

  it('is explained at the one that is named', async () => {
    const params = denseParams();
    const classes = { first: 6, second: 3 };
    for (const output of ['first', 'second'] as const) {
      const explainer = await compile(both, { input: [null, 4], params, output });
      expect(explainer.classes).toBe(classes[output]);
      expect((await explainer.explain(x)).scores.shape).toEqual([2, classes[output]]);
      explainer.dispose();
    }
  });

  it('asks which one, and lists them', async () => {
    const options = { input: [null, 4], params: denseParams() };
    await expect(compile(both, options)).rejects.toThrow(/RELC3005: .*several outputs\n.*first, second/);
    await expect(compile(both, { ...options, output: 'third' })).rejects.toThrow(
      /RELC3005: .*no output 'third'\n.*first, second/,
    );
  });
});

describe('compile refuses', () => {
  const options = () => ({ input: [null, 4], params: denseParams() });

  it('an unknown preset, with those there are', async () => {
    await expect(compile(denseNet, { ...options(), rules: 'epsilom' })).rejects.toThrow(
      /RELC3003: no preset is called 'epsilom'\n.*epsilon-plus, /,
    );
  });

  it('an unknown seed', async () => {
    const seed = 'logits' as 'logit';
    await expect(compile(denseNet, { ...options(), seed })).rejects.toThrow(
      /RELC3004: .*'logits'\n.*logit, one/,
    );
  });

  it.each([0, -2, 1.5, Number.NaN])('threads: %s, on any target', async (threads) => {
    for (const target of executionTargets) {
      const failure = compile(denseNet, { input: [null, 4], params: denseParams(), target, threads });
      await expect(failure).rejects.toThrow(`RELC4010: threads is ${threads}, expected an integer from 1 on`);
    }
  });

  it('what is no model, and a function without its input', async () => {
    await expect(compile(3 as never)).rejects.toThrow(/RELC2008: a number is not a model/);
    await expect(compile(denseNet)).rejects.toThrow(/RELC2008: .*without the shape of its input/);
  });

  it('ops that no rule is for, by name and layer', async () => {
    const exponential = ((input: tf.Tensor) => tf.exp(input)) as ModelFunction;
    await expect(compile(exponential, { input: [null, 4] })).rejects.toThrow(/RELC3001: .*%exp = exp/);
  });
});

describe('stages', () => {
  it('print by name and are read back', async () => {
    const explainer = await compile(denseNet, { input: [null, 4], params: denseParams() });
    expect([...explainer.stages.keys()]).toEqual([...stageNames]);
    for (const { graph, print } of explainer.stages.values()) {
      const text = print();
      const again = parse(text, dialect);
      expect([printed(again), again.nodes.size]).toEqual([text, graph.nodes.size]);
    }
    expect(explainer.stages.get('relevance')!.print()).toContain('rule.epsilon(');
    expect(explainer.stages.get('relevance')!.print({ locs: true })).toMatch(/\/\/ .*models\.ts:\d+:\d+/);
    expect(explainer.stages.get('dead-code')!.print()).not.toContain('rule.');
  });
});

it('notes say that a softmax is taken off', async () => {
  const explainer = await compile(denseNet, { input: [null, 4], params: denseParams() });
  expect(explainer.notes).toEqual([
    "the softmax %softmax at the model's end is taken off for the seed: relevance starts at the logits, %add_1",
  ]);
});
