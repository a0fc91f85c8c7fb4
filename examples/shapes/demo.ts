// The demo: explains the example picture with the command, then measures how much of the heatmap lies on the object.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeNpy } from '../../src/cli/picture/npy.js';
import { decodePicture, luminance } from '../../src/cli/picture/picture.js';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const command = here('../../dist/cli/main.js');
const output = here('../../out');

function explain(): void {
  const args = ['explain', here('model/model.json'), here('example.png')];
  const files = ['-o', `${output}/heat.png`, '--save-relevance', `${output}/relevance.npy`];
  const { status } = spawnSync(process.execPath, [command, ...args, ...files], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** The mask grown by `margin` pixels: an edge is seen from both of its sides. */
function grown(mask: Float32Array, width: number, margin: number): boolean[] {
  const height = mask.length / width;
  return Array.from(mask, (_, pixel) => {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    for (let dy = -margin; dy <= margin; dy++) {
      for (let dx = -margin; dx <= margin; dx++) {
        const [nx, ny] = [x + dx, y + dy];
        if (nx >= 0 && ny >= 0 && nx < width && ny < height && mask[ny * width + nx]! > 0.5) return true;
      }
    }
    return false;
  });
}

/** The share of positive relevance, channels summed first, on the grown mask; and the share of the picture it covers. */
function measure(margin: number): { inside: number; area: number } {
  const relevance = decodeNpy(readFileSync(`${output}/relevance.npy`), 'relevance.npy');
  const picture = decodePicture(readFileSync(here('example-mask.png')), 'example-mask.png');
  const mask = grown(luminance(picture), picture.width, margin);
  const channels = relevance.data.length / mask.length;
  let [inside, total] = [0, 0];
  mask.forEach((onObject, pixel) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += relevance.data[pixel * channels + channel]!;
    if (sum > 0) total += sum;
    if (sum > 0 && onObject) inside += sum;
  });
  return { inside: inside / total, area: mask.filter(Boolean).length / mask.length };
}

mkdirSync(output, { recursive: true });
explain();
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
for (const [where, margin] of [
  ['on the object', 0],
  ['on it or within 2 pixels of its edge', 2],
] as const) {
  const { inside, area } = measure(margin);
  console.log(`${percent(inside)} of the positive relevance lies ${where}: ${percent(area)} of the picture.`);
}
