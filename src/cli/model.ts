// Models on the command line: a model.json, a module that exports a function, or a graph text; and their manifests.
import { access, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import type { Model, TraceOptions } from '../api/model.js';
import { dialect } from '../api/pipeline.js';
import { type Manifest, parseManifest } from '../codegen/manifest.js';
import { RelcError } from '../ir/error.js';
import { nodesWithOp } from '../ir/graph.js';
import { parse } from '../ir/parse.js';
import type { Program } from '../ir/passes/pass.js';
import { decodeSafetensors } from '../ir/safetensors.js';
import type { Weights } from '../ir/tensor.js';
import { readBytes, readText, readTextIfThere } from './files.js';

export interface NamedModel {
  readonly model: Model;
  readonly options: TraceOptions;
  readonly manifest: Manifest;
}

/** tfjs, on its fastest backend that is installed: wasm, else plain JavaScript. */
export async function startTfjs(): Promise<void> {
  tf.enableProdMode();
  try {
    await import('@tensorflow/tfjs-backend-wasm');
    if (await tf.setBackend('wasm')) return;
  } catch {
    // Not installed: the plain backend does as well, for tfjs only loads and traces models here.
  }
  await tf.setBackend('cpu');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** @throws RelcError RELC5002, RELC5004 */
export async function manifestBeside(modelPath: string): Promise<Manifest> {
  const path = join(dirname(modelPath), 'relc.json');
  const text = await readTextIfThere(path);
  return text === undefined ? {} : parseManifest(text, path);
}

/** A graph text with its weights: `model.relc` and `model.safetensors`. */
async function loadText(path: string): Promise<Program> {
  const graph = parse(await readText(path), dialect, path);
  const beside = `${path.slice(0, -extname(path).length)}.safetensors`;
  const params = nodesWithOp(graph, 'param');
  const weights: Weights =
    params.length === 0 && !(await exists(beside)) ? new Map() : decodeSafetensors(await readBytes(beside));
  for (const { attrs } of params) {
    if (!weights.has(attrs.key as string)) {
      throw new RelcError('RELC1009', `${beside} has no weight "${attrs.key as string}"`);
    }
  }
  return { graph, weights };
}

/** A module: its default export, or `model`, is the function; `input`, `params` and `batch` say how to trace it. */
async function loadModule(path: string, shape: TraceOptions): Promise<Omit<NamedModel, 'manifest'>> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    const hint = path.endsWith('.ts') ? 'compile TypeScript to JavaScript first' : undefined;
    throw new RelcError('RELC2010', `${path} could not be imported: ${(error as Error).message}`, hint, {
      cause: error,
    });
  }
  const model = module.default ?? module.model;
  if (model === undefined) {
    throw new RelcError(
      'RELC2010',
      `${path} exports no model`,
      'export a function on tensors as default, and its input shape as `input`',
    );
  }
  const { input, params, batch } = module as TraceOptions;
  const options: TraceOptions = {
    ...(input === undefined ? {} : { input }),
    ...(params === undefined ? {} : { params }),
    ...(batch === null ? { batch } : {}),
    ...shape,
  };
  return { model: model as Model, options };
}

/** `1,224,224,3` as a shape. */
export function parseShape(text: string | undefined): TraceOptions {
  if (text === undefined) return {};
  const dims = text.split(',').map((part) => (part === 'null' || part === 'N' ? null : Number(part)));
  if (dims.some((dim) => dim !== null && (!Number.isInteger(dim) || dim < 1))) {
    throw new RelcError('RELC5001', `--shape ${text} is not a shape`, 'write it like --shape 1,224,224,3');
  }
  return { input: dims };
}

/**
 * The model behind a path.
 * @param shape  the value of --shape
 * @throws RelcError RELC5002 (no such file), RELC2010 (not a model), RELC1001 (a bad graph text)
 */
export async function openModel(path: string, shape: string | undefined): Promise<NamedModel> {
  if (!(await exists(path))) {
    throw new RelcError(
      'RELC5002',
      `${path} could not be read: there is no such file`,
      'MODEL is a model.json, a module (.js, .mjs) that exports a function, or a graph text (.relc)',
    );
  }
  if ((await stat(path)).isDirectory()) {
    throw new RelcError(
      'RELC5002',
      `${path} could not be read: it is a directory`,
      `name the model in it: ${join(path, 'model.json')}`,
    );
  }
  const manifest = await manifestBeside(path);
  const size = manifest.size === undefined ? {} : { size: manifest.size };
  const options = { ...size, ...parseShape(shape) };
  switch (extname(path)) {
    case '.json':
      return { model: path, options, manifest };
    case '.relc':
      return { model: await loadText(path), options, manifest };
    case '.js':
    case '.mjs':
    case '.cjs':
    case '.ts':
      return { ...(await loadModule(path, options)), manifest };
    default:
      throw new RelcError(
        'RELC5001',
        `${path} is no kind of model that is known`,
        'MODEL is a model.json, a module (.js, .mjs) that exports a function, or a graph text (.relc)',
      );
  }
}
