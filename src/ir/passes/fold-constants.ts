// Constant folding: values that depend on no input become weights, where that stores no more than before.
import type { Dialect } from '../dialect.js';
import { evaluateAll } from '../evaluate.js';
import { activeValues, type Graph, type Name, type Node, nodeOf, usesOf } from '../graph.js';
import type { TensorData, Weights } from '../tensor.js';
import { elementCount, isBatched } from '../type.js';
import { removeDeadCode } from './dead-code.js';
import type { Pass } from './pass.js';

/** Results up to this many elements are folded whatever they replace. */
const smallResult = 64;

const sources = new Set(['input', 'param', 'constant']);

/** Folding a view would store its copies; a value with a batch has no size yet. */
const isStorable = (node: Node) => node.op !== 'broadcast' && !isBatched(node.type) && !sources.has(node.op);

/** Elements that a source keeps in the program. */
function storedElements(node: Node): number {
  if (node.op === 'param') return elementCount(node.type.shape);
  return Array.isArray(node.attrs.value) ? node.attrs.value.length : 0;
}

/**
 * By constant value, the elements of the weights that only it leads on from: what folding it would free. A value's
 * gate is the nearest one that every way from it to an output or an active value passes (its post-dominator); a gate
 * frees what the values behind it free.
 */
function freedElements(graph: Graph, active: ReadonlySet<Name>): ReadonlyMap<Name, number> {
  const constants = [...graph.nodes.values()].filter((node) => !active.has(node.name));
  const gates = gatesOf(graph, constants, active);
  const freed = new Map(constants.map((node) => [node.name, storedElements(node)]));
  for (const { name } of constants) {
    const gate = gates.get(name);
    if (gate !== undefined) freed.set(gate, freed.get(gate)! + freed.get(name)!);
  }
  return freed;
}

function gatesOf(
  graph: Graph,
  constants: readonly Node[],
  active: ReadonlySet<Name>,
): ReadonlyMap<Name, Name | undefined> {
  const uses = usesOf(graph);
  const outputs = new Set(Object.values(graph.outputs));
  const gates = new Map<Name, Name | undefined>();
  const depths = new Map<Name, number>();
  const depthOf = (name: Name | undefined) => (name === undefined ? 0 : depths.get(name)!);
  const meet = (a: Name | undefined, b: Name | undefined): Name | undefined => {
    let [deep, other] = [a, b];
    while (deep !== other) {
      if (depthOf(deep) < depthOf(other)) [deep, other] = [other, deep];
      deep = gates.get(deep!);
    }
    return deep;
  };
  for (const { name } of [...constants].reverse()) {
    const users = uses.get(name)!.map(({ user }) => (active.has(user) ? undefined : user));
    const gate = users.length === 0 || outputs.has(name) ? undefined : users.reduce(meet);
    gates.set(name, gate);
    depths.set(name, depthOf(gate) + 1);
  }
  return gates;
}

/** The values to compute, operands first: constants that something not folded uses. */
function chooseRoots(graph: Graph): Name[] {
  const active = activeValues(graph);
  const freed = freedElements(graph, active);
  const used = new Set<Name>(Object.values(graph.outputs));
  const roots: Name[] = [];
  for (const node of [...graph.nodes.values()].reverse()) {
    const isActive = active.has(node.name);
    if (!isActive && !used.has(node.name)) continue;
    const limit = Math.max(smallResult, freed.get(node.name) ?? 0);
    if (!isActive && isStorable(node) && elementCount(node.type.shape) <= limit) roots.push(node.name);
    else for (const arg of node.args) used.add(arg);
  }
  return roots.reverse();
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
    const alive = removeDeadCode(program.graph);
    const order = new Map([...alive.nodes.keys()].map((name, index) => [name, index]));
    const state = { nodes: new Map(alive.nodes), weights: new Map(program.weights) };
    for (const root of chooseRoots(alive)) {
      foldValue(state, alive, root, coneOf(state, root, order), dialect);
    }
    const graph = removeDeadCode({ ...alive, nodes: state.nodes });
    return { graph, weights: usedWeights(graph, state.weights) };
  },
};
