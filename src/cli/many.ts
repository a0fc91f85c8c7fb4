// relc explain over many inputs: one after another, files and a line in the journal each, whatever becomes of the others.
import { extname, join, resolve } from 'node:path';
import { isOfOneInput } from '../api/batch.js';
import type { Explainer } from '../api/explainer.js';
import { seedKind } from '../api/seed.js';
import { turn } from '../api/turn.js';
import { RelcError } from '../ir/error.js';
import type { Arguments } from './arguments.js';
import { writeWhole } from './files.js';
import { type Fingerprint, fingerprintOf } from './fingerprint.js';
import { arrayPath, saveFiles } from './heatmaps.js';
import { type InputList, namesFor } from './input-list.js';
import { type DoneLine, type FailedLine, Journal, stampOf } from './journal.js';
import type { Refuse } from './method.js';
import { notesOnPatches } from './patches/maps.js';
import { disposeAll, type Prepared, prepare, subjectOf } from './prepare.js';
import { reportOf } from './report.js';
import { relevanceNames, subjectName } from './subject.js';
import { progressBar, Stopwatch, styled, type Terminal, timeText } from './terminal.js';

/** Failures that are told at the end; the journal has all. */
const toldFailures = 20;

/** An input, and where its files go. */
interface Item {
  readonly input: string;
  /** Without its ending. */
  readonly shown: string;
  readonly arrays: string | undefined;
}

/** Where everything goes. */
interface Folders {
  readonly out: string;
  readonly arrays: string | undefined;
}

/** @throws RelcError RELC5001 where a file is named: it would hold one result of many */
function foldersOf(given: Arguments, refuse: Refuse): Folders {
  for (const name of ['out', 'save-relevance']) {
    const path = given.text(name);
    if (
      path === undefined ||
      !['.png', '.jpg', '.jpeg', '.npy', '.html', '.htm'].includes(extname(path).toLowerCase())
    )
      continue;
    throw refuse(`--${name} ${path} names a file; with many inputs it is a folder`);
  }
  return { out: given.text('out') ?? 'heat', arrays: given.text('save-relevance') };
}

/** The items of inputs; inputs of an earlier run keep their names from being given twice. */
function itemsOf(inputs: readonly string[], { out, arrays }: Folders, earlier: readonly string[]): Item[] {
  const known = new Set(inputs.map((input) => resolve(input)));
  const names = namesFor([...inputs, ...earlier.filter((input) => !known.has(resolve(input)))]);
  return inputs.map((input, index) => ({
    input,
    shown: join(out, names[index]!),
    arrays: arrays === undefined ? undefined : join(arrays, `${names[index]}.npy`),
  }));
}

/** @throws RelcError RELC5001 where what is written would take the place of an input */
function expectApart(items: readonly Item[], { explainers }: Prepared): void {
  const inputs = new Set(items.map(({ input }) => resolve(input)));
  const values = relevanceNames(explainers[0]!);
  for (const { shown, arrays } of items) {
    const saved =
      arrays === undefined ? [] : values.map((name) => arrayPath(arrays, name, values.length === 1));
    const taken = [`${shown}.png`, `${shown}.html`, ...saved].find((path) => inputs.has(resolve(path)));
    if (taken === undefined) continue;
    throw new RelcError('RELC5001', `${taken} would be written over an input`, 'name another folder');
  }
}

/** @throws RelcError RELC3004, RELC4003 where what is asked fits no input: told before anything is written */
function expectRequests({ requests, explainers }: Prepared): void {
  for (const { seed } of explainers) for (const request of requests) seedKind(request, seed);
  const [{ classes }] = explainers as [Explainer];
  const asked = requests.flatMap(({ target, against }) => [target ?? [], against ?? []].flat());
  const none = asked.find((index) => index >= classes);
  if (none === undefined) return;
  throw new RelcError('RELC4003', `${none} is no class`, `classes are 0 to ${classes - 1}`);
}

