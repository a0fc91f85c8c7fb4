// Trains the network that reads sentences and writes the model, its tokenizer, its settings and an example sentence.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { registerProducts } from '../patches/wasm-products.js';
import { folderLoader, folderSaver } from '../shapes/files.js';
import { clutterAt, rateAt, ScheduledAdam, testSeed, validationSeed } from '../shapes/schedule.js';
import { toInputs, toTargets, writeSentences } from './batches.js';
import { writeExample } from './example.js';
import { buildNetwork, length, trainedWeights } from './network.js';
import { tokenizerFile, tokenizerSettings } from './vocabulary.js';
import { registerEmbeddingGradient, registerTiling } from './wasm-gradients.js';
import { labels, type Sentence } from './write.js';

/** The rate climbs and falls once in each round. The first round starts with calm sentences. */
const rounds: readonly Round[] = [
  { epochs: 16, peakRate: 0.002, startsCalm: true },
  { epochs: 10, peakRate: 0.0015, startsCalm: false },
  { epochs: 10, peakRate: 0.0015, startsCalm: false },
  { epochs: 10, peakRate: 0.001, startsCalm: false },
];
const stepsPerEpoch = 128;
const batchSize = 32;
const networkSeed = 7;

interface Round {
  readonly epochs: number;
  readonly peakRate: number;
  readonly startsCalm: boolean;
}

const validationSize = 512;
const testSize = 4096;

const folder = dirname(fileURLToPath(import.meta.url));
const modelFolder = join(folder, 'model');

const vocabulary = tokenizerFile();
const settings = tokenizerSettings(length);
const tokenizer = new Tokenizer(vocabulary, settings);

/**
 * One step of training, and its loss. The network runs as it does when it is read: the normalization that adds places must
 * take no statistics.
 */
function step(model: tf.LayersModel, optimizer: ScheduledAdam, sentences: readonly Sentence[]): number {
  const inputs = toInputs(tokenizer, sentences);
  const targets = toTargets(sentences);
  const loss = optimizer.minimize(
    () => {
      const scores = model.apply(inputs, { training: false }) as tf.Tensor;
      return tf.metrics.categoricalCrossentropy(targets, scores).mean() as tf.Scalar;
    },
    true,
    trainedWeights(model),
  );
  const value = loss!.dataSync()[0]!;
  tf.dispose([inputs, targets, loss!]);
  return value;
}

/** Trains for one epoch of a round on sentences from `firstSeed` on, and returns the mean loss. */
function trainEpoch(
  model: tf.LayersModel,
  optimizer: ScheduledAdam,
  { epochs, peakRate, startsCalm }: Round,
  epoch: number,
  firstSeed: number,
): number {
  let lossSum = 0;
  for (let index = 0; index < stepsPerEpoch; index++) {
    const progress = (epoch * stepsPerEpoch + index + 1) / (epochs * stepsPerEpoch);
    const clutter = startsCalm ? clutterAt(progress) : 1;
    optimizer.setRate(rateAt(progress, peakRate));
    lossSum += step(model, optimizer, writeSentences(firstSeed + index * batchSize, batchSize, clutter));
  }
  return lossSum / stepsPerEpoch;
}

async function train(model: tf.LayersModel): Promise<void> {
  const start = performance.now();
  let seed = 0;
  for (const round of rounds) {
    const optimizer = new ScheduledAdam(round.peakRate, 0.9, 0.99, 1e-7);
    for (let epoch = 0; epoch < round.epochs; epoch++) {
      const loss = trainEpoch(model, optimizer, round, epoch, seed);
      seed += stepsPerEpoch * batchSize;
      const accuracy = measureAccuracy(model, validationSeed, validationSize);
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      const progress = `epoch ${epoch + 1}/${round.epochs}  loss ${loss.toFixed(4)}`;
      console.log(`${progress}  held-out accuracy ${accuracy.toFixed(4)}  ${seconds} s`);
      await saveModel(model);
    }
  }
}

function predict(model: tf.LayersModel, sentences: readonly Sentence[]): Float32Array {
  return tf.tidy(() => {
    const scores = model.predict(toInputs(tokenizer, sentences)) as tf.Tensor;
    return scores.dataSync<'float32'>();
  });
}

/** The share of the sentences of `count` seeds, from `firstSeed` on, that the model judges rightly. */
function measureAccuracy(model: tf.LayersModel, firstSeed: number, count: number): number {
  const sentences = writeSentences(firstSeed, count);
  const scores = predict(model, sentences);
  const hits = sentences.filter(({ label }, row) => {
    const ofSentence = scores.subarray(row * labels.length, (row + 1) * labels.length);
    return ofSentence.indexOf(Math.max(...ofSentence)) === label;
  });
  return hits.length / count;
}

async function writeJson(name: string, value: object): Promise<void> {
  await writeFile(join(modelFolder, name), `${JSON.stringify(value, null, 2)}\n`);
}

/** Writes the model and checks that the files give the same predictions, bit for bit. */
async function saveModel(model: tf.LayersModel): Promise<void> {
  await mkdir(modelFolder, { recursive: true });
  await model.save(folderSaver(modelFolder));
  const loaded = await tf.loadLayersModel(folderLoader(modelFolder));
  const sentences = writeSentences(testSeed, 16);
  const before = predict(model, sentences);
  const same = predict(loaded, sentences).every((score, index) => score === before[index]);
  loaded.dispose();
  if (!same) throw new Error('the model read back gives other predictions than the model that was saved');
}

async function saveExample(model: tf.LayersModel): Promise<void> {
  const sentence = writeExample();
  const scores = predict(model, [sentence]);
  const guess = scores.indexOf(Math.max(...scores));
  if (guess !== sentence.label) throw new Error('the model does not judge the example sentence rightly');
  await writeFile(join(folder, 'example.txt'), `${sentence.text}\n`);
  console.log(`example: ${labels[sentence.label]}, score ${scores[guess]!.toFixed(4)}`);
}

async function main(): Promise<void> {
  await tf.setBackend('wasm');
  await tf.ready();
  registerEmbeddingGradient();
  registerTiling();
  registerProducts();
  const model = buildNetwork(Object.keys(vocabulary.model.vocab).length, labels.length, networkSeed);
  console.log(`${model.countParams()} parameters`);
  await mkdir(modelFolder, { recursive: true });
  await writeJson('tokenizer.json', vocabulary);
  await writeJson('tokenizer_config.json', settings);
  await writeJson('relc.json', { labels, rules: 'cp-lrp', tokenizer: 'tokenizer.json' });
  await train(model);
  console.log(`accuracy on ${testSize} more sentences: ${measureAccuracy(model, testSeed, testSize)}`);
  await saveExample(model);
}

try {
  await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
