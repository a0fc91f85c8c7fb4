// What the reference evaluation of a rule works with: a node's map and its Jacobian as a dense matrix.
import { GraphBuilder } from '../../ir/builder.js';
import { evaluateAll } from '../../ir/evaluate.js';
import { forward } from '../../ir/forward.js';
import type { Attrs, Graph, Name, Node } from '../../ir/graph.js';
import type { Precision, TensorData } from '../../ir/tensor.js';

/** One application of a rule to concrete data. */
export interface Reference {
  /** The graph that the rule is applied in, batch bound. */
  readonly graph: Graph;
  /** The ruled node, batch bound. */
  readonly node: Node;
  readonly operand: number;
  readonly args: readonly TensorData[];
  /** The node's result. */
  readonly z: TensorData;
  readonly relevance: TensorData;
  readonly attrs: Attrs;
  /** Samples in the batch; 1 where the graph has none. */
  readonly batch: number;
  readonly precision: Precision;
}

const noGraph = { name: 'reference', nodes: new Map(), outputs: {}, aliases: new Map() };

/** The ruled op on other operands. */
export function apply({ node, precision }: Reference, args: readonly TensorData[]): ArrayLike<number> {
  return forward[node.op as keyof typeof forward].evaluate(args, node, {
    precision,
    graph: noGraph,
    samplesOf: () => 1,
  }).data;
}

/** A tensor like `like` in 64 bits. */
export function like(source: TensorData, value: (index: number) => number): TensorData {
  return { ...source, data: Float64Array.from(source.data, (_, index) => value(index)) };
}

/**
 * J[i][j] = ∂z_i/∂x_j of an op that is linear in the operand, column by column from unit vectors; the op's bias and
 * the other operands stay as they are and drop out with f(0).
 */
export function jacobian(reference: Reference): Float64Array[] {
  const { args, operand, z } = reference;
  const at = (x: TensorData) =>
    apply(
      reference,
      args.map((arg, slot) => (slot === operand ? x : arg)),
    );
  const x = args[operand]!;
  const origin = at(like(x, () => 0));
  const rows = Array.from({ length: z.data.length }, () => new Float64Array(x.data.length));
  for (let j = 0; j < x.data.length; j++) {
    const column = at(like(x, (index) => (index === j ? 1 : 0)));
    for (let i = 0; i < rows.length; i++) rows[i]![j] = column[i]! - origin[i]!;
  }
  return rows;
}

/** The bias each output element gets, 0 without one: f(0). */
export function biasOf(reference: Reference): Float64Array {
  const zeros = reference.args.map((arg, slot) => (slot === reference.operand ? like(arg, () => 0) : arg));
  return Float64Array.from(apply(reference, zeros));
}

/** vjp_operand(s), by evaluating the op's own derivative. */
export function pullBack(reference: Reference, s: TensorData): TensorData {
  const { node, args, operand, precision } = reference;
  const builder = new GraphBuilder('pullback', forward);
  const inputs: Record<Name, TensorData> = {};
  const feed = (name: Name, data: TensorData): Name => {
    inputs[name] = data;
    return builder.add('input', [], { name, type: { dtype: data.dtype, shape: data.shape } });
  };
  const names = args.map((arg, slot) => feed(`a${slot}`, arg));
  const z = builder.add(node.op, names, { attrs: node.attrs, type: node.type, name: 'z' });
  const vjp = forward[node.op as keyof typeof forward].vjp!;
  const result = vjp({ builder, node: builder.node(z), operand, cotangent: feed('s', s) });
  return evaluateAll(builder.finish({ result }), forward, inputs, new Map(), precision).get(result)!;
}

/** x_j Σ_i J[i][j] s_i, or without x where `x` is undefined. */
export function transposedRows(
  rows: readonly Float64Array[],
  s: ArrayLike<number>,
  x: ArrayLike<number> | undefined,
): Float64Array {
  const result = new Float64Array(rows[0]?.length ?? 0);
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < result.length; j++) result[j]! += rows[i]![j]! * s[i]!;
  }
  return x === undefined ? result : result.map((sum, j) => sum * x[j]!);
}

/** Σ over each sample's elements; the samples lie one after another. */
export function perSample(data: ArrayLike<number>, batch: number): number[] {
  const size = data.length / batch;
  return Array.from({ length: batch }, (_, n) => {
    let sum = 0;
    for (let i = n * size; i < (n + 1) * size; i++) sum += data[i]!;
    return sum;
  });
}

/** The smallest and the largest element of each sample, at every element of it. */
export function perSampleRange(
  { data }: TensorData,
  batch: number,
): { low: Float64Array; high: Float64Array } {
  const size = data.length / batch;
  const extreme = (choose: (a: number, b: number) => number) =>
    Float64Array.from(data, (_, i) => {
      const start = Math.floor(i / size) * size;
      let value = data[start]!;
      for (let j = start; j < start + size; j++) value = choose(value, data[j]!);
      return value;
    });
  return { low: extreme(Math.min), high: extreme(Math.max) };
}
