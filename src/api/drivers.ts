// Drivers: methods that call one explainer many times, on noisy inputs or along a line.
import * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import { stated } from '../ir/stated.js';
import { elementCount, isBatched, printType } from '../ir/type.js';
import type { Explainer, Explanation, Values } from './explainer.js';
import { bindInput, type InputValue } from './inputs.js';
import { normals } from './random.js';
import type { Classes, ExplainOptions } from './seed.js';
import { turn } from './turn.js';

/** What every driver takes. */
export interface DriverOptions {
  /** Called after each run with the number of runs that are done, and of all. */
  readonly onProgress?: (done: number, all: number) => void;
  /** Stops the driver between two runs: it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface SmoothGradOptions extends DriverOptions, ExplainOptions {
  /** Standard deviation of the noise, as a share of the range (maximum − minimum) of each sample; 0.1 if left out. */
  readonly sigma?: number;
  /** Noisy copies of the input; 20 if left out. */
  readonly samples?: number;
  /** Another number, other noise; 1 if left out. */
  readonly randomSeed?: number;
}

export interface IntegratedGradientsOptions extends DriverOptions {
  /** The class to explain, or one for each sample; the top class of each if left out. */
  readonly target?: Classes;
  /** Where the line begins: a number for all elements, or an input of one sample or of all; 0 if left out. */
  readonly baseline?: number | InputValue;
  /** Points of the line at which the gradient is taken; 20 if left out. */
  readonly steps?: number;
}

export interface IntegratedGradients extends Explanation {
  /** f(x) − f(baseline) − ΣR, of the first sample: what the finite number of steps gets wrong; `start` is f(x) − f(baseline). */
  readonly gap: number;
  readonly gaps: readonly number[];
}

/** Samples in one run at most: larger batches take more memory, and are no faster on a processor. */
const largestBatch = 8;

const wrongUse = (detail: string, hint?: string) => new RelcError('RELC4007', detail, hint);

function expectCount(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw wrongUse(`${name} is ${value}, expected a positive whole number`);
}

/** One input of floats on the host. */
interface HostInput {
  readonly data: Float32Array;
  readonly samples: number;
  /** How often the whole input goes into one run. */
  readonly copies: number;
}

/** @throws RelcError RELC4002 (wrong input), RELC4007 (an explainer of several inputs, or of integers) */
async function onHost(explainer: Explainer, input: InputValue, method: string): Promise<HostInput> {
  const [node, ...others] = explainer.inputs;
  if (node === undefined || others.length > 0 || node.type.dtype !== 'f32') {
    const inputs = explainer.inputs.map(({ name, type }) => `${name} ${printType(type)}`).join(', ');
    throw wrongUse(`${method} changes one input of floats, and the model has ${inputs}`);
  }
  const data = Float32Array.from((await bindInput(node, input)).data);
  const samples = data.length / elementCount(node.type.shape);
  const copies = isBatched(node.type) ? Math.max(1, Math.floor(largestBatch / samples)) : 1;
  return { data, samples, copies };
}

/** The sum of the relevances of several runs, whose batches hold the whole input several times. */
class RelevanceSum {
  private readonly sums = new Map<string, Float64Array>();

  constructor(private readonly one: Explanation) {
    for (const [name, { data }] of Object.entries(one.relevances)) {
      this.sums.set(name, new Float64Array(data.length));
    }
  }

  add({ relevances }: Explanation): void {
    for (const [name, sum] of this.sums) {
      for (const [index, value] of relevances[name]!.data.entries()) sum[index % sum.length]! += value;
    }
  }

  /** The sums as results. */
  mapped(result: (sum: number, index: number) => number): Pick<Explanation, 'relevance' | 'relevances'> {
    const entries = [...this.sums].map(([name, sum]): [string, Values] => {
      const { shape } = this.one.relevances[name]!;
      return [name, { data: Float32Array.from(sum, result), shape }];
    });
    return { relevance: entries[0]![1], relevances: Object.fromEntries(entries) };
  }
}

const repeated = <Item>(list: readonly Item[], times: number): Item[] =>
  Array.from({ length: times }, () => list).flat();

/** How an input is changed and explained many times. */
interface Runs {
  readonly input: HostInput;
  readonly count: number;
  /** The value of an element in one of the runs. */
  readonly element: (run: number, index: number) => number;
  /** What is explained, of each sample. */
  readonly fixed: ExplainOptions & {
    readonly target?: readonly number[];
    readonly against?: readonly number[];
  };
}

/** Explains the changed inputs, several in a batch, and adds up their relevances. */
async function runAll(
  explainer: Explainer,
  { input, count, element, fixed }: Runs,
  sum: RelevanceSum,
  { onProgress, signal }: DriverOptions,
): Promise<void> {
  const { length } = input.data;
  for (let done = 0; done < count; ) {
    signal?.throwIfAborted();
    const copies = Math.min(input.copies, count - done);
    const batch = new Float32Array(copies * length);
    for (let copy = 0; copy < copies; copy++) {
      for (let index = 0; index < length; index++) batch[copy * length + index] = element(done + copy, index);
    }
    const { target, against, ...rest } = fixed;
    const classes = stated({
      target: target && repeated(target, copies),
      against: against && repeated(against, copies),
    });
    sum.add(await explainer.explain(batch, { ...rest, ...classes }));
    done += copies;
    onProgress?.(done, count);
    await turn();
  }
}

