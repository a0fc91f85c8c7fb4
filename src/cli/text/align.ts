// Alignment: words as the user wrote them. Tokenizers may lower letters, strip accents, cut punctuation off, and write one
// token for all that they do not know.
import type { Word } from './words.js';

/** A character without its accents and case, and where in the text it begins and ends. */
interface Folded {
  readonly character: string;
  readonly start: number;
  readonly end: number;
}

function fold(text: string): Folded[] {
  const folded: Folded[] = [];
  let start = 0;
  for (const whole of text) {
    const end = start + whole.length;
    for (const character of whole.normalize('NFKD').toLowerCase()) {
      if (!/\p{M}/u.test(character)) folded.push({ character, start, end });
    }
    start = end;
  }
  return folded;
}

const isSpace = ({ character }: Folded) => /\s/.test(character);

/** From one folded character to another. */
interface Span {
  readonly from: number;
  readonly to: number;
}

function startsAt(text: readonly Folded[], from: number, wanted: readonly Folded[]): boolean {
  return wanted.every(({ character }, offset) => text[from + offset]?.character === character);
}

/**
 * Where a word stands, after `from`: at once but for white space, or, where the word before it was not found, further on.
 */
function find(text: readonly Folded[], word: string, from: number, isFar: boolean): Span | undefined {
  const wanted = fold(word);
  if (wanted.length === 0) return undefined;
  for (let at = from; at + wanted.length <= text.length; at++) {
    if (startsAt(text, at, wanted)) return { from: at, to: at + wanted.length };
    if (!isFar && !isSpace(text[at]!)) return undefined;
  }
  return undefined;
}

/** Spans of words in the text, in order; those of special tokens, and of what is not found, are left out. */
function spansOf(words: readonly Word[], text: readonly Folded[]): (Span | undefined)[] {
  let [from, isFar] = [0, false];
  return words.map((word) => {
    if (word.special) return undefined;
    const span = find(text, word.text, from, isFar);
    isFar = span === undefined;
    from = span?.to ?? from;
    return span;
  });
}

/** What a lone word that is not found stands for: what is between its neighbours, up to white space. */
function between(
  spans: readonly (Span | undefined)[],
  index: number,
  text: readonly Folded[],
): Span | undefined {
  const isFound = (span: Span | undefined) => span !== undefined;
  let from = spans.slice(0, index).findLast(isFound)?.to ?? 0;
  const end = spans.slice(index + 1).find(isFound)?.from ?? text.length;
  while (from < end && isSpace(text[from]!)) from++;
  let to = from;
  while (to < end && !isSpace(text[to]!)) to++;
  return from < to ? { from, to } : undefined;
}

/** White space, and how many lines it ends. */
function gapOf(gap: string): Word['before'] {
  const lines = gap.split('\n').length - 1;
  if (lines > 0) return lines > 1 ? '\n\n' : '\n';
  return gap === '' ? '' : ' ';
}

/** The words of a text, as they are written there. */
export function aligned(words: readonly Word[], text: string): Word[] {
  const written = text.normalize('NFC');
  const folded = fold(written);
  const found = spansOf(words, folded);
  const isLost = (index: number) =>
    words[index] !== undefined && !words[index].special && found[index] === undefined;
  let end = 0;
  return words.map((word, index) => {
    const isAlone = isLost(index) && !isLost(index - 1) && !isLost(index + 1);
    const span = found[index] ?? (isAlone ? between(found, index, folded) : undefined);
    if (span === undefined) return word;
    const [start, stop] = [folded[span.from]!.start, folded[span.to - 1]!.end];
    const gap = written.slice(end, start);
    end = stop;
    const isFirst = index === 0 || words[index - 1]!.special;
    return { ...word, text: written.slice(start, stop), before: isFirst ? word.before : gapOf(gap) };
  });
}
