// relc explain and check on texts: what is printed, written and reported, many texts, several rules, and what is refused.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/main.js';
import { relc, scratch } from '../support.js';
import { byteLevel, textLabels, wordPiece, writeTextModel, writeTokenizer } from './support.js';

const folder = scratch();
const model = writeTextModel(join(folder, 'free'));
const fixed = writeTextModel(join(folder, 'fixed'), { input_ids: [1, 8] });
/** Adds the mask and the positions to both scores, so that they are read. */
const masked = writeTextModel(
  join(folder, 'masked'),
  { input_ids: [1, 8], attention_mask: [1, 8], position_ids: [1, 8] },
  "tf.add(tf.sum(rows, 1), tf.sum(tf.cast(tf.add(attention_mask, position_ids), 'float32'), 1, true))",
);

interface Told {
  label: string;
  rules: string;
  relevance: { shape: number[]; sum: number };
  tokens: { text: string; id: number; special: boolean; relevance: number }[];
  words: { text: string; tokens: number[]; special: boolean; relevance: number }[];
  padding?: { tokens: number; relevance: number };
}

interface Report extends Told {
  explanations: Told[];
  notes: string[];
  files: string[];
  error?: { code: string };
}

async function report(...args: string[]): Promise<Report> {
  const { code, out, err } = await relc('explain', ...args, '--json');
  expect(code, err).toBe(0);
  return JSON.parse(out) as Report;
}

const opinions = ({ words }: Told) =>
  Object.fromEntries(
    words
      .filter(({ relevance }) => relevance !== 0)
      .map(({ text, relevance }) => [text, +relevance.toFixed(3)]),
  );

