// Tokens: what the axis that attention runs along stands for, and how the scores are read from it.
import { numbersOf } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../graph.js';
import type { AttentionMatrix } from './attention.js';
import { axisAfter, axisBefore, reshapeGroups } from './axes.js';

/** The tokens of a transformer. */
export interface TokenLayout {
  readonly count: number;
  /** Tokens that stand for no part of the input: constants joined to it, such as a class token. */
  readonly special: readonly number[];
  /** Rows and columns of the patches that the other tokens are, row by row. */
  readonly grid?: readonly [rows: number, columns: number];
}

class LayoutFinder {
  readonly special: number[] = [];
  grid: readonly [number, number] | undefined;
  private readonly active: ReadonlySet<Name>;

  constructor(private readonly graph: Graph) {
    this.active = activeValues(graph);
  }

  /** Follows the token axis of a value, whose first token is number `begin`, back to where its tokens are made. */
  visit(value: Name, axis: number, begin: number): void {
    const node = nodeOf(this.graph, value);
    if (node.op === 'concat' && node.attrs.axis === axis) this.visitParts(node, axis, begin);
    else if (node.op !== 'reshape' || !this.mergesGrid(node, axis)) {
      const next = axisBefore(this.graph, node, axis).find((source) => this.active.has(source.value));
      if (next !== undefined) this.visit(next.value, next.axis, begin);
    }
  }

  private visitParts(node: Node, axis: number, begin: number): void {
    let start = begin;
    for (const part of node.args) {
      const count = nodeOf(this.graph, part).type.shape[axis] as number;
      if (this.active.has(part)) this.visit(part, axis, start);
      else for (let token = 0; token < count; token++) this.special.push(start + token);
      start += count;
    }
  }

  /** Whether a reshape makes the tokens of two axes: rows and columns. */
  private mergesGrid(node: Node, axis: number): boolean {
    const { shape } = nodeOf(this.graph, node.args[0]!).type;
    const group = reshapeGroups(shape, node.type.shape).find(({ to }) => to.includes(axis));
    if (group === undefined || group.to.length !== 1 || group.from.length !== 2) return false;
    const [rows, columns] = group.from.map((from) => shape[from]!);
    if (typeof rows !== 'number' || typeof columns !== 'number') return false;
    this.grid = [rows, columns];
    return true;
  }
}

/** What the tokens are that the first attention matrix runs along. */
export function tokenLayout(graph: Graph, { matrix, query }: AttentionMatrix): TokenLayout {
  const softmax = nodeOf(graph, matrix);
  const count = softmax.type.shape[query] as number;
  const finder = new LayoutFinder(graph);
  finder.visit(matrix, query, 0);
  const { special, grid } = finder;
  const isWhole = grid !== undefined && grid[0] * grid[1] + special.length === count;
  return { count, special, ...(isWhole ? { grid } : {}) };
}

/** Which tokens the scores are read from: a mean over some, where one is picked over that one; or each has its own. */
export type Readout = { readonly kind: 'mean'; readonly from: number; readonly to: number } | 'each';

/** How a value's tokens are read by one of its users. */
type Step = { readonly axis: number; readonly from: number } | Readout | undefined;

/** A token axis, and which token stands first along it. */
interface Along {
  readonly axis: number;
  readonly from: number;
}

const picked = (token: number): Readout => ({ kind: 'mean', from: token, to: token + 1 });

function gatheredToken(graph: Graph, node: Node): number | undefined {
  const indices = nodeOf(graph, node.args[1]!);
  const { value } = indices.attrs;
  const index = Array.isArray(value) ? value[0] : value;
  const isOne = indices.type.shape.every((extent) => extent === 1);
  return indices.op === 'constant' && isOne && typeof index === 'number' ? index : undefined;
}

function step(graph: Graph, node: Node, slot: number, { axis, from }: Along): Step {
  const extent = nodeOf(graph, node.args[slot]!).type.shape[axis] as number;
  if (node.op === 'slice' && node.type.shape[axis] !== extent) {
    if (numbersOf(node.attrs, 'stride').some((stride, at) => at === axis && stride !== 1)) return undefined;
    const begin = from + numbersOf(node.attrs, 'begin')[axis]!;
    return node.type.shape[axis] === 1 ? picked(begin) : { axis, from: begin };
  }
  if (node.op === 'gather' && slot === 0 && node.attrs.axis === axis) {
    const token = gatheredToken(graph, node);
    return token === undefined ? undefined : picked(from + token);
  }
  if ((node.op === 'mean' || node.op === 'sum') && numbersOf(node.attrs, 'axes').includes(axis)) {
    return { kind: 'mean', from, to: from + extent };
  }
  const next = axisAfter(graph, node, slot, axis);
  return next === undefined ? undefined : { axis: next, from };
}

/**
 * How the scores read the tokens of the last attention matrix: the axis of its queries is followed
 * to `scores`. Undefined where they are read in no way that is known.
 */
export function readoutOf(
  graph: Graph,
  { matrix, query }: AttentionMatrix,
  scores: Name,
): Readout | undefined {
  const along = new Map<Name, Along>([[matrix, { axis: query, from: 0 }]]);
  const readouts: Readout[] = [];
  for (const node of graph.nodes.values()) {
    for (const [slot, arg] of node.args.entries()) {
      const own = along.get(arg);
      if (own === undefined || along.has(node.name)) continue;
      const next = step(graph, node, slot, own);
      if (next === undefined) continue;
      if (next !== 'each' && 'axis' in next) along.set(node.name, next);
      else readouts.push(next);
    }
  }
  if (along.has(scores)) return 'each';
  const [first, ...others] = readouts;
  return others.every((other) => JSON.stringify(other) === JSON.stringify(first)) ? first : undefined;
}
