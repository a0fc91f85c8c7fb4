// The report of relc explain: for a terminal, and as JSON.
import type { Explanation, Values } from '../api/explainer.js';
import { percent } from '../api/percent.js';
import { labelOf } from './labels.js';
import { explainsTokens, hasPatches, notesOnPatches } from './patches/maps.js';
import { drawInTerminal, tokenJson, tokenLine } from './patches/report.js';
import { formatValue } from './picture/heat.js';
import { renderTerminal } from './picture/terminal.js';
import { heatAt, type Subject, subjectName, valuesOf } from './subject.js';
import { styled, type Terminal, table } from './terminal.js';

const sum = (data: Float32Array) => data.reduce((total, value) => total + value, 0);

/** Rows of a table of relevance. */
const shownEntries = 10;

/** What arrived of what relevance started with; NaN where that means nothing. */
const shareOf = (subject: Subject, { start }: Explanation, { data }: Values) =>
  subject.start === undefined ? Number.NaN : sum(data) / start;

/** The classes with the largest scores, best first. */
function topClasses(scores: Float32Array, count: number): number[] {
  return [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, count);
}

/** Four decimals, so that points stand below each other; powers of ten where nothing would be left. */
const scoreText = (score: number) =>
  Math.abs(score) >= 1e-4 || score === 0 ? score.toFixed(4) : score.toExponential(1);

/** The top classes with their scores, those explained marked and always among them. */
function scoreTable(terminal: Terminal, { explanations, labels }: Subject): string {
  const { data } = explanations[0]!.scores;
  const explained = new Set(explanations.map(({ target }) => target));
  const shown = new Set([...topClasses(data, 5), ...explained]);
  const rows = [...shown].map((index) => [
    explained.has(index) ? '›' : ' ',
    labelOf(index, labels),
    scoreText(data[index]!),
  ]);
  const lines = table([['', 'class', 'score'], ...rows]).split('\n');
  const marked = lines.map((line) => (line.startsWith('›') ? styled(terminal, 'bold', line) : line));
  return [styled(terminal, 'dim', marked[0]!), ...marked.slice(1)].join('\n');
}

/** `[3,1]`: the place of an element in one sample of a shape. */
function placeOf(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const extent of shape.slice(1).reverse()) {
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return `[${place.join(',')}]`;
}

/** Relevance for each element of the input where the embedding of an integer is explained, the last axis summed. */
function perInput(values: Values, elements: number): Values {
  const width = values.data.length / elements;
  const isEmbedding = values.shape.at(-1) === width && width > 1 && Number.isInteger(width);
  if (!isEmbedding) return values;
  const data = Float32Array.from({ length: elements }, (_, i) =>
    sum(values.data.subarray(i * width, (i + 1) * width)),
  );
  return { data, shape: values.shape.slice(0, -1) };
}

/** The entries of largest magnitude, with the input's own values where they stand for them. */
function entryTable(subject: Subject, name: string, explanation: Explanation): string {
  const { explainer, input } = subject;
  const isInput = explainer.inputs.some((node) => node.name === name);
  const found = explanation.relevances[name]!;
  const { data, shape } = isInput ? perInput(found, input.values.length) : found;
  const order = [...data.keys()].sort((a, b) => Math.abs(data[b]!) - Math.abs(data[a]!));
  const hasValues = isInput && data.length === input.values.length;
  const rows = order
    .slice(0, shownEntries)
    .map((index) => [
      placeOf(index, shape),
      ...(hasValues ? [formatValue(input.values[index]!)] : []),
      formatValue(data[index]!),
    ]);
  const rest = data.length - rows.length;
  const lines = [table([[name, ...(hasValues ? ['value'] : []), 'relevance'], ...rows])];
  return [...lines, ...(rest > 0 ? [`… and ${rest} of smaller magnitude`] : [])].join('\n');
}

function drawing(terminal: Terminal, subject: Subject, name: string, explanation: Explanation): string {
  const heat = heatAt(subject, name, explanation);
  if (heat === undefined) return entryTable(subject, name, explanation);
  const columns = Math.min(48, terminal.columns - 2, 2 * heat.width);
  return renderTerminal(heat, { columns, colour: terminal.colour });
}

