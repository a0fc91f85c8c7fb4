// Models from disk: both formats load with plain Node, and files that are missing or wrong are told by name.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RelcError } from '../../src/ir/error.js';
import { isGraphModel, isLayersModel, loadModel } from '../../src/trace/load.js';
import { artifactsOf, placeholder } from './graph-models.js';
import { difference, randomTensor, startTensorflow } from './support.js';

let folder = '';

beforeAll(async () => {
  await startTensorflow();
  folder = await mkdtemp(join(tmpdir(), 'relc-load-'));
});

afterAll(() => rm(folder, { recursive: true }));

const bytesOf = (data: tf.io.WeightData) => Buffer.concat([data].flat().map((part) => Buffer.from(part)));

/** Writes a model as the converter does: `name.json`, and its weights in two shards. */
async function write(name: string, artifacts: tf.io.ModelArtifacts): Promise<string> {
  const { weightData, weightSpecs, ...rest } = artifacts;
  const bytes = bytesOf(weightData!);
  const paths = [`${name}-1.bin`, `${name}-2.bin`];
  // A shard may end anywhere, also within a number.
  const middle = bytes.length / 2 + 1;
  await writeFile(join(folder, paths[0]!), bytes.subarray(0, middle));
  await writeFile(join(folder, paths[1]!), bytes.subarray(middle));
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify({ ...rest, weightsManifest: [{ paths, weights: weightSpecs }] }));
  return path;
}

async function writeLayers(name: string): Promise<{ path: string; model: tf.LayersModel }> {
  const layers = [tf.layers.dense({ units: 3, inputShape: [4], name: 'dense', activation: 'relu' })];
  const model = tf.sequential({ layers });
  model.setWeights([randomTensor(1, [4, 3]), randomTensor(2, [3])]);
  let path = '';
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      path = await write(name, artifacts);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  return { path, model };
}

const product = { name: 'product', op: 'MatMul', input: ['x', 'w'] };
const writeGraph = async (name: string) =>
  write(name, await artifactsOf([placeholder('x', [-1, 4]), product], { w: [4, 3] }));

describe('a model that is whole', () => {
  it('of layers is loaded with its weights', async () => {
    const { path, model } = await writeLayers('layers');
    const loaded = await loadModel(path);
    expect([isLayersModel(loaded), isGraphModel(loaded)]).toEqual([true, false]);
    const x = randomTensor(3, [2, 4]);
    const [got, wanted] = [loaded, model].map((each) => (each.predict(x) as tf.Tensor).dataSync());
    expect(difference(got!, wanted!)).toBeUndefined();
  });

  it('of a graph is loaded with its weights', async () => {
    const loaded = await loadModel(await writeGraph('graph'));
    expect([isLayersModel(loaded), isGraphModel(loaded)]).toEqual([false, true]);
    const x = randomTensor<tf.Tensor2D>(3, [2, 4]);
    const wanted = tf.matMul(x, randomTensor<tf.Tensor2D>(300, [4, 3])).dataSync();
    expect(difference((loaded.predict(x) as tf.Tensor).dataSync(), wanted)).toBeUndefined();
  });

  it('of a graph is known by its nodes where the file does not say its format', async () => {
    const path = await writeGraph('unsaid');
    const { format: _format, ...json } = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify(json));
    expect(isGraphModel(await loadModel(path))).toBe(true);
  });
});

/** The refusal of a file. */
async function refused(path: string): Promise<string> {
  const error = await loadModel(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RelcError);
  expect((error as RelcError).code).toBe('RELC2010');
  return (error as RelcError).message;
}

describe('a file that is missing or wrong', () => {
  it('a missing model', async () => {
    const path = join(folder, 'nowhere.json');
    expect(await refused(path)).toContain(`${path} could not be read as JSON: ENOENT`);
  });

  it.each(['not { JSON', '{"format": "layers-model"', ''])('no JSON: %j', async (text) => {
    const path = join(folder, 'text.json');
    await writeFile(path, text);
    expect(await refused(path)).toContain(`${path} could not be read as JSON: `);
  });

  it.each(['{"layers": []}', '{"modelTopology": "dense"}', '{"modelTopology": null}', 'null', '[1, 2]', '3'])(
    'no model: %s',
    async (text) => {
      const path = join(folder, 'other.json');
      await writeFile(path, text);
      expect(await refused(path)).toContain(`${path} has no modelTopology: it is not a TensorFlow.js model`);
    },
  );

  it('missing weights', async () => {
    const path = await writeGraph('lacking');
    await rm(join(folder, 'lacking-2.bin'));
    const message = await refused(path);
    expect(message).toMatch(/the weights of .*lacking\.json could not be read: ENOENT/);
    expect(message).toContain('keep lacking-1.bin, lacking-2.bin beside model.json');
  });

  it('weights that are cut off', async () => {
    const path = await writeGraph('short');
    await writeFile(join(folder, 'short-2.bin'), Buffer.alloc(3));
    expect(await refused(path)).toContain(`${path} could not be loaded: `);
  });

  it('a topology that tfjs cannot read', async () => {
    const path = join(folder, 'empty.json');
    await writeFile(path, JSON.stringify({ modelTopology: { class_name: 'Unknown', config: {} } }));
    expect(await refused(path)).toContain(`${path} could not be loaded: `);
  });
});
