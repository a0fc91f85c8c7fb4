// The subject of relc explain: a model, one input, and what is said of it, ready to be drawn and reported.
import type { Explainer, Explanation, Values } from '../api/explainer.js';
import { nodeOf } from '../ir/graph.js';
import { relevanceKey } from '../rules/explanation.js';
import type { OpenedInput } from './input.js';
import { labelOf } from './labels.js';
import { explainsTokens, notesOnPatches } from './patches/maps.js';
import type { PatchDrawing } from './patches/options.js';
import type { Heat } from './picture/heatmap.js';
import type { Stopwatch } from './terminal.js';

/** One explanation, and what explains. */
export interface View {
  readonly explainer: Explainer;
  readonly explanation: Explanation;
  /** What explains: the rules, or a driver and the rules. */
  readonly method: string;
  /** What relevance starts with, where all of that arrives if nothing is lost; undefined for gradients. */
  readonly start: string | undefined;
}

export interface Subject {
  readonly input: OpenedInput;
  readonly labels: readonly string[];
  /** How relevance of patches is drawn. */
  readonly drawing: PatchDrawing;
  /** Of each class that was asked for a view by each of the rules. */
  readonly views: readonly View[];
  readonly backend: string;
  readonly watch: Stopwatch;
}

/** What an explainer gives relevance by, in order: inputs, or values that were asked for, and blocks of attention. */
export function relevanceNames({ compiled }: Explainer): string[] {
  const prefix = relevanceKey('');
  const keys = Object.keys(compiled.program.graph.outputs).filter((key) => key.startsWith(prefix));
  return keys.map((key) => key.slice(prefix.length));
}

/** Names of the explained values: inputs, or what was asked for with --at. Of a text's inputs all but its ids are left out. */
export function valuesOf({ views, input }: Subject): string[] {
  const names = Object.keys(views[0]!.explanation.relevances);
  const isText = views[0]!.explainer.request.relevanceOf === undefined && input.text !== undefined;
  const ids = names.filter((name) => isText && name === input.text!.input);
  return ids.length > 0 ? ids : names;
}

/** How many rules explain each class. */
export const countOfRules = ({ views }: Subject): number =>
  new Set(views.map(({ explainer }) => explainer)).size;

/** What is to know of the explainers and the input, each once. */
export function notesOf({ views, input, drawing }: Subject): string[] {
  const onPatches = (view: View) => (input.text === undefined ? notesOnPatches({ ...view, drawing }) : []);
  const notes = views.flatMap((view) => [...view.explainer.notes, ...onPatches(view)]);
  return [...new Set([...notes, ...input.notes])];
}

/** What is explained: `roses`, or `roses against tulips`, or all scores where the seed takes no class. */
export function subjectName({ labels }: Pick<Subject, 'labels'>, { explainer, explanation }: View): string {
  if (explainer.seed === 'outputs' || explainer.seed === 'tensor') return 'all scores';
  const { target, against } = explanation;
  const compared = against === undefined ? '' : ` against ${labelOf(against, labels)}`;
  return `${labelOf(target, labels)}${compared}`;
}

/** The sum of all numbers. */
export const sum = (data: Float32Array): number => data.reduce((total, value) => total + value, 0);

/** An amount as a share of what relevance started with; NaN where that means nothing. */
export const shareOfStart = ({ start, explanation }: View, amount: number): number =>
  start === undefined ? Number.NaN : amount / explanation.start;

/** Relevance summed over channels: [1, H, W, C] or [1, H, W]; undefined for other shapes. */
export function heatOf({ data, shape }: Values): Heat | undefined {
  if (shape.length !== 4 && shape.length !== 3) return undefined;
  const [, height, width, channels = 1] = shape as [number, number, number, number?];
  const sums = new Float32Array(height * width);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / channels)]! += data[i]!;
  return { width, height, data: sums };
}

/**
 * The heat of a value of a view; of three axes only an input is a picture, and not a row of tokens, which is what attention
 * methods give.
 */
export function heatAt({ explainer, explanation }: View, name: string): Heat | undefined {
  if (explainsTokens(explainer)) return undefined;
  const { stages, explained } = explainer.compiled;
  const isInput = nodeOf(stages.get('canonicalize')!, explained.get(name)!).op === 'input';
  const values = explanation.relevances[name]!;
  return values.shape.length === 4 || isInput ? heatOf(values) : undefined;
}
