// Prints how much of the positive relevance lies on the shape under each method: the table of the README.

import * as tf from '@tensorflow/tfjs';
import { percent } from '../../src/api/percent.js';
import { compile, trace } from '../../src/index.js';
import { heldOutPictures, methods, shapeArea, shareOnShape } from './measure.js';

const pictureCount = 128;

tf.enableProdMode();
await tf.setBackend('cpu');
const { default: classify, input, params } = await import('./model/model.js');
const program = await trace(classify, { input, params });
const pictures = heldOutPictures(pictureCount);
console.log(`| rules | on the shape |\n|---|---|`);
for (const rules of methods) {
  const explainer = await compile(program, { rules });
  console.log(`| \`${rules}\` | ${percent(await shareOnShape(explainer, pictures))} |`);
  explainer.dispose();
}
console.log(`| the shape's part of the picture | ${percent(shapeArea(pictures))} |`);
