// Running emitted modules: in a process of their own, where no code may be made from strings.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Inputs } from '../../src/ir/evaluate.js';
import type { TensorData } from '../../src/ir/tensor.js';
import type { Dtype } from '../../src/ir/type.js';
import type { Backend } from './support.js';

/** Where `@tensorflow/tfjs` resolves. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/relc/', import.meta.url));

const runner = `
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

tf.enableProdMode();
const dtypes = { f32: ['float32', Float32Array], i32: ['int32', Int32Array], bool: ['bool', Uint8Array] };
const fromHost = ({ dtype, shape, values }) => tf.tensor(new dtypes[dtype][1](values), shape, dtypes[dtype][0]);
const toHost = (x) => ({ dtype: x.dtype, shape: x.shape, values: [...x.dataSync()].map((v) => (Object.is(v, -0) ? '-0' : String(v))) });

const results = {};
for (const backend of JSON.parse(process.argv[2])) {
  await tf.setBackend(backend);
  for (const folder of process.argv.slice(3)) {
    const { load, explain } = await import(folder + '/explainer.js');
    const { inputs, target } = JSON.parse(readFileSync(folder + '/feed.json', 'utf8'));
    const before = tf.memory().numTensors;
    const constants = load(readFileSync(folder + '/weights.safetensors'));
    const given = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, fromHost(data)]));
    const asked = target === undefined ? undefined : fromHost(target);
    const held = tf.memory().numTensors;
    const explanation = explain(constants, given, asked);
    const outputs = Object.fromEntries(Object.entries(explanation).map(([key, x]) => [key, toHost(x)]));
    tf.dispose(explanation);
    const leaked = tf.memory().numTensors - held;
    tf.dispose([constants, given, asked ?? []]);
    results[backend + ' ' + folder] = { outputs, leaked, left: tf.memory().numTensors - before };
  }
}
process.stdout.write(JSON.stringify(results));
`;

export interface Emitted {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly inputs: Inputs;
  readonly target?: TensorData;
}

export interface Ran {
  readonly outputs: Readonly<Record<string, TensorData>>;
  /** Tensors that stayed after an explanation, and after everything was disposed of. */
  readonly leaked: number;
  readonly left: number;
}

interface Told {
  readonly outputs: Readonly<Record<string, { dtype: string; shape: number[]; values: string[] }>>;
  readonly leaked: number;
  readonly left: number;
}

const spelled = ({ dtype, shape, data }: TensorData) => ({ dtype, shape, values: Array.from(data) });

const dtypes: Readonly<Record<string, Dtype>> = { float32: 'f32', int32: 'i32', bool: 'bool' };

function read({ outputs, leaked, left }: Told): Ran {
  const entries = Object.entries(outputs).map(([key, { dtype, shape, values }]): [string, TensorData] => {
    const data = dtype === 'float32' ? Float32Array : dtype === 'int32' ? Int32Array : Uint8Array;
    return [key, { dtype: dtypes[dtype]!, shape, data: data.from(values.map(Number)) }];
  });
  return { outputs: Object.fromEntries(entries), leaked, left };
}

function write(folder: string, { files, inputs, target }: Emitted): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const given = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, spelled(data)]));
  const feed = { inputs: given, ...(target === undefined ? {} : { target: spelled(target) }) };
  writeFileSync(join(folder, 'feed.json'), JSON.stringify(feed));
}

/** Runs emitted explainers by name on each backend, in one process; what they gave is at `backend name`. */
export async function runEmitted(
  explainers: Readonly<Record<string, Emitted>>,
  backends: readonly Backend[],
): Promise<Readonly<Record<string, Ran>>> {
  mkdirSync(cache, { recursive: true });
  const root = mkdtempSync(join(cache, 'emitted-'));
  try {
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(root, 'run.js'), runner);
    for (const [name, emitted] of Object.entries(explainers)) write(join(root, name), emitted);
    const folders = Object.keys(explainers).map((name) => join(root, name));
    const args = ['--disallow-code-generation-from-strings', 'run.js', JSON.stringify(backends), ...folders];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 2 ** 28 });
    const told = JSON.parse(stdout) as Readonly<Record<string, Told>>;
    return Object.fromEntries(
      Object.entries(told).map(([key, result]) => [key.replace(`${root}/`, ''), read(result)]),
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}
