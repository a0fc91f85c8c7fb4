// Words: pieces of every kind of tokenizer read as the text they were cut from, put together, and found there.
import { beforeAll, describe, expect, it } from 'vitest';
import { aligned } from '../../../src/cli/text/align.js';
import { spellingOf, wordByWord } from '../../../src/cli/text/spelling.js';
import { openTokenizer, type Tokenizer } from '../../../src/cli/text/tokenizer.js';
import { type Token, type Word, wordsOf } from '../../../src/cli/text/words.js';
import { scratch } from '../support.js';
import { byteLevel, sentencePiece, wordPiece, writeTokenizer } from './support.js';

const plain = (pieces: readonly string[]): Token[] =>
  pieces.map((piece, id) => ({ piece, id, special: ['[CLS]', '[SEP]', '<s>', '</s>'].includes(piece) }));

/** Words with bars between them, `~` where no space stands: `It|~'|~s|a`. */
const shown = (words: readonly Word[]) =>
  words.map(({ text, before }, index) => (index > 0 && before === '' ? `~${text}` : text)).join('|');

const bpe = spellingOf(byteLevel);
const unigram = spellingOf(sentencePiece);

describe('words of pieces', () => {
  it.each([
    [
      'WordPiece',
      spellingOf(wordPiece),
      ['[CLS]', 'wonder', '##ful', "'", '##s', 'film', '.', '[SEP]'],
      "[CLS]|wonderful|'s|film|.|[SEP]",
    ],
    [
      'byte-level BPE',
      bpe,
      ['<s>', 'A', 'Ġwonder', 'ful', 'Ġfilm', '.', 'Ċ', 'No', '</s>'],
      '<s>|A|wonderful|film|~.|↵|No|</s>',
    ],
    ['bytes of one character in two pieces', bpe, ['Ġcaf', 'Ã', '©', 's', 'ĠðŁ', 'ĻĤ'], 'cafés|🙂'],
    ['SentencePiece', unigram, ['▁A', '▁wonder', 'ful', '▁', 'film', '.'], 'A|wonderful|␣|film|~.'],
    ['SentencePiece with bytes', unigram, ['▁caf', '<0xC3>', '<0xA9>', '.'], 'café|~.'],
    ['scripts without spaces', unigram, ['▁今', '日', 'は'], '今|~日|~は'],
    [
      'an end of words',
      spellingOf({ model: { type: 'BPE', end_of_word_suffix: '</w>' } }),
      ['won', 'der</w>', 'film</w>'],
      'wonder|film',
    ],
    ['whole words', wordByWord, ['good', 'film'], 'good|film'],
  ] as const)('%s', (_kind, spelling, pieces, wanted) => {
    expect(shown(wordsOf(plain(pieces), spelling))).toBe(wanted);
  });

  it('have their tokens, each once and in order', () => {
    const words = wordsOf(plain(['<s>', 'Ġwon', 'der', 'ful', '.']), bpe);
    expect(words.map(({ tokens }) => tokens)).toEqual([[0], [1, 2, 3], [4]]);
    expect(words.map(({ special }) => special)).toEqual([true, false, false]);
  });

  it('of no tokens are none', () => {
    expect(wordsOf([], bpe)).toEqual([]);
  });
});

describe('words as they are written', () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await openTokenizer(writeTokenizer(scratch(), wordPiece));
  });

  const of = (text: string) => {
    const tokens = tokenizer.encode(text).ids.map((id) => tokenizer.tokenOf(id));
    return aligned(wordsOf(tokens, tokenizer.spelling), text);
  };

  it.each([
    ["It's a Wonderful film.", "[CLS]|It|~'|~s|a|Wonderful|film|~.|[SEP]"],
    ['CAFÉS, not dull!', '[CLS]|CAFÉS|~,|not|dull|~!|[SEP]'],
    // NFD: letters and accents apart
    ['cafe\u0301s', '[CLS]|cafés|[SEP]'],
    // Unknown words are one token, [UNK]
    ['a 🙂 film', '[CLS]|a|🙂|film|[SEP]'],
    ['stupendous', '[CLS]|stupendous|[SEP]'],
  ])('%j', (text, wanted) => {
    expect(shown(of(text))).toBe(wanted);
  });

  it('keep the ends of lines and paragraphs', () => {
    const gaps = of('a film.\nnot dull\n\n a').map(({ before }) => before);
    expect(gaps).toEqual(['', ' ', ' ', '', '\n', ' ', '\n\n', ' ']);
  });

  it('stay as the tokenizer writes them where two unknown ones meet', () => {
    expect(shown(of('a foo bar film'))).toBe('[CLS]|a|[UNK]|[UNK]|film|[SEP]');
  });
});
