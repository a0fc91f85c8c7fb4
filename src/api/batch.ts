// Batches: one explainer over many inputs, one after another, where an input that fails does not stop the rest.
import { type ErrorCode, RelcError } from '../ir/error.js';
import type { Explainer, Explanation } from './explainer.js';
import type { Inputs } from './inputs.js';
import type { ExplainOptions } from './seed.js';
import { turn } from './turn.js';

export interface BatchOptions extends ExplainOptions {
  /** Called after each input with the number of inputs that are done, and of all where that is known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** Stops between two inputs: the loop over the results throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Inputs in a list, or as they come. */
export type InputSource = Iterable<Inputs> | AsyncIterable<Inputs>;

/** What became of one input: `index` counts from 0. */
export type BatchItem =
  | { readonly index: number; readonly explanation: Explanation; readonly error?: never }
  | { readonly index: number; readonly error: RelcError; readonly explanation?: never };

/** Codes that speak of an input: another one may do better. */
const ofOneInput: ReadonlySet<ErrorCode> = new Set(['RELC4002', 'RELC4003', 'RELC4006']);

/** Whether an error is one input's own, and not of the explainer, of what is asked of it, or a defect. */
export const isOfOneInput = (error: unknown): error is RelcError =>
  error instanceof RelcError && ofOneInput.has(error.code);

/** @throws RelcError RELC4002 where `inputs` is one input and no list of them */
function expectSource(inputs: InputSource): void {
  const isIterable =
    typeof inputs === 'object' &&
    inputs !== null &&
    (Symbol.asyncIterator in inputs || Symbol.iterator in inputs);
  const isNumbers = ArrayBuffer.isView(inputs) || (Array.isArray(inputs) && typeof inputs[0] === 'number');
  if (isIterable && !isNumbers) return;
  const got = isNumbers ? 'the numbers of one input' : 'something that cannot be iterated';
  throw new RelcError(
    'RELC4002',
    `explainBatch got ${got}, expected inputs one after another`,
    'explainBatch([pixels, otherPixels]), or a generator of inputs',
  );
}

/** How many inputs there are, where the source says so: lists, sets and maps do. */
function totalOf(inputs: InputSource): number | undefined {
  const { length, size } = inputs as { readonly length?: unknown; readonly size?: unknown };
  return [length, size].find((count): count is number => Number.isInteger(count));
}

async function itemFor(
  explainer: Explainer,
  index: number,
  input: Inputs,
  request: ExplainOptions,
): Promise<BatchItem> {
  try {
    return { index, explanation: await explainer.explain(input, request) };
  } catch (error) {
    if (isOfOneInput(error)) return { index, error };
    throw error;
  }
}

/** As {@link Explainer.explainBatch}. */
export async function* explainBatch(
  explainer: Explainer,
  inputs: InputSource,
  options: BatchOptions,
): AsyncGenerator<BatchItem, void, undefined> {
  const { onProgress, signal, ...request } = options;
  expectSource(inputs);
  const total = totalOf(inputs);
  signal?.throwIfAborted();
  let done = 0;
  // The loop closes the source when it is left, by an error or by whoever stops asking
  for await (const input of inputs) {
    signal?.throwIfAborted();
    const item = await itemFor(explainer, done, input, request);
    done++;
    onProgress?.(done, total);
    yield item;
    await turn();
    signal?.throwIfAborted();
  }
}
