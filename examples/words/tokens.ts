// Sentences as the network takes them: ids and mask, padded to one length; and which token belongs to which word.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { length } from './network.js';
import type { Sentence } from './write.js';

/** Ids and mask of a batch, [sentences, length], by the names of the network's inputs. */
export interface Tokens {
  readonly input_ids: readonly number[];
  readonly attention_mask: readonly number[];
}

/** The tokenizer of the trained model. */
export function readTokenizer(): Tokenizer {
  const read = (name: string): object =>
    JSON.parse(readFileSync(fileURLToPath(new URL(`model/${name}`, import.meta.url)), 'utf8'));
  return new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
}

/** Padding has the id 0 and the mask 0. */
export function tokenize(tokenizer: Tokenizer, texts: readonly string[]): Tokens {
  const rows = texts.map((text) => {
    const { ids } = tokenizer.encode(text);
    if (ids.length > length) throw new Error(`'${text}' has ${ids.length} tokens, the most is ${length}`);
    return ids;
  });
  const padded = (row: readonly number[]) =>
    Array.from({ length }, (_, token) => (token < row.length ? row[token]! : 0));
  return {
    input_ids: rows.flatMap(padded),
    attention_mask: rows.flatMap((ids) => padded(ids.map(() => 1))),
  };
}

/** For each token the place in `words` of the word that it is of or a piece of; -1 for [CLS], [SEP] and padding. */
export function wordsOfTokens(tokenizer: Tokenizer, { words }: Sentence): number[] {
  const places = words.flatMap((word, place) => {
    const { ids } = tokenizer.encode(word, { add_special_tokens: false });
    return ids.map(() => place);
  });
  return [-1, ...places, ...Array.from({ length: length - 1 - places.length }, () => -1)];
}
