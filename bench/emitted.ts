// An explainer as files, run once by itself in a fresh process: its size, and the memory that it really takes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Explainer, emit } from '../src/index.js';
import { elementCount } from '../src/ir/type.js';

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
const sizes = JSON.parse(process.argv[2]);
const inputs = (value) => Object.fromEntries(sizes.map(({ name, size, isInteger }) => [
  name,
  Float32Array.from({ length: size }, (_, index) => (isInteger ? index % 2 : value(index))),
]));
await explainer.explain(inputs(Math.sin));
await explainer.explain(inputs(Math.cos));
console.log(1024 * Number(/^VmHWM:\\s*(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]));
`;

/** Writes, runs and removes the explainer. */
export async function measureEmitted(explainer: Explainer): Promise<EmittedMeasured> {
  const directory = mkdtempSync(join(tmpdir(), 'relc-bench-'));
  try {
    const files = await emit(explainer, 'wasm');
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    writeFileSync(join(directory, 'once.mjs'), script);
    const sizes = explainer.inputs.map(({ name, type }) => ({
      ...{ name, size: elementCount(type.shape), isInteger: type.dtype !== 'f32' },
    }));
    const args = [join(directory, 'once.mjs'), JSON.stringify(sizes)];
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
    const { weightBytes, arenaBytes } = explainer.kernels().memory;
    const moduleBytes = files['explainer.wasm']!.length;
    return { moduleBytes, weightBytes, arenaBytes, realBytes: Number(printed) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
