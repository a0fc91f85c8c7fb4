// Gradients written with operations at which the wasm backend of TensorFlow.js is fast.

import * as tf from '@tensorflow/tfjs';

/**
 * Adds the filter's gradient, which the wasm backend lacks, and replaces the input's, which it computes slowly.
 * Only for stride 1, padding 'same', odd filter sides, channels last: what the network here uses.
 */
export function registerConvolutionGradients(): void {
  tf.registerKernel({
    kernelName: 'Conv2DBackpropFilter',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => {
      const filterShape = attrs?.filterShape as FilterShape;
      assertSupported(filterShape, attrs);
      return filterGradient(asTensor(inputs.x), asTensor(inputs.dy), filterShape);
    },
  });
  tf.unregisterKernel('Conv2DBackpropInput', 'wasm');
  tf.registerKernel({
    kernelName: 'Conv2DBackpropInput',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => {
      const filter = asTensor(inputs.filter);
      assertSupported(filter.shape, attrs);
      return inputGradient(asTensor(inputs.dy), filter);
    },
  });
}

type FilterShape = [height: number, width: number, inputs: number, outputs: number];

/** The operations that call these kernels pass whole tensors, of which the kernel's type names only a part. */
function asTensor(info: tf.TensorInfo | undefined): tf.Tensor4D {
  if (info === undefined) throw new Error('conv2d gradient: an input is missing');
  return info as tf.Tensor4D;
}

function assertSupported(filterShape: FilterShape, attributes: tf.NamedAttrMap | undefined): void {
  const strideIsOne = [attributes?.strides].flat().every((stride) => stride === 1);
  const sidesAreOdd = filterShape[0] % 2 === 1 && filterShape[1] % 2 === 1;
  const layoutFits = attributes?.pad === 'same' && attributes.dataFormat === 'NHWC';
  if (!strideIsOne || !sidesAreOdd || !layoutFits) {
    throw new Error(
      "conv2d gradient: only stride 1, padding 'same', odd filter sides and NHWC are supported",
    );
  }
}

/**
 * With p = (side - 1) / 2:
 *   output[n,y,x,o]   = sum over (i,j,c) of input[n, y+i-p, x+j-p, c] filter[i,j,c,o]
 *   d input[n,y,x,c]  = sum over (i,j,o) of gradient[n, y-i+p, x-j+p, o] filter[i,j,c,o],
 * which is a convolution of the gradient with the filter reversed in i and j, its channels exchanged.
 */
function inputGradient(gradient: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => {
    const reversed = tf.transpose(tf.reverse4d(filter, [0, 1]), [0, 1, 3, 2]);
    return tf.conv2d(gradient, reversed, 1, 'same');
  });
}

/**
 *   d filter[i,j,c,o] = sum over (n,y,x) of input[n, y+i-p, x+j-p, c] gradient[n,y,x,o],
 * which is one convolution as well: the input channels take the place of the pictures, the pictures that of
 * the channels, and the gradient that of a filter as large as the whole picture.
 */
function filterGradient(
  input: tf.Tensor4D,
  gradient: tf.Tensor4D,
  [height, width]: FilterShape,
): tf.Tensor4D {
  return tf.tidy(() => {
    const channelsAsPictures = tf.transpose(input, [3, 1, 2, 0]);
    const gradientAsFilter = tf.transpose(gradient, [1, 2, 0, 3]);
    const [padY, padX] = [(height - 1) / 2, (width - 1) / 2];
    const padding: [[number, number], [number, number], [number, number], [number, number]] = [
      [0, 0],
      [padY, padY],
      [padX, padX],
      [0, 0],
    ];
    const byChannel = tf.conv2d(
      channelsAsPictures as tf.Tensor4D,
      gradientAsFilter as tf.Tensor4D,
      1,
      padding,
    );
    return tf.transpose(byChannel, [1, 2, 0, 3]);
  });
}

/** Replaces the gradient of batch normalization: the built-in one repeats vectors to the size of whole batches. */
export function registerNormalizationGradient(): void {
  tf.registerGradient({
    kernelName: 'FusedBatchNorm',
    inputsToSave: ['x', 'mean', 'variance', 'scale'],
    gradFunc: (outputGradient, saved, attributes) => {
      const [input, mean, variance, scale] = saved as [tf.Tensor, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
      const gradient = outputGradient as tf.Tensor;
      const epsilon = attributes.varianceEpsilon as number;
      return normalizationGradients(gradient, { input, mean, variance, scale, epsilon });
    },
  });
}

interface Normalization {
  input: tf.Tensor;
  mean: tf.Tensor1D;
  variance: tf.Tensor1D;
  scale: tf.Tensor1D;
  epsilon: number;
}

/**
 * With r = 1 / sqrt(variance + epsilon), per channel:
 *   output      = (input - mean) r scale + offset
 *   d input     = gradient r scale
 *   d offset    = sum of gradient                         d mean     = -r scale d offset
 *   d scale     = r sum of gradient (input - mean)        d variance = -1/2 r^2 scale d scale
 */
function normalizationGradients(
  gradient: tf.Tensor,
  { input, mean, variance, scale, epsilon }: Normalization,
) {
  const inverse = tf.rsqrt(tf.add(variance, epsilon));
  const factor = tf.mul(inverse, scale);
  const offset = channelSums(gradient);
  const scaleGradient = tf.mul(inverse, channelSums(tf.mul(gradient, tf.sub(input, mean))));
  return {
    x: () => tf.mul(gradient, factor),
    mean: () => tf.neg(tf.mul(factor, offset)),
    variance: () => tf.mul(tf.mul(tf.mul(inverse, factor), scaleGradient), -0.5),
    scale: () => scaleGradient,
    offset: () => offset,
  };
}

/** Sums over everything but the last axis: a matrix product with a row of ones. */
function channelSums(values: tf.Tensor): tf.Tensor1D {
  const channels = values.shape.at(-1)!;
  const rows = values.size / channels;
  return tf.matMul(tf.ones([1, rows]), tf.reshape(values, [rows, channels])).as1D();
}
