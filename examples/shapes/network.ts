// The network that names the shape: five convolutions, a global average and a dense layer.

import * as tf from '@tensorflow/tfjs';

/**
 * Networks of one seed start from the same weights. Every pool takes the output of a relu: the wasm backend loses
 * the gradient of a max pool wherever a window holds negative values only.
 */
export function buildNetwork(classes: number, seed: number): tf.Sequential {
  const initializer = (offset: number) => tf.initializers.heNormal({ seed: seed + offset });
  const network = tf.sequential({ name: 'shapes' });
  [8, 24, 32, 48].forEach((filters, index) => {
    const inputShape = index === 0 ? { inputShape: [64, 64, 3] } : {};
    const kernel = { kernelSize: 3, kernelInitializer: initializer(index), ...inputShape };
    for (const layer of normalizedBlock(index + 1, filters, kernel)) network.add(layer);
  });
  const kernel = { kernelSize: 3, kernelInitializer: initializer(4) };
  network.add(
    tf.layers.conv2d({ name: 'conv5', filters: 64, ...kernel, padding: 'same', activation: 'relu' }),
  );
  network.add(tf.layers.globalAveragePooling2d({ name: 'average' }));
  const kernelInitializer = initializer(5);
  network.add(tf.layers.dense({ name: 'dense', units: classes, kernelInitializer, activation: 'softmax' }));
  return network;
}

type Kernel = Pick<Parameters<typeof tf.layers.conv2d>[0], 'kernelSize' | 'kernelInitializer' | 'inputShape'>;

/** The offset of the normalization takes the place of the convolution's bias. */
function normalizedBlock(number: number, filters: number, kernel: Kernel): tf.layers.Layer[] {
  return [
    tf.layers.conv2d({ name: `conv${number}`, filters, ...kernel, padding: 'same', useBias: false }),
    tf.layers.batchNormalization({ name: `norm${number}`, momentum: 0.9 }),
    tf.layers.activation({ name: `relu${number}`, activation: 'relu' }),
    tf.layers.maxPooling2d({ name: `pool${number}`, poolSize: 2 }),
  ];
}