/** What one run over many inputs is made of. */
interface Run {
  readonly model: string;
  readonly prepared: Prepared;
  readonly fingerprint: Fingerprint;
  readonly journal: Journal;
  readonly items: readonly Item[];
  readonly terminal: Terminal;
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

/** Explains one input and writes its files. @returns its line in the journal, and what to call its result */
async function explained(
  { model, prepared, fingerprint, signal }: Run,
  { input, shown, arrays }: Item,
  onProgress: (done: number, all: number) => void,
): Promise<Outcome> {
  const watch = new Stopwatch();
  // Before it is read: what changes meanwhile is explained again
  const stamp = await stampOf(input);
  const subject = await subjectOf(prepared, input, { watch, onProgress, signal });
  const files = await saveFiles(subject, {
    out: undefined,
    arrays,
    usual: { picture: `${shown}.png`, page: `${shown}.html` },
    origin: { model, input },
    save: writeWhole,
  });
  const classes = [...new Set(subject.views.map((view) => subjectName(subject, view)))].join(', ');
  return [{ ...reportOf(subject, { model, input, files }), ...stamp!, fingerprint }, `${input}: ${classes}`];
}

/** What became of an input: its line, and a few words with its path. */
type Outcome = readonly [line: DoneLine | FailedLine, words: string];

/** `RELC5003: pics/a.png is …`: of errors that do not name the input, the path goes before. */
const failureText = ({ input, error: { code, message } }: FailedLine) =>
  message.includes(input) ? `${code}: ${message}` : `${input}: ${code}: ${message}`;

/**
 * The outcome of an input: errors of the command, files and inputs are its own, all others end the run.
 * @returns undefined where the signal aborted before it was explained
 */
async function outcomeOf(
  run: Run,
  item: Item,
  onProgress: (done: number, all: number) => void,
): Promise<Outcome | undefined> {
  try {
    return await explained(run, item, onProgress);
  } catch (error) {
    if (run.signal.aborted && error === run.signal.reason) return undefined;
    const isOwn = isOfOneInput(error) || (error instanceof RelcError && error.code.startsWith('RELC5'));
    if (!isOwn) throw error;
    const { code, detail } = error;
    const line = { input: item.input, error: { code, message: detail } };
    return [line, failureText(line)];
  }
}

/** Tells of an input that is done: on a screen the bar goes on, elsewhere there is a line each. */
function tell({ terminal, isJson, items }: Run, [line, words]: Outcome, count: number): void {
  if (isJson) {
    terminal.status?.('');
    terminal.out(JSON.stringify(line));
  } else if (terminal.status === undefined) terminal.err(`${count}/${items.length} ${words}`);
}

const counted = ({ length }: readonly Item[]) => `${length} ${length === 1 ? 'input' : 'inputs'}`;

/** How a run ended. */
interface End {
  /** Inputs of this run that have a line now. */
  readonly done: number;
  readonly failed: readonly FailedLine[];
}

/** Explains what is to come, until the signal aborts. */
async function runThrough(run: Run, toCome: readonly Item[]): Promise<End> {
  const { journal, items, terminal, signal } = run;
  const [bar, begin, earlier] = [
    progressBar(terminal, 'explain'),
    performance.now(),
    items.length - toCome.length,
  ];
  const failed: FailedLine[] = [];
  for (const [done, item] of toCome.entries()) {
    await turn();
    if (signal.aborted) return { done, failed };
    const left = ((performance.now() - begin) / done) * (toCome.length - done);
    const show = (within = '') => {
      const time = done === 0 ? '' : `${timeText(left)} left · `;
      bar(earlier + done, items.length, `${time}${item.input}${within}`);
    };
    show();
    const outcome = await outcomeOf(run, item, (part, all) => show(` ${part}/${all}`));
    if (outcome === undefined) return { done, failed };
    await journal.add(outcome[0]);
    if ('error' in outcome[0]) failed.push(outcome[0]);
    tell(run, outcome, earlier + done + 1);
  }
  return { done: toCome.length, failed };
}

/** @throws RelcError RELC5006 (inputs that failed), RELC5007 (inputs that are left) */
function conclude({ items, journal, terminal }: Run, { done, failed }: End, earlier: number): void {
  for (const line of failed.slice(0, toldFailures)) {
    terminal.err(`${styled(terminal, 'red', 'failed')} ${failureText(line)}`);
  }
  if (failed.length > toldFailures) terminal.err(`… and ${failed.length - toldFailures} more`);
  if (earlier + done < items.length) {
    throw new RelcError(
      'RELC5007',
      `stopped after ${earlier + done} of ${counted(items)}`,
      'the same command with --resume goes on from there',
    );
  }
  if (failed.length === 0) return;
  throw new RelcError(
    'RELC5006',
    `${failed.length} of ${counted(items)} could not be explained`,
    `${journal.path} says why; the same command with --resume tries them again`,
  );
}

async function itemsToCome({ journal, items }: Run, { arrays }: Folders): Promise<Item[]> {
  const toCome: Item[] = [];
  for (const item of items) {
    if (!(await journal.isDone(item.input, arrays === undefined ? [] : [arrays]))) toCome.push(item);
  }
  return toCome;
}

const notesOfAll = ({ explainers, drawing }: Prepared) =>
  new Set(explainers.flatMap((explainer) => [...explainer.notes, ...notesOnPatches({ explainer, drawing })]));

/** Runs what is prepared, from the journal's beginning to the last line that is printed. */
async function runPrepared(run: Run, folders: Folders): Promise<void> {
  const { journal, items, terminal, isJson, prepared } = run;
  if (!isJson) for (const note of notesOfAll(prepared)) terminal.err(`note: ${note}`);
  const toCome = await itemsToCome(run, folders);
  const earlier = items.length - toCome.length;
  await journal.begin(toCome.map(({ input }) => input));
  const end = await prepared.watch
    .time('inputs', () => runThrough(run, toCome))
    .finally(() => terminal.status?.(''));
  if (!isJson) {
    const parts = [
      `${end.done - end.failed.length} explained`,
      ...(earlier > 0 ? [`${earlier} done before`] : []),
      ...(end.failed.length > 0 ? [`${end.failed.length} failed`] : []),
    ];
    terminal.out(`${counted(items)}: ${parts.join(', ')}`);
    terminal.out(`wrote ${styled(terminal, 'cyan', journal.path)} and the files that it names`);
    terminal.out(styled(terminal, 'dim', `${prepared.watch.print()} (${prepared.backend})`));
  }
  conclude(run, end, earlier);
}

/**
 * Explains many inputs with one explainer.
 * @param signal  stops between two inputs, or in the middle of a method
 * @throws RelcError RELC5001 (options that do not fit, results of another run), RELC5006 (some inputs failed), RELC5007
 *   (the signal aborted), and errors that are no input's own
 */
export async function explainMany(
  given: Arguments,
  list: InputList,
  { refuse, terminal, signal }: { refuse: Refuse; terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const folders = foldersOf(given, refuse);
  const prepared = await prepare(given, list, refuse);
  try {
    expectRequests(prepared);
    const fingerprint = fingerprintOf(prepared);
    const path = join(folders.out, 'results.jsonl');
    const journal = await Journal.open(path, given.flag('resume') ? fingerprint : undefined);
    const items = itemsOf(list.paths, folders, journal.inputs);
    expectApart(items, prepared);
    const [model, isJson] = [given.positional(0), given.flag('json')];
    const run = { model, prepared, fingerprint, journal, items, terminal, isJson, signal };
    await runPrepared(run, folders);
  } finally {
    disposeAll(prepared.explainers);
  }
}
