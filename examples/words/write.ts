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
 * meant. A `clutter` below 1 gives calmer sentences, down to judgements with little around them at 0: a network learns
 * sooner if it reads such sentences first.
 */
export function writeSentence(seed: number, clutter = 1): Sentence {
  const random = createRandom(seed);
  const label = random.whole(0, labels.length - 1);
  const core = random.chance(0.65)
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

/** What is said of one thing. */
interface Claim {
  readonly label: number;
  /** Whether that is the label of the sentence. */
  readonly decides: boolean;
  readonly emphasis: Part;
}

function writeClaim(random: Random, { label, decides, emphasis }: Claim, clutter: number): Part {
  const thing = pick(random, things);
  const negated = label !== 1 && random.chance(0.4);
  const told = negated ? 2 - label : label;
  const adjective = pick(random, judgements[told]!).replaceAll('|', '');
  const degreed = emphasis.length === 0 && random.chance(0.2 + 0.3 * clutter);
  const degree = degreed ? lasting(pick(random, negated ? negatedDegrees : degrees)) : [];
  const negator: Part = negated ? [[pick(random, negators), decides]] : [];
  const judgement: Part = [...emphasis, ...negator, ...degree, [adjective, decides]];
  if (!negated && random.chance(0.3 * clutter)) {
    const article = /^(?!us)[aeiou]/.test(judgement[0]![0]) ? 'an' : 'a';
    return [...lasting(`${pick(random, finders)} ${article}`), ...judgement, [thing, false]];
  }
  const place = sometimes(random, 0.2 * clutter, places);
  return [...lasting(`the ${thing}`), ...place, [pick(random, copulas), false], ...judgement];
}

/** One judgement; an emphasis decides nothing. */
function writeJudgement(random: Random, label: number, clutter: number): Part {
  const emphasis = sometimes(random, 0.3 * clutter, emphases);
  return writeClaim(random, { label, decides: true, emphasis }, clutter);
}

/** Two different judgements: the one that is meant has an emphasis. */
function writeComparison(random: Random, label: number, clutter: number): Part {
  const meant: Claim = { label, decides: true, emphasis: [[pick(random, emphases), true]] };
  const otherLabel = (label + random.whole(1, labels.length - 1)) % labels.length;
  const other: Claim = { label: otherLabel, decides: false, emphasis: [] };
  const [first, second] = random.chance(0.5) ? [meant, other] : [other, meant];
  const joint: Part = [[pick(random, joints), false]];
  return [...writeClaim(random, first, clutter), ...joint, ...writeClaim(random, second, clutter)];
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
