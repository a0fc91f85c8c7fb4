// Texts in a terminal: words on a background of their relevance, and the words that have most of it.
import { percent } from '../../api/percent.js';
import { formatValue } from '../picture/heat.js';
import { shareOfStart } from '../subject.js';
import { type Terminal, table, widthOf } from '../terminal.js';
import type { TokenText } from './open.js';
import { type Panel, type RatedWord, ranked, strengthOf } from './panels.js';
import { shadeOf } from './shades.js';

/** Rows of the table. */
const shownWords = 10;

const reset = '\u001b[0m';

/** Letters on paper; special tokens slanted. */
function painted(text: string, strength: number, special: boolean): string {
  const { paper, ink } = shadeOf(strength, 'light');
  const slanted = special ? '\u001b[3m' : '';
  return `\u001b[48;2;${paper.join(';')}m\u001b[38;2;${ink.join(';')}m${slanted}${text}${reset}`;
}

/** Special tokens in brackets, if they bring none: `[CLS]`, `<s>`, and `⟨eos⟩`. */
function marked({ text, special }: RatedWord): string {
  // What steers a terminal is not sent there
  const shown = text.replaceAll(/\p{Cc}/gu, '\uFFFD');
  return special && !/^[<[(⟨].*[>\])⟩]$/.test(shown) ? `⟨${shown}⟩` : shown;
}

/** Words in lines, each of no more cells than there are columns if a word has no more itself. */
function linesOf(words: readonly RatedWord[], columns: number): RatedWord[][] {
  const lines: RatedWord[][] = [[]];
  let used = 0;
  for (const word of words) {
    const width = widthOf(marked(word));
    const isFull = used + word.before.length + width > columns;
    if (used > 0 && (isFull || word.before.startsWith('\n'))) {
      lines.push(...(word.before === '\n\n' ? [[], []] : [[]]));
      used = 0;
    }
    used += width + (used > 0 ? word.before.length : 0);
    lines.at(-1)!.push(word);
  }
  return lines;
}

function paintedLine(panel: Panel, words: readonly RatedWord[]): string {
  return words
    .map((word, index) => {
      const space = index > 0 && word.before !== '' ? painted(' ', 0, false) : '';
      return space + painted(marked(word), strengthOf(panel, word.relevance), word.special);
    })
    .join('');
}

function legend({ limit, exceeded }: Panel): string {
  const steps = Array.from({ length: 17 }, (_, step) => painted(' ', (step - 8) / 8, false)).join('');
  const value = formatValue(limit);
  return `-${value} ${steps} +${value}${exceeded ? ' and beyond' : ''}`;
}

/** The words with most relevance, their pieces where there are several. */
function wordTable(panel: Panel, text: TokenText): string {
  const { view, words } = panel;
  const hasPieces = words.some(({ tokens }) => tokens.length > 1);
  const hasShare = view.start !== undefined;
  const all = ranked(panel);
  const rows = all
    .slice(0, shownWords)
    .map((word) => [
      marked(word),
      ...(hasPieces ? [piecesOf(word, text)] : []),
      formatValue(word.relevance),
      ...(hasShare ? [percent(shareOfStart(view, word.relevance))] : []),
    ]);
  const head = ['word', ...(hasPieces ? ['pieces'] : []), 'relevance', ...(hasShare ? ['share'] : [])];
  const rest = all.length - rows.length;
  return [table([head, ...rows]), ...(rest > 0 ? [`… and ${rest} of smaller magnitude`] : [])].join('\n');
}

/** `wonder ##ful` */
export const piecesOf = ({ tokens }: RatedWord, text: TokenText): string =>
  tokens.length === 1 ? '' : tokens.map((index) => text.tokens[index]!.piece).join(' ');

/** A text under one view: in colours if there are some, and the words that have most of the relevance. */
export function drawText(terminal: Terminal, panel: Panel, text: TokenText): string {
  const lines = linesOf(panel.words, terminal.columns - 1);
  const coloured = terminal.colour
    ? [...lines.map((line) => paintedLine(panel, line)), legend(panel), '']
    : [];
  const padding =
    text.padding === 0
      ? []
      : [`padding: ${text.padding} tokens, ΣR ${formatValue(panel.padding)}, not shown`];
  return [...coloured, wordTable(panel, text), ...padding].join('\n');
}
