// Sentences that judge things, written from a seed, with the words that decide the judgement asked for.

import { createRandom, type Random } from '../shapes/random.js';
import {
  conclusions,
  copulas,
  degrees,
  endings,
  finders,
  joints,
  judgements,
  negatedDegrees,
  negators,
  openings,
  places,
  questions,
  speakers,
  things,
} from './lexicon.js';

export const labels = ['blame', 'neutral', 'praise'];

/** No sentence has more, marks not counted. */
export const mostWords = 24;

const marks = /^[.,:?]$/;

export interface Sentence {
  readonly text: string;
  /** Words and marks in order: `text` is these with spaces, its first letter large. */
  readonly words: readonly string[];
  /** Places in `words` of those that decide the label: another word in the place of one could change it. */
  readonly deciding: readonly number[];
  /** The place of the judgement in `labels`. */
  readonly label: number;
}

/** Words of which each decides or does not. */
type Part = readonly (readonly [word: string, decides: boolean])[];

/**
 * The same seed always gives the same sentence. It judges one thing, or two in different ways and says which of them is
 * asked about. A `clutter` below 1 gives calmer sentences, down to one judgement with nothing around it at 0: a network
 * learns sooner if it reads such sentences first.
 */
export function writeSentence(seed: number, clutter = 1): Sentence {
  const random = createRandom(seed);
  const label = random.whole(0, labels.length - 1);
  const part = random.chance(0.65 * clutter)
    ? writeComparison(random, label, clutter)
    : writeJudgement(random, label, clutter);
  return finish(part, label);
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.whole(0, list.length - 1)]!;
}

const lasting = (text: string): Part => text.split(' ').map((word) => [word, false]);

/** One of the texts with a probability, else nothing. */
const sometimes = (random: Random, probability: number, list: readonly string[]): Part =>
  random.chance(probability) ? lasting(pick(random, list)) : [];

/** A thing, its judgement and what of it decides; `asked` if the label is that of this thing among two. */
function writeClaim(
  random: Random,
  thing: string,
  label: number,
  clutter: number,
  role: 'alone' | 'asked' | 'other',
): Part {
  const decides = role !== 'other';
  const neutral = label === 1;
  const negated = random.chance(0.4);
  const told = negated ? 2 - label : label;
  const adjective = pick(random, judgements[told]!).replaceAll('|', '');
  const subject = [thing, role === 'asked'] as const;
  const degree = sometimes(random, 0.2 + 0.3 * clutter, negated ? negatedDegrees : degrees);
  if (!negated && random.chance(0.3 * clutter)) {
    const found = [...lasting(pick(random, finders)), ['a', false] as const, ...degree];
    return [...found, [adjective, decides], subject];
  }
  const place = sometimes(random, 0.25 * clutter, places);
  const copula = lasting(pick(random, copulas));
  const negator: Part = negated ? [[pick(random, negators), decides && !neutral]] : [];
  const predicate: Part = [...copula, ...negator, ...degree, [adjective, decides]];
  return [['the', false], subject, ...place, ...predicate];
}

/** One thing and its judgement: nothing else in the sentence is judged. */
function writeJudgement(random: Random, label: number, clutter: number): Part {
  const claim = writeClaim(random, pick(random, things), label, clutter, 'alone');
  const opening = sometimes(random, 0.2 + 0.6 * clutter, openings);
  const speaker = sometimes(random, 0.6 * clutter, speakers);
  const ending = sometimes(random, opening.length > 0 ? 0.5 : 1, endings);
  return [...opening, ...speaker, ...claim, ...ending, ['.', false]];
}

/** Two things that are judged in different ways, and which of them is asked about. */
function writeComparison(random: Random, label: number, clutter: number): Part {
  const asked = pick(random, things);
  const other = pick(
    random,
    things.filter((thing) => thing !== asked),
  );
  const otherLabel = (label + random.whole(1, labels.length - 1)) % labels.length;
  const claims = [
    writeClaim(random, asked, label, clutter / 2, 'asked'),
    writeClaim(random, other, otherLabel, clutter / 2, 'other'),
  ];
  const [first, second] = random.chance(0.5) ? claims : claims.toReversed();
  const body: Part = [...first!, [pick(random, joints), false], ...second!];
  const opening = sometimes(random, 0.5 * clutter, openings);
  const whole = random.chance(0.5)
    ? [...cue(pick(random, questions), asked), ...body, ['.', false] as const]
    : [...body, ...cue(pick(random, conclusions), asked)];
  return countWords(opening) + countWords(whole) > mostWords ? whole : [...opening, ...whole];
}

const countWords = (part: Part) => part.filter(([word]) => !marks.test(word)).length;

const cue = (text: string, thing: string): Part =>
  text.split(' ').map((word) => (word === '_' ? [thing, true] : [word, false]));

function finish(part: Part, label: number): Sentence {
  const words = part.map(([word]) => word);
  const spaced = words.join(' ').replace(/ (?=[.,:?])/g, '');
  return {
    text: spaced[0]!.toUpperCase() + spaced.slice(1),
    words,
    deciding: part.flatMap(([, decides], place) => (decides ? [place] : [])),
    label,
  };
}
