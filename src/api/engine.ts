// Engines: what runs a compiled program in process, and the targets that there are. The explainer knows the interface,
// and no run-time behind it.
import { RelcError } from '../ir/error.js';
import type { Name } from '../ir/graph.js';
import type { Program } from '../ir/passes/pass.js';
import type { TensorData } from '../ir/tensor.js';
import { tfjsEngine } from './engines/tfjs.js';
import { wasmEngine } from './engines/wasm.js';

/** One program (forward and relevance for one kind of seed), loaded and ready to run. */
export interface Engine {
  /**
   * Outputs by key for each of several values of some inputs, in order; what does not depend on those is computed once.
   * Is not called again before the call before has ended, and not after {@link dispose}.
   * @param inputs  the other inputs, of the types that the program states; only read
   * @param varied  values of the same inputs each time, one at least; only read
   * @returns arrays of the caller's own, which no later run changes
   */
  run(
    inputs: Readonly<Record<Name, TensorData>>,
    varied: readonly Readonly<Record<Name, TensorData>>[],
  ): Promise<Record<string, TensorData>[]>;

  /** Frees what the program holds; not called while it runs. */
  dispose(): void;
}

/** What engines may be told. */
export interface EngineOptions {
  /** Threads that a run may use. */
  readonly threads?: number;
  /** Of the target `wasm`: whether products may be added with one rounding, as the machine likes it. */
  readonly fusedMultiplyAdd?: boolean;
}

/** Makes an engine for a program. */
export type EngineFactory = (program: Program, options?: EngineOptions) => Engine | Promise<Engine>;

/** Every target in process: a line here is all that one more takes. */
const factories = { tfjs: tfjsEngine, wasm: wasmEngine } as const satisfies Readonly<
  Record<string, EngineFactory>
>;

/** Where an explainer runs in process. */
export type ExecutionTarget = keyof typeof factories;

/** What `target` may be: `tfjs` is the tfjs backend that is current. */
export const executionTargets = Object.keys(factories) as readonly ExecutionTarget[];

/** The target of an explainer that names none. */
export const usualTarget: ExecutionTarget = 'wasm';

/** @throws RelcError RELC4007 (no such target) */
export function engineFactory(target: ExecutionTarget): EngineFactory {
  if (Object.hasOwn(factories, target)) return factories[target];
  const hint = `targets: ${executionTargets.join(', ')}`;
  throw new RelcError('RELC4007', `there is no target '${String(target)}'`, hint);
}
