// The subject of relc explain: a model, one input, and what is said of it, ready to be drawn and reported.
import type { Explainer, Explanation, Values } from '../api/explainer.js';
import { nodeOf } from '../ir/graph.js';
import { relevanceKey } from '../rules/explanation.js';
import type { OpenedInput } from './input.js';
import { labelOf } from './labels.js';
import { explainsTokens } from './patches/maps.js';
import type { PatchDrawing } from './patches/options.js';
import type { Heat } from './picture/heatmap.js';
import type { Stopwatch } from './terminal.js';

export interface Subject {
  readonly explainer: Explainer;
  readonly input: OpenedInput;
  readonly labels: readonly string[];
  /** How relevance of patches is drawn. */
  readonly drawing: PatchDrawing;
  /** An explanation of each class that was asked for. */
  readonly explanations: readonly Explanation[];
  /** What explains: the rules, or a driver and the rules. */
  readonly method: string;
  /** What relevance starts with, where all of that arrives if nothing is lost; undefined for gradients. */
  readonly start: string | undefined;
  readonly backend: string;
  readonly watch: Stopwatch;
}

/** What an explainer gives relevance by, in order: inputs, values that were asked for, blocks. */
export function relevanceNames({ compiled }: Explainer): string[] {
  const prefix = relevanceKey('');
  const keys = Object.keys(compiled.program.graph.outputs).filter((key) => key.startsWith(prefix));
  return keys.map((key) => key.slice(prefix.length));
}

/** Names of the explained values: inputs, or what was asked for with --at. */
export const valuesOf = ({ explanations }: Subject): string[] => Object.keys(explanations[0]!.relevances);

/** What is explained: `roses`, or `roses against tulips`, or all scores where the seed takes no class. */
export function subjectName({ explainer, labels }: Subject, { target, against }: Explanation): string {
  if (explainer.seed === 'outputs' || explainer.seed === 'tensor') return 'all scores';
  const compared = against === undefined ? '' : ` against ${labelOf(against, labels)}`;
  return `${labelOf(target, labels)}${compared}`;
}

/** Relevance summed over channels: [1, H, W, C] or [1, H, W]; undefined for other shapes. */
export function heatOf({ data, shape }: Values): Heat | undefined {
  if (shape.length !== 4 && shape.length !== 3) return undefined;
  const [, height, width, channels = 1] = shape as [number, number, number, number?];
  const sums = new Float32Array(height * width);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / channels)]! += data[i]!;
  return { width, height, data: sums };
}

/**
 * The heat of a value of an explanation; of three axes only an input is a picture, and not a row of tokens. What attention
 * methods give is drawn as patches.
 */
export function heatAt({ explainer }: Subject, name: string, { relevances }: Explanation): Heat | undefined {
  if (explainsTokens(explainer)) return undefined;
  const { stages, explained } = explainer.compiled;
  const isInput = nodeOf(stages.get('canonicalize')!, explained.get(name)!).op === 'input';
  const values = relevances[name]!;
  return values.shape.length === 4 || isInput ? heatOf(values) : undefined;
}
