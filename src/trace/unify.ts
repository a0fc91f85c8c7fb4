// Unifying: two traces of one model at different batch sizes become one graph with a symbolic batch.
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { type Graph, type Node, printLoc } from '../ir/graph.js';
import type { Weights } from '../ir/tensor.js';
import { batchDim, type Dim, printType, type TensorType } from '../ir/type.js';
import { verify } from '../ir/verify.js';

/** Batch sizes of the two traces: primes, so that a dimension that scales can hardly be taken for a fixed one. */
export const batchSizes = [5, 7] as const;

interface Trace {
  readonly graph: Graph;
  readonly weights: Weights;
}

const adviceToDrop =
  'make the function do the same steps for every batch size, or trace with batch: null to explain the whole input as one sample';

function differs(node: Node, what: string): RelcError {
  const place = printLoc(node.loc);
  return new RelcError(
    'RELC2007',
    `%${node.name} = ${node.op}${place === '' ? '' : ` (${place})`}: ${what} depends on the batch size or changes from call to call`,
    adviceToDrop,
  );
}

/** k·N where both extents are k times their batch, the extent itself where they agree. */
function unifyDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return a;
  const multiple = (a as number) / batchSizes[0];
  return Number.isInteger(multiple) && multiple * batchSizes[1] === b ? batchDim(multiple) : undefined;
}

function unifyType(a: Node, b: Node): TensorType {
  const shape = a.type.shape.map((dim, axis) => unifyDim(dim, b.type.shape[axis] ?? -1));
  if (
    a.type.dtype !== b.type.dtype ||
    a.type.shape.length !== b.type.shape.length ||
    shape.includes(undefined)
  ) {
    throw differs(
      a,
      `the type, ${printType(a.type)} at batch ${batchSizes[0]} and ${printType(b.type)} at ${batchSizes[1]},`,
    );
  }
  return { dtype: a.type.dtype, shape: shape as Dim[] };
}

function unifyNode(a: Node, b: Node): Node {
  if (a.op !== b.op || a.args.join() !== b.args.join())
    throw differs(a, `which op runs (${a.op} or ${b.op})`);
  if (JSON.stringify(a.attrs) !== JSON.stringify(b.attrs)) throw differs(a, 'an attribute or a constant');
  return { ...a, type: unifyType(a, b) };
}

/**
 * One graph for every batch size.
 * @throws RelcError RELC2007 where ops, constants or shapes depend on the batch size other than as k·N in front;
 *   RELC1007 where samples are mixed
 */
export function unify(first: Trace, second: Trace): Trace {
  const [a, b] = [[...first.graph.nodes.values()], [...second.graph.nodes.values()]];
  const nodes = new Map<string, Node>();
  for (const [index, node] of a.entries()) {
    const other = b[index];
    if (other === undefined) throw differs(node, 'whether this op runs');
    nodes.set(node.name, unifyNode(node, other));
  }
  if (b.length > a.length) throw differs(b[a.length]!, 'whether this op runs');
  for (const [key, data] of first.weights) {
    const same = second.weights.get(key)?.data;
    if (
      same === undefined ||
      same.length !== data.data.length ||
      (same !== data.data && !data.data.every((value, i) => Object.is(value, same[i])))
    ) {
      throw new RelcError(
        'RELC2007',
        `the constant "${key}" depends on the batch size or changes from call to call`,
        adviceToDrop,
      );
    }
  }
  const graph = { ...first.graph, nodes };
  verify(graph, forward);
  return { graph, weights: first.weights };
}
