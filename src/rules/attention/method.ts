// Attention methods: what is made of a transformer's attention matrices, as plain data.
import { RelcError } from '../../ir/error.js';

/**
 * Token relevance from attention matrices A_b, a matrix W_b for each block b:
 *
 *   W_b = mean over heads of (A or its relevance R^A, times the gradient ∇A if asked, negative parts cut if asked)
 *   rollout: the row of the query in (W_L + I) · … · (W_s + I); row: that of one W_b; grad-cam: see its formula
 */
export interface AttentionMethod {
  /** What is averaged: the attention matrices themselves, or their relevance. */
  readonly of: 'attention' | 'relevance';
  /** Whether it is multiplied by the derivative of the target with respect to the matrix. */
  readonly timesGradient: boolean;
  /** How blocks become one row of tokens. */
  readonly combine: 'rollout' | 'row' | 'grad-cam';
  /** Of a rollout the first block, of a row or Grad-CAM the only one: from 0, or from −1 at the last. */
  readonly block: number;
  /** Of a rollout: whether the rows of W_b + I are divided by their sums. */
  readonly normalizeRows: boolean;
}

/** What a user may change of an attention method. */
export interface AttentionOptions {
  /** The block that a rollout starts at, or the one that is looked at: from 0, or from −1 at the last. */
  readonly block?: number;
  /** Of a rollout: divide the rows of each matrix by their sums. */
  readonly normalizeRows?: boolean;
  /**
   * The token whose row is read, from 0, or from −1 at the last; `mean`: the mean over all tokens' rows. Defaults to the
   * tokens that the scores are read from.
   */
  readonly query?: number | 'mean';
  /** Also gives the row of each block's matrix by itself, as relevance of `block0`, `block1`, … */
  readonly perBlock?: boolean;
}

/** @throws RelcError RELC3004 where an option has no meaning for the method */
export function adapted(method: AttentionMethod, options: AttentionOptions): AttentionMethod {
  const { block = method.block, normalizeRows, perBlock } = options;
  if (!Number.isInteger(block)) {
    throw new RelcError('RELC3004', `attention block is ${block}, expected a whole number`);
  }
  if (normalizeRows !== undefined && method.combine !== 'rollout') {
    throw new RelcError('RELC3004', 'normalizeRows is for rollouts: this method reads one block');
  }
  if (perBlock && method.combine === 'grad-cam') {
    throw new RelcError('RELC3004', 'perBlock is for methods that average matrices: this one weighs heads');
  }
  return { ...method, block, normalizeRows: normalizeRows ?? method.normalizeRows };
}
