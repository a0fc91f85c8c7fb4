// Times explainers on tfjs's wasm backend against the model's own forward pass: medians of several rounds, in one run.
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { compile, presets } from '../src/index.js';
import { residual, stack } from './networks.js';

const rounds = 9;
const size = 96;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Forward and explanation in turn, so that both see the same weather. */
async function measure(model: tf.LayersModel, rules: string, input: tf.Tensor): Promise<string[]> {
  const compileTime = await timed(async () => (await compile(model, { rules, range: [-1, 1] })).dispose());
  const explainer = await compile(model, { rules, range: [-1, 1] });
  const forward = async () => {
    const output = model.predict(input) as tf.Tensor;
    await output.data();
    output.dispose();
  };
  const explain = () => explainer.explain(input);
  await forward();
  await explain();
  const times: [number, number][] = [];
  for (let round = 0; round < rounds; round++) times.push([await timed(forward), await timed(explain)]);
  explainer.dispose();
  const ratio = median(times.map(([a, b]) => b / a));
  return [
    model.name,
    rules,
    compileTime.toFixed(0),
    median(times.map(([a]) => a)).toFixed(1),
    median(times.map(([, b]) => b)).toFixed(1),
    ratio.toFixed(2),
  ];
}

tf.enableProdMode();
await tf.setBackend('wasm');
console.log(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, tfjs ${tf.version_core} wasm`,
);
console.log(`input ${size}×${size}×3, medians of ${rounds} rounds, milliseconds`);
console.log(['model', 'rules', 'compile', 'forward', 'explain', '× forward'].join('\t'));
for (const model of [stack(size), residual(size)]) {
  const input = tf.randomUniform([1, size, size, 3], -1, 1, 'float32', 1);
  for (const rules of presets.keys()) console.log((await measure(model, rules, input)).join('\t'));
}
