// Trained transformers: relevance is accounted for down to rounding, and WebAssembly gives what the account in f64 does.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { heldOutPictures } from '../../examples/patches/measure.js';
import { toInputs as toPixels } from '../../examples/shapes/batches.js';
import { toInputs as toIds, writeSentences } from '../../examples/words/batches.js';
import { modelFile } from '../../examples/words/measure.js';
import { readTokenizer } from '../../examples/words/tokens.js';
import type { Inputs } from '../../src/api/inputs.js';
import { compile, type Program, trace } from '../../src/index.js';

interface Trained {
  readonly program: Program;
  readonly input: Inputs;
}

const trained: Record<string, Trained> = {};

beforeAll(async () => {
  await tf.setBackend('cpu');
  const { default: classify, input, params } = await import('../../examples/patches/model/model.js');
  trained.patches = {
    program: await trace(classify, { input, params }),
    input: toPixels(heldOutPictures(1)),
  };
  const [ids, mask] = toIds(readTokenizer(), writeSentences(5, 1));
  trained.words = {
    program: await trace(modelFile),
    input: { input_ids: ids!, attention_mask: mask! },
  };
});

/** ε = 1e-9 of Chefer et al. lies below what 32 bits resolve: there the two precisions differ by more. */
const methods: readonly (readonly [rules: string, difference: number])[] = [
  ['attnlrp', 1e-5],
  ['cp-lrp', 1e-5],
  ['attnlrp-gamma', 1e-5],
  ['gradient-times-input', 1e-5],
  ['transformer-attribution', 1e-3],
  ['gradient-attention', 1e-5],
  ['full', 1e-3],
];

describe.each(['patches', 'words'])('%s', (name) => {
  it.each(methods)('%s', async (rules, difference) => {
    const { program, input } = trained[name]!;
    const explainer = await compile(program, { rules, threads: 1 });
    const report = await explainer.check(input);
    explainer.dispose();
    expect(report.ok).toBe(true);
    expect(report.unexplained / Math.abs(report.start)).toBeLessThan(1e-5);
    expect(report.agreement.difference).toBeLessThan(difference);
  });
});
