// Emission: a module with its loader, which needs nothing else, in Node and in browsers.
import type { Interval } from '../../ir/analyses/interval.js';
import type { Dialect } from '../../ir/dialect.js';
import { type Name, nodesWithOp } from '../../ir/graph.js';
import type { Program } from '../../ir/passes/pass.js';
import { encodeSafetensors } from '../../ir/safetensors.js';
import { stated } from '../../ir/stated.js';
import type { Weights } from '../../ir/tensor.js';
import { fuse } from '../kernels/fuse.js';
import { planKernels } from '../kernels/plan.js';
import { loaderFiles } from './loader.js';
import { wasmProgram } from './module.js';
import { programLayout } from './program-layout.js';
import type { ExplainerLayout } from './runtime/checks.js';

export interface WasmEmitOptions {
  /** Samples of a run. */
  readonly batch: number;
  readonly fusedMultiplyAdd?: boolean;
  /** What relevance starts as. */
  readonly seed: string;
  /** Inputs that options of `explain` stand for, by option. */
  readonly seedInputs: Readonly<Record<string, Name>>;
  readonly classes: number;
  /** What inputs must lie in, where a rule relies on it. */
  readonly range?: Interval;
}

export interface EmittedWasm {
  readonly files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>;
  /** The content of weights.safetensors: what the module reads, and nothing else. */
  readonly weights: Uint8Array;
}

/** JSON with a line for each item of the lists at its top: readable, and no longer than it need be. */
function printLayout(layout: ExplainerLayout): string {
  const lines = Object.entries(layout).map(([key, value]) => {
    const isList = Array.isArray(value) && value.some((item) => typeof item === 'object');
    const text = isList
      ? `[\n${(value as unknown[]).map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`
      : JSON.stringify(value);
    return `  ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}

/**
 * Writes a lowered program as `explainer.wasm`, its loader `explainer.js` with `explainer.d.ts` and `worker.js`, and
 * `layout.json`, which says where in memory what lies.
 * @throws RelcError RELC4001 (an op has no kernel), RELC4009 (more memory than a module can have)
 */
export async function emitWasm(
  { graph, weights }: Program,
  dialect: Dialect,
  options: WasmEmitOptions,
): Promise<EmittedWasm> {
  const { batch, seed, seedInputs, classes, range } = options;
  const wasm = wasmProgram(planKernels(fuse(graph, dialect, batch)), options);
  const keys = new Set(wasm.plan.program.weights.values());
  const read: Weights = new Map([...weights].filter(([key]) => keys.has(key)));
  const bytes = encodeSafetensors(read);
  const layout: ExplainerLayout = {
    ...{ seed, classes, seedInputs, mixes: nodesWithOp(graph, 'batch_total').length > 0 },
    ...stated({ range }),
    weightBytes: bytes.length,
    ...programLayout(wasm, graph, batch),
  };
  return {
    files: {
      ...(await loaderFiles()),
      'explainer.wasm': wasm.bytes,
      'layout.json': printLayout(layout),
      'package.json': `${JSON.stringify({ type: 'module' })}\n`,
    },
    weights: bytes,
  };
}
