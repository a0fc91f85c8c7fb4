// Texts and rows of ids as inputs: what the model is given, and the tokens and words that its relevance is told of.
import { RelcError } from '../../ir/error.js';
import type { Name } from '../../ir/graph.js';
import { aligned } from './align.js';
import { expectIds, type Filled, fillInputs, type NumbersByName } from './fill.js';
import { type ModelInputs, type TokenInputs, tokenInputs, vocabularyOf } from './roles.js';
import { wordByWord } from './spelling.js';
import type { Encoding, Tokenizer } from './tokenizer.js';
import { type Token, type Word, wordsOf } from './words.js';

/** The tokens of an input. */
export interface TokenText {
  /** The input that takes their ids. */
  readonly input: Name;
  /** Without padding, which stands behind them. */
  readonly tokens: readonly Token[];
  readonly words: readonly Word[];
  readonly padding: number;
}

export interface TextOptions {
  readonly tokenizer: Tokenizer | undefined;
  /** Whether the end of what is too long is left out. */
  readonly truncates: boolean;
}

export interface OpenedText {
  readonly values: NumbersByName;
  readonly text: TokenText;
  readonly notes: readonly string[];
}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** @throws RelcError RELC5001 where no tokenizer is known, RELC5009 where there is nothing in the text */
export function encode(text: string, tokenizer: Tokenizer | undefined): Encoding {
  if (tokenizer === undefined) {
    throw new RelcError(
      'RELC5001',
      'a text is given, and no tokenizer',
      'name one with --tokenizer tokenizer.json, or as "tokenizer" in relc.json beside the model',
    );
  }
  const encoding = tokenizer.encode(text);
  if (encoding.ids.some((id) => !tokenizer.tokenOf(id).special)) return encoding;
  throw new RelcError('RELC5009', 'the text is empty', 'give it some words');
}

/**
 * A text as inputs of a model.
 * @throws RelcError RELC5001 (no tokenizer), RELC5009 (an empty text, too long a one, inputs that cannot be filled)
 */
export function openText(text: string, { nodes, graph }: ModelInputs, options: TextOptions): OpenedText {
  const inputs = tokenInputs(nodes);
  const { tokenizer, truncates } = options;
  const whole = encode(text, tokenizer);
  const encoding = truncates ? tokenizer!.encodeCut(text, inputs.length) : whole;
  expectIds(encoding.ids, vocabularyOf(graph, inputs.ids.name), tokenizer);
  const filled = fillInputs(inputs, encoding, { pad: tokenizer!.pad });
  const left = whole.ids.length - encoding.ids.length;
  const notes = left === 0 ? [] : [`cut: ${plural(left, 'token')} at the end of the text left out`];
  const opened = withTokens(inputs, filled, tokenizer);
  return {
    values: filled.values,
    text: { ...opened, words: aligned(opened.words, text) },
    notes: [...notes, ...filled.notes],
  };
}

/** How many tokens a mask or, without one, the padding token of a tokenizer leaves at the end of a row. */
function countIn(ids: readonly number[], mask: Float32Array | undefined, pad: number | undefined): number {
  const isPadding = (index: number) => (mask === undefined ? ids[index] === pad : mask[index] === 0);
  let count = ids.length;
  while (count > 1 && isPadding(count - 1)) count--;
  return count;
}

/**
 * Rows of ids as inputs of a model: of those that are not given, the mask and others are filled.
 * @throws RelcError RELC5009 (too many ids, ids that there are not, inputs that cannot be filled)
 */
export function openIds(given: NumbersByName, model: ModelInputs, { tokenizer }: TextOptions): OpenedText {
  const inputs = tokenInputs(model.nodes, new Set(Object.keys(given)));
  const { [inputs.ids.name]: row, ...others } = given;
  if (row === undefined) throw new RelcError('RELC5009', `the ids of input ${inputs.ids.name} are missing`);
  const pad = tokenizer?.pad;
  const all = [...row];
  expectIds(all, vocabularyOf(model.graph, inputs.ids.name), tokenizer);
  const mask = inputs.mask === undefined ? undefined : others[inputs.mask.name];
  const ids = all.slice(0, countIn(all, mask, pad));
  // What was given as padding stays as it was
  const padId = all[ids.length] ?? pad;
  const filled = fillInputs(inputs, { ids, types: [] }, { pad: padId, given: others });
  const text = withTokens(inputs, filled, tokenizer);
  return { values: filled.values, text, notes: filled.notes };
}

/** The tokens that a model is given, under the name of the input that takes them. */
function withTokens(
  inputs: TokenInputs,
  { values, count }: Filled,
  tokenizer: Tokenizer | undefined,
): TokenText {
  const { ids, length } = inputs;
  const numbers = [...values[ids.name]!.subarray(0, count)];
  const tokens = numbers.map(
    (id): Token => tokenizer?.tokenOf(id) ?? { piece: String(id), id, special: false },
  );
  const words = wordsOf(tokens, tokenizer?.spelling ?? wordByWord);
  return { input: ids.name, tokens, words, padding: length - count };
}
