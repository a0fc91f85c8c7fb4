// Trains the shape classifier and writes the model, its settings and an example picture.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { accuracyOf, drawBatch, scale, toInputs } from './batches.js';
import { drawPicture, labels } from './draw.js';
import { drawExample, exampleSeed } from './example.js';
import { folderLoader, folderSaver, writePicture } from './files.js';
import { buildNetwork } from './network.js';
import { clutterAt, rateAt, ScheduledAdam, testSeed, validationSeed } from './schedule.js';
import { registerConvolutionGradients, registerNormalizationGradient } from './wasm-gradients.js';

const epochs = 24;
const stepsPerEpoch = 128;
const batchSize = 32;
const peakRate = 0.004;
const networkSeed = 7;

const validationSize = 512;
const testSize = 4096;

const folder = dirname(fileURLToPath(import.meta.url));
const modelFolder = join(folder, 'model');

async function trainEpoch(model: tf.Sequential, optimizer: ScheduledAdam, epoch: number): Promise<number> {
  let lossSum = 0;
  for (let step = 0; step < stepsPerEpoch; step++) {
    const stepsDone = epoch * stepsPerEpoch + step;
    const progress = (stepsDone + 1) / (epochs * stepsPerEpoch);
    optimizer.setRate(rateAt(progress, peakRate));
    const batch = drawBatch(stepsDone * batchSize, batchSize, clutterAt(progress));
    lossSum += (await model.trainOnBatch(batch.inputs, batch.targets)) as number;
    tf.dispose([batch.inputs, batch.targets]);
  }
  return lossSum / stepsPerEpoch;
}

async function train(model: tf.Sequential): Promise<void> {
  const optimizer = new ScheduledAdam(peakRate, 0.9, 0.999, 1e-7);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const start = performance.now();
  for (let epoch = 0; epoch < epochs; epoch++) {
    const loss = await trainEpoch(model, optimizer, epoch);
    const accuracy = accuracyOf(naming(model), validationSeed, validationSize);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    const progress = `epoch ${epoch + 1}/${epochs}  loss ${loss.toFixed(4)}`;
    console.log(`${progress}  held-out accuracy ${accuracy.toFixed(4)}  ${seconds} s`);
  }
}

function naming(model: tf.LayersModel): (inputs: tf.Tensor4D) => tf.Tensor {
  return (inputs) => model.predict(inputs) as tf.Tensor;
}

function predict(model: tf.LayersModel, seeds: readonly number[]): number[] {
  return tf.tidy(() => {
    const scores = model.predict(toInputs(seeds.map((seed) => drawPicture(seed)))) as tf.Tensor;
    return Array.from(scores.dataSync());
  });
}

/** Writes the model and checks that the files give the same predictions, bit for bit. */
async function saveModel(model: tf.Sequential): Promise<void> {
  await mkdir(modelFolder, { recursive: true });
  await model.save(folderSaver(modelFolder));
  const loaded = await tf.loadLayersModel(folderLoader(modelFolder));
  const seeds = Array.from({ length: 16 }, (_, index) => testSeed + index);
  const before = predict(model, seeds);
  if (!predict(loaded, seeds).every((score, index) => score === before[index])) {
    throw new Error('the model read back gives other predictions than the model that was saved');
  }
}

async function saveSettings(): Promise<void> {
  const settings = { size: [64, 64], scale, labels, rules: 'epsilon-plus' };
  await writeFile(join(modelFolder, 'relc.json'), `${JSON.stringify(settings, null, 2)}\n`);
}

async function saveExample(model: tf.LayersModel): Promise<void> {
  const picture = drawExample();
  const scores = predict(model, [exampleSeed]);
  const guess = scores.indexOf(Math.max(...scores));
  if (guess !== picture.label) throw new Error('the model does not name the example picture rightly');
  await writePicture(picture, join(folder, 'example.png'), join(folder, 'example-mask.png'));
  console.log(`example: ${labels[picture.label]}, score ${scores[guess]!.toFixed(4)}`);
}

async function main(): Promise<void> {
  await tf.setBackend('wasm');
  await tf.ready();
  registerConvolutionGradients();
  registerNormalizationGradient();
  const model = buildNetwork(labels.length, networkSeed);
  model.summary(90);
  await train(model);
  console.log(`accuracy on ${testSize} more pictures: ${accuracyOf(naming(model), testSeed, testSize)}`);
  await saveModel(model);
  await saveSettings();
  await saveExample(model);
}

try {
  await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
