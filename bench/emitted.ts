// An explainer as files, run once by itself in a fresh process: its size, and the memory that it really takes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Explainer, emit } from '../src/index.js';

export interface EmittedMeasured {
  /** Bytes of the module, without weights. */
  readonly moduleBytes: number;
  /** Bytes of memory as planned. */
  readonly weightBytes: number;
  readonly arenaBytes: number;
  /** Bytes that the process had at most, resident. */
  readonly realBytes: number;
}

/** What a process starts from counts into its maxRSS, so Linux is asked for the high-water mark of its own memory. */
const script = `
import { readFileSync } from 'node:fs';
import { load } from './explainer.js';
const explainer = await load({ threads: 1 });
const size = Number(process.argv[2]);
await explainer.explain(Float32Array.from({ length: size }, (_, index) => Math.sin(index)));
await explainer.explain(Float32Array.from({ length: size }, (_, index) => Math.cos(index)));
console.log(1024 * Number(/^VmHWM:\\s*(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]));
`;

/** Writes, runs and removes the explainer. @param size  elements of its input */
export async function measureEmitted(explainer: Explainer, size: number): Promise<EmittedMeasured> {
  const directory = mkdtempSync(join(tmpdir(), 'relc-bench-'));
  try {
    const files = await emit(explainer, 'wasm');
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    writeFileSync(join(directory, 'once.mjs'), script);
    const printed = execFileSync(process.execPath, [join(directory, 'once.mjs'), String(size)], {
      encoding: 'utf8',
    });
    const { weightBytes, arenaBytes } = explainer.kernels().memory;
    const moduleBytes = files['explainer.wasm']!.length;
    return { moduleBytes, weightBytes, arenaBytes, realBytes: Number(printed) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
