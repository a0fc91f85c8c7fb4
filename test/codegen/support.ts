// What the tests of code generation share: graphs from short texts, seeded data, the walker's results and their judge.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { expect } from 'vitest';
import { dialect } from '../../src/api/pipeline.js';
import { uniforms as sequence } from '../../src/api/random.js';
import { tfjsPasses } from '../../src/codegen/typescript/lower.js';
import { type Plan, planFor } from '../../src/codegen/typescript/plan.js';
import { toTfjs, Walker } from '../../src/codegen/typescript/walk.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { type Graph, type Name, nodesWithOp } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { type Program, runPasses } from '../../src/ir/passes/pass.js';
import { sizeOf, type TensorData, tensor, type Weights } from '../../src/ir/tensor.js';
import { bindShape, type Dtype } from '../../src/ir/type.js';

/** The same numbers in [0, 1) for a seed, on every machine. */
export { dialect, sequence };

export const backends = ['cpu', 'wasm'] as const;
export type Backend = (typeof backends)[number];

export async function useBackend(backend: Backend): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`the backend ${backend} did not start`);
}

/** How an input's elements are drawn from a number u in [0, 1). */
const draws = {
  /** Of both signs. */
  in: (u: number) => 4 * u - 2,
  /** Far enough from zero to be divided by. */
  positive: (u: number) => 0.5 + 1.5 * u,
  /** Few different values, so that equal ones meet. */
  ties: (u: number) => Math.floor(3 * u) - 1,
  /** The same below zero: no maximum is what is around a picture. */
  low: (u: number) => Math.floor(3 * u) - 3,
  /** 0, 1 or 2. */
  index: (u: number) => Math.floor(3 * u),
  coin: (u: number) => Math.round(u),
  w: (u: number) => 2 * u - 1,
  'w+': (u: number) => 0.5 + u,
} as const;
type Draw = keyof typeof draws;

/** `in f32[N,4]`: an input, drawn as the word says; `w f32[4]` and `w+ f32[4]`: weights; anything else stands as it is. */
export type Sources = Readonly<Record<Name, string>>;

export interface Drawn {
  readonly graph: Graph;
  readonly drawnAs: ReadonlyMap<Name, Draw>;
}

/** A graph of sources and lines that returns %z. */
export function graphOf(sources: Sources, ...lines: readonly string[]): Drawn {
  const drawnAs = new Map<Name, Draw>();
  const first = Object.entries(sources).map(([name, text]) => {
    const [word, type] = text.split(' ');
    if (word === undefined || !Object.hasOwn(draws, word)) return `%${name} = ${text}`;
    drawnAs.set(name, word as Draw);
    return word.startsWith('w')
      ? `%${name} = param() {key="${name}"} : ${type}`
      : `%${name} = input() : ${type}`;
  });
  return {
    graph: parse(['graph @case {', ...first, ...lines, 'return %z', '}'].join('\n'), dialect),
    drawnAs,
  };
}

function drawn(shape: readonly number[], dtype: Dtype, seed: number, how: Draw): TensorData {
  const random = sequence(seed);
  const values = Array.from({ length: sizeOf(shape) }, () => draws[how](random()));
  return tensor(shape, values, dtype);
}

/** Seeded inputs and weights of a graph; f32 throughout. */
export function dataFor(
  { graph, drawnAs }: Drawn,
  batch = 2,
  seed = 1,
): { inputs: Inputs; weights: Weights } {
  const inputs: Record<Name, TensorData> = {};
  const weights = new Map<string, TensorData>();
  for (const [index, { name, op, type, attrs }] of [...graph.nodes.values()].entries()) {
    const how = drawnAs.get(name) ?? 'in';
    if (op === 'input')
      inputs[name] = drawn(bindShape(type.shape, batch), type.dtype, seed + 77 * index, how);
    if (op === 'param') {
      weights.set(attrs.key as string, drawn(type.shape as number[], type.dtype, seed + 77 * index, how));
    }
  }
  return { inputs, weights };
}

export function lowered(program: Program): Program {
  return runPasses(program, tfjsPasses, dialect);
}

export function planOf(program: Program): Plan {
  return planFor(lowered(program).graph, dialect);
}

