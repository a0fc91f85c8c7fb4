// Transformers on every target: WebAssembly alone and on two threads, tfjs, and the files of both give what is right.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wasmEngine } from '../../src/api/engines/wasm.js';
import type { Explainer as Loaded } from '../../src/codegen/wasm/runtime/explainer.js';
import { compile, type Explainer, emit } from '../../src/index.js';
import type { Inputs } from '../../src/ir/evaluate.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { bertClassifier } from '../models/transformers/bert.js';
import type { Transformer } from '../models/transformers/parts.js';
import { visionTransformer } from '../models/transformers/vision.js';
import { runEmitted } from './emitted.js';
import { backends, expectWithin, fetched, type Judge, judgeOf, useBackend, walked } from './support.js';
import { importFrom, written } from './wasm/emitted.js';
import { expectSameBits } from './wasm/support.js';

const samples = 2;
const target = tensor([samples], [2, 1], 'i32');

/** Small, but wide enough for whole panels of weights, and with tokens that fill none. */
const models: Readonly<Record<string, () => Transformer<never>>> = {
  vision: () =>
    visionTransformer({ size: 16, width: 32, heads: 2, hidden: 64 }) as unknown as Transformer<never>,
  bert: () => bertClassifier({ tokens: 9, width: 32, heads: 2, hidden: 64 }) as unknown as Transformer<never>,
};

interface Explained {
  readonly explainer: Explainer;
  readonly inputs: Inputs;
  readonly judge: Judge;
}

const opened: { dispose(): void }[] = [];
afterAll(() => {
  for (const each of opened) each.dispose();
});

/** Tensors by the names of an explainer's inputs. */
function inputsOf({ inputs }: Explainer, given: ReturnType<Transformer<never>['sample']>): Inputs {
  const tensors = given instanceof tf.Tensor ? { [inputs[0]!.name]: given } : given;
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, fetched(value)]));
}

async function explained(model: string, rules: string): Promise<Explained> {
  const { fn, params, inputs: input, sample } = models[model]!();
  const explainer = await compile(fn, { input: input as never, params, rules, threads: 1 });
  opened.push(explainer);
  const inputs = inputsOf(explainer, sample(samples));
  const judge = judgeOf(explainer.compiled.program, { ...inputs, 'seed.target': target });
  return { explainer, inputs, judge };
}

function expectRight({ judge }: Explained, outputs: Readonly<Record<string, TensorData>>): void {
  expect(Object.keys(outputs).sort()).toEqual(Object.keys(judge.wanted).sort());
  for (const [key, output] of Object.entries(outputs)) expectWithin(judge, output, key);
}

beforeAll(() => useBackend('cpu'));

describe.each(Object.keys(models))('%s', (model) => {
  describe.each(['transformer-attribution', 'attnlrp', 'cp-lrp'])('under %s', (rules) => {
    let all: Explained;
    beforeAll(async () => {
      await useBackend('cpu');
      all = await explained(model, rules);
    });

    it('is right as WebAssembly, and the same to the last bit on two threads', async () => {
      const { explainer, inputs } = all;
      const runs: Record<string, TensorData>[] = [];
      for (const threads of [1, 2]) {
        const engine = await wasmEngine(explainer.compiled.program, { threads });
        runs.push(...(await engine.run({ ...inputs, 'seed.target': target }, [{}])));
        engine.dispose();
      }
      const [alone, together] = runs as [Record<string, TensorData>, Record<string, TensorData>];
      expectRight(all, alone);
      expectSameBits(together, alone);
    });

    it.each(backends)('is right on tfjs, %s', async (backend) => {
      await useBackend(backend);
      const { explainer, inputs } = all;
      expectRight(all, walked(explainer.compiled.program, { ...inputs, 'seed.target': target }));
    });
  });

  it('gives the same from the files of a module', async () => {
    const { explainer, inputs } = await explained(model, 'transformer-attribution');
    const numbers = Object.fromEntries(
      Object.entries(inputs).map(([name, { data }]) => [name, Array.from(data)]),
    );
    const { load } = await importFrom(written(await emit(explainer, 'wasm')));
    const loaded: Loaded = await load({ threads: 2 });
    opened.push(loaded);
    const asked = { target: [...target.data] };
    expect(await loaded.explain(numbers, asked)).toEqual(await explainer.explain(numbers, asked));
  });
});

it('is right as TypeScript, in a process of its own', async () => {
  const all = await explained('vision', 'transformer-attribution');
  const files = await emit(all.explainer, 'typescript');
  const ran = await runEmitted({ vision: { files, inputs: all.inputs, target } }, ['wasm']);
  const { outputs, leaked } = ran['wasm vision']!;
  expectRight(all, outputs);
  expect(leaked).toBe(0);
});

it('shares the code of blocks: twice as many take less than a quarter more', async () => {
  const sizes: number[] = [];
  for (const depth of [3, 6]) {
    const { fn, params, inputs: input } = visionTransformer({ depth });
    const explainer = await compile(fn, { input: input as never, params, rules: 'transformer-attribution' });
    opened.push(explainer);
    sizes.push((await emit(explainer, 'wasm'))['explainer.wasm']!.length);
  }
  const [three, six] = sizes as [number, number];
  expect(six / three).toBeLessThan(1.25);
});
