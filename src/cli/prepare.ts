// What relc explain does once, whatever the number of inputs: the model is compiled; then, for each input, its subject.

import { compile, type ExplanationOptions } from '../api/compile.js';
import type { DriverOptions } from '../api/drivers.js';
import { usualTarget } from '../api/engine.js';
import type { Explainer } from '../api/explainer.js';
import { trace } from '../api/model.js';
import type { ExplainOptions } from '../api/seed.js';
import type { Manifest } from '../codegen/manifest.js';
import type { Arguments } from './arguments.js';
import { explanationOptionsOf } from './explanation-options.js';
import { expectFile } from './files.js';
import { isArrayFile, openInput, type PixelOptions, parseScale, usualScale } from './input.js';
import type { InputList } from './input-list.js';
import { openLabels } from './labels.js';
import { type ChosenMethod, explanationsOf, type Method, methodOf, type Refuse, startOf } from './method.js';
import { openModel, startTfjs } from './model.js';
import { atPatch, expectDrawing, type PatchDrawing, patchDrawingOf } from './patches/options.js';
import { requestsOf } from './request.js';
import type { Subject } from './subject.js';
import { Stopwatch } from './terminal.js';

/** All that is the same for every input. */
export interface Prepared extends ChosenMethod {
  /** For the caller to dispose of. */
  readonly explainer: Explainer;
  readonly labels: readonly string[];
  readonly requests: readonly ExplainOptions[];
  readonly pixels: PixelOptions;
  readonly drawing: PatchDrawing;
  readonly backend: string;
  readonly watch: Stopwatch;
}

/** What is explained, under the rules that a method is made for where none are named. */
async function optionsOf(
  given: Arguments,
  manifest: Manifest,
  { method, paths }: { method: Method | undefined; paths: readonly string[] },
): Promise<ExplanationOptions> {
  const hasPictures = paths.some((path) => !isArrayFile(path));
  const told = method === undefined ? manifest : { ...manifest, rules: 'gradient' };
  return explanationOptionsOf(given, told, hasPictures ? usualScale : undefined);
}

/** Everything from the command line to the explainer. A single input that is not there is told before compilation. */
export async function prepare(given: Arguments, list: InputList, refuse: Refuse): Promise<Prepared> {
  const method = methodOf(given, refuse);
  const count = given.positive('samples');
  const scale = parseScale(given.text('scale'));
  const watch = new Stopwatch();
  await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  if (list.isOne) await expectFile(list.paths[0]!);
  const labels = await openLabels(given.text('labels'), manifest);
  const requests = await requestsOf(given, labels);
  const asked = await optionsOf(given, manifest, { method, paths: list.paths });
  const drawing = patchDrawingOf(given, manifest, [asked]);
  const explainer = await watch.time('compile', async () => {
    const program = await trace(model, options);
    return compile(program, atPatch(given, program, { asked, drawing }));
  });
  try {
    expectDrawing(explainer, drawing);
  } catch (error) {
    explainer.dispose();
    throw error;
  }
  const size = given.text('shape') === undefined ? manifest.size : undefined;
  const pixels = { scale: scale ?? manifest.scale, size };
  return { explainer, labels, requests, pixels, drawing, method, count, backend: usualTarget, watch };
}

/** Reads one input and explains it. @param watch  times both */
export async function subjectOf(
  prepared: Prepared,
  path: string,
  { watch, ...watching }: { readonly watch: Stopwatch } & DriverOptions,
): Promise<Subject> {
  const { explainer, labels, requests, pixels, drawing, method, count, backend } = prepared;
  const input = await watch.time('read', () => openInput(path, explainer.inputs[0]!, pixels));
  const explanations = await watch.time('explain', () =>
    explanationsOf(explainer, input.values, requests, { method, count, ...watching }),
  );
  const name = method === undefined ? explainer.rules : `${method} (${explainer.rules})`;
  const start = startOf(explainer, method);
  return { explainer, input, labels, drawing, explanations, method: name, start, backend, watch };
}
