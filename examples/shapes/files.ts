// The model and the pictures as files: TF.js layers format and PNG.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { encode } from 'fast-png';
import type { Picture } from './draw.js';

const weightsFile = 'weights.bin';

/** A handler for `model.save` that writes model.json and weights.bin into the folder. */
export function folderSaver(folder: string): tf.io.IOHandler {
  return {
    save: async (artifacts) => {
      const { modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy } = artifacts;
      const weightsManifest = [{ paths: [weightsFile], weights: weightSpecs }];
      const model = { format, generatedBy, convertedBy, modelTopology, weightsManifest };
      const weights = tf.io.CompositeArrayBuffer.join(weightData);
      await writeFile(join(folder, 'model.json'), `${JSON.stringify(model)}\n`);
      await writeFile(join(folder, weightsFile), new Uint8Array(weights));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  };
}

/** A handler for `loadLayersModel` that reads what the saver has written. */
export function folderLoader(folder: string): tf.io.IOHandler {
  return {
    load: async () => {
      const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as tf.io.ModelJSON;
      const weightSpecs = model.weightsManifest.flatMap((group) => group.weights);
      const weightData = new Uint8Array(await readFile(join(folder, weightsFile))).buffer;
      return { modelTopology: model.modelTopology, weightSpecs, weightData };
    },
  };
}

/** The picture's colours as one PNG, its mask as another: 255 where the shape is. */
export async function writePicture(picture: Picture, colourFile: string, maskFile: string): Promise<void> {
  const { width, height, pixels, mask } = picture;
  await writeFile(colourFile, encode({ width, height, channels: 3, depth: 8, data: pixels }));
  const grey = mask.map((inside) => 255 * inside);
  await writeFile(maskFile, encode({ width, height, channels: 1, depth: 8, data: grey }));
}
