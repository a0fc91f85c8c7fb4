// The example of words: sentences say what decides them, the tokenizer splits as told, explanations find what decides.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderLoader } from '../../examples/shapes/files.js';
import { testSeed } from '../../examples/shapes/schedule.js';
import { toInputs, writeSentences } from '../../examples/words/batches.js';
import { writeExample } from '../../examples/words/example.js';
import { emphases, joints, judgements, negators } from '../../examples/words/lexicon.js';
import { evenShare, type Method, measure, modelFile } from '../../examples/words/measure.js';
import { length } from '../../examples/words/network.js';
import { readTokenizer, tokenize, wordsOfTokens } from '../../examples/words/tokens.js';
import { tokenizerFile, tokenizerSettings } from '../../examples/words/vocabulary.js';
import { fewestWords, mostWords, writeSentence } from '../../examples/words/write.js';
import { compile, trace } from '../../src/index.js';
import { useBackend } from '../codegen/support.js';

const tokenizer = readTokenizer();

/** Shares of positive relevance on deciding words, rounded down by some points; even relevance has 0.12. */
const floors: Readonly<Record<Method, number>> = {
  'gradient-times-input': 0.57,
  attnlrp: 0.69,
  'cp-lrp': 0.77,
  chefer: 0.53,
  full: 0.53,
  'transformer-attribution': 0.71,
  rollout: 0.51,
  'last-layer': 0.59,
  'last-layer-ablation': 0.66,
  'last-layer-attn': 0.57,
  'gradient-attention': 0.7,
  'attention-rollout': 0.5,
  'attention-grad-cam': 0.26,
};

/** Adjectives by label, spelled as sentences spell them. */
const adjectives = judgements.map((list) => list.map((word) => word.replaceAll('|', '')));

const isAdjective = (word: string) => adjectives.flat().includes(word);

/** What words with one adjective say by themselves: a negator turns it round. */
function labelOf(words: readonly string[]): number {
  const told = adjectives.findIndex((list) => list.some((adjective) => words.includes(adjective)));
  return words.some((word) => negators.includes(word)) ? 2 - told : told;
}

describe('sentences', () => {
  const calm = writeSentences(0, 1000, 0);
  const cluttered = writeSentences(0, 1000);

  it('are the same for the same seed', () => {
    expect(writeSentence(42)).toEqual(writeSentence(42));
    expect(writeSentence(42)).not.toEqual(writeSentence(43));
  });

  it('have 6 to 24 words, and 1 to 3 of them decide', () => {
    for (const { text, words, deciding } of [...calm, ...cluttered]) {
      expect(words.length - 1, text).toBeGreaterThanOrEqual(fewestWords);
      expect(words.length - 1, text).toBeLessThanOrEqual(mostWords);
      expect(deciding.length, text).toBeGreaterThanOrEqual(1);
      expect(deciding.length, text).toBeLessThanOrEqual(3);
      expect(new Set(deciding).size).toBe(deciding.length);
      expect(text.toLowerCase()).toBe(words.join(' ').replace(' .', '.').toLowerCase());
    }
  });

  it('have the label that the deciding words tell', () => {
    for (const { text, words, deciding, label } of [...calm, ...cluttered]) {
      expect(labelOf(deciding.map((place) => words[place]!)), text).toBe(label);
    }
    for (const label of [0, 1, 2])
      expect(cluttered.filter((sentence) => sentence.label === label).length).toBeGreaterThan(280);
  });

  it('that judge two things mean the judgement with the emphasis, and the other is another', () => {
    const comparing = cluttered.filter(({ words }) => words.some((word) => joints.includes(word)));
    expect(comparing.length).toBeGreaterThan(500);
    for (const { text, words, deciding, label } of comparing) {
      const joint = words.findIndex((word) => joints.includes(word));
      const emphasized = words.findIndex((word) => emphases.includes(word));
      expect(deciding, text).toContain(emphasized);
      expect(
        deciding.every((place) => place < joint === emphasized < joint),
        text,
      ).toBe(true);
      const other = emphasized < joint ? words.slice(joint) : words.slice(0, joint);
      const adjective = other.findLastIndex(isAdjective);
      expect(labelOf(other.slice(adjective - 2, adjective + 1)), text).not.toBe(label);
    }
  });
});

describe('the tokenizer', () => {
  it('is the one that the script writes', () => {
    const built = new Tokenizer(tokenizerFile(), tokenizerSettings(length));
    expect([...tokenizer.get_vocab()]).toEqual([...built.get_vocab()]);
    expect(tokenizer.encode('The soup!')).toEqual(built.encode('The soup!'));
  });

  it('splits the words that a bar parts, and knows all others but names', () => {
    for (const word of judgements.flat()) {
      const [first, ...rest] = word.split('|');
      const tokens = tokenizer.tokenize(word.replaceAll('|', ''));
      expect(tokens).toEqual([first, ...rest.map((piece) => `##${piece}`)]);
    }
    expect(tokenizer.tokenize('Mrs Okafor wrote')).toEqual(['mrs', '[UNK]', 'wrote']);
  });

  it('gives each token a word', () => {
    for (const sentence of writeSentences(0, 500)) {
      const { ids } = tokenizer.encode(sentence.text);
      const words = wordsOfTokens(tokenizer, sentence);
      expect(words).toHaveLength(length);
      expect(words.findLastIndex((place) => place >= 0)).toBe(ids.length - 2);
      const spelled = ids.slice(1, -1).map((id: number, token: number) => {
        const piece = tokenizer.id_to_token(id)!;
        return piece === '[UNK]' ? sentence.words[words[token + 1]!]!.toLowerCase() : piece;
      });
      expect(spelled.join(' ').replaceAll(' ##', '')).toBe(sentence.words.join(' ').toLowerCase());
    }
  });
});

describe('the network', async () => {
  const sentences = writeSentences(testSeed, 200);
  const program = await trace(modelFile);
  let scores: Float32Array;

  beforeAll(async () => {
    await useBackend('wasm');
    const model = await tf.loadLayersModel(folderLoader(dirname(modelFile)));
    scores = tf.tidy(() =>
      (model.predict(toInputs(tokenizer, sentences)) as tf.Tensor).dataSync<'float32'>(),
    );
    model.dispose();
  });

  it('judges at least 97 of 100 held-out sentences rightly', () => {
    const right = sentences.filter(({ label }, row) => {
      const own = scores.subarray(3 * row, 3 * row + 3);
      return own.indexOf(Math.max(...own)) === label;
    });
    expect(right.length / sentences.length).toBeGreaterThanOrEqual(0.97);
  });

  it('judges the example sentence rightly, which lies in a file', async () => {
    const example = writeExample();
    const file = new URL('../../examples/words/example.txt', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(`${example.text}\n`);
    const explainer = await compile(program, { rules: 'attnlrp' });
    const { target } = await explainer.explain({ ...tokenize(tokenizer, [example.text]) });
    explainer.dispose();
    expect(target).toBe(example.label);
  });

  describe('explained', () => {
    const few = sentences.slice(0, 64);

    it.each(Object.entries(floors))('by %s', async (rules, floor) => {
      const { explanation, share } = await measure(program, rules as Method, tokenizer, few);
      explanation.scores.data.forEach((score, place) => {
        expect(score).toBeCloseTo(scores[place]!, 5);
      });
      expect(share).toBeGreaterThan(floor);
    });

    it('by an even spread', () => {
      expect(evenShare(tokenizer, few)).toBeLessThan(0.13);
    });
  });
});
