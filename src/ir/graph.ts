// The graph: nodes in execution order, named outputs, aliases of values that passes merged.
import { bindShape, type TensorType } from './type.js';

/** Denotes one value for ever. `.` is reserved for names the compiler makes: `r.h`, `s.z1`. */
export type Name = string;

/** A JSON value: printable, comparable, hashable. Non-finite numbers are spelled "inf", "-inf", "nan". */
export type Attr = string | number | boolean | null | readonly Attr[];
export type Attrs = Readonly<Record<string, Attr>>;

/** Where a node comes from: the path of its layer, and the place in the user's source. */
export interface Loc {
  readonly layer?: string;
  readonly site?: string;
}

/** One op applied once. Everything in it prints. */
export interface Node {
  readonly name: Name;
  /** A key of the dialect. */
  readonly op: string;
  readonly args: readonly Name[];
  readonly attrs: Attrs;
  readonly type: TensorType;
  /** Never dropped by a pass, printed on demand. */
  readonly loc: Loc;
}

/** Append order is execution order. Weights live beside the graph, by key. */
export interface Graph {
  readonly name: string;
  readonly nodes: ReadonlyMap<Name, Node>;
  readonly outputs: Readonly<Record<string, Name>>;
  /**
   * Names of values that a pass merged into another value that is the same up to a constant map, or that it left the
   * needed part of.
   */
  readonly aliases: ReadonlyMap<Name, Name>;
}

/** One use of a value: the node that uses it and the operand slot it stands in. */
export interface Use {
  readonly user: Name;
  readonly slot: number;
}

/** Every use of every value, an operand slot each: `add(%x, %x)` uses `%x` twice. Outputs are not uses. */
export function usesOf(graph: Graph): ReadonlyMap<Name, readonly Use[]> {
  const uses = new Map<Name, Use[]>();
  for (const name of graph.nodes.keys()) uses.set(name, []);
  for (const node of graph.nodes.values()) {
    for (const [slot, arg] of node.args.entries()) uses.get(arg)?.push({ user: node.name, slot });
  }
  return uses;
}

/** The node called `name`. @throws if the graph has none: an error of the caller's */
export function nodeOf(graph: Pick<Graph, 'nodes'>, name: Name): Node {
  const node = graph.nodes.get(name);
  if (node === undefined) throw new Error(`no value %${name} in the graph`);
  return node;
}

/** The surviving value that `name` denotes: itself, or what its alias leads to; undefined if there is none. */
export function resolveAlias(graph: Graph, name: Name): Name | undefined {
  let current = name;
  for (let hops = 0; hops <= graph.aliases.size; hops++) {
    if (graph.nodes.has(current)) return current;
    const next = graph.aliases.get(current);
    if (next === undefined) return undefined;
    current = next;
  }
  return undefined;
}

/** The aliases that lead to a value, each straight to it. */
export function straightAliases({ nodes, aliases }: Pick<Graph, 'nodes' | 'aliases'>): Map<Name, Name> {
  const survivors = new Map<Name, Name | undefined>();
  for (const alias of aliases.keys()) {
    const path: Name[] = [];
    let current: Name | undefined = alias;
    while (current !== undefined && !nodes.has(current) && !survivors.has(current)) {
      survivors.set(current, undefined);
      path.push(current);
      current = aliases.get(current);
    }
    const survivor = current === undefined || nodes.has(current) ? current : survivors.get(current);
    for (const name of path) survivors.set(name, survivor);
  }
  return new Map([...survivors].filter((entry): entry is [Name, Name] => entry[1] !== undefined));
}

export function nodesWithOp(graph: Graph, op: string): Node[] {
  return [...graph.nodes.values()].filter((node) => node.op === op);
}

/** The values that depend on a graph input; all others are constants. */
export function activeValues(graph: Pick<Graph, 'nodes'>): ReadonlySet<Name> {
  const active = new Set<Name>();
  for (const node of graph.nodes.values()) {
    if (node.op === 'input' || node.args.some((arg) => active.has(arg))) active.add(node.name);
  }
  return active;
}

/** Whether one value depends on a graph input. */
export function isActive(graph: Pick<Graph, 'nodes'>, name: Name): boolean {
  const seen = new Set<Name>();
  const pending = [name];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { op, args } = nodeOf(graph, next);
    if (op === 'input') return true;
    seen.add(next);
    pending.push(...args.filter((arg) => !seen.has(arg)));
  }
  return false;
}

/** The graph at one batch size: every k·N is a number. */
export function bindBatch(graph: Graph, batch: number): Graph {
  const nodes = new Map<Name, Node>();
  for (const node of graph.nodes.values()) {
    const type = { dtype: node.type.dtype, shape: bindShape(node.type.shape, batch) };
    nodes.set(node.name, { ...node, type });
  }
  return { ...graph, nodes };
}

/** Characters a value's name may have. */
export const namePattern = /^[A-Za-z0-9_./:-]+$/;

/** `text` as a user value's name: reserved and foreign characters replaced. */
export function userName(text: string): Name {
  const clean = text.replace(/[^A-Za-z0-9_/:-]+/g, '_').replace(/^\/+|\/+$/g, '');
  return clean === '' ? 'value' : clean;
}

/** `fc2 at model.ts:31:9`, or the part that is known. */
export function printLoc(loc: Loc): string {
  return [loc.layer, loc.site === undefined ? undefined : `at ${loc.site}`]
    .filter((part) => part !== undefined)
    .join(' ');
}
