// A text and what speaks for and against a class in it, as one page that needs nothing else: no script, no other file.
import { percent } from '../../api/percent.js';
import { toolVersion } from '../../api/version.js';
import { labelOf } from '../labels.js';
import { formatValue } from '../picture/heat.js';
import { scoreText, shownClasses } from '../scores.js';
import { notesOf, type Subject, shareOfStart, subjectName } from '../subject.js';
import { Html, html, when } from './html.js';
import type { TokenText } from './open.js';
import { pageStyle, shadeClass } from './page-style.js';
import { type Panel, type RatedWord, ranked, strengthOf } from './panels.js';

/** Where a page comes from. */
export interface Origin {
  readonly model: string;
  /** The file of the text, if it is from one. */
  readonly input: string | undefined;
}

/** Words in the list of a panel. */
const shownWords = 12;

/** `+0.123`, with a sign that is no hyphen. */
const signed = (value: number) => `${value > 0 ? '+' : ''}${formatValue(value)}`.replaceAll('-', '−');

const share = ({ view }: Panel, amount: number) =>
  view.start === undefined ? '' : percent(shareOfStart(view, amount)).replace('-', '−');

/** `wonderful  +0.53 · 31.2 % of f(x) · wonder +0.4, ##ful +0.13` */
function tipOf(panel: Panel, text: TokenText, word: RatedWord): string {
  const { start } = panel.view;
  const pieces = word.tokens.map((index) => `${text.tokens[index]!.piece} ${signed(panel.tokens[index]!)}`);
  return [
    `${word.text}  ${signed(word.relevance)}`,
    ...(start === undefined ? [] : [`${share(panel, word.relevance)} of ${start}`]),
    ...(pieces.length > 1 ? [pieces.join(', ')] : []),
    ...(word.special ? ['special token'] : []),
  ].join(' · ');
}

const gaps = { '': '', ' ': ' ', '\n': '<br>\n', '\n\n': '<br><br>\n' } as const;

function wordMarkup(panel: Panel, text: TokenText, index: number): Html {
  const word = panel.words[index]!;
  const shade = shadeClass(strengthOf(panel, word.relevance));
  const kinds = [
    ...['w', shade],
    ...(word.special ? ['special'] : []),
    ...(index > 0 && word.before === '' ? ['joins'] : []),
    ...(panel.words[index + 1]?.before === '' ? ['joined'] : []),
  ];
  const gap = new Html(gaps[word.before]);
  return html`${gap}<span class="${kinds.join(' ')}" data-tip="${tipOf(panel, text, word)}">${word.text}</span>`;
}

/** How wide a bar is: a share of the largest. */
const width = (part: number) => `${(100 * Math.min(1, Math.abs(part))).toFixed(1)}%`;

function rankMarkup(panel: Panel, word: RatedWord): Html {
  const side = word.relevance < 0 ? 'against' : 'for';
  const bar = html`<span class="bar"><i class="${side}" style="--w:${width(strengthOf(panel, word.relevance))}"></i></span>`;
  return html`<li><span class="label">${word.text}</span>${bar}<span class="number">${signed(word.relevance)}</span><span class="number share">${share(panel, word.relevance)}</span></li>
`;
}

function tokenTable(panel: Panel, { tokens, padding }: TokenText): Html {
  const rows = tokens.map(
    ({ piece, id }, index) =>
      html`<tr><td class="number">${index}</td><td><code>${piece}</code></td><td class="number">${id}</td><td class="number">${signed(panel.tokens[index]!)}</td><td class="number">${share(panel, panel.tokens[index]!)}</td></tr>
`,
  );
  const rest = when(
    padding > 0,
    () =>
      html`<tr><td></td><td>${padding} of padding</td><td></td><td class="number">${signed(panel.padding)}</td><td class="number">${share(panel, panel.padding)}</td></tr>
`,
  );
  return html`<details><summary>All ${tokens.length} tokens</summary>
<table><thead><tr><th class="number">#</th><th>token</th><th class="number">id</th><th class="number">relevance</th><th class="number">share</th></tr></thead>
<tbody>${rows}${rest}</tbody></table></details>`;
}

