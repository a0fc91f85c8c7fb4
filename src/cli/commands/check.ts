// relc check: accounts for the relevance of one input, node by node and cause by cause.

import { causesBySize, leastNamed, roundingText, shareText, totalArrived } from '../../api/balance.js';
import { compile, type ExplanationOptions } from '../../api/compile.js';
import type { ConservationReport } from '../../api/conservation.js';
import { usualTarget } from '../../api/engine.js';
import type { Explainer } from '../../api/explainer.js';
import { trace } from '../../api/model.js';
import { canonical } from '../../api/pipeline.js';
import type { ExplainOptions } from '../../api/seed.js';
import { attentionMatrices } from '../../ir/analyses/attention.js';
import { RelcError } from '../../ir/error.js';
import type { Program } from '../../ir/passes/pass.js';
import { stated } from '../../ir/stated.js';
import { presets } from '../../rules/presets.js';
import { type Arguments, type Command, usageError } from '../arguments.js';
import { optionsFor } from '../attention-options.js';
import { printNodes, printRemarks, printTotals } from '../conservation-text.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { expectFile } from '../files.js';
import { isPicturePath, type OpenedInput, usualScale } from '../input.js';
import { inputListOf, sourceOf } from '../input-list.js';
import { labelOf, openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { openFor, openLength, readingOf, readingOptions } from '../reading.js';
import { requestOptions, requestsOf } from '../request.js';
import { progressBar, Stopwatch, styled, type Terminal, table } from '../terminal.js';

/** All that is the same for every preset. */
interface Subject {
  readonly program: Program;
  readonly options: ExplanationOptions;
  readonly request: ExplainOptions;
  readonly labels: readonly string[];
  readonly backend: string;
  readonly watch: Stopwatch;
  input(explainer: Explainer): Promise<OpenedInput>;
}

/** @throws RelcError RELC5001 where several classes are named */
async function requestOf(given: Arguments, labels: readonly string[]): Promise<ExplainOptions> {
  const [request, ...others] = await requestsOf(given, labels);
  if (others.length === 0) return request!;
  throw usageError(`--class names ${others.length + 1} classes, and a check accounts for one`, checkCommand);
}

async function open(given: Arguments): Promise<Subject> {
  const list = await inputListOf(given);
  const source = sourceOf(list);
  if (source === undefined || (list.text === undefined && given.rest(1).length !== 1)) {
    throw usageError('a check takes one input: a file, or --text', checkCommand);
  }
  const watch = new Stopwatch();
  await watch.time('start', startTfjs);
  const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
  if (typeof source === 'string') await expectFile(source);
  const reading = await readingOf(given, manifest);
  const length = await openLength(given, manifest, { source, reading });
  const hasPixels = typeof source === 'string' && isPicturePath(source);
  const labels = await openLabels(given.text('labels'), manifest);
  return {
    program: await watch.time('trace', () => trace(model, { ...options, ...stated({ length }) })),
    options: await explanationOptionsOf(given, manifest, hasPixels ? { scale: usualScale } : {}),
    request: await requestOf(given, labels),
    labels,
    backend: usualTarget,
    watch,
    input: (explainer) => openFor(explainer, source, reading),
  };
}

async function checkOne(
  terminal: Terminal,
  { program, options, request, watch, input: open }: Subject,
): Promise<{ report: ConservationReport; notes: readonly string[] }> {
  const explainer = await watch.time('compile', () => compile(program, options));
  try {
    const { values, notes } = await open(explainer);
    const onProgress = progressBar(terminal, explainer.rules);
    const report = await watch.time('check', () => explainer.check(values, { ...request, onProgress }));
    return { report, notes: [...explainer.notes, ...notes] };
  } finally {
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
  const { labels, watch, backend } = subject;
  const { report, notes } = await checkOne(terminal, subject);
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
  const hasAttention = attentionMatrices(canonical(subject.program).program.graph).length > 0;
  for (const [rules, preset] of presets) {
    if (preset.attention !== undefined && !hasAttention) continue;
    try {
      const own = { ...subject, options: { ...optionsFor(preset, subject.options), rules } };
      outcomes.set(rules, (await checkOne(terminal, own)).report);
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
    terminal.out(styled(terminal, 'dim', `${subject.watch.total()} (${subject.backend})`));
  }
  expectExplained(reports);
}

export const checkCommand: Command = {
  name: 'check',
  positionals: ['MODEL', 'INPUT...'],
  summary: 'account for the relevance of one input: what each node loses, and to what',
  description: `For every node what arrives, what leaves, and the difference by its causes, each by a formula of its own and
never by subtraction; in f64 on the host, beside what the compiled explainer says. What no formula explains fails the
command with exit code 3.`,
  options: {
    ...explanationOptions,
    rules: {
      ...explanationOptions.rules,
      help: `${explanationOptions.rules.help};\nall checks every preset`,
    },
    ...requestOptions,
    ...readingOptions,
    class: { ...requestOptions.class, help: 'the class to account for (default: the top one)' },
    all: { type: 'boolean', help: 'list every node, also where nothing is lost' },
    json: { type: 'boolean', help: 'print the whole report as JSON' },
  },
  examples: [
    'relc check model/model.json photo.jpg --rules epsilon --scale 1/127.5,-1',
    'relc check model/model.json photo.jpg --rules all',
    'relc check model/model.json --text "A wonderful little film." --tokenizer tokenizer.json',
    'relc check net.relc x.npy --all',
  ],
  async run(given, terminal) {
    const subject = await open(given);
    await (subject.options.rules === 'all' ? runAll : runOne)(given, terminal, subject);
  },
};
