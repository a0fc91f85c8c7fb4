// The example sentence of this folder, written again from its seed.

import { type Sentence, writeSentence } from './write.js';

/** Far from the seeds that the network is trained on. */
export const exampleSeed = 3_000_000_332;

export function writeExample(): Sentence {
  return writeSentence(exampleSeed);
}
