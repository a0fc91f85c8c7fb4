// Memory of emitted explainers: no more than the plan says, and an error where it cannot be had.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MemoryUse } from '../../../src/api/kernels.js';
import { compile, emit } from '../../../src/index.js';
import type { ModelFunction } from '../../../src/trace/function.js';
import { useBackend } from '../support.js';
import { printedBeside, written } from './emitted.js';

const mebibyte = 2 ** 20;
const [inputs, units] = [2048, 8192];

/** What the system counts is read from where Linux has it. */
describe.runIf(process.platform === 'linux')('an explainer of 64 MiB of weights', () => {
  let folder: string;
  let memory: MemoryUse;
  beforeAll(async () => {
    await useBackend('cpu');
    const kernel = tf.fill([inputs, units], 0.01);
    const model = (x: tf.Tensor, { w }: { w: tf.Tensor2D }) => tf.matMul(x as tf.Tensor2D, w);
    const explainer = await compile(model as ModelFunction, {
      input: [null, inputs],
      params: { w: kernel },
      rules: 'epsilon',
      target: 'wasm',
      threads: 1,
    });
    memory = explainer.kernels().memory;
    folder = written(await emit(explainer, 'wasm'));
    explainer.dispose();
    kernel.dispose();
  }, 120_000);

  const script = `
    import { readFileSync } from 'node:fs';
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    const before = peak();
    const { load } = await import('./explainer/explainer.js');
    const explainer = await load({ threads: 1 });
    await explainer.explain(new Float32Array(${inputs}).fill(0.5));
    console.log(JSON.stringify({ before, after: peak() }));`;

  it('never has them twice: its peak is that of the plan', async () => {
    const { weightBytes, arenaBytes } = memory;
    expect(weightBytes).toBeGreaterThanOrEqual(4 * inputs * units);
    const { before, after } = JSON.parse(await printedBeside(folder, script)) as Record<string, number>;
    // The weights are there, so that the bound means something
    expect(after! - before!).toBeGreaterThan(0.9 * weightBytes);
    expect(after! - before!).toBeLessThan(weightBytes + 1.2 * arenaBytes + 32 * mebibyte);
  });

  it('RELC4009 where the system has no more; the process goes on', async () => {
    const printed = await printedBeside(
      folder,
      `import { load } from './explainer/explainer.js';
       try {
         await load({ threads: 1 });
       } catch ({ code, message }) {
         console.log(code, message.split('\\n')[0], 6 * 7);
       }`,
      4_000_000,
    );
    expect(printed).toMatch(
      /^RELC4009 RELC4009: \d+ MiB of memory for weights and values could not be had: .* 42\n$/,
    );
  });
});