/** Standard deviations of the noise, by sample. */
function deviations({ data, samples }: HostInput, sigma: number): number[] {
  const size = data.length / samples;
  return Array.from({ length: samples }, (_, sample) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of data.subarray(sample * size, (sample + 1) * size)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return sigma * (high - low);
  });
}

/**
 * SmoothGrad: the mean of what the explainer says of noisy copies of the input, with the class fixed to that of the
 * input itself. Normal noise, the same for the same `randomSeed`. The scores and the start are those of the input.
 * @param explainer  under any rules; `gradient` for the method as published
 * @param input  numbers or a tensor of the input's shape, batch first
 * @throws RelcError RELC4007 (more than one input, integers, wrong options), and as {@link Explainer.explain}
 * @see Smilkov et al., 2017
 */
export async function smoothGrad(
  explainer: Explainer,
  input: InputValue,
  options: SmoothGradOptions = {},
): Promise<Explanation> {
  const { sigma = 0.1, samples = 20, randomSeed = 1, onProgress, signal, ...asked } = options;
  const count = expectCount('samples', samples);
  if (!(sigma >= 0 && Number.isFinite(sigma))) throw wrongUse(`sigma is ${sigma}, expected 0 or more`);
  const host = await onHost(explainer, input, 'smoothGrad');
  signal?.throwIfAborted();
  const one = await explainer.explain(host.data, asked);
  const { seed } = asked;
  const isNamed = seed === undefined ? explainer.seed !== 'tensor' : typeof seed === 'string';
  const namesTarget = isNamed && (seed ?? explainer.seed) !== 'outputs';
  const fixed = {
    ...stated({ seed }),
    ...(namesTarget ? { target: one.targets, ...stated({ against: one.againsts }) } : {}),
  };
  const deviation = deviations(host, sigma);
  const size = host.data.length / host.samples;
  const next = normals(randomSeed);
  const element = (_run: number, index: number) =>
    host.data[index]! + deviation[Math.floor(index / size)]! * next();
  const sum = new RelevanceSum(one);
  // The numbers of a seed are for one batch of the input's size
  const batches = isNamed ? host : { ...host, copies: 1 };
  await runAll(explainer, { input: batches, count, element, fixed }, sum, stated({ onProgress, signal }));
  return { ...one, ...sum.mapped((value) => value / count) };
}

/** @throws RelcError RELC4007 where relevance is anything but the gradient of a score at the input */
function expectGradient({ compiled, request, rules }: Explainer): void {
  const isGradient =
    request.preset.result === 'as it is' &&
    compiled.chosen.every(({ line: [, , { rule }] }) => rule === 'gradient');
  if (isGradient && request.relevanceOf === undefined) return;
  const other = request.relevanceOf === undefined ? `rules ${rules}` : 'relevanceOf';
  throw wrongUse(
    `integratedGradients integrates the gradient at the input, and the explainer was compiled with ${other}`,
    "compile(model, { rules: 'gradient' })",
  );
}

/** @throws RelcError RELC4007 */
async function baselineOf(explainer: Explainer, given: number | InputValue, input: HostInput) {
  const { length } = input.data;
  if (typeof given === 'number') return new Float32Array(length).fill(given);
  const data = given instanceof tf.Tensor ? await given.data() : given;
  if (data.length !== length && data.length !== length / input.samples) {
    const { type } = explainer.inputs[0]!;
    throw wrongUse(
      `the baseline holds ${data.length} numbers, expected those of an input ${printType(type)}`,
    );
  }
  return Float32Array.from({ length }, (_, index) => data[index % data.length]!);
}

/**
 * Integrated gradients: R = (x − x₀) ⊙ ∫₀¹ ∇f(x₀ + α(x − x₀)) dα, with f the score of the class of x, by the midpoint
 * rule: the gradient is taken at α = (k + ½) / steps. ΣR = f(x) − f(x₀) but for the `gap` that the result states.
 * @param explainer  compiled with rules 'gradient'
 * @param input  numbers or a tensor of the input's shape, batch first
 * @throws RelcError RELC4007 (other rules, more than one input, integers, wrong options), and as {@link Explainer.explain}
 * @see Sundararajan et al., ICML 2017
 */
export async function integratedGradients(
  explainer: Explainer,
  input: InputValue,
  options: IntegratedGradientsOptions = {},
): Promise<IntegratedGradients> {
  const { baseline = 0, steps = 20, target } = options;
  const count = expectCount('steps', steps);
  expectGradient(explainer);
  const host = await onHost(explainer, input, 'integratedGradients');
  const origin = await baselineOf(explainer, baseline, host);
  options.signal?.throwIfAborted();
  const one = await explainer.explain(host.data, { seed: 'one', ...stated({ target }) });
  const fixed = { seed: 'one', target: one.targets } as const;
  const { logits } = await explainer.explain(origin, fixed);
  const element = (run: number, index: number) =>
    origin[index]! + ((run + 0.5) / count) * (host.data[index]! - origin[index]!);
  const sum = new RelevanceSum(one);
  await runAll(explainer, { input: host, count, element, fixed }, sum, options);
  const result = sum.mapped((value, index) => ((host.data[index]! - origin[index]!) * value) / count);
  const starts = one.logits.map((logit, sample) => logit - logits[sample]!);
  const size = host.data.length / host.samples;
  const gaps = starts.map((start, sample) =>
    result.relevance.data
      .subarray(sample * size, (sample + 1) * size)
      .reduce((gap, value) => gap - value, start),
  );
  return { ...one, ...result, start: starts[0]!, starts, gap: gaps[0]!, gaps };
}