/** Programs side by side in one, what belongs to program i under the prefix `ci.`. */
export function sideBySide(parts: readonly { program: Program; inputs: Inputs }[]): {
  program: Program;
  inputs: Inputs;
} {
  const builder = new GraphBuilder('cases', dialect);
  const weights = new Map<string, TensorData>();
  const inputs: Record<Name, TensorData> = {};
  const outputs: Record<string, Name> = {};
  for (const [index, part] of parts.entries()) {
    const renamed = (name: Name) => `c${index}.${name}`;
    for (const node of part.program.graph.nodes.values()) {
      const attrs = node.op === 'param' ? { key: renamed(node.attrs.key as string) } : node.attrs;
      builder.copy({ ...node, name: renamed(node.name), args: node.args.map(renamed), attrs });
    }
    for (const [key, value] of part.program.weights) weights.set(renamed(key), value);
    for (const [key, value] of Object.entries(part.inputs)) inputs[renamed(key)] = value;
    for (const [key, value] of Object.entries(part.program.graph.outputs))
      outputs[renamed(key)] = renamed(value);
  }
  return { program: { graph: builder.finish(outputs), weights }, inputs };
}

const dtypes = { float32: 'f32', int32: 'i32', bool: 'bool' } as const;

/** A tensor's values on the host; the tensor is disposed of. */
export function fetched(result: tf.Tensor): TensorData {
  const values = result.dataSync() as Float32Array;
  const data = tensor(result.shape, values, dtypes[result.dtype as keyof typeof dtypes]);
  result.dispose();
  return data;
}

/** The outputs of a program on the current backend; expects that no tensor is left behind. */
export function walked(program: Program, inputs: Inputs): Record<string, TensorData> {
  const before = tf.memory().numTensors;
  const { graph, weights } = lowered(program);
  const walker = new Walker(planFor(graph, dialect), weights);
  const feed = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, toTfjs(data)]));
  const outputs = walker.run(feed);
  const result = Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, fetched(value)]));
  walker.dispose();
  tf.dispose(feed);
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  return result;
}

const magnitude = (data: ArrayLike<number>) =>
  Array.from(data).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/** max|a − b| / max|b|, infinite where something is not a number. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const difference = Array.from(a, (value, i) => Math.abs(value - b[i]!));
  if (!difference.every((value) => !Number.isNaN(value))) return Number.POSITIVE_INFINITY;
  const largest = magnitude(difference);
  return largest === 0 ? 0 : largest / magnitude(b);
}

export interface Judge {
  /** By key, in f64. */
  readonly wanted: Readonly<Record<string, TensorData>>;
  /** The largest relative error that a target may make: max(1e-5, 10·|eval32 − eval64|/max|eval64|). */
  readonly bounds: Readonly<Record<string, number>>;
}

export function judgeOf({ graph, weights }: Program, inputs: Inputs): Judge {
  const [single, wanted] = (['f32', 'f64'] as const).map((precision) =>
    evaluate(graph, dialect, inputs, weights, precision),
  ) as [Judge['wanted'], Judge['wanted']];
  const bounds = Object.fromEntries(
    Object.entries(wanted).map(([key, { data }]) => [
      key,
      Math.max(1e-5, 10 * relativeError(single[key]!.data, data)),
    ]),
  );
  return { wanted, bounds };
}

/** The same shape and dtype, an error within the bound, and no NaN. */
export function expectWithin({ wanted, bounds }: Judge, got: TensorData, key: string): void {
  expect([got.dtype, got.shape], key).toEqual([wanted[key]!.dtype, wanted[key]!.shape]);
  expect(bounds[key], `${key}: the judge itself`).toBeLessThan(1e-2);
  expect(relativeError(got.data, wanted[key]!.data), `${key}: error`).toBeLessThanOrEqual(bounds[key]!);
}

/** |got − eval64| ≤ max(1e-5, 10·|eval32 − eval64|)·max|eval64|, the same shape and dtype, and no NaN. */
export function expectJudged(got: TensorData, program: Program, inputs: Inputs, key: string): void {
  expectWithin(judgeOf(program, inputs), got, key);
}

export const inputNames = (graph: Graph) => nodesWithOp(graph, 'input').map((node) => node.name);
