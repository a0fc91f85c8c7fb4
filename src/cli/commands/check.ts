// relc check: accounts for the relevance of one input, node by node and cause by cause.

import { causesBySize, leastNamed, roundingText, shareText, totalArrived } from '../../api/balance.js';
import { compile, defaultRules } from '../../api/compile.js';
import type { ConservationReport } from '../../api/conservation.js';
import type { Explainer } from '../../api/explainer.js';
import { trace } from '../../api/model.js';
import { RelcError } from '../../ir/error.js';
import type { Program } from '../../ir/passes/pass.js';
import { presets } from '../../rules/presets.js';
import type { Arguments, Command } from '../arguments.js';
import { printNodes, printRemarks, printTotals } from '../conservation-text.js';
import { expectFile } from '../files.js';
import { openInput, parseScale } from '../input.js';
import { classNamed, labelOf, openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { openRules } from '../rules-module.js';
import { Progress, Stopwatch, styled, type Terminal, table } from '../terminal.js';
import { seedNamed } from './explain.js';

/** Lowest and highest number that an input takes. @throws RelcError RELC5001 */
function parseRange(text: string): readonly [number, number] {
  const bounds = text.split(',').map(Number);
  if (bounds.length === 2 && bounds.every(Number.isFinite)) return bounds as [number, number];
  throw new RelcError('RELC5001', `--range ${text} is no pair of numbers`, 'write it like --range 0,1');
}

/** The range that is stated, or that of pixels 0..255 where it is stated how they enter. */
function rangeOf(given: Arguments, scale: readonly [number, number] | undefined) {
  const text = given.text('range');
  if (text !== undefined) return { range: parseRange(text) };
  if (scale === undefined) return {};
  const [low, high] = [scale[1], 255 * scale[0] + scale[1]].sort((a, b) => a - b);
  return { range: [low!, high!] as const };
}

/** All that is the same for every preset. */
interface Subject {
  readonly program: Program;
  readonly options: { readonly range?: readonly [number, number]; readonly output?: string };
  readonly labels: readonly string[];
  readonly rules: string;
  readonly backend: string;
  readonly watch: Stopwatch;
  values(explainer: Explainer): Promise<Float32Array>;
}

async function open(given: Arguments): Promise<Subject> {
  const stated = parseScale(given.text('scale'));
  const watch = new Stopwatch();
  const backend = await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  const path = given.positional(1);
  await expectFile(path);
  const scale = stated ?? manifest.scale;
  const size = given.text('shape') === undefined ? manifest.size : undefined;
  const output = given.text('output');
  return {
    program: await watch.time('trace', () => trace(model, options)),
    options: { ...rangeOf(given, scale), ...(output === undefined ? {} : { output }) },
    labels: await openLabels(given.text('labels'), manifest),
    rules: given.text('rules') ?? manifest.rules ?? defaultRules,
    backend,
    watch,
    values: async ({ inputs }) => (await openInput(path, inputs[0]!, { scale, size })).values,
  };
}

async function checkOne(
  given: Arguments,
  terminal: Terminal,
  subject: Subject,
  rules: string,
): Promise<{ report: ConservationReport; notes: readonly string[] }> {
  const { program, options, labels, watch } = subject;
  const seed = seedNamed(given.text('seed'));
  const wanted = given.text('class');
  const opened = await openRules(rules);
  const explainer = await watch.time('compile', () => compile(program, { ...options, ...opened }));
  const progress = new Progress(terminal, rules);
  try {
    const values = await subject.values(explainer);
    const report = await watch.time('check', () =>
      explainer.check(values, {
        ...(seed === undefined ? {} : { seed }),
        ...(wanted === undefined ? {} : { target: classNamed(wanted, labels) }),
        onProgress: (done, total) => progress.show(done, total),
      }),
    );
    return { report, notes: explainer.notes };
  } finally {
    progress.clear();
    explainer.dispose();
  }
}

/** @throws RelcError RELC4008 where anything is unexplained or not a number */
function expectExplained(reports: readonly ConservationReport[]): void {
  const failed = reports.filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  const places = failed.map(({ rules, nodes, worst }) =>
    nodes.every(({ ok }) => ok) ? `${rules} (not a number)` : `${rules} at %${worst}`,
  );
  throw new RelcError(
    'RELC4008',
    `relevance is lost that no formula explains: ${places.join(', ')}`,
    'the rule there does not do what it states, or states nothing for that op: docs/conservation.md says how to read the report',
  );
}

const mark = (terminal: Terminal, { ok }: ConservationReport) =>
  ok ? styled(terminal, 'green', '✓') : styled(terminal, 'red', '✗');

async function runOne(given: Arguments, terminal: Terminal, subject: Subject): Promise<void> {
  const { labels, rules, watch, backend } = subject;
  const { report, notes } = await checkOne(given, terminal, subject, rules);
  for (const note of notes) terminal.err(`note: ${note}`);
  const label = labelOf(report.target, labels);
  if (given.flag('json')) terminal.out(JSON.stringify({ ...report, label }, undefined, 2));
  else {
    const start = `${report.unit} = ${Number(report.start.toPrecision(5))}`;
    terminal.out(`${styled(terminal, 'bold', label)}: ${start}, seed ${report.seed}`);
    terminal.out(`${mark(terminal, report)} ${report.verdict}`);
    terminal.out('');
    printTotals(terminal, report);
    terminal.out('');
    printNodes(terminal, report, given.flag('all'));
    terminal.out('');
    printRemarks(terminal, report, backend);
    terminal.out(styled(terminal, 'dim', watch.print()));
  }
  expectExplained([report]);
}

/** A report, or why there is none. */
type Outcome = ConservationReport | RelcError;

function rowOf(rules: string, outcome: Outcome): readonly string[] {
  if (outcome instanceof RelcError) {
    return ['-', rules, '', '', `${outcome.code}: ${outcome.detail.split(/[:;]/)[0]}`];
  }
  const { start, arrived, causes, unexplained, ok, worst } = outcome;
  const largest = causesBySize(causes, start, leastNamed).map(
    ([cause, amount]) => `${shareText(amount, start)} ${cause}`,
  );
  const left = roundingText(unexplained, start);
  return [
    ok ? '✓' : '✗',
    rules,
    shareText(totalArrived(arrived), start),
    left,
    ok ? largest.join(' · ') : `UNEXPLAINED at %${worst} · ${largest.join(' · ')}`,
  ];
}

async function runAll(given: Arguments, terminal: Terminal, subject: Subject): Promise<void> {
  const outcomes = new Map<string, Outcome>();
  for (const rules of presets.keys()) {
    try {
      outcomes.set(rules, (await checkOne(given, terminal, subject, rules)).report);
    } catch (error) {
      // A preset that has no rule for one of the model's ops says so in its row
      if (!(error instanceof RelcError) || !error.code.startsWith('RELC3')) throw error;
      outcomes.set(rules, error);
    }
  }
  const reports = [...outcomes.values()].flatMap((outcome) =>
    outcome instanceof RelcError ? [] : [outcome],
  );
  if (given.flag('json')) {
    const refused = [...outcomes].filter(([, outcome]) => outcome instanceof RelcError);
    const reasons = Object.fromEntries(
      refused.map(([rules, error]) => [rules, (error as RelcError).message]),
    );
    terminal.out(JSON.stringify({ reports, refused: reasons }, undefined, 2));
  } else {
    const rows = [...outcomes].map(([rules, outcome]) => rowOf(rules, outcome));
    terminal.out(table([['', 'rules', 'arrives', 'unexplained', 'goes to'], ...rows]));
    terminal.out(styled(terminal, 'dim', `${subject.watch.total()} (tfjs ${subject.backend})`));
  }
  expectExplained(reports);
}

export const checkCommand: Command = {
  name: 'check',
  positionals: ['MODEL', 'INPUT'],
  summary: 'account for the relevance of one input: what each node loses, and to what',
  description: `For every node what arrives, what leaves, and the difference by its causes, each by a formula of its own and
never by subtraction; in f64 on the host, beside what the compiled explainer says. What no formula explains fails the
command with exit code 3.`,
  options: {
    rules: {
      type: 'string',
      short: 'r',
      value: 'NAME',
      help: `preset of rules, all, or a module (.mjs) that exports a composite\n(default: the manifest's, else ${defaultRules})`,
    },
    class: {
      type: 'string',
      short: 'c',
      value: 'N|LABEL',
      help: 'the class to explain (default: the top one)',
    },
    labels: { type: 'string', value: 'FILE', help: 'names of the classes, one a line or a JSON list' },
    scale: { type: 'string', value: 'A,B', help: 'a pixel p of 0..255 enters as p·A + B (default 1/255,0)' },
    range: {
      type: 'string',
      value: 'LOW,HIGH',
      help: 'the smallest and largest number of the input, for zB (default: by --scale)',
    },
    seed: { type: 'string', value: 'SEED', help: 'what relevance starts as: logit or one' },
    output: { type: 'string', value: 'NAME', help: 'the output to explain, where the model has several' },
    shape: { type: 'string', value: 'DIMS', help: 'the input shape, where the model leaves it open' },
    all: { type: 'boolean', help: 'list every node, also where nothing is lost' },
    json: { type: 'boolean', help: 'print the whole report as JSON' },
  },
  examples: [
    'relc check model/model.json photo.jpg --rules epsilon --scale 1/127.5,-1',
    'relc check model/model.json photo.jpg --rules all',
    'relc check net.relc x.npy --all',
  ],
  async run(given, terminal) {
    const subject = await open(given);
    await (subject.rules === 'all' ? runAll : runOne)(given, terminal, subject);
  },
};
