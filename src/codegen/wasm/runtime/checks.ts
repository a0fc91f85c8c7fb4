// What callers of an emitted explainer give, checked: numbers of inputs, classes, and what relevance starts as.
import { ExplainerError } from './error.js';
import { notFinite } from './explanation.js';
import {
  boundShape,
  type Dtype,
  elementsOf,
  multipleOf,
  type Numbers,
  type Port,
  type PortShape,
  type ProgramLayout,
} from './program.js';

/** Numbers, row-major, batch first. */
export type InputValue = Float32Array | Int32Array | readonly number[];

/** What is explained, and how. */
export interface ExplainOptions {
  /** The class to explain, or one for each sample; the top class of each if left out. */
  readonly target?: number | readonly number[];
  /** Of explainers of a contrast: the class to compare with, or one for each sample; the strongest other one if left out. */
  readonly against?: number | readonly number[];
  /** Of explainers whose seed is a tensor: what relevance starts as, of the shape of the scores before a final softmax. */
  readonly relevance?: InputValue;
}

type Bound = number | readonly number[];
/** Numbers, or lists of one a channel. */
type Range = readonly [low: Bound, high: Bound];

/** What a loader must know of an explainer: the file layout.json. */
export interface ExplainerLayout extends ProgramLayout {
  /** Whether samples of a batch are mixed: then there is one size of batches. */
  readonly mixes: boolean;
  /** What relevance starts as. */
  readonly seed: string;
  /** Inputs that take options. */
  readonly seedInputs: { readonly [option in keyof ExplainOptions]?: string };
  /** Scores that a sample has. */
  readonly classes: number;
  /** What inputs must lie in, where a rule relies on it. */
  readonly range?: Range;
  /** Bytes of weights.safetensors. */
  readonly weightBytes: number;
}

const wrongInput = (detail: string, hint?: string) => new ExplainerError('RELC4002', detail, hint);
const wrongSeed = (detail: string, hint?: string) => new ExplainerError('RELC3004', detail, hint);

const stored: Readonly<Record<Dtype, (numbers: ArrayLike<number>) => Numbers>> = {
  f32: (numbers) => Float32Array.from(numbers),
  i32: (numbers) => Int32Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers, (value) => (value === 0 ? 0 : 1)),
};

const isNumbers = (value: unknown): value is InputValue =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

const printShape = (shape: PortShape) => `[${shape.join(',')}]`;

/** The numbers of one input, and how many samples they hold. @throws ExplainerError RELC4002 */
function bound(name: string, { shape, dtype }: Port, given: unknown): { data: Numbers; samples?: number } {
  const wanted = printShape(shape);
  if (given === undefined) throw wrongInput(`input ${name} ${wanted} is missing`);
  if (!isNumbers(given)) throw wrongInput(`input ${name} ${wanted} is no Float32Array or list of numbers`);
  const one = elementsOf(shape);
  const isBatched = multipleOf(shape) !== undefined;
  const samples = isBatched ? given.length / one : 1;
  if (!Number.isInteger(samples) || samples < 1 || given.length !== samples * one) {
    throw wrongInput(`input ${name} has ${given.length} elements, expected ${wanted}: ${one} a sample`);
  }
  const bad = notFinite(given);
  if (bad >= 0) throw wrongInput(`input ${name} holds ${String(given[bad])} at element ${bad}`);
  return { data: stored[dtype](given), ...(isBatched ? { samples } : {}) };
}

/** Values outside of the range by more than this share of it are no rounding. */
const roundingOfRange = 1e-3;

/**
 * Holds numbers to the range that zB was told: outside of it, it divides by what is no sum of shares.
 * @throws ExplainerError RELC4002 naming the first element outside
 */
export function expectInRange(name: string, data: Numbers, shape: PortShape, [low, high]: Range): void {
  const channels = Number(shape.at(-1) ?? 1);
  const of = (limit: Bound, channel: number) =>
    typeof limit === 'number' ? limit : limit[channel % limit.length]!;
  for (let index = 0; index < data.length; index++) {
    const [least, most] = [of(low, index % channels), of(high, index % channels)];
    const slack = roundingOfRange * (most - least);
    const value = data[index]!;
    if (value >= least - slack && value <= most + slack) continue;
    throw wrongInput(
      `input ${name} holds ${value} at element ${index}, outside of the range [${least}, ${most}] that zB was told`,
      'state the range that inputs really have, with the option range (--range), noise included',
    );
  }
}

/** Inputs by name. @throws ExplainerError RELC4002 where one was given for several, or a name is unknown */
function byName(names: readonly string[], input: unknown): Readonly<Record<string, unknown>> {
  if (isNumbers(input)) {
    if (names.length === 1) return { [names[0]!]: input };
    throw wrongInput(`one input was given, expected ${names.length}`, `pass { ${names.join(', ')} }`);
  }
  if (typeof input !== 'object' || input === null) {
    throw wrongInput(
      `the input is ${String(input)}`,
      'pass a Float32Array, a list of numbers, or several by name',
    );
  }
  const unknown = Object.keys(input).find((name) => !names.includes(name));
  if (unknown === undefined) return input as Readonly<Record<string, unknown>>;
  throw wrongInput(`there is no input '${unknown}'`, `inputs: ${names.join(', ')}`);
}

