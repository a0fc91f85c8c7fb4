// Constant folding: values that depend on no input become weights, where that stores no more than before.

import { evaluateConstant } from '../analyses/constants.js';
import type { Dialect } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node, usesOf } from '../graph.js';
import type { TensorData, Weights } from '../tensor.js';
import { elementCount, isBatched } from '../type.js';
import { removeDeadCode } from './dead-code.js';
import type { Pass } from './pass.js';

/** Results up to this many elements are folded whatever they replace. */
const smallResult = 64;

/** A sum is folded where it is this many times smaller than a weight it is taken of, though others need the weight. */
const summaryRatio = 8;

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

/** The elements up to which a constant is folded, by what it frees. */
function limitsByStorage(graph: Graph, active: ReadonlySet<Name>): (node: Node) => number {
  const freed = freedElements(graph, active);
  return ({ name }) => Math.max(smallResult, freed.get(name) ?? 0);
}

/**
 * The elements up to which a sum is folded whatever it frees. A weight that was summed and is used once more then has
 * one use, so that folding that one frees it: W·scale and W·offset are stored as two weights, not as their cone.
 */
function limitsOfSums(graph: Graph, active: ReadonlySet<Name>): (node: Node) => number {
  const largest = new Map<Name, number>();
  for (const node of graph.nodes.values()) {
    if (active.has(node.name)) continue;
    largest.set(node.name, Math.max(storedElements(node), ...node.args.map((arg) => largest.get(arg)!)));
  }
  return ({ name, op }) => (op === 'sum' ? (largest.get(name) ?? 0) / summaryRatio : 0);
}

/** The values to compute, operands first: constants within their limits that something not folded uses. */
function chooseRoots(
  graph: Graph,
  limits: (graph: Graph, active: ReadonlySet<Name>) => (node: Node) => number,
): Name[] {
  const active = activeValues(graph);
  const limitOf = limits(graph, active);
  const used = new Set<Name>(Object.values(graph.outputs));
  const roots: Name[] = [];
  for (const node of [...graph.nodes.values()].reverse()) {
    const isActive = active.has(node.name);
    if (!isActive && !used.has(node.name)) continue;
    if (!isActive && isStorable(node) && elementCount(node.type.shape) <= limitOf(node))
      roots.push(node.name);
    else for (const arg of node.args) used.add(arg);
  }
  return roots.reverse();
}

function toSinglePrecision(data: TensorData): TensorData {
  return data.dtype === 'f32' ? { ...data, data: new Float32Array(data.data) } : data;
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
  root: Name,
  dialect: Dialect,
): void {
  const folded = toSinglePrecision(evaluateConstant(nodes, root, dialect, weights));
  const key = freshKey(weights, root);
  weights.set(key, folded);
  nodes.set(root, { ...nodes.get(root)!, op: 'param', args: [], attrs: { key } });
}

export const foldConstants: Pass = {
  name: 'fold-constants',
  summary: 'compute what depends on no input, where the result stores no more than its weights did',
  run({ graph, weights }, dialect) {
    const known = new Map(weights);
    let folded = removeDeadCode(graph);
    for (const limits of [limitsOfSums, limitsByStorage]) {
      const state = { nodes: new Map(folded.nodes), weights: known };
      for (const root of chooseRoots(folded, limits)) foldValue(state, root, dialect);
      folded = removeDeadCode({ ...folded, nodes: state.nodes });
    }
    return { graph: folded, weights: usedWeights(folded, known) };
  },
};
