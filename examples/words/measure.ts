// How well explanations find the words that decide: the share of their positive relevance that lies there.

import { fileURLToPath } from 'node:url';
import type { Tokenizer } from '@huggingface/tokenizers';
import { compile, type Explanation, type Model } from '../../src/index.js';
import { length } from './network.js';
import { tokenize, wordsOfTokens } from './tokens.js';
import type { Sentence } from './write.js';

export const modelFile = fileURLToPath(new URL('model/model.json', import.meta.url));

/** The rules that are measured. */
export const methods = [
  'gradient-times-input',
  'attnlrp',
  'cp-lrp',
  'chefer',
  'full',
  'transformer-attribution',
  'rollout',
  'last-layer',
  'last-layer-ablation',
  'last-layer-attn',
  'gradient-attention',
  'attention-rollout',
  'attention-grad-cam',
] as const;

export type Method = (typeof methods)[number];

/** What one method says of sentences. */
export interface Measurement {
  readonly explanation: Explanation;
  /** The positive relevance on tokens of deciding words, of all on tokens of words and marks: the mean over sentences. */
  readonly share: number;
}

/** Explains for each sentence the class that the network names; `network` is traced, or the model's file. */
export async function measure(
  network: Model,
  rules: Method,
  tokenizer: Tokenizer,
  sentences: readonly Sentence[],
): Promise<Measurement> {
  const explainer = await compile(network, { rules });
  try {
    const texts = sentences.map(({ text }) => text);
    const explanation = await explainer.explain({ ...tokenize(tokenizer, texts) });
    const shares = sentences.map((sentence, row) => {
      const ofSentence = explanation.relevance.data.subarray(row * length, (row + 1) * length);
      return shareOnDeciding(ofSentence, wordsOfTokens(tokenizer, sentence), sentence);
    });
    return { explanation, share: mean(shares) };
  } finally {
    explainer.dispose();
  }
}

/** What an explanation that is even over the words would reach. */
export function evenShare(tokenizer: Tokenizer, sentences: readonly Sentence[]): number {
  const even = new Float32Array(length).fill(1);
  return mean(
    sentences.map((sentence) => shareOnDeciding(even, wordsOfTokens(tokenizer, sentence), sentence)),
  );
}

/** 0 where no word has positive relevance. */
function shareOnDeciding(relevance: Float32Array, words: readonly number[], { deciding }: Sentence): number {
  let [inside, total] = [0, 0];
  words.forEach((word, token) => {
    const positive = word < 0 ? 0 : Math.max(0, relevance[token]!);
    total += positive;
    if (deciding.includes(word)) inside += positive;
  });
  return total === 0 ? 0 : inside / total;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
