// Emitted explainers: they run where nothing is installed, give the bits of those in process, and refuse what is wrong.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompileOptions } from '../../../src/api/compile.js';
import type { EmitOptions } from '../../../src/api/emit.js';
import { parseManifest } from '../../../src/codegen/manifest.js';
import type { Explainer as Loaded, LoadOptions } from '../../../src/codegen/wasm/runtime/explainer.js';
import { compile, decodeSafetensors, type Explainer, emit } from '../../../src/index.js';
import type { ModelFunction } from '../../../src/trace/function.js';
import { smallConvNet } from '../nets.js';
import { sequence, useBackend } from '../support.js';
import { type EmittedModule, type Files, importFrom, printedBeside, written } from './emitted.js';

const shapes = fileURLToPath(new URL('../../../examples/shapes/model/model.json', import.meta.url));
const sampleSize = 12 * 12 * 3;
const pixels = (samples: number, seed = 3) => {
  const random = sequence(seed);
  return Float32Array.from({ length: samples * sampleSize }, () => 2 * random() - 1);
};

interface Both {
  readonly explainer: Explainer;
  readonly files: Files;
  readonly folder: string;
  readonly module: EmittedModule;
}

const opened: { dispose(): void }[] = [];
afterAll(() => {
  for (const each of opened) each.dispose();
});

/** The small conv net in process, and emitted. */
async function both(options: CompileOptions = {}, emitted: EmitOptions = {}): Promise<Both> {
  const { model, input, params, dispose } = smallConvNet();
  const explainer = await compile(model, { input, params, target: 'wasm', ...options });
  opened.push(explainer);
  dispose();
  const files = await emit(explainer, 'wasm', emitted);
  const folder = written(files);
  return { explainer, files, folder, module: await importFrom(folder) };
}

async function loaded({ module }: Both, options: LoadOptions = {}): Promise<Loaded> {
  const explainer = await module.load(options);
  opened.push(explainer);
  return explainer;
}

let usual: Both;
beforeAll(async () => {
  await useBackend('cpu');
  usual = await both();
}, 120_000);

describe('in a process of its own, in an empty folder', () => {
  let explainer: Explainer;
  let folder: string;
  const picture = new Float32Array(2 * 64 * 64 * 3).map((_, index) => Math.sin(index));
  beforeAll(async () => {
    explainer = await compile(shapes, { target: 'wasm', threads: 1 });
    opened.push(explainer);
    folder = written(await emit(explainer, 'wasm'));
  });

  it.each([1, 2, 3])(
    'explains with threads: %s, bit by bit as in process, and lets the process end',
    async (threads) => {
      const printed = await printedBeside(
        folder,
        `import { load } from './explainer/explainer.js';
         const explainer = await load({ threads: ${threads} });
         const picture = new Float32Array(${picture.length}).map((_, index) => Math.sin(index));
         const { relevance, ...rest } = await explainer.explain(picture);
         const bits = [...new Uint32Array(relevance.data.buffer)];
         console.log(JSON.stringify({ threads: explainer.threads, shape: relevance.shape, bits, ...rest }));`,
      );
      const told = JSON.parse(printed) as Record<string, unknown>;
      const { relevance, targets, logits, starts } = await explainer.explain(picture);
      expect(told).toMatchObject({ threads, shape: [2, 64, 64, 3], targets, logits, starts });
      expect(told.bits).toEqual([...new Uint32Array(relevance.data.buffer)]);
    },
  );
});