/** @throws ExplainerError RELC4002 where a run cannot take so many samples */
function expectBatch({ batch, mixes }: ExplainerLayout, samples: number): void {
  if (mixes ? samples === batch : samples % batch === 0) return;
  const wanted = mixes ? `exactly ${batch}, which the explainer mixes` : `a multiple of ${batch}`;
  throw wrongInput(
    `the input holds ${samples} samples, expected ${wanted}`,
    'write the explainer for other batches: relc compile --batch',
  );
}

/**
 * What is looked at, checked and copied.
 * @throws ExplainerError RELC4002
 */
export function boundInputs(
  layout: ExplainerLayout,
  input: unknown,
): { readonly feed: Record<string, Numbers>; readonly samples: number } {
  const options = Object.values(layout.seedInputs);
  const ports = layout.inputs.filter(({ name }) => !options.includes(name));
  const given = byName(
    ports.map(({ name }) => name),
    input,
  );
  const feed: Record<string, Numbers> = {};
  let samples: number | undefined;
  for (const port of ports) {
    const { data, samples: own } = bound(port.name, port, given[port.name]);
    if (layout.range !== undefined && port.dtype === 'f32') {
      expectInRange(port.name, data, port.shape, layout.range);
    }
    if (own !== undefined && samples !== undefined && own !== samples) {
      throw wrongInput(`input ${port.name} holds ${own} samples, the one before it ${samples}`);
    }
    samples ??= own;
    feed[port.name] = data;
  }
  if (samples !== undefined) expectBatch(layout, samples);
  return { feed, samples: samples ?? 1 };
}

/** What a batch is like: samples, and scores that each has. */
interface Batch {
  readonly samples: number;
  readonly classes: number;
}

/**
 * One class for each sample; −1 asks the program for the top one, or the strongest other one.
 * @param asked  a class for all samples, or one for each
 * @throws ExplainerError RELC4003
 */
export function classesOf(option: 'target' | 'against', asked: unknown, batch: Batch): Int32Array {
  const { samples, classes } = batch;
  if (asked === undefined) return new Int32Array(samples).fill(-1);
  const list: readonly unknown[] = Array.isArray(asked) ? asked : new Array(samples).fill(asked);
  if (list.length !== samples) {
    const given = option === 'target' ? 'targets' : 'classes to compare with';
    throw new ExplainerError('RELC4003', `${list.length} ${given} were given for ${samples} samples`);
  }
  return Int32Array.from(list, (each) => {
    if (Number.isInteger(each) && (each as number) >= 0 && (each as number) < classes) return each as number;
    throw new ExplainerError(
      'RELC4003',
      `${option} ${String(each)} is no class`,
      `classes are 0 to ${classes - 1}`,
    );
  });
}

/** @throws ExplainerError RELC3004 where an option means nothing to the seed that the explainer was made for */
function expectOptions({ seed, classes: count }: ExplainerLayout, options: ExplainOptions): void {
  const made = `the explainer was made for the seed '${seed}'`;
  const unknown = Object.keys(options).find((key) => !['target', 'against', 'relevance'].includes(key));
  if (unknown !== undefined) {
    throw wrongSeed(`there is no option '${unknown}'`, 'options: target, against, relevance');
  }
  if (options.target !== undefined && (seed === 'outputs' || seed === 'tensor')) {
    throw wrongSeed(`a target was given, but ${made}, which explains all scores at once`);
  }
  if (options.against !== undefined && seed !== 'contrast') {
    throw wrongSeed(`against names the class of a contrast, but ${made}`);
  }
  if ((options.relevance !== undefined) !== (seed === 'tensor')) {
    throw wrongSeed(
      seed === 'tensor' ? `${made}, and no relevance was given` : `relevance was given, but ${made}`,
    );
  }
  if (seed === 'contrast' && count < 2)
    throw wrongSeed(`a contrast compares two classes, and there is ${count}`);
}

/**
 * What relevance starts as, checked and copied.
 * @throws ExplainerError RELC3004 (options that do not fit the seed), RELC4002, RELC4003 (no such class)
 */
export function boundSeed(
  layout: ExplainerLayout,
  options: ExplainOptions,
  samples: number,
): Record<string, Numbers> {
  expectOptions(layout, options);
  const feed: Record<string, Numbers> = {};
  const { target, against, relevance } = layout.seedInputs;
  const batch = { samples, classes: layout.classes };
  if (target !== undefined) feed[target] = classesOf('target', options.target, batch);
  if (against !== undefined) feed[against] = classesOf('against', options.against, batch);
  if (relevance !== undefined) {
    const port = layout.inputs.find(({ name }) => name === relevance)!;
    const given = bound('relevance', port, options.relevance);
    if ((given.samples ?? samples) !== samples) {
      const shape = printShape(boundShape(port.shape, given.samples!));
      throw wrongInput(`relevance has shape ${shape}, but the input holds ${samples} samples`);
    }
    feed[relevance] = given.data;
  }
  return feed;
}
