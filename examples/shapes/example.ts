// The example picture of this folder, drawn again from its seed.

import { drawPicture, type Picture } from './draw.js';

/** Far from the seeds that the network is trained on. */
export const exampleSeed = 3_000_000_074;

export function drawExample(): Picture {
  return drawPicture(exampleSeed);
}
