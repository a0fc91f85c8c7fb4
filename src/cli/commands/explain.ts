// relc explain: one input through one model, to a heatmap.
import { compile, defaultRules } from '../../api/compile.js';
import type { Explainer, Explanation, Values } from '../../api/explainer.js';
import { RelcError } from '../../ir/error.js';
import type { Seed } from '../../rules/presets.js';
import type { Arguments, Command } from '../arguments.js';
import { expectFile, write } from '../files.js';
import { type OpenedInput, openInput, parseScale } from '../input.js';
import { classNamed, labelOf, openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { type Heat, renderHeatmap } from '../picture/heatmap.js';
import { encodeNpy } from '../picture/npy.js';
import { encodePicture } from '../picture/picture.js';
import { renderTerminal } from '../picture/terminal.js';
import { openRules } from '../rules-module.js';
import { Stopwatch, styled, type Terminal, table } from '../terminal.js';

/** Relevance summed over channels: [1, H, W, C] or [1, H, W]; undefined for other shapes. */
export function heatOf({ data, shape }: Values): Heat | undefined {
  if (shape.length !== 4 && shape.length !== 3) return undefined;
  const [, height, width, channels = 1] = shape as [number, number, number, number?];
  const sums = new Float32Array(height * width);
  for (let i = 0; i < data.length; i++) sums[Math.floor(i / channels)]! += data[i]!;
  return { width, height, data: sums };
}

const sum = (data: Float32Array) => data.reduce((total, value) => total + value, 0);

/** The classes with the largest scores, best first. */
function topClasses(scores: Float32Array, count: number): number[] {
  return [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, count);
}

/** @throws RelcError RELC5001 */
export function seedNamed(name: string | undefined): Seed | undefined {
  if (name === undefined || name === 'logit' || name === 'one') return name;
  throw new RelcError('RELC5001', `--seed ${name} is unknown`, 'seeds: logit, one');
}

/** What arrived of what relevance started with: of f(x) for the seed logit, of 1 for the seed one. */
function arrived(explanation: Explanation, seed: Seed): { start: number; total: number; share: number } {
  const start = seed === 'one' ? 1 : explanation.logit;
  const total = sum(explanation.relevance.data);
  return { start, total, share: total / start };
}

/** `97.3 %`, and `0.016 %` where one decimal would hide it. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–';
  const value = 100 * share;
  return `${Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(1) : Number(value.toPrecision(2))} %`;
}

/** Four decimals, so that points stand below each other; powers of ten where nothing would be left. */
const scoreText = (score: number) =>
  Math.abs(score) >= 1e-4 || score === 0 ? score.toFixed(4) : score.toExponential(1);

function scoreTable(terminal: Terminal, explanation: Explanation, labels: readonly string[]): string {
  const { data } = explanation.scores;
  const shown = topClasses(data, 5);
  if (!shown.includes(explanation.target)) shown.push(explanation.target);
  const rows = shown.map((index) => [
    index === explanation.target ? '›' : ' ',
    labelOf(index, labels),
    scoreText(data[index]!),
  ]);
  const lines = table([['', 'class', 'score'], ...rows]).split('\n');
  const marked = lines.map((line) => (line.startsWith('›') ? styled(terminal, 'bold', line) : line));
  return [styled(terminal, 'dim', marked[0]!), ...marked.slice(1)].join('\n');
}

interface Result {
  readonly explainer: Explainer;
  readonly explanation: Explanation;
  readonly input: OpenedInput;
  readonly labels: readonly string[];
  readonly seed: Seed;
  readonly watch: Stopwatch;
  readonly backend: string;
}

async function explainOne(given: Arguments): Promise<Result> {
  const asked = seedNamed(given.text('seed'));
  const scale = parseScale(given.text('scale'));
  const watch = new Stopwatch();
  const backend = await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  await expectFile(given.positional(1));
  const rules = await openRules(given.text('rules') ?? manifest.rules ?? defaultRules);
  const labels = await openLabels(given.text('labels'), manifest);
  const wanted = given.text('class');
  const target = wanted === undefined ? {} : { target: classNamed(wanted, labels) };
  const output = given.text('output');
  const explainer = await watch.time('compile', () =>
    compile(model, { ...options, ...rules, ...(output === undefined ? {} : { output }) }),
  );
  const [node] = explainer.inputs;
  const size = given.text('shape') === undefined ? manifest.size : undefined;
  const pixels = { scale: scale ?? manifest.scale, size };
  const input = await watch.time('read', () => openInput(given.positional(1), node!, pixels));
  const seed = asked ?? explainer.seed;
  const explanation = await watch.time('explain', () => explainer.explain(input.values, { seed, ...target }));
  return { explainer, explanation, input, labels, seed, watch, backend };
}

async function saveHeatmap(path: string, heat: Heat, result: Result): Promise<void> {
  const { explainer, explanation, input, labels } = result;
  const title = `${labelOf(explanation.target, labels)}  ${explainer.rules}`;
  const picture = input.picture === undefined ? {} : { picture: input.picture };
  await write(path, encodePicture(renderHeatmap(heat, { ...picture, title })));
}

function printReport(
  terminal: Terminal,
  result: Result,
  heat: Heat | undefined,
  saved: readonly string[],
): void {
  const { explainer, explanation, labels, seed, watch, backend } = result;
  for (const note of explainer.notes) terminal.err(`note: ${note}`);
  if (heat !== undefined) {
    const columns = Math.min(48, terminal.columns - 2, 2 * heat.width);
    terminal.out(renderTerminal(heat, { columns, colour: terminal.colour }));
    terminal.out('');
  }
  terminal.out(scoreTable(terminal, explanation, labels));
  terminal.out('');
  const { start, total, share } = arrived(explanation, seed);
  const from = seed === 'one' ? 'seed 1' : `f(x) ${start.toPrecision(5)}`;
  terminal.out(
    `${explainer.rules} for ${styled(terminal, 'bold', labelOf(explanation.target, labels))}: ${from} · ΣR ${total.toPrecision(5)} · ${percent(share)} arrived at the input`,
  );
  for (const path of saved) terminal.out(`wrote ${styled(terminal, 'cyan', path)}`);
  terminal.out(styled(terminal, 'dim', `${watch.print()} (tfjs ${backend})`));
}

function asJson(given: Arguments, result: Result, saved: readonly string[]): string {
  const { explainer, explanation, labels, seed, watch, backend } = result;
  const { total, share } = arrived(explanation, seed);
  return JSON.stringify(
    {
      model: given.positional(0),
      input: given.positional(1),
      rules: explainer.rules,
      seed,
      target: explanation.target,
      label: labelOf(explanation.target, labels),
      logit: explanation.logit,
      scores: [...explanation.scores.data],
      relevance: {
        shape: explanation.relevance.shape,
        sum: total,
        share: Number.isFinite(share) ? share : null,
      },
      notes: explainer.notes,
      files: saved,
      backend,
      milliseconds: Object.fromEntries(watch.phases),
    },
    undefined,
    2,
  );
}

async function saveAll(given: Arguments, result: Result, heat: Heat | undefined): Promise<string[]> {
  const saved: string[] = [];
  const picturePath =
    given.text('out') ?? (heat === undefined || given.flag('json') ? undefined : 'heat.png');
  if (picturePath !== undefined) {
    if (heat === undefined) {
      const shape = result.explanation.relevance.shape;
      throw new RelcError(
        'RELC5001',
        `relevance of shape [${shape}] is no picture`,
        'save it with --save-relevance r.npy',
      );
    }
    await result.watch.time('draw', () => saveHeatmap(picturePath, heat, result));
    saved.push(picturePath);
  }
  const arrayPath = given.text('save-relevance');
  if (arrayPath !== undefined) {
    const { data, shape } = result.explanation.relevance;
    await write(arrayPath, encodeNpy(data, shape));
    saved.push(arrayPath);
  }
  return saved;
}

export const explainCommand: Command = {
  name: 'explain',
  positionals: ['MODEL', 'INPUT'],
  summary: 'explain one prediction: which parts of the input spoke for the class, and which against',
  description: `MODEL is a TensorFlow.js model.json (layers or graph), a module that exports a function on tensors,
or a graph text (.relc). INPUT is a PNG or JPEG, a .npy array or JSON. Pictures are resized to the model's
input. A file relc.json beside the model (size, scale, labels, rules) spares the options.`,
  options: {
    rules: {
      type: 'string',
      short: 'r',
      value: 'NAME|FILE',
      help: `preset of rules, or a module (.mjs) that exports a composite\n(default: the manifest's, else ${defaultRules}); relc rules lists presets`,
    },
    class: {
      type: 'string',
      short: 'c',
      value: 'N|LABEL',
      help: 'the class to explain (default: the top one)',
    },
    labels: { type: 'string', value: 'FILE', help: 'names of the classes, one a line or a JSON list' },
    scale: {
      type: 'string',
      value: 'A,B',
      help: 'a pixel p of 0..255 enters as p·A + B (default 1/255,0);\nfor example --scale 1/127.5,-1',
    },
    seed: {
      type: 'string',
      value: 'SEED',
      help: 'what relevance starts as: logit or one (default: as the preset says)',
    },
    output: { type: 'string', value: 'NAME', help: 'the output to explain, where the model has several' },
    shape: {
      type: 'string',
      value: 'DIMS',
      help: 'the input shape, where the model leaves it open: 1,224,224,3',
    },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'where the heatmap goes (default heat.png)' },
    'save-relevance': {
      type: 'string',
      value: 'FILE',
      help: 'save the relevance of every input element as .npy',
    },
    json: { type: 'boolean', help: 'print a JSON report instead; writes a heatmap only with -o' },
  },
  examples: [
    'relc explain model/model.json photo.jpg --scale 1/127.5,-1 --labels labels.txt -o heat.png',
    'relc explain model/model.json photo.jpg --rules epsilon-plus-flat --class tulip',
    'relc explain net.relc x.npy --save-relevance r.npy --json',
  ],
  async run(given, terminal) {
    const result = await explainOne(given);
    try {
      const heat = heatOf(result.explanation.relevance);
      const saved = await saveAll(given, result, heat);
      if (given.flag('json')) terminal.out(asJson(given, result, saved));
      else printReport(terminal, result, heat, saved);
    } finally {
      result.explainer.dispose();
    }
  },
};