/** `f(x) 5.1000 · ΣR 5.0000, 98.0 % of it at the tokens` */
function sumText({ view, tokens, padding }: Panel): string {
  const total = tokens.reduce((sum, value) => sum + value, padding);
  const { start, explanation } = view;
  if (start === undefined) {
    return `f(x) ${explanation.logit.toPrecision(5)} · sum at the tokens ${total.toPrecision(5)}`;
  }
  const arrived = `${percent(shareOfStart(view, total))} of it at the tokens`;
  return `${start} ${explanation.start.toPrecision(5)} · ΣR ${total.toPrecision(5)}, ${arrived}`.replaceAll(
    '-',
    '−',
  );
}

function legend({ limit, exceeded }: Panel): Html {
  const beyond = exceeded ? ' (special tokens go beyond)' : '';
  return html`<p class="legend"><span class="number">−${formatValue(limit)}</span><span class="ramp"></span><span class="number">+${formatValue(limit)}</span><span>blue speaks against, red for the class${beyond}</span></p>
`;
}

function panelMarkup(subject: Subject, panel: Panel, ownScale: boolean): Html {
  const text = subject.input.text!;
  const { view } = panel;
  const words = panel.words.map((_, index) => wordMarkup(panel, text, index));
  const ranks = ranked(panel)
    .slice(0, shownWords)
    .map((word) => rankMarkup(panel, word));
  const none = when(ranks.length === 0, () => html`<li class="none">No word has relevance.</li>\n`);
  return html`<article class="panel">
<h2><span>${subjectName(subject, view)}</span><small>${view.method}</small></h2>
${when(ownScale, () => legend(panel))}<p class="text" dir="auto">${words}<span class="hint" aria-hidden="true">Point at a word for its relevance and its pieces.</span></p>
<p class="sum">${sumText(panel)}</p>
<ol class="ranks">
${ranks}${none}</ol>
${tokenTable(panel, text)}
</article>
`;
}

function scoreList({ views, labels }: Subject): Html {
  const { data } = views[0]!.explanation.scores;
  const explained = new Set(views.map(({ explanation }) => explanation.target));
  const isShares = data.every((score) => score >= 0 && score <= 1);
  const largest = isShares ? 1 : data.reduce((most, score) => Math.max(most, Math.abs(score)), 0) || 1;
  const rows = shownClasses(views).map((index) => {
    const score = data[index]!;
    const kind = explained.has(index) ? 'explained' : 'other';
    const meter = html`<span class="meter"><i style="--w:${width(Math.max(0, score) / largest)}"></i></span>`;
    return html`<li class="${kind}"><span class="label">${labelOf(index, labels)}</span>${meter}<span class="number">${scoreText(score).replace('-', '−')}</span></li>
`;
  });
  return html`<ol class="scores" aria-label="scores">
${rows}</ol>`;
}

function footer(subject: Subject, { model, input }: Origin): Html {
  const entries = [
    ['model', model],
    ...(input === undefined ? [] : [['text', input]]),
    ...notesOf(subject).map((note) => ['note', note]),
    ['made by', `relc ${toolVersion()}`],
  ] as [string, string][];
  return html`<footer><dl>${entries.map(([term, detail]) => html`<dt>${term}</dt><dd>${detail}</dd>\n`)}</dl></footer>`;
}

/** The page of a text under all views, with one scale for those whose relevance has one unit. */
export function pageOf(subject: Subject, panels: readonly Panel[], origin: Origin): string {
  const names = [...new Set(panels.map(({ view }) => subjectName(subject, view)))];
  const oneScale = new Set(panels.map(({ limit, exceeded }) => `${limit} ${exceeded}`)).size === 1;
  const heading = names.map(
    (name, index) => html`${when(index > 0, () => html`<span class="vs"> and </span>`)}${name}`,
  );
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Why ${names.join(' and ')}</title>
<style>
${new Html(pageStyle)}
</style>
</head>
<body>
<main class="${panels.length > 1 ? 'wide' : 'one'}">
<header>
<div><p class="eyebrow">What in the text speaks for and against</p><h1>${heading}</h1></div>
${scoreList(subject)}
</header>
${when(oneScale, () => legend(panels[0]!))}<section class="panels">
${panels.map((panel) => panelMarkup(subject, panel, !oneScale))}</section>
${footer(subject, origin)}
</main>
</body>
</html>
`;
  return page.markup;
}
