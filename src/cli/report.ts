// The report of relc explain: for a terminal, and as JSON.
import type { Values } from '../api/explainer.js';
import { percent } from '../api/percent.js';
import { labelOf } from './labels.js';
import { explainsTokens, hasPatches } from './patches/maps.js';
import { drawInTerminal, tokenJson, tokenLine } from './patches/report.js';
import { formatValue } from './picture/heat.js';
import { renderTerminal } from './picture/terminal.js';
import { scoreText, shownClasses } from './scores.js';
import {
  countOfRules,
  heatAt,
  notesOf,
  type Subject,
  shareOfStart,
  subjectName,
  sum,
  type View,
  valuesOf,
} from './subject.js';
import { styled, type Terminal, table } from './terminal.js';
import { panelsOf } from './text/panels.js';
import { panelJson } from './text/report.js';
import { drawText } from './text/terminal.js';

/** Rows of a table of relevance. */
const shownEntries = 10;

/** The top classes with their scores, those explained marked and always among them. */
function scoreTable(terminal: Terminal, { views, labels }: Subject): string {
  const { data } = views[0]!.explanation.scores;
  const explained = new Set(views.map(({ explanation }) => explanation.target));
  const rows = shownClasses(views).map((index) => [
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

/** The entries of largest magnitude, with the input's own values where they stand for them. */
function entryTable({ input }: Subject, name: string, { explanation }: View): string {
  const { data, shape } = explanation.relevances[name]!;
  const order = [...data.keys()].sort((a, b) => Math.abs(data[b]!) - Math.abs(data[a]!));
  const given = input.values[name];
  const values = given?.length === data.length ? given : undefined;
  const rows = order
    .slice(0, shownEntries)
    .map((index) => [
      placeOf(index, shape),
      ...(values === undefined ? [] : [formatValue(values[index]!)]),
      formatValue(data[index]!),
    ]);
  const rest = data.length - rows.length;
  const head = [name, ...(values === undefined ? [] : ['value']), 'relevance'];
  return [table([head, ...rows]), ...(rest > 0 ? [`… and ${rest} of smaller magnitude`] : [])].join('\n');
}

function drawing(terminal: Terminal, subject: Subject, name: string, view: View): string {
  const heat = heatAt(view, name);
  if (heat === undefined) return entryTable(subject, name, view);
  const columns = Math.min(48, terminal.columns - 2, 2 * heat.width);
  return renderTerminal(heat, { columns, colour: terminal.colour });
}

/** `epsilon for roses: f(x) 5.1000 · ΣR 5.0000 · 98.0 % arrived at the input` */
function sumLine(terminal: Terminal, subject: Subject, name: string, view: View): string {
  const { explainer, explanation, method, start } = view;
  const where = explainer.request.relevanceOf === undefined ? 'the input' : name;
  const head = `${method} for ${styled(terminal, 'bold', subjectName(subject, view))}`;
  const total = sum(explanation.relevances[name]!.data);
  if (start === undefined) {
    return `${head}: f(x) ${explanation.logit.toPrecision(5)} · sum at ${where} ${total.toPrecision(5)}`;
  }
  const share = percent(shareOfStart(view, total));
  const gap = 'gap' in explanation ? ` · gap ${(explanation.gap as number).toPrecision(2)}` : '';
  return `${head}: ${start} ${explanation.start.toPrecision(5)} · ΣR ${total.toPrecision(5)} · ${share} arrived at ${where}${gap}`;
}

/** A line a value, or one for all tokens. */
function sumLines(terminal: Terminal, subject: Subject, view: View): string[] {
  if (!explainsTokens(view.explainer)) {
    return valuesOf(subject).map((name) => sumLine(terminal, subject, name, view));
  }
  const { drawing: how } = subject;
  const told = { method: view.method, name: subjectName(subject, view) };
  return [tokenLine({ ...view, drawing: how }, terminal, told)];
}

/** What is drawn: a text for each view, else patches for each view, else each value for each view. */
function drawings(terminal: Terminal, subject: Subject): (readonly [title: string, drawn: string])[] {
  const { text } = subject.input;
  const panels = panelsOf(subject);
  const byRules = countOfRules(subject) > 1 ? (view: View) => ` by ${view.method}` : () => '';
  const title = (view: View) => `${subjectName(subject, view)}${byRules(view)}`;
  if (text !== undefined && panels.length > 0) {
    return panels.map((panel) => [title(panel.view), drawText(terminal, panel, text)]);
  }
  const { drawing: how } = subject;
  return subject.views.flatMap((view) =>
    hasPatches({ ...view, drawing: how })
      ? [[title(view), drawInTerminal({ ...view, drawing: how }, terminal)] as const]
      : valuesOf(subject).map(
          (name) => [`${title(view)} at ${name}`, drawing(terminal, subject, name, view)] as const,
        ),
  );
}

/** Prints pictures, texts or tables, scores, sums and times; notes go to standard error. */
export function printReport(terminal: Terminal, subject: Subject, saved: readonly string[]): void {
  const { views, watch, backend } = subject;
  for (const note of notesOf(subject)) terminal.err(`note: ${note}`);
  const drawn = drawings(terminal, subject);
  for (const [title, lines] of drawn) {
    if (drawn.length > 1) terminal.out(styled(terminal, 'bold', title));
    terminal.out(`${lines}\n`);
  }
  terminal.out(`${scoreTable(terminal, subject)}\n`);
  for (const view of views) {
    for (const line of sumLines(terminal, subject, view)) terminal.out(line);
  }
  for (const path of saved) terminal.out(`wrote ${styled(terminal, 'cyan', path)}`);
  terminal.out(styled(terminal, 'dim', `${watch.print()} (${backend})`));
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

function relevanceOf(view: View, { shape, data }: Values) {
  const total = sum(data);
  return { shape, sum: total, share: finite(shareOfStart(view, total)) };
}

/** One explanation for machines; `relevances` where values were asked for by name. */
function viewJson(subject: Subject, view: View) {
  const { labels } = subject;
  const { explainer, explanation, method } = view;
  const { target, logit, start, against, relevance, relevances } = explanation;
  const named = Object.entries(relevances).map(([name, values]) => [name, relevanceOf(view, values)]);
  return {
    ...{ rules: explainer.rules, method, target, label: labelOf(target, labels), logit },
    ...(against === undefined ? {} : { against, againstLabel: labelOf(against, labels) }),
    start,
    ...('gap' in explanation ? { gap: explanation.gap } : {}),
    relevance: relevanceOf(view, relevance),
    ...(explainsTokens(explainer) ? tokenJson({ ...view, drawing: subject.drawing }) : {}),
    ...(explainer.request.relevanceOf === undefined ? {} : { relevances: Object.fromEntries(named) }),
  };
}

/** The report for machines: the fields of the first explanation stand at the top, all of them in a list. */
export function reportOf(
  subject: Subject,
  { model, input, files }: { model: string; input: string; files: readonly string[] },
) {
  const { views, backend, watch, input: opened } = subject;
  const panels = panelsOf(subject);
  const list = views.map((view, index) => ({
    ...viewJson(subject, view),
    ...(panels[index] === undefined ? {} : panelJson(panels[index], opened.text!)),
  }));
  const [{ explainer, explanation }] = views as [View];
  return {
    ...{ model, input, seed: explainer.seed },
    ...list[0],
    scores: [...explanation.scores.data],
    explanations: list,
    ...{ notes: notesOf(subject), files, backend },
    milliseconds: Object.fromEntries(watch.phases),
  };
}
