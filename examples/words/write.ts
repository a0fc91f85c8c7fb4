// Sentences that judge things, written from a seed, with the words that decide the judgement asked for.

import { createRandom, type Random } from '../shapes/random.js';
import {
  copulas,
  degrees,
  emphases,
  endings,
  finders,
  joints,
  judgements,
  negatedDegrees,
  negators,
  openings,
  places,
  speakers,
  things,
} from './lexicon.js';

export const labels = ['blame', 'neutral', 'praise'];

/** Words of the shortest and the longest sentence, the mark at the end not counted. */
export const fewestWords = 6;
export const mostWords = 24;

export interface Sentence {
  readonly text: string;
  /** Words in order and the mark at the end: `text` is these with spaces, its first letter large. */
  readonly words: readonly string[];
  /** Places in `words` of those that decide the label: another word in the place of one could change it. */
  readonly deciding: readonly number[];
  /** The place of the judgement in `labels`. */
  readonly label: number;
}

/** Words of which each decides or does not. */
type Part = readonly (readonly [word: string, decides: boolean])[];

/**
 * The same seed always gives the same sentence. It judges one thing, or two in different ways and says which judgement is
 * meant. A `clutter` below 1 gives calmer sentences, down to one judgement with little around it at 0: a network learns
 * sooner if it reads such sentences first.
 */
export function writeSentence(seed: number, clutter = 1): Sentence {
  const random = createRandom(seed);
  const label = random.whole(0, labels.length - 1);
  const core = random.chance(0.65 * clutter)
    ? writeComparison(random, label, clutter)
    : writeJudgement(random, label, clutter);
  return finish(surrounded(random, core, clutter), label);
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.whole(0, list.length - 1)]!;
}

const lasting = (text: string): Part => text.split(' ').map((word) => [word, false]);

/** One of the texts with a probability, else nothing. */
const sometimes = (random: Random, probability: number, list: readonly string[]): Part =>
  random.chance(probability) ? lasting(pick(random, list)) : [];

/** A thing and what is said of it; `decides` if that is the label. */
function writeClaim(random: Random, label: number, decides: boolean, clutter: number): Part {
  const thing = pick(random, things);
  const negated = label !== 1 && random.chance(0.4);
  const told = negated ? 2 - label : label;
  const adjective = pick(random, judgements[told]!).replaceAll('|', '');
  const degree = sometimes(random, 0.2 + 0.3 * clutter, negated ? negatedDegrees : degrees);
  if (!negated && random.chance(0.3 * clutter)) {
    return [...lasting(`${pick(random, finders)} a`), ...degree, [adjective, decides], [thing, false]];
  }
  const place = sometimes(random, 0.2 * clutter, places);
  const negator: Part = negated ? [[pick(random, negators), decides]] : [];
  const predicate: Part = [...negator, ...degree, [adjective, decides]];
  return [...lasting(`the ${thing}`), ...place, [pick(random, copulas), false], ...predicate];
}

/** One judgement; a word of emphasis before it decides nothing. */
function writeJudgement(random: Random, label: number, clutter: number): Part {
  return [...sometimes(random, 0.3 * clutter, emphases), ...writeClaim(random, label, true, clutter)];
}

/** Two different judgements, one of them emphasized. */
function writeComparison(random: Random, label: number, clutter: number): Part {
  const other = (label + random.whole(1, labels.length - 1)) % labels.length;
  const meant: Part = [[pick(random, emphases), true], ...writeClaim(random, label, true, clutter)];
  const claims = [meant, writeClaim(random, other, false, clutter)];
  const [first, second] = random.chance(0.5) ? claims : claims.toReversed();
  return [...first!, [pick(random, joints), false], ...second!];
}

/** With an opening, a speaker and an ending, as far as there is room. */
function surrounded(random: Random, core: Part, clutter: number): Part {
  const opening = sometimes(random, 0.2 + 0.5 * clutter, openings);
  const speaker = sometimes(random, 0.5 * clutter, speakers);
  const ending = sometimes(random, core.length + opening.length < fewestWords ? 1 : 0.5, endings);
  let part = core;
  if (part.length + ending.length <= mostWords) part = [...part, ...ending];
  if (part.length + speaker.length <= mostWords) part = [...speaker, ...part];
  if (part.length + opening.length <= mostWords) part = [...opening, ...part];
  return [...part, ['.', false]];
}

function finish(part: Part, label: number): Sentence {
  const words = part.map(([word]) => word);
  const text = words.join(' ').replace(' .', '.');
  return {
    text: text[0]!.toUpperCase() + text.slice(1),
    words,
    deciding: part.flatMap(([, decides], place) => (decides ? [place] : [])),
    label,
  };
}
