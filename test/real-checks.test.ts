// The conservation report of real trained models: every preset, every loss explained.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openInput } from '../src/cli/input.js';
import { startTfjs } from '../src/cli/model.js';
import { compile, presets, trace } from '../src/index.js';

const models = fileURLToPath(new URL('../../shared/models/', import.meta.url));
const missing = !existsSync(models);

describe.skipIf(missing)('nothing is unexplained on digits (needs ../shared/models)', async () => {
  const model = missing
    ? undefined
    : await trace(join(models, 'tfjs-layersmodel-digits_recognition_cnn/model.json'));

  it.each([...presets.keys()])('%s', async (rules) => {
    const images = gunzipSync(readFileSync(join(models, 'sample-mnist-t10k/t10k-images-idx3-ubyte.gz')));
    const explainer = await compile(model!, { rules, range: [0, 1] });
    for (let index = 0; index < 3; index++) {
      const pixels = images.subarray(16 + index * 784, 16 + (index + 1) * 784);
      const report = await explainer.check(Float32Array.from(pixels, (value) => value / 255));
      expect(report.verdict).not.toContain('UNEXPLAINED');
      expect(report.ok).toBe(true);
      expect(report.unexplained).toBeLessThan(1e-5 * Math.abs(report.start));
      expect(report.agreement).toMatchObject({ ok: true });
    }
    explainer.dispose();
  });
});

describe.skipIf(missing)('nothing is unexplained on flowers (needs ../shared/models)', async () => {
  if (!missing) await startTfjs();
  const model = missing ? undefined : await trace(join(models, 'tfjs-graphmodel-automl-flowers/model.json'));
  const daisy = join(models, 'sample-images/flowers/daisy.jpg');

  it.each([...presets.keys()])('%s', async (rules) => {
    const explainer = await compile(model!, { rules, range: [-1, 1] });
    const { values } = await openInput(daisy, explainer.inputs[0]!, { scale: [1 / 127.5, -1] });
    const report = await explainer.check(values);
    explainer.dispose();
    expect(report.verdict).not.toContain('UNEXPLAINED');
    expect(report.ok).toBe(true);
    expect(report.unexplained).toBeLessThan(1e-5 * Math.abs(report.start));
    expect(report.agreement).toMatchObject({ ok: true });
  });
});
