// Tokenizers: what they make of texts, padding and special tokens, cutting, and files that are none.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTokenizer } from '../../../src/cli/text/tokenizer.js';
import { scratch } from '../support.js';
import { byteLevel, sentencePiece, wordPiece, writeTokenizer } from './support.js';

const open = (tokenizer: object) => openTokenizer(writeTokenizer(scratch(), tokenizer));

describe('a tokenizer', () => {
  it.each([
    ['WordPiece', wordPiece, 'A wonderful film.', ['[CLS]', 'a', 'wonder', '##ful', 'film', '.', '[SEP]']],
    ['byte-level BPE', byteLevel, 'a wonderful film', ['<s>', 'a', 'Ġwonder', 'ful', 'Ġfilm', '</s>']],
    ['Unigram', sentencePiece, 'a wonderful film', ['▁a', '▁wonder', 'ful', '▁film']],
  ])('of the kind %s cuts a text', async (_kind, file, text, pieces) => {
    const tokenizer = await open(file);
    const { ids, types } = tokenizer.encode(text);
    expect(ids.map((id) => tokenizer.tokenOf(id).piece)).toEqual(pieces);
    expect(types).toEqual(pieces.map(() => 0));
  });

  it('knows special tokens, of which the unknown word is none', async () => {
    const { tokenOf } = await open(wordPiece);
    expect([0, 1, 2, 5, 99].map((id) => tokenOf(id))).toEqual([
      { piece: '[PAD]', id: 0, special: true },
      { piece: '[UNK]', id: 1, special: false },
      { piece: '[CLS]', id: 2, special: true },
      { piece: 'wonder', id: 5, special: false },
      { piece: '99', id: 99, special: false },
    ]);
  });

  it('pads with the token that its files name, or one that is called so', async () => {
    expect((await open(wordPiece)).pad).toBe(0);
    expect((await open(sentencePiece)).pad).toBe(0);
    expect((await open(byteLevel)).pad).toBeUndefined();
    expect((await open({ ...byteLevel, padding: { pad_id: 1 } })).pad).toBe(1);
    const folder = scratch();
    writeFileSync(join(folder, 'tokenizer_config.json'), '{"pad_token": {"content": "</s>"}}');
    expect((await openTokenizer(writeTokenizer(folder, byteLevel))).pad).toBe(1);
  });

  it('cuts the end of a text off and keeps the special tokens', async () => {
    const tokenizer = await open(wordPiece);
    const pieces = (length: number) =>
      tokenizer.encodeCut('a wonderful film', length).ids.map((id) => tokenizer.tokenOf(id).piece);
    expect(pieces(6)).toEqual(['[CLS]', 'a', 'wonder', '##ful', 'film', '[SEP]']);
    expect(pieces(4)).toEqual(['[CLS]', 'a', 'wonder', '[SEP]']);
    expect(() => pieces(2)).toThrow('cannot be cut to 2 tokens');
  });

  it('refuses what it has no token for', async () => {
    const { model } = wordPiece;
    const tokenizer = await open({ ...wordPiece, model: { ...model, unk_token: '[NONE]' } });
    expect(() => tokenizer.encode('a zoo')).toThrow(/^RELC5009: "\[NONE\]" is not in the vocabulary of /);
  });

  it('has a hash of its files', async () => {
    const folder = scratch();
    const path = writeTokenizer(folder, wordPiece);
    const first = (await openTokenizer(path)).hash;
    expect((await openTokenizer(path)).hash).toBe(first);
    writeFileSync(join(folder, 'tokenizer_config.json'), '{"pad_token": "[SEP]"}');
    expect((await openTokenizer(path)).hash).not.toBe(first);
  });
});

describe('a file that is no tokenizer', () => {
  it.each([
    ['{', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    ['{"labels": []}', 'it has no model with a vocab'],
    ['{"model": {"vocab": {}}, "added_tokens": 3}', 'its added_tokens are no list'],
    ['{"model": {"type": "Other", "vocab": null}}', 'Unknown TokenizerModel type: Other'],
  ])('%s', async (content, reason) => {
    const path = join(scratch(), 'tokenizer.json');
    writeFileSync(path, content);
    await expect(openTokenizer(path)).rejects.toMatchObject({
      code: 'RELC5008',
      detail: expect.stringContaining(`${path} is no tokenizer: ${reason}`),
    });
  });

  it('is not there', async () => {
    await expect(openTokenizer('none.json')).rejects.toMatchObject({ code: 'RELC5002' });
  });
});
