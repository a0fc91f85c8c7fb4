// Real trained models and real pictures through the whole compiler: labels are right, relevance lies where it should.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { main } from '../src/cli/main.js';
import { decodeNpy } from '../src/cli/picture/npy.js';
import { decodePicture } from '../src/cli/picture/picture.js';
import { compile, presets } from '../src/index.js';
import { valuePresets } from './presets.js';

const models = fileURLToPath(new URL('../../shared/models/', import.meta.url));
const missing = !existsSync(models);
const scratch = mkdtempSync(join(tmpdir(), 'relc-real-'));

/** Runs the command and returns its JSON report. */
async function explainJson(
  args: readonly string[],
): Promise<{ label: string; relevance: { shape: number[] } }> {
  let text = '';
  let errors = '';
  const terminal = {
    out: (line: string) => (text += line),
    err: (line: string) => (errors += line),
    colour: false,
    columns: 80,
  };
  const code = await main(['explain', ...args, '--json'], terminal);
  expect(errors.replace(/^note: [^\n]*/, '')).toBe('');
  expect(code).toBe(0);
  return JSON.parse(text);
}

/** The share of positive relevance, channels summed, at the places that `inside` accepts. */
function positiveShare(path: string, inside: (x: number, y: number) => boolean): number {
  const { data, shape } = decodeNpy(readFileSync(path), path);
  const [, height, width, channels] = shape as [number, number, number, number];
  let [total, accepted] = [0, 0];
  for (let pixel = 0; pixel < height * width; pixel++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += data[pixel * channels + channel]!;
    if (sum <= 0) continue;
    total += sum;
    if (inside(pixel % width, Math.floor(pixel / width))) accepted += sum;
  }
  return accepted / total;
}

describe.skipIf(missing)('flowers, a graph model (needs ../shared/models)', () => {
  const folder = join(models, 'tfjs-graphmodel-automl-flowers');
  const options = ['--scale', '1/127.5,-1', '--labels', join(folder, 'dict.txt')];
  const photo = (name: string) => join(models, 'sample-images/flowers', `${name}.jpg`);

  it.each([
    ['rose', 'roses'],
    ['tulip', 'tulips'],
    ['daisy', 'daisy'],
  ])('names the %s', async (name, label) => {
    const report = await explainJson([join(folder, 'model.json'), photo(name), ...options]);
    expect(report.label).toBe(label);
  });

  it('puts at least 97 % of the daisy’s positive relevance into its box under epsilon-plus', async () => {
    const [array, picture] = [join(scratch, 'daisy.npy'), join(scratch, 'daisy.png')];
    const files = ['--rules', 'epsilon-plus', '--save-relevance', array, '-o', picture];
    await explainJson([join(folder, 'model.json'), photo('daisy'), ...options, ...files]);
    expect(positiveShare(array, (x, y) => x < 170 && y >= 50)).toBeGreaterThan(0.97);
    expect(decodePicture(readFileSync(picture), picture).height).toBeGreaterThan(400);
  });
});

describe.skipIf(missing)('flowers, in one run (needs ../shared/models)', () => {
  const folder = join(models, 'tfjs-graphmodel-automl-flowers');

  it('speak for the daisy at its flowers, also against the rose, and against the rose where it is explained', async () => {
    const array = join(scratch, 'contrasts.npy');
    const args = [join(folder, 'model.json'), join(models, 'sample-images/flowers/daisy.jpg')];
    const options = [
      '--scale',
      '1/127.5,-1',
      '--labels',
      join(folder, 'dict.txt'),
      '--save-relevance',
      array,
    ];
    for (const asked of [
      ['--class', 'daisy,roses'],
      ['--against', 'roses'],
    ]) {
      await explainJson([...args, ...options, ...asked]);
      expect(positiveShare(array, (x, y) => x < 170 && y >= 50)).toBeGreaterThan(0.97);
      const data = Float32Array.from(decodeNpy(readFileSync(array), array).data);
      const size = 224 * 224 * 3;
      const sums = Array.from({ length: data.length / size }, (_, row) =>
        data.subarray(row * size, (row + 1) * size).reduce((sum, value) => sum + value, 0),
      );
      expect(sums[0]).toBeGreaterThan(0);
      if (sums.length > 1) expect(sums[1]).toBeLessThan(0);
    }
  });
});

/** Presets whose result does not multiply by the input. */
const spreading = new Set([
  ...[...presets.keys()].filter((name) => name.endsWith('flat')),
  ...['gradient', 'guided-backprop', 'deconvnet', 'grad-cam', 'epsilon-gamma-box', 'chefer-original', 'full'],
]);

describe.skipIf(missing)('digits, a layers model (needs ../shared/models)', () => {
  const model = join(models, 'tfjs-layersmodel-digits_recognition_cnn/model.json');
  const count = 20;
  const read = (name: string, offset: number) =>
    gunzipSync(readFileSync(join(models, 'sample-mnist-t10k', name))).subarray(offset);

  it.each(valuePresets)('%s: twenty digits are named and explained', async (rules) => {
    const pixels = Float32Array.from(
      read('t10k-images-idx3-ubyte.gz', 16).subarray(0, count * 784),
      (value) => value / 255,
    );
    const labels = [...read('t10k-labels-idx1-ubyte.gz', 8).subarray(0, count)];
    const explainer = await compile(model, { rules, range: [0, 1] });
    const { targets, relevance } = await explainer.explain(pixels);
    explainer.dispose();
    expect(targets.filter((target, index) => target === labels[index]).length).toBeGreaterThanOrEqual(
      count - 1,
    );
    const ink = relevance.data.reduce(
      (sum, value, index) => (pixels[index]! > 0 ? sum + Math.abs(value) : sum),
      0,
    );
    const all = relevance.data.reduce((sum, value) => sum + Math.abs(value), 0);
    // Rules that multiply by the input leave nothing on black; the others spread over the picture.
    expect(ink / all).toBeGreaterThan(spreading.has(rules) ? 0.2 : 0.999);
  });
});
