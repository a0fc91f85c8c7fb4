// Recorded runs of other implementations as suites: each run compares every recorded tensor with ours.
import type { Precision } from '../../../src/ir/tensor.js';

/** One recorded tensor and how far ours is from it. */
export interface Comparison {
  /** The value whose relevance it is. */
  readonly at: string;
  /** max|ours − recorded| / max|recorded|; infinite where shapes differ or something is not a number. */
  readonly error: number;
  readonly tolerance: number;
}

/** One recorded run. */
export interface Run {
  readonly id: string;
  /** @throws where no rule of ours says what the run did */
  readonly compare: () => readonly Comparison[];
}

/** All runs of one recording. */
export interface Suite {
  readonly peer: string;
  readonly name: string;
  /** What ours is computed in. */
  readonly precision: Precision;
  readonly runs: readonly Run[];
  /** Runs that ours deliberately does not reproduce: stated among the differences. */
  readonly different: readonly string[];
}

/** As the recordings ask: 1e-5, or ten times the peer's own rounding error. */
export const toleranceFor = (noise = 0) => Math.max(1e-5, 10 * noise);

/** Written so that what is not a number never passes. */
export const passes = ({ error, tolerance }: Comparison) => error <= tolerance;

/** The error as a share of its tolerance. */
export const shareOf = ({ error, tolerance }: Comparison) => error / tolerance;

export interface Outcome {
  readonly comparisons: readonly Comparison[];
  /** Why nothing could be compared. */
  readonly failure?: unknown;
}

const outcomes = new Map<Run, Outcome>();

function attempt({ compare }: Run): Outcome {
  try {
    return { comparisons: compare() };
  } catch (failure) {
    return { comparisons: [], failure };
  }
}

/** What a run's comparison gave, computed once. */
export function outcomeOf(run: Run): Outcome {
  const outcome = outcomes.get(run) ?? attempt(run);
  outcomes.set(run, outcome);
  return outcome;
}
