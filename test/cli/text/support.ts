// What tests of texts share: small tokenizers of three kinds, and small models that read their tokens.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const numbered = (pieces: readonly string[]) => Object.fromEntries(pieces.map((piece, id) => [piece, id]));

const added = (contents: readonly string[], pieces: readonly string[]) =>
  contents.map((content) => ({ content, id: pieces.indexOf(content), special: true, normalized: false }));

/** The special tokens that stand around every text. */
const around = (begin: string, end: string, pieces: readonly string[]) => ({
  type: 'TemplateProcessing',
  single: [begin, 'A', end].map((id) =>
    id === 'A' ? { Sequence: { id, type_id: 0 } } : { SpecialToken: { id, type_id: 0 } },
  ),
  pair: [],
  special_tokens: Object.fromEntries(
    [begin, end].map((id) => [id, { id, ids: [pieces.indexOf(id)], tokens: [id] }]),
  ),
});

const wordPieces = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'wonder', '##ful', 'film', 'not', 'dull', '.', ',', "'"],
  ...['it', 's', 'cafe', '##s', '!'],
];

/** Like BERT's: lower case, no accents, `##` goes on with a word. */
export const wordPiece = {
  version: '1.0',
  added_tokens: added(['[PAD]', '[UNK]', '[CLS]', '[SEP]'], wordPieces),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: around('[CLS]', '[SEP]', wordPieces),
  decoder: { type: 'WordPiece', prefix: '##' },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: numbered(wordPieces),
  },
};

/** Characters of bytes as GPT-2 writes them: Ġ is a space, Ã and © the two bytes of é. */
const bytePieces = [
  ...['<s>', '</s>', 'Ġ', 'Ċ', 'a', 'f', 'i', 'l', 'm', 'w', 'o', 'n', 'd', 'e', 'r', 'u', '.', 'Ã', '©'],
  ...['Ġw', 'on', 'der', 'Ġwon', 'Ġwonder', 'fu', 'ful', 'fi', 'lm', 'Ġfilm', 'film', 'de'],
];
const byteMerges = [
  ...['Ġ w', 'o n', 'd e', 'de r', 'Ġw on', 'Ġwon der', 'f u', 'fu l', 'f i', 'l m', 'fi lm', 'Ġ film'],
];

/** Like RoBERTa's: no padding token of its own is known. */
export const byteLevel = {
  version: '1.0',
  added_tokens: added(['<s>', '</s>'], bytePieces),
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  post_processor: around('<s>', '</s>', bytePieces),
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', unk_token: null, vocab: numbered(bytePieces), merges: byteMerges },
};

const sentencePieces = ['<pad>', '</s>', '<unk>', '▁a', '▁wonder', 'ful', '▁film', '.', '▁', '今', '日'];

/** Like T5's. */
export const sentencePiece = {
  version: '1.0',
  added_tokens: added(['<pad>', '</s>', '<unk>'], sentencePieces),
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  post_processor: null,
  decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  model: { type: 'Unigram', unk_id: 2, vocab: sentencePieces.map((piece, id) => [piece, -1 - id / 10]) },
};

/** Writes a tokenizer. @returns its path */
export function writeTokenizer(folder: string, tokenizer: object, name = 'tokenizer.json'): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), JSON.stringify(tokenizer));
  return join(folder, name);
}

/** What each piece of {@link wordPiece} speaks for, against and for a second class. */
const opinions: Readonly<Record<string, number>> = {
  '[CLS]': 0.5,
  wonder: 2,
  '##ful': 1,
  not: -1.5,
  dull: -3,
};
const rows = wordPieces.map((piece) => [opinions[piece] ?? 0, -(opinions[piece] ?? 0)]);

export const textLabels = ['good', 'bad'];

/**
 * A module that reads tokens of {@link wordPiece}: each adds its opinion to the score of the first class and takes it
 * from that of the second.
 * @param inputs  shapes of integers by name; ids come first
 * @param score  what is made of them, `rows` being the rows of the ids
 * @returns its path
 */
export function writeTextModel(
  folder: string,
  inputs: Readonly<Record<string, readonly (number | null)[]>> = { input_ids: [1, null] },
  score = 'tf.sum(rows, 1)',
): string {
  mkdirSync(folder, { recursive: true });
  const names = Object.keys(inputs);
  const specs = Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: 'i32' }]);
  writeFileSync(
    join(folder, 'model.mjs'),
    `import * as tf from '${import.meta.resolve('@tensorflow/tfjs')}';
const table = tf.tensor2d(${JSON.stringify(rows)});
export const input = ${JSON.stringify(Object.fromEntries(specs))};
export default ({ ${names.join(', ')} }) => {
  const rows = tf.gather(table, ${names[0]});
  return ${score};
};
`,
  );
  const manifest = { labels: textLabels, rules: 'epsilon', tokenizer: 'tokenizer.json' };
  writeFileSync(join(folder, 'relc.json'), JSON.stringify(manifest));
  writeTokenizer(folder, wordPiece);
  return join(folder, 'model.mjs');
}
