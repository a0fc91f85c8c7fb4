// Words: tokens put together as they stand in the text, each with the pieces it is made of.
import type { Spelling } from './spelling.js';

export interface Token {
  /** As the tokenizer writes it: `##ful`, `Ġwonder`. */
  readonly piece: string;
  readonly id: number;
  /** Of no word: [CLS], [SEP], <s>. */
  readonly special: boolean;
}

export interface Word {
  /** As it is read: `wonderful`. */
  readonly text: string;
  /** Indices of its tokens, consecutive. */
  readonly tokens: readonly number[];
  readonly special: boolean;
  /** The white space before it. */
  readonly before: '' | ' ' | '\n' | '\n\n';
}

/** Scripts that put no space between words: what a tokenizer cuts there stays cut. */
const unspacedScript =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Letters, digits, and halves of characters. */
const inWord = /[\p{L}\p{N}\p{M}_\uFFFD]/u;

/** Whether what stands on both sides of a cut is one word. */
function joins(before: string, after: string): boolean {
  const around = [[...before].at(-1) ?? '', [...after][0] ?? ''];
  return around.every((character) => inWord.test(character) && !unspacedScript.test(character));
}

/** What is seen of white space that is a token of its own. */
const visible = (text: string) =>
  text.trim() !== '' ? text.trim() : text.replaceAll(/\r?\n/g, '↵').replaceAll(/\s/g, '␣');

/** A word that grows, as its pieces are read together, with the white space around it. */
interface Growing {
  readonly tokens: number[];
  readonly special: boolean;
  read: string;
}

/** Whether white space stands between a word and the one before it. */
const isSpaced = (before: Growing, word: Growing) =>
  before.special || word.special || /\s$/.test(before.read) || /^\s/.test(word.read);

/** Words of tokens by the spelling of their pieces. Special tokens are words of their own. */
export function wordsOf(tokens: readonly Token[], spelling: Spelling): Word[] {
  const words: Growing[] = [];
  for (const [index, { piece, special }] of tokens.entries()) {
    const last = words.at(-1);
    const read = special ? piece : spelling.read([piece]);
    const goesOn = spelling.goesOn?.(piece) ?? joins(last?.read ?? '', read);
    if (last !== undefined && !special && !last.special && goesOn) {
      last.tokens.push(index);
      last.read = spelling.read(last.tokens.map((part) => tokens[part]!.piece));
    } else words.push({ tokens: [index], special, read });
  }
  return words.map((word, index) => ({
    ...{ text: visible(word.read), tokens: word.tokens, special: word.special },
    before: index > 0 && isSpaced(words[index - 1]!, word) ? ' ' : '',
  }));
}
