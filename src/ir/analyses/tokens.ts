// Tokens: what the axis that attention runs along stands for, and how the scores are read from it.
import { numbersOf } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../graph.js';
import { type AttentionMatrix, attentionMatrices } from './attention.js';
import { type Factor, factorAfter, factorBefore, isWhole, mergedPair } from './axes.js';
import { coneOf } from './constants.js';

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

  /** Follows the tokens of a value, the first of them number `begin`, back to where they are made. */
  visit(value: Name, tokens: Factor, begin: number): void {
    const node = nodeOf(this.graph, value);
    const isJoined = node.op === 'concat' && node.attrs.axis === tokens.axis;
    if (isJoined && isWhole(tokens, node.type.shape)) {
      this.visitParts(node, tokens.axis, begin);
      return;
    }
    this.grid ??= node.op === 'reshape' ? mergedPair(this.graph, node, tokens) : undefined;
    const next = factorBefore(this.graph, node, tokens).find((source) => this.active.has(source.value));
    if (next !== undefined) this.visit(next.value, next.factor, begin);
  }

  private visitParts(node: Node, axis: number, begin: number): void {
    let start = begin;
    for (const part of node.args) {
      const extent = nodeOf(this.graph, part).type.shape[axis] as number;
      if (this.active.has(part)) this.visit(part, { axis, extent, inner: 1 }, start);
      else for (let token = 0; token < extent; token++) this.special.push(start + token);
      start += extent;
    }
  }
}

/** What the tokens are that the first attention matrix runs along. */
export function tokenLayout(graph: Graph, { matrix, query }: AttentionMatrix): TokenLayout {
  const softmax = nodeOf(graph, matrix);
  const count = softmax.type.shape[query] as number;
  const finder = new LayoutFinder(graph);
  finder.visit(matrix, { axis: query, extent: count, inner: 1 }, 0);
  const { special, grid } = finder;
  const isWhole = grid !== undefined && grid[0] * grid[1] + special.length === count;
  return { count, special, ...(isWhole ? { grid } : {}) };
}

/** The tokens of a forward graph; undefined where it has no attention. */
export function tokensOf(graph: Graph): TokenLayout | undefined {
  const [first] = attentionMatrices(graph);
  return first && tokenLayout(graph, first);
}

/** Which tokens the scores are read from: a mean over some, where one is picked over that one; or each has its own. */
export type Readout = { readonly kind: 'mean'; readonly from: number; readonly to: number } | 'each';

/** How a value's tokens are read by one of its users. */
type Step = Along | Readout | undefined;

/** Where tokens lie, and which of them stands first. */
interface Along extends Factor {
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

/** What is read of tokens that are all of an axis, by an op that takes some of them or their mean. */
function pickedBy(graph: Graph, node: Node, slot: number, { axis, extent, from }: Along): Step | 'none' {
  if (node.op === 'slice' && node.type.shape[axis] !== extent) {
    if (numbersOf(node.attrs, 'stride').some((stride, at) => at === axis && stride !== 1)) return undefined;
    const begin = from + numbersOf(node.attrs, 'begin')[axis]!;
    const left = node.type.shape[axis] as number;
    return left === 1 ? picked(begin) : { axis, extent: left, inner: 1, from: begin };
  }
  if (node.op === 'gather' && slot === 0 && node.attrs.axis === axis) {
    const token = gatheredToken(graph, node);
    return token === undefined ? undefined : picked(from + token);
  }
  const isMean = (node.op === 'mean' || node.op === 'sum') && numbersOf(node.attrs, 'axes').includes(axis);
  return isMean ? { kind: 'mean', from, to: from + extent } : 'none';
}

function step(graph: Graph, node: Node, slot: number, tokens: Along): Step {
  const { shape } = nodeOf(graph, node.args[slot]!).type;
  const read = isWhole(tokens, shape) ? pickedBy(graph, node, slot, tokens) : 'none';
  if (read !== 'none') return read;
  const next = factorAfter(graph, node, slot, tokens);
  return next === undefined ? undefined : { ...next, from: tokens.from };
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
  const extent = nodeOf(graph, matrix).type.shape[query] as number;
  const along = new Map<Name, Along>([[matrix, { axis: query, extent, inner: 1, from: 0 }]]);
  const readouts: Readout[] = [];
  // What other outputs read is not asked for
  for (const node of coneOf(graph.nodes, scores).values()) {
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
