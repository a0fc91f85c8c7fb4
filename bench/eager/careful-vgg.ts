// Epsilon-plus on VGG16 written with tfjs and every care: only its fast kernels, nothing computed twice.
import * as tf from '@tensorflow/tfjs';
import { type ConvStep, type DenseStep, epsilon, type Step, stepsOf } from './steps.js';

/** A convolution and what its rule needs of its weights. */
interface CarefulConv extends ConvStep {
  readonly plus: tf.Tensor4D;
  readonly plusFlipped: tf.Tensor4D;
  readonly bPlus: tf.Tensor1D;
}

interface CarefulDense extends DenseStep {
  readonly transposed: tf.Tensor2D;
}

type CarefulStep = CarefulConv | CarefulDense | Exclude<Step, ConvStep | DenseStep>;

/** What a step read, and for dense layers z, its result before the relu. */
interface Kept {
  readonly x: tf.Tensor;
  readonly z: tf.Tensor;
}

/** The kernel of the transposed convolution: turned about, inputs and outputs exchanged. */
const flipped = (w: tf.Tensor4D) => tf.transpose(tf.reverse(w, [0, 1]), [0, 1, 3, 2]) as tf.Tensor4D;

function prepared(step: Step): CarefulStep {
  if (step.kind === 'dense') return { ...step, transposed: tf.transpose(step.w) };
  if (step.kind !== 'conv') return step;
  const plus = tf.relu(step.w);
  return { ...step, plus, plusFlipped: flipped(plus), bPlus: tf.relu(step.b) };
}

const convolved = (x: tf.Tensor, filter: tf.Tensor4D, bias?: tf.Tensor1D, activation?: 'relu') =>
  tf.fused.conv2d({
    x: x as tf.Tensor4D,
    filter,
    strides: 1,
    pad: 'same',
    ...(bias === undefined ? {} : { bias }),
    ...(activation === undefined ? {} : { activation }),
  });

/** z + ε·sign(z), in the fewest kernels. */
export function carefullyStabilised(z: tf.Tensor): tf.Tensor {
  return tf.add(z, tf.mul(tf.step(z, -1), epsilon));
}

/** The result of a step before and after its relu; the first is kept where a rule divides by it. */
function forward(step: CarefulStep, x: tf.Tensor): { z: tf.Tensor; a: tf.Tensor } {
  switch (step.kind) {
    case 'conv': {
      const a = convolved(x, step.w, step.b, 'relu');
      return { z: a, a };
    }
    case 'dense': {
      const z = tf.add(tf.matMul(x as tf.Tensor2D, step.w), step.b);
      return { z, a: step.relu ? tf.relu(z) : z };
    }
    case 'pool': {
      const a = tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid');
      return { z: a, a };
    }
    case 'flatten': {
      const a = tf.reshape(x, [x.shape[0]!, -1]);
      return { z: a, a };
    }
  }
}

/** Where x ≥ 0, z⁺ is too: no sign is needed. */
function plusOfRectified(step: CarefulConv, x: tf.Tensor, r: tf.Tensor): tf.Tensor {
  const z = convolved(x, step.plus, step.bPlus);
  return tf.mul(x, convolved(tf.div(r, tf.add(z, epsilon)), step.plusFlipped));
}

/**
 * The first layer, where x has both signs. −x⁻ and −w⁻ stand for x⁻ and w⁻: two relus side by side along the channels
 * make one convolution of the two forwards, and one of the two transposes.
 */
function plusOfSigned(first: FirstLayer, x: tf.Tensor, r: tf.Tensor): tf.Tensor {
  const signs = tf.concat([tf.relu(x), tf.relu(tf.neg(x))], -1);
  const z = convolved(signs, first.kernel, first.bPlus);
  const shares = tf.mul(signs, convolved(tf.div(r, tf.add(z, epsilon)), first.flipped));
  const [plus, minus] = tf.split(shares, 2, -1);
  return tf.add(plus!, minus!);
}

interface FirstLayer {
  readonly kernel: tf.Tensor4D;
  readonly flipped: tf.Tensor4D;
  readonly bPlus: tf.Tensor1D;
}

function firstLayer({ w, b }: ConvStep): FirstLayer {
  const kernel = tf.concat([tf.relu(w), tf.relu(tf.neg(w))], 2) as tf.Tensor4D;
  return { kernel, flipped: flipped(kernel), bPlus: tf.relu(b) };
}

/** Windows do not overlap: the winner is where x equals the maximum of its window. */
function unpooled(x: tf.Tensor, highest: tf.Tensor, r: tf.Tensor): tf.Tensor {
  const [height, width] = x.shape.slice(1, 3) as [number, number];
  const spread = (value: tf.Tensor) => tf.image.resizeNearestNeighbor(value as tf.Tensor4D, [height, width]);
  return tf.mul(tf.cast(tf.equal(x, spread(highest)), 'float32'), spread(r));
}

function back(step: CarefulStep, { x, z }: Kept, r: tf.Tensor): tf.Tensor {
  switch (step.kind) {
    case 'conv':
      return plusOfRectified(step, x, r);
    case 'dense':
      return tf.mul(x, tf.matMul(tf.div(r, carefullyStabilised(z)) as tf.Tensor2D, step.transposed));
    case 'pool':
      return unpooled(x, z, r);
    case 'flatten':
      return tf.reshape(r, x.shape);
  }
}

/** The transpose of the one score that is explained is a row of the last layer's weights. */
export function backFromTarget(x: tf.Tensor, scores: tf.Tensor, transposed: tf.Tensor2D): tf.Tensor {
  const [target] = tf.argMax(scores, -1).dataSync();
  const row = tf.slice(transposed, [target!, 0], [1, transposed.shape[1]]);
  const score = tf.slice(scores, [0, target!], [1, 1]);
  return tf.mul(x, tf.mul(row, tf.div(score, carefullyStabilised(score))));
}

export interface Prepared {
  relevance(input: tf.Tensor): tf.Tensor;
  dispose(): void;
}

function relevanceOf(steps: readonly CarefulStep[], first: FirstLayer, input: tf.Tensor): tf.Tensor {
  const kept: Kept[] = [];
  let value = input;
  for (const step of steps) {
    const { z, a } = tf.tidy(() => forward(step, value));
    kept.push({ x: value, z });
    value = a;
  }
  const last = steps.at(-1) as CarefulDense;
  let r = backFromTarget(kept.at(-1)!.x, value, last.transposed);
  for (let index = steps.length - 2; index > 0; index--) {
    const arrived = r;
    r = tf.tidy(() => back(steps[index]!, kept[index]!, arrived));
    arrived.dispose();
  }
  return plusOfSigned(first, input, r);
}

/** Everything that depends on weights alone is computed here, once. */
export function carefulVgg(model: tf.LayersModel): Prepared {
  const own = stepsOf(model);
  const steps = own.map((step, index) => (index === 0 ? step : prepared(step))) as CarefulStep[];
  const first = firstLayer(own[0] as ConvStep);
  return {
    relevance: (input) => relevanceOf(steps, first, input),
    dispose() {
      tf.dispose({ ...first });
      for (const step of steps) {
        if (step.kind === 'dense') step.transposed.dispose();
        if (step.kind === 'conv' && step !== own[0]) tf.dispose([step.plus, step.plusFlipped, step.bPlus]);
      }
    },
  };
}
