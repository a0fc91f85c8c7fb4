// Seeds as callers ask for them: which kind a request is, what cannot go together, and the inputs that a kind takes.
import { classesOf } from '../codegen/wasm/runtime/checks.js';
import { RelcError } from '../ir/error.js';
import { type Graph, type Name, type Node, nodesWithOp } from '../ir/graph.js';
import { type TensorData, tensor } from '../ir/tensor.js';
import { type Seed, seeds } from '../rules/presets.js';
import { isSeedInput, targetInput, tensorInput } from '../rules/seed.js';
import { bindInput, type InputValue, samplesOf } from './inputs.js';
import { onRuntime } from './runtime-errors.js';

/** Classes: one for all samples, or one for each. */
export type Classes = number | readonly number[];

export interface ExplainOptions {
  /** The class to explain, or one for each sample; the top class of each if left out. */
  readonly target?: Classes;
  /**
   * What relevance starts as, at the scores before a final softmax: the target's `logit`; `one`; all `outputs`; the
   * `contrast` between the target and another class; or numbers of the scores' shape. Defaults to the compiled seed.
   */
  readonly seed?: Seed | InputValue;
  /** The class that a contrast compares with, or one for each sample; the strongest other class if left out. */
  readonly against?: Classes;
}

const wrong = (detail: string, hint?: string) => new RelcError('RELC3004', detail, hint);

/** @throws RelcError RELC3004 */
export function expectSeed(seed: Seed): Seed {
  if (seeds.includes(seed)) return seed;
  throw wrong(`there is no seed '${String(seed)}'`, `seeds: ${seeds.join(', ')}`);
}

function kindOf({ seed, against }: ExplainOptions, usual: Seed): Seed {
  if (seed === undefined) return against === undefined ? usual : 'contrast';
  return typeof seed === 'string' ? expectSeed(seed) : 'tensor';
}

/**
 * The kind of seed that a request asks for.
 * @param usual  the kind that is meant where none is named
 * @throws RelcError RELC3004 (no such seed, or a seed with options that mean nothing to it)
 */
export function seedKind(request: ExplainOptions, usual: Seed): Seed {
  const kind = kindOf(request, usual);
  const { target, seed, against } = request;
  if (against !== undefined && kind !== 'contrast') {
    const given = kind === 'tensor' ? 'given as numbers' : `'${kind}'`;
    throw wrong(`against names the class of a contrast, but the seed is ${given}`, "seed: 'contrast'");
  }
  if (target !== undefined && (kind === 'outputs' || kind === 'tensor')) {
    throw wrong(
      `a target was given, but the seed ${kind === 'outputs' ? "'outputs' explains all scores at once" : 'says itself how much of each score is explained'}`,
      "leave target out, or choose the seed 'logit', 'one' or 'contrast'",
    );
  }
  if (kind === 'tensor' && (seed === undefined || typeof seed === 'string')) {
    throw wrong(
      'the seed is a tensor, and none was given',
      "pass its numbers, of the scores' shape: seed: […]",
    );
  }
  return kind;
}

/** What one batch of a model is like. */
interface Batch {
  /** 1 where there is no batch. */
  readonly samples: number;
  /** Scores that a sample has. */
  readonly classes: number;
}

/** One class for each sample. @throws RelcError RELC4003 */
function classTensor(option: 'target' | 'against', asked: Classes | undefined, batch: Batch): TensorData {
  return tensor(
    [batch.samples],
    onRuntime(() => classesOf(option, asked, batch)),
    'i32',
  );
}

/** R at the scores. */
async function scoresTensor(node: Node, seed: InputValue, { samples }: Batch): Promise<TensorData> {
  const bound = await bindInput({ ...node, name: 'seed' }, seed);
  if ((samplesOf(node, bound) ?? samples) === samples) return bound;
  throw new RelcError('RELC4002', `seed has shape [${bound.shape}], but the input holds ${samples} samples`);
}

async function seedInput(
  node: Node,
  { target, seed, against }: ExplainOptions,
  batch: Batch,
): Promise<TensorData> {
  if (node.name === tensorInput) return scoresTensor(node, seed as InputValue, batch);
  if (node.name === targetInput) return classTensor('target', target, batch);
  if (batch.classes < 2) throw wrong(`a contrast compares two classes, and the model has ${batch.classes}`);
  return classTensor('against', against, batch);
}

/**
 * The seed inputs of a program, on the host.
 * @param program  compiled for the kind of the request
 * @throws RelcError RELC3004 (a contrast of one class), RELC4002 (a tensor that does not fit), RELC4003 (no such class)
 */
export async function seedInputs(
  program: Graph,
  request: ExplainOptions,
  batch: Batch,
): Promise<Record<Name, TensorData>> {
  const feed: Record<Name, TensorData> = {};
  for (const node of nodesWithOp(program, 'input')) {
    if (isSeedInput(node.name)) feed[node.name] = await seedInput(node, request, batch);
  }
  return feed;
}
