// Batches of freshly written sentences as tensors.

import type { Tokenizer } from '@huggingface/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { length } from './network.js';
import { tokenize } from './tokens.js';
import { labels, type Sentence, writeSentence } from './write.js';

/** The sentences of `count` seeds, from `firstSeed` on. */
export function writeSentences(firstSeed: number, count: number, clutter = 1): Sentence[] {
  return Array.from({ length: count }, (_, index) => writeSentence(firstSeed + index, clutter));
}

/** The network's two inputs, in its order. */
export function toInputs(tokenizer: Tokenizer, sentences: readonly Sentence[]): tf.Tensor2D[] {
  const texts = sentences.map(({ text }) => text);
  const { input_ids, attention_mask } = tokenize(tokenizer, texts);
  return [input_ids, attention_mask].map((values) =>
    tf.tensor2d([...values], [texts.length, length], 'int32'),
  );
}

/** One-hot labels [sentences, classes]. */
export function toTargets(sentences: readonly Sentence[]): tf.Tensor2D {
  return tf.tidy(() => {
    const indices = tf.tensor1d(
      sentences.map(({ label }) => label),
      'int32',
    );
    return tf.oneHot(indices, labels.length).toFloat() as tf.Tensor2D;
  });
}
