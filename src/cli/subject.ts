// The subject of relc explain: a model, one input, and what is said of it, ready to be drawn and reported.
import type { Explainer, Explanation, Values } from '../api/explainer.js';
import { nodeOf } from '../ir/graph.js';
import type { OpenedInput } from './input.js';
import { labelOf } from './labels.js';
import type { Heat } from './picture/heatmap.js';
import type { Stopwatch } from './terminal.js';

export interface Subject {
  readonly explainer: Explainer;
  readonly input: OpenedInput;
  readonly labels: readonly string[];
  /** An explanation of each class that was asked for. */
  readonly explanations: readonly Explanation[];
  /** What explains: the rules, or a driver and the rules. */
  readonly method: string;
  /** What relevance starts with, where all of that arrives if nothing is lost; undefined for gradients. */
  readonly start: string | undefined;
  readonly backend: string;
  readonly watch: Stopwatch;
}

/** Names of the explained values: inputs, or what was asked for with --at. */
export const valuesOf = ({ explanations }: Subject): string[] => Object.keys(explanations[0]!.relevances);

/** What is explained: `roses`, or `roses against tulips`, or all scores where the seed takes no class. */
export function subjectName({ explainer, labels }: Subject, { target, against }: Explanation): string {
  if (explainer.seed === 'outputs' || explainer.seed === 'tensor') return 'all scores';
  const compared = against === undefined ? '' : ` against ${labelOf(against, labels)}`;
  return `${labelOf(target, labels)}${compared}`;
}

/** Relevance summed over channels, of a value [1, H, W, C] or an input [1, H, W]; undefined for what is no picture. */
export function heatOf({ explainer }: Subject, name: string, { data, shape }: Values): Heat | undefined {
  const { compiled } = explainer;
  const isInput = nodeOf(compiled.stages.get('canonicalize')!, compiled.explained.get(name)!).op === 'input';
  if (shape.length !== 4 && !(shape.length === 3 && isInput)) return undefined;
  const [, height, width, channels = 1] = shape as [number, number, number, number?];
  const sums = new Float32Array(height * width);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / channels)]! += data[i]!;
  return { width, height, data: sums };
}
