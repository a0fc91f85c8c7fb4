// Every target in process, as a function from a program and its inputs to outputs: what a table of tests runs over.

import type { ExecutionTarget } from '../../src/api/engine.js';
import type { Inputs } from '../../src/ir/evaluate.js';
import type { Program } from '../../src/ir/passes/pass.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { backends, useBackend, walked } from './support.js';
import { runOnWasm } from './wasm/support.js';

export interface Target {
  readonly name: string;
  /** What `compile` calls it. */
  readonly target: ExecutionTarget;
  /** Makes it the one that runs what is compiled for it. */
  start(): Promise<void>;
  run(program: Program, inputs: Inputs): Record<string, TensorData>;
}

export const targets: readonly Target[] = [
  ...backends.map(
    (backend): Target => ({
      name: `tfjs ${backend}`,
      target: 'tfjs',
      start: () => useBackend(backend),
      run: walked,
    }),
  ),
  {
    name: 'wasm',
    target: 'wasm',
    start: async () => {},
    run: ({ graph, weights }, inputs) => runOnWasm(graph, inputs, weights),
  },
];
