// What tests of tracing share: seeded tensors, the model's own values, and their comparison with a graph's.
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { type ErrorCode, RelcError } from '../../src/ir/error.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { type Program, runPasses } from '../../src/ir/passes/pass.js';
import { sizeOf, type TensorData, tensor } from '../../src/ir/tensor.js';
import { bindShape, type Dtype } from '../../src/ir/type.js';
import { type ModelFunction, traceFunction } from '../../src/trace/function.js';
import type { InputSpec } from '../../src/trace/trace.js';

/** Starts the backend that models run on and constants are computed on. */
export async function startTensorflow(): Promise<void> {
  await tf.setBackend('cpu');
  await tf.ready();
}

/** Numbers between −1 and 1, the same ones for the same seed (mulberry32). */
function randomNumbers(seed: number, count: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2147483648 - 1;
  });
}

/** A tensor of seeded numbers between −1 and 1. */
export function randomTensor<Result extends tf.Tensor>(seed: number, shape: readonly number[]): Result {
  return tf.tensor(randomNumbers(seed, sizeOf(shape)), [...shape]) as Result;
}

/** Seeded values for an input: f32 between −2 and 2, or integers from 0 up to `integers`. */
function inputData(seed: number, dtype: Dtype, shape: readonly number[], integers: number): TensorData {
  const numbers = randomNumbers(seed, sizeOf(shape));
  const values = numbers.map((x) => (dtype === 'i32' ? Math.floor(((x + 1) / 2) * integers) : 2 * x));
  return tensor(shape, values, dtype);
}

const tfDtypes = { f32: 'float32', i32: 'int32', bool: 'bool' } as const;

/** Seeded inputs of a graph at one batch size, by name. */
function freshInputs(program: Program, batch: number, integers: number) {
  const inputs = nodesWithOp(program.graph, 'input').map(({ name, type }, index) => {
    const shape = bindShape(type.shape, batch);
    return [name, inputData(17 + 1000 * index + batch, type.dtype, shape, integers)] as const;
  });
  return Object.fromEntries(inputs);
}

/** The same values as a tensor of tfjs. */
function toTensorflow({ data, shape, dtype }: TensorData): tf.Tensor {
  return tf.tensor(Array.from(data), [...shape], tfDtypes[dtype]);
}

/** Where two arrays differ by more than 1e-5 of the larger of 1 and max|wanted|, or undefined. */
export function difference(got: ArrayLike<number>, wanted: ArrayLike<number>): string | undefined {
  if (got.length !== wanted.length) return `${got.length} values, expected ${wanted.length}`;
  let scale = 1;
  for (let i = 0; i < wanted.length; i++) scale = Math.max(scale, Math.abs(wanted[i]!));
  for (let i = 0; i < got.length; i++) {
    const close = Math.abs(got[i]! - wanted[i]!) <= 1e-5 * scale;
    if (!close) return `element ${i} is ${got[i]}, expected ${wanted[i]}`;
  }
  return undefined;
}

type OwnValues = (inputs: Readonly<Record<string, tf.Tensor>>) => Readonly<Record<string, tf.Tensor>>;

export interface Comparison {
  /** Batch sizes that the one graph is run at. */
  readonly batches?: readonly number[];
  /** Integer inputs lie below this. */
  readonly integers?: number;
}

/** Expects that a graph, as traced and canonicalized, computes what the model does itself. */
export function expectOwnValues(program: Program, own: OwnValues, comparison: Comparison = {}): void {
  const { batches = [1, 3], integers = 4 } = comparison;
  const canonical = runPasses(program, [canonicalize], forward);
  for (const batch of batches) {
    const inputs = freshInputs(program, batch, integers);
    const wanted = ownData(own, inputs);
    for (const [stage, { graph, weights }] of [
      ['traced', program],
      ['canonicalized', canonical],
    ] as const) {
      for (const precision of ['f32', 'f64'] as const) {
        const got = evaluate(graph, forward, inputs, weights, precision);
        expectSame(got, wanted, `${stage} graph, ${precision}, batch ${batch}`);
      }
    }
  }
}

function ownData(own: OwnValues, inputs: Readonly<Record<string, TensorData>>) {
  const tensors = Object.entries(inputs).map(([name, data]) => [name, toTensorflow(data)] as const);
  const results = tf.tidy(() => own(Object.fromEntries(tensors)));
  const wanted = Object.entries(results).map(([key, result]) => {
    return [key, { shape: result.shape, data: result.dataSync() }] as const;
  });
  tf.dispose([results, tensors.map(([, input]) => input)]);
  return Object.fromEntries(wanted);
}

function expectSame(
  got: Readonly<Record<string, TensorData>>,
  wanted: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
  where: string,
): void {
  expect(Object.keys(got), where).toEqual(Object.keys(wanted));
  for (const [key, { shape, data }] of Object.entries(wanted)) {
    expect(got[key]!.shape, `shape of ${key}, ${where}`).toEqual(shape);
    expect(difference(got[key]!.data, data), `${key}, ${where}`).toBeUndefined();
  }
}

/** What a function of one kernel or a few is probed with. */
export interface Probe extends Comparison {
  /** One input, or inputs by name. */
  readonly input: InputSpec | Readonly<Record<string, InputSpec>>;
  /** Shapes of weights by name: seeded tensors of these are the function's second argument. */
  readonly weights?: Readonly<Record<string, readonly number[]>>;
}

/** Traces a function and expects the graph to compute what the function does; returns the graph. */
export function expectTraced(model: ModelFunction, probe: Probe): Program {
  const entries = Object.entries(probe.weights ?? {});
  const params = Object.fromEntries(entries.map(([name, shape], i) => [name, randomTensor(100 + i, shape)]));
  const program = traceFunction(model, { input: probe.input, params });
  const single = Array.isArray(probe.input) || 'shape' in probe.input;
  expectOwnValues(
    program,
    (tensors) => named(model(single ? Object.values(tensors)[0] : tensors, params)),
    probe,
  );
  tf.dispose(params);
  return program;
}

/** A function's result as outputs by name. */
function named(result: ReturnType<ModelFunction>): Record<string, tf.Tensor> {
  if (result instanceof tf.Tensor) return { output: result };
  const entries = Object.entries(result as Record<string, tf.Tensor>);
  return Object.fromEntries(
    entries.map(([key, value]) => [Array.isArray(result) ? `output${key}` : key, value]),
  );
}

/** Runs an action and expects that it throws a RelcError; returns it. */
export function refusal(action: () => unknown, code: ErrorCode): RelcError {
  try {
    action();
  } catch (error) {
    if (!(error instanceof RelcError)) throw error;
    expect(error.code, error.message).toBe(code);
    return error;
  }
  throw new Error(`expected ${code}, but nothing was thrown`);
}

/** Runs an action and expects tfjs as it was: backend, scopes, tensors, and able to compute. */
export function leavesTensorflowAlone<Result>(action: () => Result): Result {
  const state = () => ({
    backend: tf.getBackend(),
    tensors: tf.memory().numTensors,
    buffers: tf.memory().numDataBuffers,
    scopes: tf.engine().state.scopeStack.length,
  });
  const before = state();
  try {
    return action();
  } finally {
    expect(state()).toEqual(before);
    expect(tf.tidy(() => tf.add(1, 2).arraySync())).toBe(3);
  }
}
