// Conformance with other implementations: every recorded run, and docs/conformance.md. BLESS=1 rewrites the page.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluateAll } from '../../src/ir/evaluate.js';
import { presetNamed } from '../../src/rules/presets.js';
import { attentionModel, unrecorded } from './conformance/attention.js';
import { cheferLayers, oursUnder } from './conformance/chefer-layers.js';
import { batchNorm, clone, denominators, differences, softmaxAxis, sums } from './conformance/differences.js';
import { captum, zennit } from './conformance/expressions.js';
import { lxtOperations } from './conformance/lxt-ops.js';
import { notebookSuites } from './conformance/notebook.js';
import { hasPassed, printPage } from './conformance/page.js';
import { outcomeOf, passes, type Suite } from './conformance/suite.js';
import { mergedErrors, wholeModels } from './conformance/whole-models.js';
import { zennitLayers } from './conformance/zennit-layers.js';
import { GoldenGraph, golden } from './golden.js';
import { dialect, relativeError } from './support.js';

const suites: readonly Suite[] = [
  ...wholeModels.map(({ suite }) => suite),
  zennitLayers,
  cheferLayers,
  attentionModel,
  lxtOperations,
  ...notebookSuites,
];

const recordings = [
  'zennit/vgg_tiny',
  'zennit/cnn_bn',
  'zennit/ops',
  'captum/vgg_tiny',
  'chefer/ops',
  'chefer/vit_tiny',
  'lxt/ops',
];

describe.each(suites.map((suite) => [`${suite.peer}: ${suite.name}`, suite] as const))(
  '%s',
  (_title, { runs, different }) => {
    const judged = runs.filter(({ id }) => !different.includes(id));

    it.each(judged.map((run) => [run.id, run] as const))('%s', (_id, run) => {
      const { comparisons, failure } = outcomeOf(run);
      if (failure !== undefined) throw failure;
      expect(comparisons).not.toEqual([]);
      for (const { at, error, tolerance } of comparisons) {
        expect(error, `at ${at}`).toBeLessThanOrEqual(tolerance);
      }
    });

    it('what is said to differ was recorded, and differs', () => {
      const runsThatDiffer = runs.filter(({ id }) => different.includes(id));
      expect(runsThatDiffer).toHaveLength(different.length);
      expect(runsThatDiffer.filter(hasPassed)).toEqual([]);
      expect(runsThatDiffer.flatMap((run) => outcomeOf(run).failure ?? [])).toEqual([]);
    });
  },
);

describe('deliberate differences', () => {
  it('Clone drops relevance at exact zeros of x, a fan-out keeps it; they agree elsewhere', () => {
    const { zeros, there, here, elsewhere, sums: sum } = clone();
    expect(zeros).toBe(5);
    for (const value of there) expect(value).toBeCloseTo(0, 30);
    for (const value of here) expect(Math.abs(value)).toBeGreaterThan(0.2);
    expect(elsewhere).toBeLessThan(1e-6);
    expect(sum.here).toBeCloseTo(sum.seed, 5);
    expect(sum.there - sum.seed).toBeGreaterThan(7);
  });

  it('Add couples the samples of a batch, chefer.add gives each what it would get alone', () => {
    const { there, here } = sums();
    expect(there).toBeGreaterThan(0.1);
    expect(here).toBeLessThan(1e-6);
  });

  it('Conv2d doubles ΣR by separate denominators, the preset chefer keeps it', () => {
    const { there, here } = denominators();
    expect(there).toBeCloseTo(2, 5);
    expect(here).toBeCloseTo(1, 5);
  });

  it('lxt sums over the last axis of a softmax over another one', () => {
    const { off, reproduced } = softmaxAxis();
    expect(off).toBeGreaterThan(1);
    expect(reproduced).toBeLessThan(1e-6);
  });

  it('BatchNorm2d squares the variance, which cancels: R but for the last digits', () => {
    expect(batchNorm().off).toBeLessThan(1e-7);
  });
});

it('the preset chefer-original says the layers of layers_ours with α = 1', () => {
  const runs = oursUnder(presetNamed('chefer-original').composite);
  expect(runs).toHaveLength(19);
  // The one convolution of a graph is a first one, to which the preset gives zB, as they do to three channels
  expect(runs.filter((run) => !hasPassed(run)).map(({ id }) => id)).toEqual(['conv4ch_a1']);
});

describe('what the comparisons rest on', () => {
  const models = recordings.flatMap((name) => {
    const source = golden(name);
    return source.models.map((model) => [`${name}: ${model.id}`, source, model] as const);
  });

  it.each(models)('%s has the activations that were recorded', (_title, source, model) => {
    const translated = new GoldenGraph(source, model);
    const values = evaluateAll(translated.graph, dialect, translated.inputs(), translated.weights);
    for (const [node, key] of Object.entries(model.activations)) {
      expect(relativeError(values.get(node)!.data, translated.recorded(node, key).data), node).toBeLessThan(
        1e-5,
      );
    }
  });

  it('batch normalization is merged into convolutions as zennit merges it', () => {
    const errors = wholeModels.flatMap(({ model }) => Object.entries(mergedErrors(model)));
    expect(errors).toHaveLength(6);
    for (const [name, error] of errors) expect(error, name).toBeLessThan(1e-6);
  });

  it('no run is said here that was not recorded', () => {
    const recorded = wholeModels.flatMap(({ model }) =>
      model.model.runs.map(({ id }) => id.replace(/@.*$/, '')),
    );
    expect([...Object.keys(zennit), ...Object.keys(captum)].filter((id) => !recorded.includes(id))).toEqual(
      [],
    );
    expect(unrecorded).toEqual([]);
  });

  it('what is not a number never passes', () => {
    expect(passes({ at: 'x', error: Number.NaN, tolerance: 1 })).toBe(false);
    expect(relativeError([Number.NaN, 1], [Number.NaN, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError([1], [Number.NaN])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError([1, 2], [1])).toBe(Number.POSITIVE_INFINITY);
  });
});

it('docs/conformance.md says what these tests found', () => {
  const file = new URL('../../docs/conformance.md', import.meta.url);
  const page = printPage(suites, differences());
  if (process.env.BLESS) writeFileSync(file, page);
  else expect(page).toBe(readFileSync(file, 'utf8'));
});