describe('an emitted explainer', () => {
  it('gives what the one in process gives, for batches and classes', async () => {
    const explainer = await loaded(usual);
    for (const [samples, options] of [
      [1, {}],
      [3, { target: 2 }],
      [2, { target: [4, 0] }],
    ] as const) {
      const x = pixels(samples, samples);
      expect(await explainer.explain(x, options)).toEqual(await usual.explainer.explain(x, options));
      expect(await explainer.explain([...x], options)).toEqual(await explainer.explain({ x }, options));
    }
  });

  it('has other seeds, other values, and the same refusals', async () => {
    const contrast = await both({ seed: 'contrast', relevanceOf: ['x', 'relu'] });
    const compared = await loaded(contrast);
    for (const options of [{}, { target: 1 }, { target: 1, against: 3 }]) {
      const wanted = await contrast.explainer.explain(pixels(2), options);
      expect(await compared.explain(pixels(2), options)).toEqual(wanted);
    }
    const same = compared.explain(pixels(1), { target: 1, against: 1 });
    await expect(same).rejects.toMatchObject({ code: 'RELC4003' });
    const given = await both({ seed: 'tensor' });
    const relevance = Float32Array.from([1, 0, -1, 0.5, 2]);
    const explanation = await (await loaded(given)).explain(pixels(1), { relevance });
    expect(explanation).toEqual(await given.explainer.explain(pixels(1), { seed: relevance }));
    expect(explanation.start).toBeCloseTo(2.5);
    const missing = (await loaded(given)).explain(pixels(1));
    await expect(missing).rejects.toMatchObject({ code: 'RELC3004' });
  });

  const one = pixels(1);
  const withAt = (index: number, value: number) => one.map((old, i) => (i === index ? value : old));
  it.each<[string, unknown, object, RegExp]>([
    [
      'a wrong length',
      one.subarray(1),
      {},
      /^RELC4002: input x has 431 elements, expected \[N,12,12,3\]: 432/,
    ],
    ['no elements', [], {}, /^RELC4002: input x has 0 elements/],
    ['NaN', withAt(7, Number.NaN), {}, /^RELC4002: input x holds NaN at element 7/],
    ['infinity', withAt(0, Number.POSITIVE_INFINITY), {}, /^RELC4002: input x holds Infinity at element 0/],
    ['words', Array.from(one, String), {}, /^RELC4002: input x holds .* at element 0/],
    ['nothing', undefined, {}, /^RELC4002: the input is undefined/],
    ['an unknown name', { y: one }, {}, /^RELC4002: there is no input 'y'\n.*inputs: x/],
    ['a missing name', {}, {}, /^RELC4002: input x \[N,12,12,3\] is missing/],
    ['a class too high', one, { target: 5 }, /^RELC4003: target 5 is no class\n.*0 to 4/],
    ['half a class', one, { target: 0.5 }, /^RELC4003: target 0.5 is no class/],
    ['too many classes', one, { target: [1, 2] }, /^RELC4003: 2 targets were given for 1 samples/],
    ['against', one, { against: 1 }, /^RELC3004: against names the class of a contrast/],
    ['relevance', one, { relevance: [1] }, /^RELC3004: relevance was given/],
    ['a word it does not know', one, { class: 1 }, /^RELC3004: there is no option 'class'/],
  ])('refuses %s, and goes on', async (_, input, options, message) => {
    const explainer = await loaded(usual, { threads: 1 });
    const failure = explainer.explain(input as Float32Array, options);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toMatchObject({ code: message.source.slice(1, 9) });
    expect((await explainer.explain(one)).targets).toHaveLength(1);
  });

  it('refuses results that are not finite, and goes on', async () => {
    const explainer = await loaded(usual, { threads: 1 });
    const huge = one.map((value) => value * 3e38);
    await expect(explainer.explain(huge)).rejects.toMatchObject({ code: 'RELC4006' });
    expect((await explainer.explain(one)).targets).toHaveLength(1);
  });

  it('refuses what leaves the range that a rule was told', async () => {
    const ranged = await loaded(await both({ rules: 'epsilon-gamma-box', range: [-1, 1] }));
    await expect(ranged.explain(withAt(5, 1.5))).rejects.toThrow(
      /^RELC4002: input x holds 1.5 at element 5, outside of the range \[-1, 1\]/,
    );
    expect((await ranged.explain(one)).relevance.shape).toEqual([1, 12, 12, 3]);
  });

  it('explains no more once it is disposed of', async () => {
    const explainer = await usual.module.load({ threads: 2 });
    explainer.dispose();
    explainer.dispose();
    await expect(explainer.explain(one)).rejects.toMatchObject({ code: 'RELC4004' });
  });

  it.each([0, 1.5, '2'])('RELC4010: threads %s', async (threads) => {
    await expect(usual.module.load({ threads: threads as number })).rejects.toMatchObject({
      code: 'RELC4010',
    });
  });
});

