// Explanations: outputs of a program, held to be finite, by what they mean.
import { ExplainerError } from './error.js';
import type { Numbers } from './program.js';

/** Numbers on the host, row-major. */
export interface Values {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

export interface Explanation {
  /** The model's output, [N, …]. */
  readonly scores: Values;
  /** The class explained, of the first sample. */
  readonly target: number;
  readonly targets: readonly number[];
  /** f(x): the target's score before a final softmax, of the first sample. */
  readonly logit: number;
  readonly logits: readonly number[];
  /** The class that a contrast compares with, of the first sample; left out for other seeds. */
  readonly against?: number;
  readonly againsts?: readonly number[];
  /** ΣR at the seed, of the first sample: what ΣR at the inputs is where nothing is lost. */
  readonly start: number;
  readonly starts: readonly number[];
  /** One number for each element of the first input, or of the first value that was asked for. */
  readonly relevance: Values;
  /** One number for each element, by input, or by the names that were asked for. */
  readonly relevances: Readonly<Record<string, Values>>;
}

/** The index of the first number that is not finite, or −1. */
export function notFinite(data: ArrayLike<number>): number {
  for (let index = 0; index < data.length; index++) if (!Number.isFinite(data[index])) return index;
  return -1;
}

/** An output of a program. */
interface Output {
  readonly data: Numbers;
  readonly shape: readonly number[];
}

/** @throws ExplainerError RELC4006 */
function finite(key: string, { data, shape }: Output): Values {
  const bad = notFinite(data);
  if (bad < 0) return { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
  throw new ExplainerError(
    'RELC4006',
    `${key} is ${data[bad]} at element ${bad}`,
    'look at the scores first: the model itself may overflow on this input',
  );
}

/** @throws ExplainerError RELC4003 where a contrast compares a class with itself */
function expectDifferent(targets: readonly number[], againsts: readonly number[]): void {
  const same = targets.find((target, sample) => target === againsts[sample]);
  if (same === undefined) return;
  throw new ExplainerError(
    'RELC4003',
    `class ${same} is compared with itself`,
    'name another class with against, or another target',
  );
}

/** The keys of outputs that hold relevance begin so; the name of the value follows. */
const relevancePrefix = 'relevance.';

/**
 * The outputs of a program as an explanation.
 * @throws ExplainerError RELC4006 (one is not finite), RELC4003 (a contrast of a class with itself)
 */
export function explanationOf(outputs: Readonly<Record<string, Output>>): Explanation {
  const values = Object.fromEntries(
    Object.entries(outputs).map(([key, output]) => [key, finite(key, output)]),
  );
  const relevances = Object.fromEntries(
    Object.entries(values)
      .filter(([key]) => key.startsWith(relevancePrefix))
      .map(([key, own]) => [key.slice(relevancePrefix.length), own]),
  );
  const [targets, logits, starts, againsts] = ['target', 'logit', 'start', 'against'].map((key) => [
    ...(values[key]?.data ?? []),
  ]) as [number[], number[], number[], number[]];
  expectDifferent(targets, againsts);
  return {
    scores: values.scores!,
    ...{ target: targets[0]!, targets, logit: logits[0]!, logits, start: starts[0]!, starts },
    ...(againsts.length === 0 ? {} : { against: againsts[0]!, againsts }),
    relevance: Object.values(relevances)[0]!,
    relevances,
  };
}
