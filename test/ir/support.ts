// What the tests of the IR share: seeded tensors, one op applied to data, comparison that fails on NaN.

import { expect } from 'vitest';
import { uniforms as sequence } from '../../src/api/random.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { RelcError } from '../../src/ir/error.js';
import { evaluateAll, type Inputs } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { type Attrs, activeValues, type Graph, type Name } from '../../src/ir/graph.js';
import { type Precision, sizeOf, type TensorData, type Weights } from '../../src/ir/tensor.js';
import { bindShape, type Shape, type TensorType } from '../../src/ir/type.js';

/** The same numbers in [0, 1) for a seed, on every machine. */
export { sequence };

export const noWeights: Weights = new Map();

/** A seed for a name, so that data made up for it does not depend on what else there is. */
export function seedOf(name: string): number {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0)!, 16777619);
  return hash >>> 0;
}

/** f32 data held in 64 bits: the evaluator's exact mode. */
export function exact(shape: readonly number[], values: ArrayLike<number>): TensorData {
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for [${shape}]`);
  return { dtype: 'f32', shape, data: Float64Array.from(values) };
}

/** f32 data held in 32 bits. */
export function single(shape: readonly number[], values: ArrayLike<number>): TensorData {
  return { ...exact(shape, values), data: Float32Array.from(values) };
}

export function integers(shape: readonly number[], values: ArrayLike<number>): TensorData {
  return { dtype: 'i32', shape, data: Int32Array.from(values) };
}

export function booleans(shape: readonly number[], values: ArrayLike<number>): TensorData {
  return { dtype: 'bool', shape, data: Uint8Array.from(values) };
}

/** 0, 1, 2, … times `step`. */
export function counting(shape: readonly number[], step = 1): TensorData {
  return exact(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, index) => index * step),
  );
}

/** Uniform in [low, high). */
export function uniform(shape: readonly number[], seed: number, low = -1, high = 1): TensorData {
  const random = sequence(seed);
  return exact(
    shape,
    Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random()),
  );
}

/** Fresh data for every input of a graph: floats in [-1, 1), small indices, coin flips. */
export function inputsFor(graph: Graph, batch: number, seed: number): Inputs {
  const inputs: Record<Name, TensorData> = {};
  for (const node of graph.nodes.values()) {
    if (node.op !== 'input') continue;
    const data = uniform(bindShape(node.type.shape, batch), seed ^ seedOf(node.name));
    const halves = data.data.map((value) => (value < 0 ? 0 : 1));
    if (node.type.dtype === 'f32') inputs[node.name] = data;
    else
      inputs[node.name] =
        node.type.dtype === 'i32' ? integers(data.shape, halves) : booleans(data.shape, halves);
  }
  return inputs;
}

/** Weights made up from their keys, in [0.5, 1.5): they may be variances and divisors. */
export function weightsFor(graph: Graph, seed: number): Weights {
  const weights = new Map<string, TensorData>();
  for (const node of graph.nodes.values()) {
    if (node.op !== 'param') continue;
    const key = node.attrs.key as string;
    const data = uniform(node.type.shape as number[], seed ^ seedOf(key), 0.5, 1.5);
    weights.set(key, { ...data, data: Float32Array.from(data.data) });
  }
  return weights;
}

export interface Application {
  readonly attrs?: Attrs;
  /** The stated type of the result. */
  readonly type?: TensorType;
  readonly precision?: Precision;
}

/** f32[…] */
export const f32 = (...shape: Shape): TensorType => ({ dtype: 'f32', shape });

/** The value of one op on data. */
export function apply(op: string, args: readonly TensorData[], application: Application = {}): TensorData {
  const builder = new GraphBuilder('apply', forward);
  const inputs: Record<Name, TensorData> = {};
  const names = args.map((data, slot) => {
    inputs[`a${slot}`] = data;
    return builder.add('input', [], { name: `a${slot}`, type: { dtype: data.dtype, shape: data.shape } });
  });
  const { attrs = {}, type, precision = 'f64' } = application;
  const z = builder.add(op, names, { attrs, ...(type === undefined ? {} : { type }), name: 'z' });
  return evaluateAll(builder.finish({ z }), forward, inputs, noWeights, precision).get(z)!;
}

export function largest(data: ArrayLike<number>): number {
  let top = 0;
  for (let index = 0; index < data.length; index++) top = Math.max(top, Math.abs(data[index]!));
  return top;
}

/** Σ aᵢ·bᵢ */
export function dot(a: TensorData, b: TensorData): number {
  expect(a.shape).toEqual(b.shape);
  let sum = 0;
  for (let index = 0; index < a.data.length; index++) sum += a.data[index]! * b.data[index]!;
  return sum;
}

/** max|a − b| ≤ tolerance · max|b|; NaN anywhere fails, and so does another infinity, shape or dtype. */
export function expectClose(got: TensorData, wanted: TensorData, tolerance: number, what = ''): void {
  expect([got.dtype, got.shape], what).toEqual([wanted.dtype, wanted.shape]);
  const bound = tolerance * largest(Array.from(wanted.data).filter(Number.isFinite));
  for (let index = 0; index < wanted.data.length; index++) {
    const [a, b] = [got.data[index]!, wanted.data[index]!];
    if (!(a === b || Math.abs(a - b) <= bound)) {
      expect.fail(`${what} element ${index} is ${a}, expected ${b} (tolerance ${bound})`);
    }
  }
}

/** Exactly these values in this shape. */
export function expectValues(got: TensorData, shape: readonly number[], values: readonly number[]): void {
  expect([got.shape, Array.from(got.data)]).toEqual([shape, values]);
}

/** The RelcError that `action` throws. */
export function failure(action: () => unknown): RelcError {
  try {
    action();
  } catch (error) {
    if (error instanceof RelcError) return error;
    throw error;
  }
  return expect.fail('nothing was thrown');
}

/** Values that an output needs and that depend on an input. */
export function neededActiveValues(graph: Graph): Name[] {
  const needed = new Set(Object.values(graph.outputs));
  for (const node of [...graph.nodes.values()].reverse()) {
    if (needed.has(node.name)) for (const arg of node.args) needed.add(arg);
  }
  return [...activeValues(graph)].filter((name) => needed.has(name));
}
