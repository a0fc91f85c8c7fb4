// Times every preset on small networks, explained on tfjs's wasm backend, against the model's own forward pass.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { compile, presets } from '../src/index.js';
import { interleaved, median, medianRatio, timed } from './measure.js';
import { residual } from './networks/residual.js';
import { stack } from './networks/stack.js';
import { forTerminal, machineLine } from './report.js';

const rounds = 9;
const size = 96;

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
  const times = await interleaved(
    [
      { name: 'forward', run: forward },
      { name: 'explain', run: explain },
    ],
    rounds,
  );
  explainer.dispose();
  return [
    model.name,
    rules,
    compileTime.toFixed(0),
    median(times.get('forward')!).toFixed(1),
    median(times.get('explain')!).toFixed(1),
    medianRatio(times, 'explain', 'forward').toFixed(2),
  ];
}

tf.enableProdMode();
await tf.setBackend('wasm');
const rows: string[][] = [];
for (const model of [stack(size), residual(size)]) {
  const input = tf.randomUniform([1, size, size, 3], -1, 1, 'float32', 1);
  for (const rules of presets.keys()) rows.push(await measure(model, rules, input));
}
const title = `input ${size}×${size}×3, medians of ${rounds} rounds, milliseconds`;
const head = ['model', 'rules', 'compile', 'forward', 'explain', '× forward'];
console.log(`${machineLine()}\n${forTerminal({ title, head, rows })}`);
