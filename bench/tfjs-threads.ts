// Starts tfjs's wasm backend with a number of threads, also on Node, where tfjs itself starts no second one.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs';
import { getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm';

const factory = tf.findBackendFactory('wasm');
const require = createRequire(import.meta.url);
const threaded = '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd';

/** A file with the source of tfjs's worker, which loads tfjs's program from its file too. */
function workerFile(): string {
  const path = join(mkdtempSync(join(os.tmpdir(), 'relc-bench-')), 'worker.cjs');
  const { wasmWorkerContents } = require(`${threaded}.worker.js`) as { wasmWorkerContents: string };
  const program = JSON.stringify(require.resolve(`${threaded}.js`));
  const fromFile = `URL.createObjectURL = () => ${program}; URL.revokeObjectURL = () => undefined;`;
  // The source evaluates a string of its own, whose line end tfjs escapes too
  writeFileSync(path, `${fromFile}\n${wasmWorkerContents.replaceAll('\n', '\\n')}`);
  return path;
}

/**
 * Runs `start` where workers start from files, for Node's start from no blob, and where the machine has twice its
 * cores, for tfjs takes half of them: one on a machine with two.
 */
async function asOnABrowser(start: () => Promise<unknown>): Promise<void> {
  const { createObjectURL } = URL;
  const { cpus } = os;
  const path = workerFile();
  URL.createObjectURL = () => path;
  os.cpus = () => [...cpus(), ...cpus()];
  try {
    await start();
  } finally {
    URL.createObjectURL = createObjectURL;
    os.cpus = cpus;
  }
}

/** Gives back the memory of a backend that is gone: left to Node's judgement, two of 4 GB stand side by side. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/**
 * Makes a fresh wasm backend current; all tensors of the one before are lost. Its memory, which never shrinks, goes
 * too, so this also stands between two large networks.
 * @throws Error where tfjs runs on another number of threads
 */
export async function startTfjs(threads: number): Promise<void> {
  if (tf.findBackendFactory('wasm') !== null) tf.removeBackend('wasm');
  setThreadsCount(threads);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', threads > 1);
  collectGarbage();
  tf.registerBackend('wasm', factory, 2);
  await (threads > 1 ? asOnABrowser(() => tf.setBackend('wasm')) : tf.setBackend('wasm'));
  // Without a pool of threads tfjs says 1 or less
  const started = Math.max(getThreadsCount(), 1);
  if (started !== threads) throw new Error(`tfjs runs on ${started} threads, not on ${threads}`);
}
