// Tokenizers: the tokenizer.json of Hugging Face, read by their package, which users bring.
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { RelcError } from '../../ir/error.js';
import { readText, readTextIfThere } from '../files.js';
import { type SpelledModel, type Spelling, spellingOf } from './spelling.js';
import type { Token } from './words.js';

/** A text as a model reads it, special tokens among it. */
export interface Encoding {
  readonly ids: readonly number[];
  /** Of each token the part of the text it belongs to: zeros for a single text. */
  readonly types: readonly number[];
}

export interface Tokenizer {
  readonly path: string;
  /** Of the file: equal where texts are cut alike. */
  readonly hash: string;
  readonly spelling: Spelling;
  /** The id of the token that fills up texts; undefined where there is none. */
  readonly pad: number | undefined;
  /** @throws RelcError RELC5009 where a part of the text has no id */
  encode(text: string): Encoding;
  /** At most `length` tokens: what the text itself has more is left out, the special tokens around it stay. */
  encodeCut(text: string, length: number): Encoding;
  tokenOf(id: number): Token;
}

/** What is read of a tokenizer.json beside what the package reads. */
interface TokenizerFile extends SpelledModel {
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly special?: boolean;
  }[];
  readonly padding?: { readonly pad_id?: number } | null;
}

/** What is used of the package, whose own types do not resolve under Node's rules for modules. */
interface Library {
  encode(
    text: string,
    options: { readonly add_special_tokens: boolean; readonly return_token_type_ids: boolean },
  ): {
    /** Undefined where a token has no id, and there is none for unknown ones. */
    readonly ids: readonly (number | undefined)[];
    readonly tokens: readonly string[];
    readonly token_type_ids?: readonly number[];
  };
  id_to_token(id: number): string | undefined;
  token_to_id(token: string): number | undefined;
  readonly model: { readonly unk_token_id?: number } | null;
}

interface LibraryModule {
  readonly Tokenizer: new (file: object, config: object) => Library;
}

async function load(): Promise<LibraryModule> {
  try {
    return (await import('@huggingface/tokenizers')) as LibraryModule;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new RelcError(
      'RELC5005',
      '@huggingface/tokenizers, which cuts texts into tokens, is not installed',
      'npm install @huggingface/tokenizers',
      { cause: error },
    );
  }
}

const unreadable = (path: string, reason: string, cause?: unknown) =>
  new RelcError(
    'RELC5008',
    `${path} is no tokenizer: ${reason}`,
    "--tokenizer takes the tokenizer.json that Hugging Face's tokenizers write",
    { cause },
  );

function parsed(text: string, path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(path, `it is not JSON (${(error as Error).message})`, error);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw unreadable(path, 'it is not a JSON object');
}

/** Fields that the package wants to be there, even if they are null. */
const optional = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };

/** @throws RelcError RELC5008 */
function fileIn(text: string, path: string): TokenizerFile {
  const file: Readonly<Record<string, unknown>> = { ...optional, added_tokens: [], ...parsed(text, path) };
  const { model } = file;
  if (typeof model !== 'object' || model === null || !('vocab' in model)) {
    throw unreadable(path, 'it has no model with a vocab');
  }
  if (!Array.isArray(file.added_tokens)) throw unreadable(path, 'its added_tokens are no list');
  return file as unknown as TokenizerFile;
}

/** The name of the padding token in a tokenizer_config.json, which may write it as text or as an object. */
function padNameIn(config: Readonly<Record<string, unknown>>): string | undefined {
  const { pad_token: token } = config;
  const name = typeof token === 'object' && token !== null ? (token as { content?: unknown }).content : token;
  return typeof name === 'string' ? name : undefined;
}

const usualPads = ['[PAD]', '<pad>', '<|pad|>'];

function padOf(file: TokenizerFile, library: Library, config: Readonly<Record<string, unknown>>) {
  const named = [padNameIn(config) ?? [], usualPads].flat().map((name) => library.token_to_id(name));
  return [file.padding?.pad_id, ...named].find((id) => id !== undefined);
}

function encodingOf(library: Library, path: string, text: string, hasSpecial: boolean): Encoding {
  const options = { add_special_tokens: hasSpecial, return_token_type_ids: true };
  const { ids, tokens, token_type_ids: types } = library.encode(text, options);
  const known = ids.filter((id) => id !== undefined);
  if (known.length === ids.length) return { ids: known, types: types ?? known.map(() => 0) };
  const lost = ids.indexOf(undefined);
  throw new RelcError(
    'RELC5009',
    `"${tokens[lost]}" is not in the vocabulary of ${path}, which has no token for what it does not know`,
    'leave it out of the text',
  );
}

/** Where a list stands in another, or −1. */
const placeOf = (part: readonly number[], whole: readonly number[]) =>
  whole.findIndex((_, place) => part.every((id, index) => whole[place + index] === id));

/** @throws RelcError RELC5009 where the special tokens alone are more */
function cut(full: Encoding, own: readonly number[], length: number): Encoding {
  const begin = placeOf(own, full.ids);
  const end = begin + own.length - (full.ids.length - length);
  if (begin < 0 || end <= begin) {
    throw new RelcError(
      'RELC5009',
      `the text cannot be cut to ${length} tokens: its special tokens take them`,
    );
  }
  const keep = (list: readonly number[]) => [...list.slice(0, end), ...list.slice(begin + own.length)];
  return { ids: keep(full.ids), types: keep(full.types) };
}

/**
 * Opens a tokenizer. A tokenizer_config.json beside it is read, too.
 * @throws RelcError RELC5002 (no such file), RELC5005 (the package is missing), RELC5008 (it is no tokenizer)
 */
export async function openTokenizer(path: string): Promise<Tokenizer> {
  const text = await readText(path);
  const file = fileIn(text, path);
  const beside = join(dirname(path), 'tokenizer_config.json');
  const besideText = (await readTextIfThere(beside)) ?? '{}';
  const config = parsed(besideText, beside);
  const { Tokenizer: Class } = await load();
  let library: Library;
  try {
    library = new Class(file, config);
  } catch (error) {
    throw unreadable(path, (error as Error).message, error);
  }
  const unknown = library.model?.unk_token_id;
  const special = new Set(
    file.added_tokens.filter((token) => token.special === true && token.id !== unknown).map(({ id }) => id),
  );
  const encode = (text: string, hasSpecial = true) => encodingOf(library, path, text, hasSpecial);
  return {
    path,
    hash: createHash('sha256').update(text).update(besideText).digest('hex'),
    spelling: spellingOf(file),
    pad: padOf(file, library, config),
    encode,
    encodeCut(text, length) {
      const full = encode(text);
      return full.ids.length <= length ? full : cut(full, encode(text, false).ids, length);
    },
    tokenOf: (id) => ({ piece: library.id_to_token(id) ?? String(id), id, special: special.has(id) }),
  };
}
