// What whole explainers save: contractions that are not run, and the same numbers without them on every backend.
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import type { ExecutionTarget } from '../../src/api/engine.js';
import type { Explainer } from '../../src/api/explainer.js';
import { type TraceOptions, trace } from '../../src/api/model.js';
import { canonical, dialect, type StageName } from '../../src/api/pipeline.js';
import { contractions } from '../../src/ir/analyses/multiply-adds.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/tensor.js';
import { elementCount } from '../../src/ir/type.js';
import { targetInput } from '../../src/rules/seed.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { seededWeights, smallConvNet } from '../codegen/nets.js';
import { relativeError, sequence, useBackend } from '../codegen/support.js';
import { targets } from '../codegen/targets.js';
import { visionTransformer } from '../models/transformers/vision.js';
import { denseNet, denseParams } from './models.js';

interface Example {
  readonly what: string;
  readonly model: ModelFunction;
  readonly options: TraceOptions;
  readonly rules: string;
  readonly samples: number;
  readonly target: number;
}

await useBackend('cpu');
const conv = smallConvNet();
const dense = denseParams();
const vision = visionTransformer();
const split = { a: seededWeights<tf.Tensor2D>(11, [2, 4]), b: seededWeights<tf.Tensor2D>(12, [1, 4]) };
afterAll(() => {
  conv.dispose();
  tf.dispose([dense.fc1, dense.fc2, split, vision.params as object as tf.TensorContainer]);
});

/** Two slices of the input with a gap between them, and one of them used twice. */
const splitNet = ((x: tf.Tensor2D, { a, b }: typeof split) => {
  const left = tf.slice(x, [0, 0], [-1, 2]);
  const right = tf.slice(x, [0, 3], [-1, 1]);
  return tf.add(tf.tanh(tf.matMul(left, a)), tf.matMul(right, b));
}) as ModelFunction;

const oneSample = ((x: tf.Tensor1D, { fc1, fc2 }: typeof dense) => {
  const row = tf.relu(tf.add(tf.matMul(tf.reshape(x, [1, 4]), fc1.kernel), fc1.bias)) as tf.Tensor2D;
  return tf.reshape(tf.add(tf.matMul(row, fc2.kernel), fc2.bias), [3]);
}) as ModelFunction;

const examples = {
  conv: {
    what: 'a small convolutional net under α2β1',
    model: conv.model,
    options: { input: conv.input, params: conv.params },
    rules: 'epsilon-alpha2-beta1',
    samples: 2,
    target: 3,
  },
  dense: {
    what: 'two dense layers under ε',
    model: denseNet,
    options: { input: [null, 4], params: dense },
    rules: 'epsilon',
    samples: 3,
    target: 2,
  },
  oneSample: {
    what: 'two dense layers without a batch',
    model: oneSample,
    options: { input: [4], params: dense, batch: null },
    rules: 'epsilon',
    samples: 1,
    target: 1,
  },
  split: {
    what: 'slices with a gap between them',
    model: splitNet,
    options: { input: [null, 4], params: split },
    rules: 'gradient-times-input',
    samples: 2,
    target: 0,
  },
  vision: {
    what: 'a vision transformer under AttnLRP',
    model: vision.fn,
    options: { input: vision.inputs as readonly (number | null)[], params: vision.params },
    rules: 'attnlrp',
    samples: 2,
    target: 1,
  },
} satisfies Record<string, Example>;

const compiled = ({ model, options, rules }: Example, target: ExecutionTarget = 'tfjs'): Promise<Explainer> =>
  compile(model, { ...options, rules, target });

const graphAfter = (explainer: Explainer, stage: StageName) => explainer.stages.get(stage)!.graph;

/** Multiply–adds before the passes that save some, and at the end; both without what no output needs. */
function costs(explainer: Explainer): readonly number[][] {
  return [graphAfter(explainer, 'simplify'), explainer.compiled.program.graph].map((graph) =>
    contractions(graph).map(({ multiplyAdds }) => multiplyAdds),
  );
}

const total = (list: readonly number[]) => list.reduce((sum, cost) => sum + cost, 0);

describe.each(targets)('on $name', ({ start, target }) => {
  it.each(Object.values(examples))('$what: what is saved is not missed', async (example: Example) => {
    await start();
    const { weights } = canonical(await trace(example.model, example.options)).program;
    const explainer = await compiled(example, target);
    const random = sequence(8);
    const [input] = explainer.inputs;
    const count = example.samples * elementCount(input!.type.shape);
    const x = Float32Array.from({ length: count }, () => 2 * random() - 1);
    const { relevance, logits } = await explainer.explain(x, { target: example.target });
    const inputs = {
      [input!.name]: tensor(relevance.shape, x),
      [targetInput]: tensor(
        [example.samples],
        Array.from({ length: example.samples }, () => example.target),
        'i32',
      ),
    };
    const wanted = evaluate(graphAfter(explainer, 'expand'), dialect, inputs, weights);
    const { data } = wanted[`relevance.${input!.name}`]!;
    expect(relativeError(relevance.data, data)).toBeLessThan(1e-5);
    expect(relativeError(logits, wanted.logit!.data)).toBeLessThan(1e-5);
    explainer.dispose();
  });
});

describe('what is saved', () => {
  it('the forward of a layer under α2β1, and the transpose from the seed', async () => {
    const explainer = await compiled(examples.conv);
    const [before, after] = costs(explainer) as [number[], number[]];
    const [stem, depthwise, pointwise, last] = [3 * 3 * 3 * 6 * 36, 3 * 3 * 6 * 25, 6 * 6 * 25, 6 * 9 * 5];
    expect(total(before) - total(after)).toBe(stem + depthwise + pointwise + last);
    expect(before.length - after.length).toBe(4);
    const names = contractions(explainer.compiled.program.graph).map(({ node }) => node.name);
    expect(names.filter((name) => !name.startsWith('t.'))).toHaveLength(1);
    explainer.dispose();
  });

  it('the padding of what comes back from slices', async () => {
    const explainer = await compiled(examples.split);
    const { graph } = explainer.compiled.program;
    expect(nodesWithOp(graphAfter(explainer, 'simplify'), 'pad')).toHaveLength(2);
    const left = ['pad', 'accumulate', 'concat'].map((op) => nodesWithOp(graph, op).length);
    expect(left).toEqual([0, 0, 1]);
    explainer.dispose();
  });

  it('all rows but the class token behind the last keys and values, and that token before the first', async () => {
    const explainer = await compiled(examples.vision);
    const [before, after] = costs(explainer) as [number[], number[]];
    expect(after.length).toBe(before.length - 1);
    const [tokens, width, hidden, classes] = [5, 12, 20, 5];
    // The output of attention and the perceptron, of four tokens, forwards and back
    const layers = 2 * (tokens - 1) * (width * width + 2 * width * hidden);
    // Weights and values, and each factor's transpose
    const products = 2 * 3 * (tokens - 1) * tokens * width;
    // What would come back to the class token, which is a constant: from queries, keys and values
    const classToken = 3 * width * width + 3 * tokens * width;
    expect(total(before) - total(after)).toBe(layers + products + classToken + classes * width);
    explainer.dispose();
  });
});
