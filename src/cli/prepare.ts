// What relc explain does once, whatever the number of inputs: the model is compiled; then, for each input, its subject.

import { compile, type ExplanationOptions } from '../api/compile.js';
import type { DriverOptions } from '../api/drivers.js';
import { usualTarget } from '../api/engine.js';
import type { Explainer } from '../api/explainer.js';
import { trace } from '../api/model.js';
import type { ExplainOptions } from '../api/seed.js';
import type { Manifest } from '../codegen/manifest.js';
import type { Program } from '../ir/passes/pass.js';
import { stated } from '../ir/stated.js';
import type { Arguments } from './arguments.js';
import { explanationOptionsOf } from './explanation-options.js';
import { expectFile } from './files.js';
import { isPicturePath, type Source, usualScale } from './input.js';
import { type InputList, sourceOf } from './input-list.js';
import { openLabels } from './labels.js';
import { type ChosenMethod, explanationsOf, type Method, methodOf, type Refuse, startOf } from './method.js';
import { openModel, startTfjs } from './model.js';
import { atPatch, expectDrawing, type PatchDrawing, patchDrawingOf } from './patches/options.js';
import { expectLength, openFor, openLength, type Reading, readingOf } from './reading.js';
import { requestsOf } from './request.js';
import type { Subject, View } from './subject.js';
import { Stopwatch } from './terminal.js';

/** All that is the same for every input. */
export interface Prepared extends ChosenMethod {
  /** One for each of the rules, at least one; for the caller to dispose of. */
  readonly explainers: readonly Explainer[];
  readonly labels: readonly string[];
  readonly requests: readonly ExplainOptions[];
  readonly reading: Reading;
  readonly drawing: PatchDrawing;
  readonly backend: string;
  readonly watch: Stopwatch;
}

/** What is explained, by each of the rules that are named; under the rules that a method is made for where none are. */
async function optionsOf(
  given: Arguments,
  manifest: Manifest,
  { method, paths }: { method: Method | undefined; paths: readonly string[] },
): Promise<ExplanationOptions[]> {
  const scale = paths.some(isPicturePath) ? { scale: usualScale } : {};
  const told = method === undefined ? manifest : { ...manifest, rules: 'gradient' };
  const named = given.text('rules')?.split(',') ?? [undefined];
  const each: ExplanationOptions[] = [];
  for (const rules of named) {
    each.push(await explanationOptionsOf(given, told, { ...scale, ...stated({ rules: rules?.trim() }) }));
  }
  return each;
}

export function disposeAll(explainers: readonly Explainer[]): void {
  for (const explainer of explainers) explainer.dispose();
}

/** An explainer for each of the rules, or none if one of them does not fit. */
async function compileEach(
  program: Program,
  asked: readonly ExplanationOptions[],
  drawing: PatchDrawing,
): Promise<Explainer[]> {
  const explainers: Explainer[] = [];
  try {
    for (const options of asked) explainers.push(await compile(program, options));
    for (const explainer of explainers) expectDrawing(explainer, drawing);
    return explainers;
  } catch (error) {
    disposeAll(explainers);
    throw error;
  }
}

/** Everything from the command line to the explainers. A single input that is not there is told before compilation. */
export async function prepare(given: Arguments, list: InputList, refuse: Refuse): Promise<Prepared> {
  const method = methodOf(given, refuse);
  const count = given.positive('samples');
  const watch = new Stopwatch();
  await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  const source = sourceOf(list);
  if (typeof source === 'string') await expectFile(source);
  const reading = await readingOf(given, manifest);
  const labels = await openLabels(given.text('labels'), manifest);
  const requests = await requestsOf(given, labels);
  const asked = await optionsOf(given, manifest, { method, paths: list.paths });
  const length = await openLength(given, manifest, { source, reading });
  const drawing = patchDrawingOf(given, manifest, asked);
  const explainers = await watch.time('compile', async () => {
    const program = await trace(model, { ...options, ...stated({ length }) });
    return compileEach(program, atPatch(given, program, { asked, drawing }), drawing);
  });
  expectLength(given, explainers[0]!.inputs);
  return { explainers, labels, requests, reading, drawing, method, count, backend: usualTarget, watch };
}

/** Reads one input and explains it. @param watch  times both */
export async function subjectOf(
  { explainers, labels, requests, reading, drawing, method, count, backend }: Prepared,
  source: Source,
  { watch, ...watching }: { readonly watch: Stopwatch } & DriverOptions,
): Promise<Subject> {
  const input = await watch.time('read', () => openFor(explainers[0]!, source, reading));
  const views: (readonly View[])[] = [];
  await watch.time('explain', async () => {
    for (const explainer of explainers) {
      const chosen = { method, count, ...watching };
      const explanations = await explanationsOf(explainer, input.values, requests, chosen);
      const name = method === undefined ? explainer.rules : `${method} (${explainer.rules})`;
      const start = startOf(explainer, method);
      views.push(explanations.map((explanation) => ({ explainer, explanation, method: name, start })));
    }
  });
  // By class, then by rules
  const ordered = requests.flatMap((_, index) => views.map((ofRules) => ofRules[index]!));
  return { input, labels, drawing, views: ordered, backend, watch };
}