/** Pictures or tables of an explanation: one a value, or of patches one with all blocks. */
function drawings(
  terminal: Terminal,
  subject: Subject,
  explanation: Explanation,
): [title: string, text: string][] {
  const name = subjectName(subject, explanation);
  if (hasPatches(subject)) return [[name, drawInTerminal({ ...subject, explanation }, terminal)]];
  return valuesOf(subject).map((value) => [
    `${name} at ${value}`,
    drawing(terminal, subject, value, explanation),
  ]);
}

/** `epsilon for roses: f(x) 5.1000 · ΣR 5.0000 · 98.0 % arrived at the input` */
function sumLine(terminal: Terminal, subject: Subject, name: string, explanation: Explanation): string {
  const values = explanation.relevances[name]!;
  const where = subject.explainer.request.relevanceOf === undefined ? 'the input' : name;
  const head = `${subject.method} for ${styled(terminal, 'bold', subjectName(subject, explanation))}`;
  const total = sum(values.data).toPrecision(5);
  if (subject.start === undefined) {
    return `${head}: f(x) ${explanation.logit.toPrecision(5)} · sum at ${where} ${total}`;
  }
  const start = `${subject.start} ${explanation.start.toPrecision(5)}`;
  const share = percent(shareOf(subject, explanation, values));
  const gap = 'gap' in explanation ? ` · gap ${(explanation.gap as number).toPrecision(2)}` : '';
  return `${head}: ${start} · ΣR ${total} · ${share} arrived at ${where}${gap}`;
}

/** A line a value, or one for all tokens. */
function sumLines(terminal: Terminal, subject: Subject, explanation: Explanation): string[] {
  const { explainer, method } = subject;
  if (!explainsTokens(explainer)) {
    return valuesOf(subject).map((name) => sumLine(terminal, subject, name, explanation));
  }
  const name = subjectName(subject, explanation);
  return [tokenLine({ ...subject, explanation }, terminal, { method, name })];
}

/** Prints pictures or tables, scores, sums and times; notes go to standard error. */
export function printReport(terminal: Terminal, subject: Subject, saved: readonly string[]): void {
  const { explainer, explanations, watch, backend } = subject;
  for (const note of [...explainer.notes, ...notesOnPatches(subject)]) terminal.err(`note: ${note}`);
  const all = explanations.flatMap((explanation) => drawings(terminal, subject, explanation));
  for (const [title, text] of all) {
    if (all.length > 1) terminal.out(styled(terminal, 'bold', title));
    terminal.out(`${text}\n`);
  }
  terminal.out(`${scoreTable(terminal, subject)}\n`);
  for (const explanation of explanations) {
    for (const line of sumLines(terminal, subject, explanation)) terminal.out(line);
  }
  for (const path of saved) terminal.out(`wrote ${styled(terminal, 'cyan', path)}`);
  terminal.out(styled(terminal, 'dim', `${watch.print()} (${backend})`));
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

function relevanceOf(subject: Subject, explanation: Explanation, values: Values) {
  return {
    shape: values.shape,
    sum: sum(values.data),
    share: finite(shareOf(subject, explanation, values)),
  };
}

/** One explanation for machines; `relevances` where values were asked for by name. */
function explanationJson(subject: Subject, explanation: Explanation) {
  const { explainer, labels } = subject;
  const { target, logit, start, against, relevance, relevances } = explanation;
  const named = Object.entries(relevances).map(([name, values]) => [
    name,
    relevanceOf(subject, explanation, values),
  ]);
  return {
    target,
    label: labelOf(target, labels),
    logit,
    ...(against === undefined ? {} : { against, againstLabel: labelOf(against, labels) }),
    start,
    ...('gap' in explanation ? { gap: explanation.gap } : {}),
    relevance: relevanceOf(subject, explanation, relevance),
    ...(explainsTokens(explainer) ? tokenJson({ ...subject, explanation }) : {}),
    ...(explainer.request.relevanceOf === undefined ? {} : { relevances: Object.fromEntries(named) }),
  };
}

/** The report for machines: the fields of the first explanation stand at the top, all of them in a list. */
export function reportOf(
  subject: Subject,
  { model, input, files }: { model: string; input: string; files: readonly string[] },
) {
  const { explainer, explanations, method, backend, watch } = subject;
  const list = explanations.map((explanation) => explanationJson(subject, explanation));
  return {
    ...{ model, input, rules: explainer.rules, method, seed: explainer.seed },
    ...list[0],
    scores: [...explanations[0]!.scores.data],
    explanations: list,
    ...{ notes: [...explainer.notes, ...notesOnPatches(subject)], files, backend },
    milliseconds: Object.fromEntries(watch.phases),
  };
}
