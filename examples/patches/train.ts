// Trains the transformer on the drawn shapes and writes its weights and settings.

import { mkdir, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { accuracyOf, drawBatch, scale } from '../shapes/batches.js';
import { labels } from '../shapes/draw.js';
import { clutterAt, rateAt, ScheduledAdam, testSeed, validationSeed } from '../shapes/schedule.js';
import { readWeights, writeWeights } from './files.js';
import { logits, sizes, weightShapes } from './network.js';
import { loadStem } from './stem.js';
import { registerProducts, registerTanh } from './wasm-products.js';

const epochs = 12;
const stepsPerEpoch = 64;
const batchSize = 32;
const peakRate = 0.002;
const networkSeed = 7;
const validationSize = 256;
const testSize = 4096;

const folder = new URL('model/', import.meta.url);

type Weights = Readonly<Record<string, tf.Tensor>>;

/**
 * Scales start at 1, offsets and biases at 0, a kernel with a variance of 1 over the number of its inputs. The class
 * token and the positions start a fifth as large as what they are joined with.
 */
function initialize(name: string, shape: readonly number[], seed: number): tf.Tensor {
  if (name.endsWith('/scale')) return tf.ones([...shape]);
  if (name.endsWith('/offset') || name.endsWith('/bias')) return tf.zeros([...shape]);
  const inputs = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const deviation = name.endsWith('/kernel') ? Math.sqrt(1 / inputs) : 0.2;
  return tf.randomNormal([...shape], 0, deviation, 'float32', seed);
}

/** The weights of the stem stay as they are: constants, which no gradient is computed for. */
async function createWeights(): Promise<Weights> {
  const stem = await loadStem();
  const entries = Object.entries(weightShapes).map(([name, shape], index) => {
    return [name, stem[name] ?? tf.variable(initialize(name, shape, networkSeed + index))] as const;
  });
  return Object.fromEntries(entries);
}

/** One step of Adam on freshly drawn pictures; gives the loss before it. */
function trainStep(weights: Weights, optimizer: ScheduledAdam, stepsDone: number): number {
  const progress = (stepsDone + 1) / (epochs * stepsPerEpoch);
  optimizer.setRate(rateAt(progress, peakRate));
  const { inputs, targets } = drawBatch(stepsDone * batchSize, batchSize, clutterAt(progress));
  const loss = optimizer.minimize(
    () => tf.losses.softmaxCrossEntropy(targets, logits(inputs, weights)) as tf.Scalar,
    true,
  )!;
  const value = loss.dataSync()[0]!;
  tf.dispose([inputs, targets, loss]);
  return value;
}

/** The weights are written after each epoch, so that an interrupted training leaves what it has reached. */
async function train(weights: Weights): Promise<void> {
  const optimizer = new ScheduledAdam(peakRate, 0.9, 0.999, 1e-7);
  const start = performance.now();
  for (let epoch = 0; epoch < epochs; epoch++) {
    let lossSum = 0;
    for (let step = 0; step < stepsPerEpoch; step++) {
      lossSum += trainStep(weights, optimizer, epoch * stepsPerEpoch + step);
    }
    await writeWeights(folder, weights);
    const loss = (lossSum / stepsPerEpoch).toFixed(4);
    const accuracy = accuracyOf((inputs) => logits(inputs, weights), validationSeed, validationSize);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    const progress = `epoch ${epoch + 1}/${epochs}  loss ${loss}`;
    console.log(`${progress}  held-out accuracy ${accuracy.toFixed(4)}  ${seconds} s`);
  }
}

async function saveSettings(): Promise<void> {
  const settings = { size: [sizes.side, sizes.side], scale, labels, rules: 'transformer-attribution' };
  await writeFile(new URL('relc.json', folder), `${JSON.stringify(settings, null, 2)}\n`);
}

async function main(): Promise<void> {
  tf.enableProdMode();
  await tf.setBackend('wasm');
  await tf.ready();
  registerProducts();
  registerTanh();
  await mkdir(folder, { recursive: true });
  await saveSettings();
  await train(await createWeights());
  const weights = await readWeights(folder);
  const accuracy = accuracyOf((inputs) => logits(inputs, weights), testSeed, testSize);
  console.log(`accuracy on ${testSize} more pictures: ${accuracy}`);
}

try {
  await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
