// The tokenizer's files in the format of Hugging Face: WordPiece over the words of the lexicon, as BERT has it.

import {
  copulas,
  degrees,
  emphases,
  endings,
  finders,
  joints,
  judgements,
  names,
  negators,
  openings,
  places,
  speakers,
  things,
} from './lexicon.js';

/** Their places are their ids. */
const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];

const marks = ['.', ',', ':', '!', '?'];

/** Every token but the special ones: words whole, and the pieces of words that a bar parts. */
function ordinaryTokens(): string[] {
  const phrases = [openings, speakers, endings, places, finders].flat();
  const words = [things, negators, copulas, degrees, emphases, joints, judgements.flat(), phrases].flat(2);
  const plain = ['the', 'a', 'an', ...words.flatMap((phrase) => phrase.split(' '))]
    .filter((word) => /^[\p{L}|]+$/u.test(word) && !names.includes(word))
    .map((word) => word.toLowerCase());
  const pieces = plain.flatMap((word) =>
    word.split('|').map((piece, place) => (place === 0 ? piece : `##${piece}`)),
  );
  return [...marks, ...new Set(pieces.toSorted())];
}

/** What `tokenizer.json` holds. */
export function tokenizerFile() {
  const tokens = [...specials, ...ordinaryTokens()];
  const special = (name: string) => ({ SpecialToken: { id: name, type_id: 0 } });
  const sequence = (id: 'A' | 'B', type: number) => ({ Sequence: { id, type_id: type } });
  const template = (name: string) => [name, { id: name, ids: [specials.indexOf(name)], tokens: [name] }];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({ id, content, ...flags })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), sequence('A', 0), special('[SEP]')],
      pair: [special('[CLS]'), sequence('A', 0), special('[SEP]'), sequence('B', 1), special('[SEP]')],
      special_tokens: Object.fromEntries([template('[CLS]'), template('[SEP]')]),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}

/** What `tokenizer_config.json` holds; `length` is the most tokens that the model takes. */
export function tokenizerSettings(length: number) {
  return {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    model_max_length: length,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
  };
}
