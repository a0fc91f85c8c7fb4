// The conservation report of real trained models: every preset, every loss explained, on every target.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startTfjs } from '../src/cli/model.js';
import { openFor } from '../src/cli/reading.js';
import { compile, executionTargets, trace } from '../src/index.js';
import { relativeError } from './codegen/support.js';
import { valuePresets } from './presets.js';

const models = fileURLToPath(new URL('../../shared/models/', import.meta.url));
const missing = !existsSync(models);

describe.skipIf(missing)('nothing is unexplained on digits (needs ../shared/models)', async () => {
  const model = missing
    ? undefined
    : await trace(join(models, 'tfjs-layersmodel-digits_recognition_cnn/model.json'));

  const everywhere = valuePresets.flatMap((rules) =>
    executionTargets.map((target) => [rules, target] as const),
  );

  it.each(everywhere)('%s on %s', async (rules, target) => {
    const images = gunzipSync(readFileSync(join(models, 'sample-mnist-t10k/t10k-images-idx3-ubyte.gz')));
    const explainer = await compile(model!, { rules, range: [0, 1], target });
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

  it.each(valuePresets)('%s; WebAssembly gives what tfjs gives', async (rules) => {
    const explainer = await compile(model!, { rules, range: [-1, 1], target: 'tfjs' });
    const reading = { pixels: { scale: [1 / 127.5, -1] }, tokenizer: undefined, truncates: false } as const;
    const { values } = await openFor(explainer, daisy, reading);
    const report = await explainer.check(values);
    const onWasm = await compile(model!, { rules, range: [-1, 1], target: 'wasm' });
    const [wanted, found] = [await explainer.explain(values), await onWasm.explain(values)];
    for (const each of [explainer, onWasm]) each.dispose();
    expect(found.target).toBe(wanted.target);
    // Each is as near to f64 as the check asks for
    const near = Math.max(1e-3, 10 * (report.agreement.rounding ?? 0));
    expect(relativeError(found.relevance.data, wanted.relevance.data)).toBeLessThan(2 * near);
    expect(report.verdict).not.toContain('UNEXPLAINED');
    expect(report.ok).toBe(true);
    expect(report.unexplained).toBeLessThan(1e-5 * Math.abs(report.start));
    expect(report.agreement).toMatchObject({ ok: true });
  });
});
