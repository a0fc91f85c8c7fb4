// MobileNetV2 (Sandler et al., 2018) of width 1: inverted residuals with depthwise convolutions and linear bottlenecks.
import * as tf from '@tensorflow/tfjs';
import { conv, damped, dense, linear, through } from './network.js';

/** Expansion, output channels, repetitions, and the stride of the first, as in the paper's table. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

const norm = (name: string) => tf.layers.batchNormalization({ epsilon: 1e-3, name });
const relu6 = (name: string) => tf.layers.reLU({ maxValue: 6, name });
const plain = { useBias: false } as const;

function block(
  x: tf.SymbolicTensor,
  expansion: number,
  filters: number,
  strides: number,
  name: string,
): tf.SymbolicTensor {
  const inputs = x.shape[3]!;
  const expand = [
    conv(expansion * inputs, 1, `${linear}${name}_expand`, plain),
    norm(`${name}_expand_norm`),
    relu6(`${name}_expand_relu`),
  ];
  const depthwise = tf.layers.depthwiseConv2d({
    kernelSize: 3,
    strides,
    padding: 'same',
    depthwiseInitializer: 'zeros',
    name: `${name}_depthwise`,
    ...plain,
  });
  const added = strides === 1 && inputs === filters;
  const branch = through(
    x,
    ...(expansion === 1 ? [] : expand),
    depthwise,
    norm(`${name}_depthwise_norm`),
    relu6(`${name}_depthwise_relu`),
    conv(filters, 1, `${name}_project`, plain),
    norm(`${added ? damped : ''}${name}_project_norm`),
  );
  if (!added) return branch;
  return tf.layers.add({ name: `${name}_add` }).apply([x, branch]) as tf.SymbolicTensor;
}

export function mobilenetV2(size = 224): tf.LayersModel {
  const input = tf.input({ shape: [size, size, 3] });
  let x = through(
    input,
    conv(32, 3, 'stem', { strides: 2, ...plain }),
    norm('stem_norm'),
    relu6('stem_relu'),
  );
  for (const [stage, [expansion, filters, repetitions, strides]] of stages.entries()) {
    for (let index = 0; index < repetitions; index++) {
      x = block(x, expansion, filters, index === 0 ? strides : 1, `stage${stage + 1}_${index + 1}`);
    }
  }
  const output = through(
    x,
    conv(1280, 1, `${linear}head`, plain),
    norm('head_norm'),
    relu6('head_relu'),
    tf.layers.globalAveragePooling2d({ name: 'mean' }),
    dense(1000, 'logits'),
    tf.layers.softmax({ name: 'softmax' }),
  );
  return tf.model({ inputs: input, outputs: output, name: 'mobilenet_v2' });
}
