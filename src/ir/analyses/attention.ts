// Attention matrices: softmax results that mix other values, found by data flow alone.
//
// A softmax whose axis is contracted with another activation, the values, holds the weights of a mixture: its axis is
// that of the keys. The axis that lives on in the product and that the values lack is that of the queries.
import { numberOf } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf, usesOf } from '../graph.js';
import { parseEquation } from '../ops/einsum.js';
import { axisAfter } from './axes.js';

export interface AttentionMatrix {
  /** The softmax's result: rows of weights that sum to 1. */
  readonly matrix: Name;
  /** The einsum with the values. */
  readonly product: Name;
  /** Axes of the matrix. */
  readonly query: number;
  readonly key: number;
  /** Which block it belongs to, from 0: how many attention matrices lie one behind another on the way to it. */
  readonly block: number;
}

/** A value that shows the softmax's result, and where each axis of that lies in it. */
interface View {
  readonly value: Name;
  readonly axes: readonly (number | undefined)[];
}

const viewOps: ReadonlySet<string> = new Set(['reshape', 'transpose', 'broadcast', 'cast', 'slice']);

type Found = Omit<AttentionMatrix, 'block'>;

/** The einsum of a view with other activations as a mixture by the softmax's weights, if it is one. */
function mixture(softmax: Node, view: View, product: Node, slot: number): Found | undefined {
  const { left, right, contracted, leftOnly, rightOnly } = parseEquation(product.attrs.eq as string);
  const [own, only] = slot === 0 ? [left, leftOnly] : [right, rightOnly];
  const key = numberOf(softmax.attrs, 'axis');
  const keyAxis = view.axes[key];
  if (keyAxis === undefined || contracted !== own[keyAxis]) return undefined;
  const { shape } = softmax.type;
  const queries = [...shape.keys()].filter((axis) => {
    const to = view.axes[axis];
    return to !== undefined && axis !== key && only.includes(own[to]!) && typeof shape[axis] === 'number';
  });
  // Of several, such as the queries of a group, those that are as many as the keys
  const query = queries.findLast((axis) => shape[axis] === shape[key]) ?? queries.at(-1);
  return query === undefined ? undefined : { matrix: softmax.name, product: product.name, query, key };
}

function matrixOf(graph: Graph, softmax: Node, known: Known): Found | undefined {
  const pending: View[] = [{ value: softmax.name, axes: [...softmax.type.shape.keys()] }];
  for (let view = pending.pop(); view !== undefined; view = pending.pop()) {
    for (const { user, slot } of known.uses.get(view.value) ?? []) {
      const node = nodeOf(graph, user);
      if (node.op === 'einsum' && known.active.has(node.args[1 - slot]!)) {
        const found = mixture(softmax, view, node, slot);
        if (found !== undefined) return found;
      } else if (viewOps.has(node.op)) {
        const axes = view.axes.map((axis) =>
          axis === undefined ? undefined : axisAfter(graph, node, slot, axis),
        );
        pending.push({ value: user, axes });
      }
    }
  }
  return undefined;
}

interface Known {
  readonly uses: ReturnType<typeof usesOf>;
  readonly active: ReadonlySet<Name>;
}

/** The attention matrices of a forward graph, in order of execution. */
export function attentionMatrices(graph: Graph): AttentionMatrix[] {
  const known = { uses: usesOf(graph), active: activeValues(graph) };
  const found: AttentionMatrix[] = [];
  const levels = new Map<Name, number>();
  for (const node of graph.nodes.values()) {
    const block = Math.max(0, ...node.args.map((arg) => levels.get(arg) ?? 0));
    const matrix = node.op === 'softmax' ? matrixOf(graph, node, known) : undefined;
    if (matrix !== undefined) found.push({ ...matrix, block });
    levels.set(node.name, matrix === undefined ? block : block + 1);
  }
  return found;
}
