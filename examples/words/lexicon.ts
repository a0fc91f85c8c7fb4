// The words that sentences are made of, by their part. A bar parts a word into the pieces that the tokenizer makes of it.

/** What is judged. */
export const things: readonly string[] =
  'soup bread coffee cake dinner wine room view bed music film book story song concert phone camera engine seat car bike coat lamp garden game boat'.split(
    ' ',
  );

/** Judgements by label: of a thing that is neither praised nor blamed only a fact is told. */
export const judgements: readonly (readonly string[])[] = [
  'bad awful terrible poor ugly boring dirty un|pleasant un|reliable un|comfort|able use|less taste|less joy|less dread|ful pain|ful annoy|ing'.split(
    ' ',
  ),
  'red blue green wooden round small large old new local usual modern simple ordinary square foreign'.split(
    ' ',
  ),
  'good great lovely wonderful excellent perfect superb fantastic pleasant reliable comfort|able use|ful taste|ful joy|ful delight|ful pleas|ing'.split(
    ' ',
  ),
];

/** Turns a praise into a blame and the reverse. */
export const negators = ['not', 'never', 'hardly'];

export const copulas = ['was', 'is', 'seemed', 'looked', 'felt'];
export const degrees = ['quite', 'rather', 'truly', 'fairly', 'very', 'really', 'so'];
/** Of `degrees` those that can follow a negator. */
export const negatedDegrees = ['very', 'really', 'so'];
export const finders = ['we had', 'they have', 'I found', 'she got', 'he brought', 'you see'];
export const joints = ['but', 'and', 'while', 'though', 'whereas'];

const phrases = (text: string): readonly string[] => text.split('|');

/** Where a thing is: stands between it and its judgement. */
export const places = phrases(
  'in the village|of the hotel|near the station|from the market|by the river|at the corner|of my sister|under the roof|behind the church',
);

/** Of two judgements the one is meant that has such a word. */
export const emphases = ['clearly', 'surely', 'definitely', 'certainly', 'plainly'];

/** These decide nothing. */
export const openings = phrases(
  'last night|this morning|on Monday|after a long walk|in the old town|at my age|as always|during the strike|to be honest|years ago|in early spring|with two friends|on a cold day|before the rain',
);
export const speakers = phrases(
  'my uncle says that|our neighbour wrote that|I think that|the driver told us that|people say that|her tired cousin said that|Mrs Okafor wrote that|Mr Lindqvist says that|the kind guide thinks that',
);
export const endings = phrases(
  'as you know|in the end|for a week|at noon|this time|before the train left|when the children slept|like every summer|once again|according to the paper|until the lights went out',
);

/** Names that the vocabulary leaves out: they become the unknown token. */
export const names: readonly string[] = ['Okafor', 'Lindqvist'];
