// Prints, for each method, how much of its positive relevance lies on the words that decide held-out sentences.

import { trace } from '../../src/index.js';
import { testSeed } from '../shapes/schedule.js';
import { writeSentences } from './batches.js';
import { evenShare, measure, methods, modelFile } from './measure.js';
import { readTokenizer } from './tokens.js';

const tokenizer = readTokenizer();
const sentences = writeSentences(testSeed, 256);
const program = await trace(modelFile);

const print = (name: string, share: number) =>
  console.log(`${name.padEnd(26)} ${(100 * share).toFixed(1)} %`);

for (const rules of methods) {
  const { share } = await measure(program, rules, tokenizer, sentences);
  print(rules, share);
}
print('even over all words', evenShare(tokenizer, sentences));
