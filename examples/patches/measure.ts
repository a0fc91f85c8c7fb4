// How much of the positive relevance lies on the drawn shape, method by method.

import type { Explainer, Explanation } from '../../src/index.js';
import { type Batch, toInputs } from '../shapes/batches.js';
import { drawPicture, type Picture } from '../shapes/draw.js';
import { testSeed } from '../shapes/schedule.js';
import { patchGrid, sizes } from './network.js';

/** Pictures that the network was not trained on. */
export function heldOutPictures(count: number): Picture[] {
  return Array.from({ length: count }, (_, index) => drawPicture(testSeed + index));
}

/**
 * The mean share, over the pictures, of positive relevance that lies on the shape. A picture without positive
 * relevance counts as 0.
 */
export async function shareOnShape(explainer: Explainer, pictures: readonly Picture[]): Promise<number> {
  const inputs = toInputs(pictures);
  const { relevance } = await explainer.explain(inputs, { target: pictures.map(({ label }) => label) });
  inputs.dispose();
  const shares = pictures.map(({ mask }, sample) => positiveShare(pixelRelevance(relevance, sample), mask));
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
