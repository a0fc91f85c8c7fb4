// The vision transformer of examples/patches: its accuracy, its scores, and how much relevance lies on the drawn shape.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heldOutPictures, type methods, shapeArea, shareOnShape } from '../../examples/patches/measure.js';
import { registerProducts, registerTanh } from '../../examples/patches/wasm-products.js';
import { toInputs } from '../../examples/shapes/batches.js';
import { compile } from '../../src/api/compile.js';
import { trace } from '../../src/api/model.js';
import type { Program } from '../../src/ir/passes/pass.js';

type Method = (typeof methods)[number];

/** The least share of positive relevance on the shape, over 32 pictures of which the shapes cover 11 %. */
const floors: Readonly<Record<Method, number>> = {
  'transformer-attribution': 0.36,
  rollout: 0.31,
  full: 0.35,
  'last-layer': 0.31,
  'last-layer-ablation': 0.38,
  'second-layer': 0.31,
  'second-layer-ablation': 0.32,
  'last-layer-attn': 0.3,
  'attention-rollout': 0.26,
  'gradient-attention': 0.32,
  'attention-grad-cam': 0.17,
  attnlrp: 0.33,
  'cp-lrp': 0.31,
  'gradient-times-input': 0.28,
};

let program: Program;
let classify: (pixels: tf.Tensor4D, weights: Readonly<Record<string, tf.Tensor>>) => tf.Tensor;
let params: Readonly<Record<string, tf.Tensor>>;

beforeAll(async () => {
  await tf.setBackend('cpu');
  const model = await import('../../examples/patches/model/model.js');
  ({ default: classify, params } = model);
  program = await trace(classify, { input: model.input, params });
});

describe('the transformer', () => {
  it('names pictures that it was not trained on', async () => {
    const pictures = heldOutPictures(128);
    const explainer = await compile(program, { rules: 'gradient' });
    const { targets } = await explainer.explain(toInputs(pictures));
    explainer.dispose();
    const hits = pictures.filter(({ label }, sample) => label === targets[sample]).length;
    expect(hits / pictures.length).toBeGreaterThan(0.86);
  });

  it('gives the scores that its function gives', async () => {
    const inputs = toInputs(heldOutPictures(3));
    const explainer = await compile(program, { rules: 'gradient' });
    const { scores } = await explainer.explain(inputs);
    const wanted = classify(inputs, params).dataSync();
    expect(explainer.tokens).toEqual({ count: 65, special: [0], grid: [8, 8] });
    explainer.dispose();
    scores.data.forEach((score, index) => {
      expect(Math.abs(score - wanted[index]!)).toBeLessThan(1e-5);
    });
  });
});

describe('the share of positive relevance on the shape', () => {
  const pictures = heldOutPictures(32);

  it.each(Object.entries(floors))('%s', async (rules, floor) => {
    const explainer = await compile(program, { rules });
    const share = await shareOnShape(explainer, pictures);
    explainer.dispose();
    expect(share).toBeGreaterThan(floor);
    expect(share).toBeGreaterThan(1.5 * shapeArea(pictures));
  });
});

describe('kernels for training', () => {
  beforeAll(async () => {
    await tf.setBackend('wasm');
    registerProducts();
    registerTanh();
  });
  afterAll(async () => {
    await tf.setBackend('cpu');
  });

  /** What a function gives on the wasm backend, and on the plain one. */
  const both = (compute: () => tf.Tensor) => {
    const got = compute().arraySync();
    tf.setBackend('cpu');
    const wanted = compute().arraySync();
    tf.setBackend('wasm');
    return { got: [got].flat(4) as number[], wanted: [wanted].flat(4) as number[] };
  };

  it.each([
    [[5, 3], [5, 4], true, false],
    [[3, 5], [4, 5], false, true],
    [[5, 3], [4, 5], true, true],
    [[2, 5, 3], [2, 5, 4], true, false],
  ])('a product of %j and %j', (left, right, transposeA, transposeB) => {
    const { got, wanted } = both(() => {
      const [a, b] = [tf.randomNormal(left, 0, 1, 'float32', 1), tf.randomNormal(right, 0, 1, 'float32', 2)];
      return tf.matMul(a, b, transposeA, transposeB);
    });
    expect(got).toHaveLength(wanted.length);
    got.forEach((value, index) => {
      expect(value).toBeCloseTo(wanted[index]!, 5);
    });
  });

  it('tanh', () => {
    const { got, wanted } = both(() => tf.tanh(tf.tensor1d([-30, -1, -0.01, 0, 0.5, 3, 30])));
    got.forEach((value, index) => {
      expect(value).toBeCloseTo(wanted[index]!, 5);
    });
  });
});