describe('a text', () => {
  const text = 'A Wonderful film, not dull!';

  it('is explained by token and by word, at its own length', async () => {
    const told = await report(model, '--text', text, '-c', 'good');
    expect(opinions(told)).toEqual({ '[CLS]': 0.5, Wonderful: 3, not: -1.5, dull: -3 });
    expect(told.relevance.shape).toEqual([1, 10]);
    expect(told.tokens.slice(0, 4)).toEqual([
      { text: '[CLS]', id: 2, special: true, relevance: expect.closeTo(0.5, 4) },
      { text: 'a', id: 4, special: false, relevance: 0 },
      { text: 'wonder', id: 5, special: false, relevance: expect.closeTo(2, 4) },
      { text: '##ful', id: 6, special: false, relevance: expect.closeTo(1, 4) },
    ]);
    expect(told.words[2]).toMatchObject({ text: 'Wonderful', tokens: [2, 3] });
    expect([told.files, told.notes, told.padding]).toEqual([[], [], undefined]);
  });

  it('is printed as a table of words, and written as a page', async () => {
    const page = join(folder, 'one.html');
    const { out, code } = await relc('explain', model, '--text', text, '-c', '0', '-o', page);
    expect(code).toBe(0);
    expect(out).toMatch(/^word +pieces +relevance +share\nWonderful +wonder ##ful +3\.00 +-300\.0 %\n/);
    expect(out).toMatch(/› +good +-1\.0000/);
    expect(out).toContain('epsilon for good: f(x) -1.0000 · ΣR -1.0000 · 100.0 % arrived at the input');
    expect(out).toContain(`wrote ${page}`);
    expect(readFileSync(page, 'utf8')).toContain('>Wonderful</span>');
  });

  it('is printed in colours where there are some: red for, blue against, special tokens slanted', async () => {
    const lines: string[] = [];
    const terminal = {
      out: (line: string) => void lines.push(line),
      err: () => {},
      colour: true,
      columns: 24,
    };
    await main(['explain', model, '--text', text, '-c', 'good', '-o', join(folder, 'c.html')], terminal);
    const [drawn] = lines;
    expect(drawn).toContain('\u001b[48;2;163;19;39m\u001b[38;2;255;255;255mWonderful\u001b[0m');
    expect(drawn).toContain('\u001b[48;2;14;80;183m\u001b[38;2;255;255;255mdull\u001b[0m');
    expect(drawn).toContain('\u001b[3m[SEP]\u001b[0m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are left out
    const [first, second] = drawn!.replaceAll(/\u001b\[[\d;]*m/g, '').split('\n');
    expect([first, second]).toEqual(['[CLS] A Wonderful film,', 'not dull! [SEP]']);
  });

  it('comes from a .txt file, too, for models of one length with padding that is told', async () => {
    const path = join(folder, 'short.txt');
    writeFileSync(path, 'not dull\n');
    const told = await report(fixed, path);
    expect(told.tokens.map((token) => token.text)).toEqual(['[CLS]', 'not', 'dull', '[SEP]']);
    expect(told.padding).toEqual({ tokens: 4, relevance: 0 });
    expect(told.notes).toEqual([
      'filled: input_ids with 4 tokens and 4 of padding (id 0); no input tells the model what is padding',
    ]);
    const { out } = await relc('explain', fixed, path, '-o', join(folder, 'short.html'));
    expect(out).toContain('padding: 4 tokens, ΣR 0, not shown');
  });

  it('fills the mask and the positions', async () => {
    const told = await report(masked, '--text', 'not dull', '-c', 'bad');
    expect(opinions(told)).toMatchObject({ not: 1.5, dull: 3 });
    expect(told.notes.find((note) => note.startsWith('filled'))).toBe(
      'filled: input_ids with 4 tokens and 4 of padding (id 0), ' +
        'attention_mask with 1 for tokens, 0 for padding, position_ids with 0 to 7',
    );
  });

  it('is cut with --truncate only, and that is told', async () => {
    const long = 'a film, not dull, not a dull film';
    const refused = await relc('explain', fixed, '--text', long);
    expect([refused.code, refused.err]).toEqual([
      2,
      expect.stringContaining('RELC5009: there are 12 tokens'),
    ]);
    const told = await report(fixed, '--text', long, '--truncate');
    expect(told.tokens.map((token) => token.text).join(' ')).toBe('[CLS] a film , not dull , [SEP]');
    expect(told.notes).toContain('cut: 4 tokens at the end of the text left out');
  });

  it('is padded to --length where the model leaves it open', async () => {
    const told = await report(model, '--text', 'not dull', '--length', '6');
    expect([told.relevance.shape, told.padding!.tokens]).toEqual([[1, 6], 2]);
  });
});

describe('ids', () => {
  it('are read with a tokenizer as its words, their mask filled', async () => {
    const path = join(folder, 'ids.json');
    writeFileSync(path, '[2, 8, 9, 3, 0, 0, 0, 0]');
    const told = await report(masked, path, '-c', 'bad');
    expect(told.words.map(({ text }) => text)).toEqual(['[CLS]', 'not', 'dull', '[SEP]']);
    expect(told.padding?.tokens).toBe(4);
  });

  it('come by name, with what goes with them', async () => {
    const path = join(folder, 'named.json');
    const [ids, mask] = [
      [2, 8, 9, 3, 0, 0, 0, 0],
      [1, 1, 1, 1, 1, 1, 0, 0],
    ];
    writeFileSync(path, JSON.stringify({ input_ids: [ids], attention_mask: [mask] }));
    const told = await report(masked, path);
    expect(told.padding?.tokens).toBe(2);
    expect(told.notes.find((note) => note.startsWith('filled'))).not.toContain('attention_mask with');
    writeFileSync(path, JSON.stringify({ input_ids: ids, other: [1] }));
    expect((await relc('explain', masked, path)).err).toContain(`RELC5003: ${path} names an input 'other'`);
  });

  it('of an embedding layer are explained as they are', async () => {
    const words = tf.input({ shape: [null] });
    const rows = tf.layers.embedding({ inputDim: 18, outputDim: 2, name: 'rows' }).apply(words);
    const mean = tf.layers.globalAveragePooling1d({ name: 'mean' }).apply(rows) as tf.SymbolicTensor;
    const layers = tf.model({ inputs: words, outputs: mean });
    const path = join(folder, 'layers/model.json');
    mkdirSync(join(folder, 'layers'), { recursive: true });
    await layers.save({
      save: async ({ modelTopology, weightSpecs, weightData }) => {
        const manifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
        writeFileSync(
          path,
          JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest: manifest }),
        );
        writeFileSync(join(folder, 'layers/weights.bin'), new Uint8Array(weightData as ArrayBuffer));
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
    layers.dispose();
    const tokenizer = writeTokenizer(join(folder, 'layers'), wordPiece);
    const told = await report(path, '--text', 'not dull', '--tokenizer', tokenizer);
    expect(told.relevance.shape).toEqual([1, 4]);
    expect(told.words.map(({ text }) => text)).toEqual(['[CLS]', 'not', 'dull', '[SEP]']);
  });
});

describe('side by side', () => {
  it('classes and rules, by class and then by rules', async () => {
    const page = join(folder, 'four.html');
    const args = [model, '--text', 'not dull', '--class', textLabels.join(','), '-r', 'epsilon,gradient'];
    const told = await report(...args, '-o', page, '--save-relevance', join(folder, 'four.npy'));
    expect(told.explanations.map(({ label, rules }) => `${label} ${rules}`)).toEqual([
      'good epsilon',
      'good gradient',
      'bad epsilon',
      'bad gradient',
    ]);
    expect(told.rules).toBe('epsilon');
    expect(readFileSync(page, 'utf8').match(/<article/g)).toHaveLength(4);
    const { out } = await relc('explain', ...args, '-o', page);
    expect(out).toContain('bad by gradient\n');
    expect(out).toMatch(/gradient for bad: f\(x\) \S+ · sum at the input/);
  });
});

describe('many texts', () => {
  const texts = join(folder, 'texts');
  mkdirSync(texts);
  for (const [name, text] of Object.entries({ 'a.txt': 'not dull', 'b.txt': 'a film', 'c.txt': ' ' })) {
    writeFileSync(join(texts, name), text);
  }
  writeTokenizer(texts, wordPiece);

  it('become a page each and a line each', async () => {
    const out = join(folder, 'pages');
    const { code, err } = await relc('explain', fixed, texts, '-o', out);
    expect([code, err]).toEqual([4, expect.stringContaining('RELC5009: the text is empty')]);
    expect(['a.html', 'b.html', 'c.html'].map((name) => existsSync(join(out, name)))).toEqual([
      true,
      true,
      false,
    ]);
    const lines = readFileSync(join(out, 'results.jsonl'), 'utf8').trim().split('\n');
    const reports = lines.map((line) => JSON.parse(line) as Report);
    expect(reports.map(({ words, error }) => error?.code ?? words.length)).toEqual([4, 4, 'RELC5009']);
  });

  it('need a length where the model leaves it open', async () => {
    const out = join(folder, 'open');
    const refused = await relc('explain', model, texts, '-o', out);
    expect(refused.err).toMatch(/RELC2008: .*\n.*length: 128 tokens/);
    expect((await relc('explain', model, texts, '-o', out, '--length', '6')).code).toBe(4);
  });
});

describe('check', () => {
  it('accounts for a text', async () => {
    const { code, out } = await relc('check', model, '--text', 'not dull', '-c', 'bad');
    expect([code, out]).toEqual([0, expect.stringContaining('bad: f(x) = 4')]);
    expect((await relc('check', model)).err).toContain('a check takes one input: a file, or --text');
  });
});

describe('what is refused', () => {
  const path = writeTokenizer(join(folder, 'other'), byteLevel);
  const none = writeTextModel(join(folder, 'none'));
  writeFileSync(join(folder, 'none/relc.json'), '{}');

  it.each([
    ['an empty text', model, ['--text', ' '], 'RELC5009: the text is empty'],
    ['a text without a tokenizer', none, ['--text', 'a'], 'RELC5001: a text is given, and no tokenizer'],
    ['a text and a file', model, ['x.npy', '--text', 'a'], 'RELC5001: --text is given, and x.npy'],
    [
      'a text as a picture',
      model,
      ['--text', 'a', '-o', 'a.png'],
      'RELC5001: --out a.png: a text is written as a page',
    ],
    [
      'the ids of another tokenizer',
      model,
      ['--text', 'wonderful', '--tokenizer', path],
      'RELC5009: token 2 is 20 ("on")',
    ],
    ['no padding token', fixed, ['--text', 'a', '--tokenizer', path], 'no padding token is known'],
    ['a length that the model has not', fixed, ['--text', 'a', '--length', '9'], 'RELC5001: --length is 9'],
    ['half a token', model, ['--text', 'a', '--length', '2.5'], 'RELC5001: --length 2.5'],
    ['no tokenizer', model, ['--text', 'a', '--tokenizer', model], 'RELC5008'],
    ['to go on with one text', model, ['--text', 'a', '--resume'], 'a text is given'],
  ])('%s', async (_what, of, args, message) => {
    const { code, err } = await relc('explain', of, ...args);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});
