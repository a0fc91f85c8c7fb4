// relc explain: one input through one model, to heatmaps.
import { compile, type ExplanationOptions } from '../../api/compile.js';
import { integratedGradients, smoothGrad } from '../../api/drivers.js';
import type { Explainer, Explanation } from '../../api/explainer.js';
import type { ExplainOptions } from '../../api/seed.js';
import type { Manifest } from '../../codegen/manifest.js';
import { stated } from '../../ir/stated.js';
import type { Seed } from '../../rules/presets.js';
import { type Arguments, type Command, usageError } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { expectFile } from '../files.js';
import { saveFiles } from '../heatmaps.js';
import { isArrayFile, type OpenedInput, openInput, parseScale, usualScale } from '../input.js';
import { openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { jsonReport, printReport } from '../report.js';
import { requestOptions, requestsOf } from '../request.js';
import type { Subject } from '../subject.js';
import { progressBar, Stopwatch, type Terminal } from '../terminal.js';

const methods = ['smooth-grad', 'integrated-gradients'] as const;
type Method = (typeof methods)[number];

/** @throws RelcError RELC5001 for an unknown method, and options that mean nothing without, or to, one */
function methodOf(given: Arguments): Method | undefined {
  const method = given.text('method');
  const refuse = (detail: string) => usageError(detail, explainCommand);
  if (method === undefined && given.text('samples') !== undefined) {
    throw refuse(`--samples needs --method, one of ${methods.join(', ')}`);
  }
  if (method === undefined || methods.includes(method as Method)) {
    const fixed = ['seed', 'against', 'at'].find((name) => given.text(name) !== undefined);
    if (method === 'integrated-gradients' && fixed !== undefined) {
      throw refuse(
        `--method integrated-gradients integrates the gradient at the input; leave out --${fixed}`,
      );
    }
    return method as Method | undefined;
  }
  throw refuse(`--method ${method} is unknown; methods: ${methods.join(', ')}`);
}

/** Runs the explainer, or a driver of it, for each request. */
async function explanationsOf(
  explainer: Explainer,
  input: Float32Array,
  requests: readonly ExplainOptions[],
  { method, count, terminal }: { method: Method | undefined; count: number | undefined; terminal: Terminal },
): Promise<Explanation[]> {
  if (method === undefined) return explainer.explainEach(input, requests);
  const onProgress = progressBar(terminal, method);
  const explanations: Explanation[] = [];
  for (const request of requests) {
    const explanation =
      method === 'smooth-grad'
        ? await smoothGrad(explainer, input, { ...request, onProgress, ...stated({ samples: count }) })
        : await integratedGradients(explainer, input, {
            ...{ onProgress, ...stated({ target: request.target, steps: count }) },
          });
    explanations.push(explanation);
  }
  return explanations;
}

const starts: Readonly<Record<Seed, string>> = {
  logit: 'f(x)',
  one: 'seed',
  outputs: 'sum of all scores',
  contrast: 'difference of scores',
  tensor: 'start',
};

/** What relevance starts with, where it is conserved. */
function startOf({ request: { preset, seed } }: Explainer, method: Method | undefined): string | undefined {
  if (method === 'integrated-gradients') return 'f(x) − f(baseline)';
  return preset.quantity === 'gradient' ? undefined : starts[seed];
}

/** What is explained, under the rules that a method is made for where none are named. */
async function optionsOf(
  given: Arguments,
  manifest: Manifest,
  method: Method | undefined,
): Promise<ExplanationOptions> {
  const isPicture = !isArrayFile(given.positional(1));
  const told = method === undefined ? manifest : { ...manifest, rules: 'gradient' };
  return explanationOptionsOf(given, told, isPicture ? usualScale : undefined);
}

/** Everything from the command line to the explanations. */
async function subjectOf(given: Arguments, terminal: Terminal): Promise<Subject> {
  const method = methodOf(given);
  const count = given.positive('samples');
  const scale = parseScale(given.text('scale'));
  const watch = new Stopwatch();
  const backend = await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  await expectFile(given.positional(1));
  const labels = await openLabels(given.text('labels'), manifest);
  const requests = await requestsOf(given, labels);
  const asked = await optionsOf(given, manifest, method);
  const explainer = await watch.time('compile', () => compile(model, { ...options, ...asked }));
  const size = given.text('shape') === undefined ? manifest.size : undefined;
  const pixels = { scale: scale ?? manifest.scale, size };
  const input: OpenedInput = await watch.time('read', () =>
    openInput(given.positional(1), explainer.inputs[0]!, pixels),
  );
  const explanations = await watch.time('explain', () =>
    explanationsOf(explainer, input.values, requests, { method, count, terminal }),
  );
  const name = method === undefined ? explainer.rules : `${method} (${explainer.rules})`;
  const start = startOf(explainer, method);
  return { explainer, input, labels, explanations, method: name, start, backend, watch };
}

export const explainCommand: Command = {
  name: 'explain',
  positionals: ['MODEL', 'INPUT'],
  summary: 'explain one prediction: which parts of the input spoke for the class, and which against',
  description: `MODEL is a TensorFlow.js model.json (layers or graph), a module that exports a function on tensors,
or a graph text (.relc). INPUT is a PNG or JPEG, a .npy array or JSON. Pictures are resized to the model's
input. A file relc.json beside the model (size, scale, labels, rules) spares the options.

What is explained: the top class, or --class, also several side by side. --against tells what speaks for the
class and not for another one. Relevance starts at the scores before a final softmax: at the class's score (logit),
at 1 (one), at all scores (outputs), at the difference of two (contrast), or at numbers of your own.`,
  options: {
    ...explanationOptions,
    ...requestOptions,
    method: {
      type: 'string',
      value: 'NAME',
      help: `run the explainer many times: ${methods.join(' or ')}\n(rules gradient, if none are named)`,
    },
    samples: { type: 'string', value: 'N', help: 'how many times (default 20)' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'where the heatmap goes (default heat.png)' },
    'save-relevance': {
      type: 'string',
      value: 'FILE',
      help: 'save the relevance of every element as .npy, a row for each class',
    },
    json: { type: 'boolean', help: 'print a JSON report instead; writes a heatmap only with -o' },
  },
  examples: [
    'relc explain model/model.json photo.jpg --scale 1/127.5,-1 --labels labels.txt -o heat.png',
    'relc explain model/model.json photo.jpg --rules epsilon-plus-flat --class tulips,roses',
    'relc explain model/model.json photo.jpg --class tulips --against roses',
    'relc explain model/model.json photo.jpg --rules grad-cam --layer block3',
    'relc explain model/model.json photo.jpg --method smooth-grad --samples 50',
    'relc explain net.relc x.npy --at h1 --save-relevance r.npy --json',
  ],
  async run(given, terminal) {
    const subject = await subjectOf(given, terminal);
    try {
      const usual = given.flag('json') ? undefined : 'heat.png';
      const [out, arrays] = [given.text('out'), given.text('save-relevance')];
      const files = await saveFiles(subject, { out, arrays, usual });
      const [model, input] = [given.positional(0), given.positional(1)];
      if (given.flag('json')) terminal.out(jsonReport(subject, { model, input, files }));
      else printReport(terminal, subject, files);
    } finally {
      subject.explainer.dispose();
    }
  },
};
