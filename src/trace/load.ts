// Loading models from disk without tfjs-node: `model.json` and its weight shards, layers or graph format.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';

/** Whether `model` is a graph model: the one with nodes to execute instead of layers to apply. */
export function isGraphModel(model: unknown): model is tf.GraphModel {
  return model instanceof tf.GraphModel;
}

export function isLayersModel(model: unknown): model is tf.LayersModel {
  return model instanceof tf.LayersModel;
}

async function readJson(path: string): Promise<tf.io.ModelJSON> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as tf.io.ModelJSON;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RelcError('RELC2010', `${path} could not be read as JSON: ${reason}`, undefined, {
      cause: error,
    });
  }
}

async function readShards(path: string, json: tf.io.ModelJSON): Promise<ArrayBuffer> {
  const names = (json.weightsManifest ?? []).flatMap((group) => group.paths);
  try {
    const shards = await Promise.all(names.map((name) => readFile(join(dirname(path), name))));
    return new Uint8Array(Buffer.concat(shards)).buffer;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RelcError(
      'RELC2010',
      `the weights of ${path} could not be read: ${reason}`,
      `keep ${names.join(', ')} beside model.json`,
      { cause: error },
    );
  }
}

/**
 * Loads a TensorFlow.js model from its `model.json`.
 * @throws RelcError RELC2010 where a file is missing, is no model, or its weights are incomplete
 */
export async function loadModel(path: string): Promise<tf.LayersModel | tf.GraphModel> {
  const json = await readJson(path);
  const topology: unknown = json?.modelTopology;
  if (typeof topology !== 'object' || topology === null) {
    throw new RelcError('RELC2010', `${path} has no modelTopology: it is not a TensorFlow.js model`);
  }
  const weightData = await readShards(path, json);
  const weightSpecs = (json.weightsManifest ?? []).flatMap((group) => group.weights);
  const handler = tf.io.fromMemory({ ...json, weightSpecs, weightData } as tf.io.ModelArtifacts);
  const isGraph = json.format === 'graph-model' || 'node' in topology;
  try {
    return isGraph ? await tf.loadGraphModel(handler) : await tf.loadLayersModel(handler);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RelcError('RELC2010', `${path} could not be loaded: ${reason}`, undefined, { cause: error });
  }
}