describe('its files', () => {
  it('are these, with a manifest, and no code from strings', async () => {
    expect(Object.keys(usual.files).sort()).toEqual([
      'explainer.d.ts',
      'explainer.js',
      'explainer.wasm',
      'layout.json',
      'package.json',
      'relc.json',
      'weights.safetensors',
      'worker.js',
    ]);
    const manifest = parseManifest(String(usual.files['relc.json']), 'relc.json');
    expect(manifest).toMatchObject({
      size: [12, 12],
      rules: 'epsilon-plus',
      inputs: { x: ['N', 12, 12, 3] },
    });
    expect((await loaded(usual)).manifest).toEqual(manifest);
    for (const name of ['explainer.js', 'worker.js']) {
      expect(String(usual.files[name])).not.toMatch(/\beval\b|new Function|from '/);
    }
    const declarations = String(usual.files['explainer.d.ts']);
    expect(declarations).not.toMatch(/\bimport\b|\bany\b/);
    expect(declarations).toContain(
      'export declare function load(options?: LoadOptions): Promise<Explainer>;',
    );
  });

  it('declare what users write, and hold them to it', () => {
    const path = join(usual.folder, 'use.ts');
    const use = `
      import { load, type Explainer, type Explanation, type Values } from './explainer.js';
      const explainer: Explainer = await load({ threads: 2, base: new URL('https://example.org/'), weights: new Uint8Array() });
      const explanation: Explanation = await explainer.explain({ x: [1, 2] }, { target: [1, 2], against: 0 });
      const { data, shape }: Values = explanation.relevance;
      const numbers: Float32Array = data, extents: readonly number[] = shape, size = explainer.manifest.size?.[0];
      // @ts-expect-error: a word is no input
      await explainer.explain('pixels');
      // @ts-expect-error: nor is a class
      await explainer.explain([1], { target: 'roses' });
      export { extents, numbers, size };
    `;
    writeFileSync(path, use);
    const program = ts.createProgram([path], {
      ...{ strict: true, noEmit: true, exactOptionalPropertyTypes: true, types: [] },
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
    });
    const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
    expect(problems).toEqual([]);
  });

  it('hold the weights that the module reads, and no others', () => {
    const stored = decodeSafetensors(usual.files['weights.safetensors'] as Uint8Array);
    const layout = JSON.parse(String(usual.files['layout.json'])) as { weights: { key: string }[] };
    expect([...stored.keys()].sort()).toEqual(layout.weights.map(({ key }) => key).sort());
    const { program } = usual.explainer.compiled;
    for (const [key, { data }] of stored) expect(program.weights.get(key)!.data).toEqual(data);
    expect(stored.size).toBeGreaterThan(3);
  });
});

describe('loading', () => {
  const weights = () => new Uint8Array(usual.files['weights.safetensors'] as Uint8Array);
  const x = pixels(1);

  it('takes weights from memory, tells how far it is, and takes files from elsewhere', async () => {
    const wanted = await (await loaded(usual)).explain(x);
    const told: [number, number][] = [];
    const options: LoadOptions[] = [
      { weights: weights() },
      { weights: weights().buffer },
      { base: `${usual.folder}/` },
      { base: new URL(`file://${usual.folder}`) },
      { onProgress: (bytes, total) => told.push([bytes, total]) },
    ];
    for (const each of options) expect(await (await loaded(usual, each)).explain(x)).toEqual(wanted);
    const { length } = weights();
    expect(told.at(-1)).toEqual([length, length]);
  });

  it('takes files from a server, in whatever pieces they come', async () => {
    const server = createServer(async ({ url = '' }, response) => {
      const content = readFileSync(join(usual.folder, url.slice(1)));
      for (let at = 0; at < content.length; at += 4999) {
        response.write(content.subarray(at, at + 4999));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    }).listen(0);
    const { port } = server.address() as AddressInfo;
    const told: number[] = [];
    const explainer = await loaded(usual, {
      base: `http://127.0.0.1:${port}`,
      onProgress: (bytes) => told.push(bytes),
    });
    expect(await explainer.explain(x)).toEqual(await usual.explainer.explain(x));
    expect(told.at(-1)).toBe(weights().length);
    server.close();
  });

  it.each<[string, () => LoadOptions, string]>([
    ['files that are not there', () => ({ base: '/nowhere' }), 'RELC5002'],
    ['weights that are cut off', () => ({ weights: weights().subarray(0, -1) }), 'RELC1009'],
    ['weights that end at once', () => ({ weights: new Uint8Array(3) }), 'RELC1009'],
    ['weights that are none', () => ({ weights: new Uint8Array(4096).fill(7) }), 'RELC1009'],
    [
      'weights that are no JSON',
      () => ({ weights: new Uint8Array(64).map((_, i) => (i === 0 ? 9 : 0)) }),
      'RELC1009',
    ],
  ])('refuses %s', async (_, options, code) => {
    await expect(usual.module.load(options())).rejects.toMatchObject({ code });
  });

  it('refuses the weights of another explainer, and names one', async () => {
    const other = await compile((v: tf.Tensor) => tf.mul(v, tf.tensor1d([1, 2, 3])), {
      input: [null, 3],
      rules: 'epsilon',
    });
    const files = await emit(other, 'wasm');
    const failure = usual.module.load({ weights: files['weights.safetensors'] as Uint8Array });
    await expect(failure).rejects.toThrow(/^RELC1009: the weights have no "/);
    other.dispose();
  });
});

describe('batches of a module', () => {
  it('are taken whole, and others refused', async () => {
    const pairs = await both({}, { batch: 2 });
    const explainer = await loaded(pairs);
    const { relevance } = await explainer.explain(pixels(4));
    expect(relevance).toEqual((await usual.explainer.explain(pixels(4))).relevance);
    await expect(explainer.explain(pixels(3))).rejects.toThrow(
      /^RELC4002: the input holds 3 samples, expected a multiple of 2\n.*--batch/,
    );
  });

  it('are of one size where the rules mix their samples', async () => {
    const mixing = await both({ rules: 'chefer-original' }, { batch: 2 });
    const explainer = await loaded(mixing);
    expect(await explainer.explain(pixels(2))).toEqual(await mixing.explainer.explain(pixels(2)));
    await expect(explainer.explain(pixels(4))).rejects.toThrow(
      /^RELC4002: the input holds 4 samples, expected exactly 2, which the explainer mixes\n.*--batch/,
    );
  });

  it.each([0, 1.5, Number.NaN])('RELC4002: %s is none', async (batch) => {
    await expect(emit(usual.explainer, 'wasm', { batch })).rejects.toMatchObject({ code: 'RELC4002' });
  });
});

it('several inputs, integers among them, go by name', async () => {
  const net = (({ ids, gate, x }: Record<string, tf.Tensor>) => {
    const table = tf.tensor2d(
      Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      [5, 4],
    );
    const rows = tf.mul(tf.gather(table, ids as tf.Tensor1D), x!);
    return tf.sum(tf.where(tf.greater(gate!, 0), rows, tf.zerosLike(rows)), 1, true);
  }) as ModelFunction;
  const input = { ids: { shape: [null], dtype: 'i32' }, gate: [null, 4], x: [null, 4] } as const;
  const explainer = await compile(net, { input, rules: 'gradient', target: 'wasm' });
  opened.push(explainer);
  const module = await importFrom(written(await emit(explainer, 'wasm')));
  const emitted = await module.load();
  opened.push(emitted);
  const given = { ids: [1, 4], gate: [1, 0, 1, 1, 0, 0, 1, 1], x: [1, 2, 3, 4, 5, 6, 7, 8] };
  expect(await emitted.explain(given)).toEqual(await explainer.explain(given));
  const outside = emitted.explain({ ...given, ids: [1, 5] });
  await expect(outside).rejects.toThrow(/^RELC4002: an index points outside/);
  await expect(emitted.explain([1, 2])).rejects.toThrow(/^RELC4002: one input was given, expected 3/);
  const uneven = emitted.explain({ ...given, ids: [1] });
  await expect(uneven).rejects.toThrow(/^RELC4002: input .* samples, the one before it/);
  expect(await emitted.explain(given)).toEqual(await explainer.explain(given));
});
