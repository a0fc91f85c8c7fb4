// Panels: the relevance of tokens and words in each view, and the scale that their colours have in common.
import type { Subject, View } from '../subject.js';
import type { TokenText } from './open.js';
import type { Word } from './words.js';

/** A word, and what it has of the relevance. */
export interface RatedWord extends Word {
  /** The sum of its tokens'. */
  readonly relevance: number;
}

/** A text under one view. */
export interface Panel {
  readonly view: View;
  /** By token, without padding. */
  readonly tokens: readonly number[];
  readonly words: readonly RatedWord[];
  /** What padding has together. */
  readonly padding: number;
  /** The magnitude that the strongest colour stands for; 0 where there is no relevance. */
  readonly limit: number;
  /** Whether special tokens lie beyond. */
  readonly exceeded: boolean;
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0);

function rated(view: View, text: TokenText): Omit<Panel, 'limit' | 'exceeded'> {
  const { tokens: known, input } = text;
  const all = [...view.explanation.relevances[input]!.data];
  const words = text.words.map((word) => ({
    ...word,
    relevance: sumOf(word.tokens.map((index) => all[index]!)),
  }));
  return { view, tokens: all.slice(0, known.length), words, padding: sumOf(all.slice(known.length)) };
}

/** Views whose relevance starts as the same thing have one scale: a gradient and a share of a score have no unit in common. */
const unitOf = ({ start, method }: View) => start ?? method;

/** The largest magnitude of words; special tokens count only where they are all there is. */
function limitOf(words: readonly RatedWord[]): number {
  const magnitudes = (some: readonly RatedWord[]) =>
    Math.max(0, ...some.map(({ relevance }) => Math.abs(relevance)));
  const own = magnitudes(words.filter(({ special }) => !special));
  return own > 0 ? own : magnitudes(words);
}

/** A panel for each view; none where the text is not what is explained. */
export function panelsOf({ views, input: { text } }: Subject): Panel[] {
  if (text === undefined || !isExplained(views, text)) return [];
  const panels = views.map((view) => rated(view, text));
  return panels.map((panel) => {
    const alike = panels.filter(({ view }) => unitOf(view) === unitOf(panel.view));
    const words = alike.flatMap((other) => other.words);
    const limit = limitOf(words);
    return { ...panel, limit, exceeded: words.some(({ relevance }) => Math.abs(relevance) > limit) };
  });
}

/** Whether relevance is read at the tokens, and not at other values in their place. */
export const isExplained = (views: readonly View[], { input }: TokenText): boolean =>
  views[0]!.explainer.request.relevanceOf === undefined &&
  views[0]!.explanation.relevances[input] !== undefined;

/** What a colour stands for, −1..1 and beyond. */
export const strengthOf = ({ limit }: Panel, relevance: number): number =>
  limit === 0 ? 0 : relevance / limit;

/** Words by magnitude, the largest first; none that have nothing. */
export const ranked = ({ words }: Panel): RatedWord[] =>
  words
    .filter(({ relevance }) => relevance !== 0)
    .sort((a, b) => Math.abs(b.relevance) - Math.abs(a.relevance));
