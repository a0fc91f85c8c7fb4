// What tests of the command share: a terminal that listens, a small model on disk, files made for one test.
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type ExitCode, main } from '../../src/cli/main.js';
import { encodePicture } from '../../src/cli/picture/picture.js';

export interface Run {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line and collects what it prints. */
export async function relc(...args: string[]): Promise<Run> {
  const lines = { out: [] as string[], err: [] as string[] };
  const code = await main(args, {
    out: (text) => void lines.out.push(text),
    err: (text) => void lines.err.push(text),
    colour: false,
    columns: 80,
  });
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'relc-cli-'));

/** A picture that is red above and blue below, as PNG. */
export function writePicture(path: string, size: number): void {
  const data = new Uint8Array(size * size * 3);
  for (let pixel = 0; pixel < size * size; pixel++)
    data[3 * pixel + (pixel < (size * size) / 2 ? 0 : 2)] = 255;
  writeFileSync(path, encodePicture({ width: size, height: size, data }));
}

export const labels = ['red above', 'blue above'];

/**
 * A layers model on disk with a manifest: it takes the mean of (red − blue) over the upper half of a 6×6 picture, and
 * scores [m, −m] through a softmax. Where the size is left open, it takes the mean of the whole.
 */
export async function writeModel(folder: string, inputShape: (number | null)[] = [6, 6, 3]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const model = tf.sequential({ name: 'halves' });
  model.add(
    tf.layers.conv2d({
      filters: 2,
      kernelSize: 1,
      inputShape,
      activation: 'relu',
      name: 'colours',
    }),
  );
  const crop: [[number, number], [number, number]] = [
    [0, 3],
    [0, 0],
  ];
  if (inputShape[0] !== null) model.add(tf.layers.cropping2D({ cropping: crop, name: 'upper' }));
  model.add(tf.layers.globalAveragePooling2d({ name: 'mean' }));
  model.add(tf.layers.dense({ units: 2, activation: 'softmax', name: 'scores' }));
  model.setWeights([
    tf.tensor([1, 0, 0, 0, 0, 1], [1, 1, 3, 2]),
    tf.tensor1d([0, 0]),
    tf.tensor2d([
      [1, -1],
      [-1, 1],
    ]),
    tf.tensor1d([0, 0]),
  ]);
  await model.save({
    save: async ({ modelTopology, weightSpecs, weightData }) => {
      const paths = ['weights.bin'];
      const json = {
        format: 'layers-model',
        modelTopology,
        weightsManifest: [{ paths, weights: weightSpecs }],
      };
      writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
      writeFileSync(join(folder, 'weights.bin'), new Uint8Array(weightData as ArrayBuffer));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  model.dispose();
  const manifest = { size: [6, 6], scale: [1 / 255, 0], labels, rules: 'epsilon' };
  writeFileSync(join(folder, 'relc.json'), JSON.stringify(manifest));
  return join(folder, 'model.json');
}

/** When files of the working folder were last written, by name: what a command leaves alone stays as it was. */
export function writtenHere(...names: readonly string[]): Record<string, number | undefined> {
  return Object.fromEntries(names.map((name) => [name, statSync(name, { throwIfNoEntry: false })?.mtimeMs]));
}
