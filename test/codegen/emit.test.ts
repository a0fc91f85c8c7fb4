// Emitted modules: their text, their files, and that they compute what the walker and the evaluator compute.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { emit } from '../../src/api/emit.js';
import { parseManifest } from '../../src/codegen/manifest.js';
import { emitTypeScript } from '../../src/codegen/typescript/emit.js';
import { planFor } from '../../src/codegen/typescript/plan.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/ir/safetensors.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { presets } from '../../src/rules/presets.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { valuePresets } from '../presets.js';
import { type Emitted, type Ran, runEmitted } from './emitted.js';
import { smallConvNet } from './nets.js';
import { opCases } from './op-cases/op-cases.js';
import {
  backends,
  dataFor,
  dialect,
  expectJudged,
  lowered,
  sideBySide,
  useBackend,
  walked,
} from './support.js';

interface Explained extends Emitted {
  readonly program: Program;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

const target = tensor([2], [-1, 3], 'i32');
const manifest = { scale: [1 / 255, 0], labels: ['a', 'b', 'c', 'd', 'e'] } as const;

async function explained(rules: string): Promise<Explained> {
  const { model, input, params, dispose } = smallConvNet();
  const explainer = await compile(model, { input, params, rules, range: [-1, 1] });
  dispose();
  const { program } = explainer.compiled;
  const { inputs } = dataFor({ graph: program.graph, drawnAs: new Map() });
  const files = await emit(explainer, 'typescript', { manifest });
  return { program, files, inputs: { x: inputs.x! }, target };
}

const textOf = ({ files }: Emitted, name: string) => files[name] as string;

/** Equal to the last bit, the sign of zero included. */
function expectIdentical(got: TensorData, wanted: TensorData, what: string): void {
  expect([got.dtype, got.shape], what).toEqual([wanted.dtype, wanted.shape]);
  const bad = wanted.data.findIndex((value, i) => !Object.is(value, got.data[i]));
  if (bad >= 0) expect.fail(`${what} element ${bad} is ${got.data[bad]}, expected ${wanted.data[bad]}`);
}

const names = valuePresets;
const all = new Map<string, Explained>();
let ran: Readonly<Record<string, Ran>>;

beforeAll(async () => {
  await useBackend('cpu');
  for (const name of names) all.set(name, await explained(name));
  ran = await runEmitted(Object.fromEntries(all), backends);
}, 180_000);

describe.each(names)('the module for %s', (name) => {
  it.each(backends)('computes on %s, bit by bit, what the walker computes', async (backend) => {
    const { program, inputs } = all.get(name)!;
    await useBackend(backend);
    const { outputs, leaked, left } = ran[`${backend} ${name}`]!;
    const feed = { ...inputs, 'seed.target': target };
    for (const [key, wanted] of Object.entries(walked(program, feed))) {
      expectIdentical(outputs[key]!, wanted, key);
      expectJudged(outputs[key]!, program, feed, key);
    }
    expect([leaked, left], 'tensors left behind').toEqual([0, 0]);
  });

  it('has a line for each node, with the name, type and place it comes from', () => {
    const { program, ...emitted } = all.get(name)!;
    const { load, run } = planFor(lowered(program).graph, dialect);
    const lines = textOf(emitted, 'explainer.ts').split('\n');
    const origins = lines.flatMap(
      (line) => /^ +const \w+: tf\.Tensor = .*; \/\/ %(\S+): \S+/.exec(line) ?? [],
    );
    const named = origins.filter((_, i) => i % 2 === 1);
    expect(named).toEqual([...load, ...run].map(({ node }) => node.name));
    expect(
      lines.filter((line) => /\/\/ .* at test\/codegen\/nets\.ts:\d+:\d+$/.test(line)).length,
    ).toBeGreaterThan(20);
  });

  it('is typed, and written with the forms that are fast', () => {
    const emitted = all.get(name)!;
    for (const file of ['explainer.ts', 'runtime.ts']) {
      const code = textOf(emitted, file).replace(/\/\/.*|\/\*\*.*\*\//g, '');
      expect(code).not.toMatch(/\bany\b|\beval\b|new Function/);
      expect(code).not.toMatch(/conv2dTranspose|tf\.einsum|runKernel/);
      for (const [call] of code.matchAll(/tf\.matMul\([^;]*;/g)) expect(call).not.toMatch(/true|false/);
    }
  });

  it('comes with its weights, bit by bit', () => {
    const { program, files } = all.get(name)!;
    const { weights } = lowered(program);
    const read = decodeSafetensors(files['weights.safetensors'] as Uint8Array);
    expect([...read.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [key, wanted] of weights) expectIdentical(read.get(key)!, wanted, key);
  });

  it('comes with declarations and a manifest', () => {
    const emitted = all.get(name)!;
    expect(Object.keys(emitted.files).sort()).toEqual([
      'explainer.d.ts',
      'explainer.js',
      'explainer.ts',
      'relc.json',
      'runtime.d.ts',
      'runtime.js',
      'runtime.ts',
      'weights.safetensors',
    ]);
    expect(textOf(emitted, 'explainer.d.ts')).toContain(
      'export declare function explain(constants: Constants, inputs: Inputs, target?: tf.Tensor): Explanation;',
    );
    expect(parseManifest(textOf(emitted, 'relc.json'), 'relc.json')).toEqual({
      ...manifest,
      size: [12, 12],
      rules: name,
      seed: presets.get(name)!.seed,
      range: [-1, 1],
      inputs: { x: ['N', 12, 12, 3] },
      model: expect.stringMatching(/^[0-9a-f]{64}$/),
      tool: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });
});

describe.each(['contrast', 'tensor'] as const)('the module for the seed %s', (seed) => {
  const scores = Array.from({ length: 10 }, (_, i) => Math.sin(i));

  it('takes what the seed needs, and computes bit by bit what the walker computes', async () => {
    await useBackend('cpu');
    const { model, input, params, dispose } = smallConvNet();
    const explainer = await compile(model, { input, params, rules: 'epsilon-plus', seed });
    dispose();
    const { program } = explainer.compiled;
    const { inputs } = dataFor({ graph: program.graph, drawnAs: new Map() });
    const files = await emit(explainer, 'typescript', { manifest });
    const text = files['explainer.d.ts'] as string;
    const signature = {
      contrast: 'target?: tf.Tensor, against?: tf.Tensor',
      tensor: 'relevance: tf.Tensor, target?: tf.Tensor',
    };
    expect(text).toContain(`explain(constants: Constants, inputs: Inputs, ${signature[seed]}): Explanation;`);
    // The third argument, and the seed's inputs: none of the fourth
    const own = seed === 'contrast' ? target : tensor([2, 5], scores);
    const top = tensor([2], [-1, -1], 'i32');
    const given = {
      contrast: { 'seed.target': own, 'seed.against': top },
      tensor: { 'seed.relevance': own, 'seed.target': top },
    }[seed];
    const { outputs } = (
      await runEmitted({ seeded: { files, inputs: { x: inputs.x! }, target: own } }, ['cpu'])
    )['cpu seeded']!;
    const feed = { x: inputs.x!, ...given };
    for (const [key, wanted] of Object.entries(walked(program, feed))) {
      expectIdentical(outputs[key]!, wanted, key);
      expectJudged(outputs[key]!, program, feed, key);
    }
  });
});

it('every way of writing an op type-checks, and computes what the walker computes', async () => {
  await useBackend('cpu');
  const { program, inputs } = sideBySide(
    opCases.map(({ drawn }) => {
      const { weights, ...given } = dataFor(drawn);
      return { program: { graph: drawn.graph, weights }, ...given };
    }),
  );
  const { graph, weights } = lowered(program);
  const files = await emitTypeScript(planFor(graph, dialect), {
    title: 'All ops.',
    details: [],
    parameters: [],
  });
  const binary = { 'weights.safetensors': encodeSafetensors(weights) };
  const results = await runEmitted({ ops: { inputs, files: { ...files, ...binary } } }, ['cpu']);
  const { outputs, leaked, left } = results['cpu ops']!;
  const wanted = Object.entries(walked(program, inputs));
  expect(wanted).toHaveLength(opCases.length);
  for (const [key, value] of wanted) expectIdentical(outputs[key]!, value, key);
  expect([leaked, left]).toEqual([0, 0]);
});

it('values may be called what the module calls something else, and there may be no batch', async () => {
  await useBackend('cpu');
  const names = ['inputs', 'constants', 'batch', 'Infinity', 'tf', 'class'] as const;
  const net = ((given: Record<(typeof names)[number], tf.Tensor>) => {
    const sum = names.map((name) => given[name]).reduce((a, b) => tf.add(a, b));
    return tf.minimum(tf.mul(sum, given.inputs), Number.POSITIVE_INFINITY);
  }) as ModelFunction;
  const input = Object.fromEntries(names.map((name) => [name, [3]]));
  const explainer = await compile(net, { input, batch: null, rules: 'gradient' });
  const { program } = explainer.compiled;
  const { inputs: drawn } = dataFor({ graph: program.graph, drawnAs: new Map() });
  const inputs = Object.fromEntries(names.map((name) => [name, drawn[name]!]));
  const files = await emit(explainer, 'typescript');
  const { outputs } = (await runEmitted({ odd: { files, inputs } }, ['cpu']))['cpu odd']!;
  const wanted = walked(program, { ...inputs, 'seed.target': tensor([1], [-1], 'i32') });
  for (const [key, value] of Object.entries(wanted)) expectIdentical(outputs[key]!, value, key);
});
