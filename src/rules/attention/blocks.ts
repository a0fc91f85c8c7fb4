// Blocks: the attention matrices of a transformer by block, as [N, heads, queries, keys].
import { type AttentionMatrix, attentionMatrices } from '../../ir/analyses/attention.js';
import type { Arithmetic } from '../../ir/arithmetic.js';
import { RelcError } from '../../ir/error.js';
import { type Graph, type Name, nodeOf } from '../../ir/graph.js';
import { elementCount, isBatched, printType } from '../../ir/type.js';

/** The matrices of one block: one that holds all heads, or one for each. */
export type Block = readonly AttentionMatrix[];

/** @throws RelcError RELC3005 where there is none */
export function blocksOf(graph: Graph): Block[] {
  const blocks: AttentionMatrix[][] = [];
  for (const matrix of attentionMatrices(graph)) {
    blocks[matrix.block] ??= [];
    blocks[matrix.block]!.push(matrix);
  }
  if (blocks.length > 0) return blocks;
  throw new RelcError(
    'RELC3005',
    'the model has no attention matrix: no softmax whose axis is contracted with another activation',
    'attention methods are for transformers; use other rules (relc rules lists them)',
  );
}

/** The number of a block that is counted from the start, or from −1 at the end. @throws RelcError RELC3005 */
export function blockNumber(blocks: readonly Block[], asked: number): number {
  const block = asked < 0 ? blocks.length + asked : asked;
  if (block >= 0 && block < blocks.length) return block;
  throw new RelcError(
    'RELC3005',
    `the method looks at block ${asked}, but the model has ${blocks.length}`,
    `name one from 0 to ${blocks.length - 1}, or from −1 at the last, with the option attention.block`,
  );
}

/** The tokens that all matrices of some blocks run along. @throws RelcError RELC3005 where they differ */
export function tokenCount(graph: Graph, blocks: readonly Block[]): number {
  const [first] = blocks.flat();
  const extent = nodeOf(graph, first!.matrix).type.shape[first!.query] as number;
  for (const { matrix, query, key } of blocks.flat()) {
    const { type } = nodeOf(graph, matrix);
    if (type.shape[query] === extent && type.shape[key] === extent) continue;
    throw new RelcError(
      'RELC3005',
      `attention matrix %${matrix} : ${printType(type)} has ${type.shape[query]} queries of ${type.shape[key]} keys, expected ${extent} of ${extent}`,
      'a rollout multiplies square matrices over the same tokens: start it at a later block with attention.block',
    );
  }
  return extent;
}

/** A value of the shape of an attention matrix as [N, heads, queries, keys]. */
function byHead(k: Arithmetic, value: Name, { query, key }: AttentionMatrix): Name {
  const { shape, ...type } = k.builder.typeOf(value);
  const leading = [...shape.keys()].filter((axis) => axis !== query && axis !== key);
  const moved = k.transpose(value, [...leading, query, key]);
  const heads = elementCount(leading.map((axis) => shape[axis]!));
  const rows = isBatched({ ...type, shape }) ? 'N' : 1;
  return k.reshape(moved, [rows, heads, shape[query]!, shape[key]!]);
}

/** What `valueFor` gives for each matrix of a block, all heads beside each other: [N, heads, queries, keys]. */
export function headsOf(k: Arithmetic, block: Block, valueFor: (matrix: Name) => Name): Name {
  const parts = block.map((matrix) => byHead(k, valueFor(matrix.matrix), matrix));
  return parts.length === 1 ? parts[0]! : k.builder.add('concat', parts, { attrs: { axis: 1 } });
}
