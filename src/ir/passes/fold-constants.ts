// Constant folding: values that depend on no input become weights, where that stores no more than before.
import type { Dialect } from '../dialect.js';
import { evaluateAll } from '../evaluate.js';
import { activeValues, type Graph, type Name, type Node, nodeOf, type Use, usesOf } from '../graph.js';
import type { TensorData, Weights } from '../tensor.js';
import { elementCount } from '../type.js';
import { removeDeadCode } from './dead-code.js';
import type { Pass } from './pass.js';

/** Results up to this many elements are folded whatever they replace. */
const smallResult = 64;

const sources = new Set(['input', 'param', 'constant']);

/** A view repeats its operand: folding it would store the copies. */
const isView = (node: Node) => node.op === 'broadcast';

/** Constant values, not stored yet, that something not folded uses. */
function frontier(graph: Graph): Name[] {
  const active = activeValues(graph);
  const used = new Set<Name>(Object.values(graph.outputs));
  const result: Name[] = [];
  for (const node of [...graph.nodes.values()].reverse()) {
    const constant = !active.has(node.name) && !sources.has(node.op);
    if (constant && !isView(node)) {
      if (used.has(node.name)) result.push(node.name);
    } else for (const arg of node.args) used.add(arg);
  }
  return result;
}

/** The nodes that `root` is computed from, itself included, operands first. */
function coneOf(graph: Pick<Graph, 'nodes'>, root: Name, order: ReadonlyMap<Name, number>): Node[] {
  const cone = new Set<Name>([root]);
  const pending = [root];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    for (const arg of nodeOf(graph, name).args) {
      if (!cone.has(arg)) {
        cone.add(arg);
        pending.push(arg);
      }
    }
  }
  return [...cone].sort((a, b) => order.get(a)! - order.get(b)!).map((name) => nodeOf(graph, name));
}

/** Elements of the weights that nothing outside of the cone uses: what folding it would free. */
function freedElements(cone: readonly Node[], uses: ReadonlyMap<Name, readonly Use[]>): number {
  const inside = new Set(cone.map((node) => node.name));
  return cone
    .filter((node) => node.op === 'param' && uses.get(node.name)!.every(({ user }) => inside.has(user)))
    .reduce((sum, node) => sum + elementCount(node.type.shape), 0);
}

function toSinglePrecision(data: TensorData): TensorData {
  return data.dtype === 'f32' ? { ...data, data: Float32Array.from(data.data) } : data;
}

function freshKey(weights: Weights, base: string): string {
  let key = base;
  for (let count = 1; weights.has(key); count++) key = `${base}_${count}`;
  return key;
}

function usedWeights(graph: Graph, weights: Weights): Weights {
  const keys = new Set(
    [...graph.nodes.values()].flatMap((node) => (node.op === 'param' ? [node.attrs.key] : [])),
  );
  return new Map([...weights].filter(([key]) => keys.has(key)));
}

/** Puts the value of `root` among the weights and a `param` in its place. */
function foldValue(
  { nodes, weights }: { nodes: Map<Name, Node>; weights: Map<string, TensorData> },
  graph: Graph,
  root: Name,
  cone: readonly Node[],
  dialect: Dialect,
): void {
  const part = { ...graph, nodes: new Map(cone.map((node) => [node.name, node])), outputs: { root } };
  const folded = toSinglePrecision(evaluateAll(part, dialect, {}, weights).get(root)!);
  const key = freshKey(weights, root);
  weights.set(key, folded);
  nodes.set(root, { ...nodes.get(root)!, op: 'param', args: [], attrs: { key } });
}

export const foldConstants: Pass = {
  name: 'fold-constants',
  summary: 'compute what depends on no input, where the result stores no more than its weights did',
  run(program, dialect) {
    const uses = usesOf(program.graph);
    const order = new Map([...program.graph.nodes.keys()].map((name, index) => [name, index]));
    const state = { nodes: new Map(program.graph.nodes), weights: new Map(program.weights) };
    for (const root of frontier(program.graph)) {
      const cone = coneOf(state, root, order);
      const size = elementCount(nodeOf(state, root).type.shape);
      if (size <= Math.max(smallResult, freedElements(cone, uses))) {
        foldValue(state, program.graph, root, cone, dialect);
      }
    }
    const graph = removeDeadCode({ ...program.graph, nodes: state.nodes });
    return { graph, weights: usedWeights(graph, state.weights) };
  },
};
