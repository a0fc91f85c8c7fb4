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

/** What a walk over a graph tells after each node. */
interface Step {
  readonly done: number;
  readonly total: number;
}

/** The last node that uses each value; outputs are used to the end. */
function lastUses({ nodes, outputs }: Graph): ReadonlyMap<Name, Name> {
  const last = new Map<Name, Name>();
  for (const node of nodes.values()) for (const arg of node.args) last.set(arg, node.name);
  for (const name of Object.values(outputs)) last.delete(name);
  return last;
}

/** Evaluates node by node into `values`, pausing after each; a value goes after the last use that `last` names. */
function* walk(
  graph: Graph,
  dialect: Dialect,
  { inputs, weights, precision }: { inputs: Inputs; weights: Weights; precision: Precision },
  { values, last }: { values: Map<Name, TensorData>; last: ReadonlyMap<Name, Name> },
): Generator<Step, void> {
  const batch = batchOf(graph, inputs);
  const bound = bindBatch(graph, batch);
  const samplesOf = (name: Name) => (isBatched(graph.nodes.get(name)!.type) ? batch : 1);
  const total = bound.nodes.size;
  let done = 0;
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
    for (const arg of node.args) if (last.get(arg) === node.name) values.delete(arg);
    done++;
    yield { done, total };
  }
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
  const values = new Map<Name, TensorData>();
  const steps = walk(graph, dialect, { inputs, weights, precision }, { values, last: new Map() });
  while (steps.next().done !== true);
  return values;
}

const outputsOf = ({ outputs }: Graph, values: ReadonlyMap<Name, TensorData>): Record<string, TensorData> =>
  Object.fromEntries(Object.entries(outputs).map(([key, name]) => [key, values.get(name)!]));

/** The outputs of a graph by key; a value is freed after its last use. @throws as {@link evaluateAll} */
export function evaluate(
  graph: Graph,
  dialect: Dialect,
  inputs: Inputs,
  weights: Weights,
  precision: Precision = 'f64',
): Record<string, TensorData> {
  const values = new Map<Name, TensorData>();
  const steps = walk(graph, dialect, { inputs, weights, precision }, { values, last: lastUses(graph) });
  while (steps.next().done !== true);
  return outputsOf(graph, values);
}

export interface PacedOptions {
  /** Called between nodes, some times a second. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops the evaluation between two nodes. */
  readonly signal?: AbortSignal;
}

/** How long, in milliseconds, a paced evaluation holds the thread before others get a turn. */
const turn = 40;

/**
 * The same, giving way to whatever else the thread has to do.
 * @throws as {@link evaluateAll}; the signal's reason where it aborts
 */
export async function evaluatePaced(
  graph: Graph,
  dialect: Dialect,
  inputs: Inputs,
  weights: Weights,
  precision: Precision = 'f64',
  { onProgress, signal }: PacedOptions = {},
): Promise<Record<string, TensorData>> {
  const values = new Map<Name, TensorData>();
  const state = { values, last: lastUses(graph) };
  let since = performance.now();
  for (const { done, total } of walk(graph, dialect, { inputs, weights, precision }, state)) {
    if (done < total && performance.now() - since < turn) continue;
    onProgress?.(done, total);
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    since = performance.now();
  }
  return outputsOf(graph, values);
}
