// Inputs that only mask attention: BERT explains its words and their types, not its padding mask, unless it is asked to.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { bertClassifier } from '../models/transformers/bert.js';

const { fn, params, inputs } = bertClassifier({ depth: 1 });
const options = { input: inputs, params, rules: 'gradient-times-input' } as const;

beforeAll(async () => {
  await tf.setBackend('cpu');
});
afterAll(() => {
  tf.dispose(params);
});

it('leaves the mask out and says so', async () => {
  const explainer = await compile(fn, options);
  const [output] = Object.keys(explainer.stages.get('dead-code')!.graph.outputs).filter((key) =>
    key.endsWith('mask'),
  );
  expect(output).toBeUndefined();
  expect(explainer.notes).toContain('input %mask only masks attention: it is not explained');
  await explainer.dispose();
});

it('explains it where it is asked for', async () => {
  const explainer = await compile(fn, { ...options, relevanceOf: ['mask'] });
  expect(Object.keys(explainer.stages.get('dead-code')!.graph.outputs)).toContain('relevance.mask');
  expect(explainer.notes.join()).not.toContain('only masks attention');
  await explainer.dispose();
});
