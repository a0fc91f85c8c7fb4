// The reference evaluator: walks a graph node by node in f64 or f32. Slow, plain, and the judge of all else.
import { blaming } from './check.js';
import type { Dialect } from './dialect.js';
import { RelcError } from './error.js';
import { bindBatch, type Graph, type Name, type Node } from './graph.js';
import type { Precision, TensorData, Weights } from './tensor.js';
import { batchMultiple, concreteShape, isBatched, printType } from './type.js';

export type Inputs = Readonly<Record<Name, TensorData>>;

/** N, from the shapes of what was given for batched inputs; 1 if there are none. @throws RelcError RELC1009 */
export function batchOf(graph: Graph, inputs: Inputs): number {
  for (const node of graph.nodes.values()) {
    const multiple = node.op === 'input' ? batchMultiple(node.type.shape[0] ?? 1) : undefined;
    const given = inputs[node.name]?.shape[0];
    if (multiple === undefined || given === undefined) continue;
    if (given % multiple === 0) return given / multiple;
    const wanted = printType(node.type);
    throw new RelcError('RELC1009', `input %${node.name} has ${given} rows, expected ${wanted}`);
  }
  return 1;
}

function given(node: Node, data: TensorData | undefined, what: string): TensorData {
  if (data === undefined) throw new RelcError('RELC1009', `${what} is missing`);
  const wanted = concreteShape(node.type);
  if (data.dtype !== node.type.dtype || data.shape.join() !== wanted.join()) {
    const got = `${data.dtype}[${data.shape.join(',')}]`;
    throw new RelcError('RELC1009', `${what} is ${got}, expected ${printType(node.type)}`);
  }
  return data;
}

/**
 * The value of every node.
 * @param inputs  a tensor for each `input` node, by name; batched ones agree on N
 * @param weights  a tensor for each key of a `param` node
 * @throws RelcError RELC1009 where an input or weight is missing or of the wrong type
 */
export function evaluateAll(
  graph: Graph,
  dialect: Dialect,
  inputs: Inputs,
  weights: Weights,
  precision: Precision = 'f64',
): Map<Name, TensorData> {
  const batch = batchOf(graph, inputs);
  const bound = bindBatch(graph, batch);
  const samplesOf = (name: Name) => (isBatched(graph.nodes.get(name)!.type) ? batch : 1);
  const values = new Map<Name, TensorData>();
  for (const node of bound.nodes.values()) {
    if (node.op === 'input') values.set(node.name, given(node, inputs[node.name], `input %${node.name}`));
    else if (node.op === 'param') {
      const key = node.attrs.key as string;
      values.set(node.name, given(node, weights.get(key), `weight "${key}" of %${node.name}`));
    } else {
      const args = node.args.map((arg) => values.get(arg)!);
      const definition = dialect[node.op]!;
      values.set(
        node.name,
        blaming(node, () => definition.evaluate(args, node, { precision, graph: bound, samplesOf })),
      );
    }
  }
  return values;
}

/** The outputs of a graph by key. @throws as {@link evaluateAll} */
export function evaluate(
  graph: Graph,
  dialect: Dialect,
  inputs: Inputs,
  weights: Weights,
  precision: Precision = 'f64',
): Record<string, TensorData> {
  const values = evaluateAll(graph, dialect, inputs, weights, precision);
  return Object.fromEntries(Object.entries(graph.outputs).map(([key, name]) => [key, values.get(name)!]));
}
