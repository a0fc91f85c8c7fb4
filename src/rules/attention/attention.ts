// Attention methods as graphs: one forward, a gradient, a relevance, and what is made of the matrices of both.
import type { AttentionMatrix } from '../../ir/analyses/attention.js';
import { type Readout, readoutOf, tokenLayout } from '../../ir/analyses/tokens.js';
import type { Arithmetic } from '../../ir/arithmetic.js';
import { RelcError } from '../../ir/error.js';
import type { Graph, Name } from '../../ir/graph.js';
import type { Composite } from '../composite.js';
import { everything, prefixes } from '../preset.js';
import type { RelevanceResult } from '../relevance.js';
import { type Block, blockNumber, blocksOf, headsOf, tokenCount } from './blocks.js';
import { attentionGradCam, type Query, queryRow, rollout } from './combine.js';
import { type AttentionMethod, type AttentionOptions, adapted } from './method.js';

export interface AttentionRequest {
  readonly method: AttentionMethod;
  readonly options: AttentionOptions;
  /** The rules of the relevance of matrices. */
  readonly composite: Composite;
  /** The scores, [N, classes]. */
  readonly scores: Name;
  /** Appends what flows back from the scores to some values. */
  flow(prefix: string, composite: Composite, wrt: readonly Name[]): RelevanceResult;
}

export interface AttentionResult {
  /** A number a token, [N, tokens]. */
  readonly relevance: Name;
  /** The query's row of each block that is looked at, by its number. */
  readonly rows: ReadonlyMap<number, Name>;
  /** The pass that relevance is accounted for by: that of relevance, or else of the derivative; undefined where there is none. */
  readonly flow: RelevanceResult | undefined;
  /** The matrices looked at. */
  readonly matrices: readonly AttentionMatrix[];
}

/** The rows that are read. @throws RelcError RELC3005 where nothing says which, RELC3004 where there is no such token */
function queryOf(readout: Readout | undefined, asked: AttentionOptions['query'], tokens: number): Query {
  if (asked === 'mean') return { from: 0, to: tokens };
  if (asked !== undefined) {
    const token = asked < 0 ? tokens + asked : asked;
    if (Number.isInteger(token) && token >= 0 && token < tokens) return { from: token, to: token + 1 };
    throw new RelcError(
      'RELC3004',
      `attention query is ${asked}, but there are ${tokens} tokens`,
      `name one from 0 to ${tokens - 1}, or mean`,
    );
  }
  if (readout !== undefined && readout !== 'each') return readout;
  const detail = readout === 'each' ? 'each token has scores of its own' : 'no token or mean of them is read';
  throw new RelcError(
    'RELC3005',
    `the scores do not say which token's row of the attention is looked at: ${detail}`,
    'name a token, or mean, with the option attention.query; of a decoder the token whose scores are explained, with position',
  );
}

/** W of one block: mean over heads of (R^A or A, ⊙ ∇A)⁺, [N, tokens, tokens]. */
function weightsOf(k: Arithmetic, heads: Name, gradient: Name | undefined): Name {
  const product = gradient === undefined ? heads : k.mul(heads, gradient);
  return k.builder.add('mean', [k.unary('relu', product)], { attrs: { axes: [1] } });
}

/** What came back to each matrix. @throws RelcError RELC3005 where nothing did */
function arrivedAt(block: Block, { relevanceOf }: RelevanceResult): (matrix: Name) => Name {
  const missing = block.find(({ matrix }) => !relevanceOf.has(matrix));
  if (missing === undefined) return (matrix) => relevanceOf.get(matrix)!;
  throw new RelcError(
    'RELC3005',
    `nothing flows from the scores to the attention matrix %${missing.matrix}`,
    'explain an output that depends on it, or another block with attention.block',
  );
}

/** The blocks that a method looks at, and the number of the first. @throws RelcError RELC3005 */
function blocksFor(blocks: readonly Block[], { combine, block }: AttentionMethod) {
  const first = blockNumber(blocks, block);
  return { first, looked: combine === 'rollout' ? blocks.slice(first) : [blocks[first]!] };
}

/** Heads of each block: of the matrices themselves, or of what flows back to them. */
function headsBy(k: Arithmetic, blocks: readonly Block[], flow?: RelevanceResult): Name[] {
  return blocks.map((block) =>
    headsOf(k, block, flow === undefined ? (matrix) => matrix : arrivedAt(block, flow)),
  );
}

/** Appends an attention method to a forward graph. @throws RelcError RELC3004, RELC3005 */
export function addAttention(k: Arithmetic, forward: Graph, request: AttentionRequest): AttentionResult {
  const { options, composite, scores } = request;
  const method = adapted(request.method, options);
  const blocks = blocksOf(forward);
  const { first, looked } = blocksFor(blocks, method);
  const readout = readoutOf(forward, blocks.at(-1)![0]!, scores);
  const query = queryOf(readout, options.query, tokenCount(forward, looked));
  const matrices = looked.flat();
  const wrt = matrices.map(({ matrix }) => matrix);
  const gradient = method.timesGradient ? request.flow(prefixes.gradient, everything, wrt) : undefined;
  const relevance = method.of === 'relevance' ? request.flow(prefixes.relevance, composite, wrt) : undefined;
  const told = { flow: relevance ?? gradient, matrices };
  const heads = headsBy(k, looked, relevance);
  const gradients = gradient && headsBy(k, looked, gradient);
  if (method.combine === 'grad-cam') {
    const { special } = tokenLayout(forward, blocks[0]![0]!);
    const [a, g] = [heads, gradients!].map(([value]) => queryRow(k, value!, query)) as [Name, Name];
    return { ...told, relevance: attentionGradCam(k, a, g, special), rows: new Map() };
  }
  const weights = heads.map((value, index) => weightsOf(k, value, gradients?.[index]));
  const rows = new Map(weights.map((value, index) => [first + index, queryRow(k, value, query)] as const));
  const combined =
    method.combine === 'row' ? rows.get(first)! : rollout(k, weights, query, method.normalizeRows);
  return { ...told, relevance: combined, rows };
}
