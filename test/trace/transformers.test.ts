// Transformers of every make: traced at a symbolic batch, and canonicalized, they compute what the models do, on every
// target; each composite is one op, and nothing of its arithmetic is left.
import { beforeAll, describe, expect, it } from 'vitest';
import { attentionMatrices } from '../../src/ir/analyses/attention.js';
import { attentionMasks } from '../../src/ir/analyses/attention-masks.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { nearMisses } from '../../src/ir/passes/canonicalize/raise/raise.js';
import { decompose } from '../../src/ir/passes/decompose.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { targets } from '../codegen/targets.js';
import { bertClassifier } from '../models/transformers/bert.js';
import { kerasEncoder } from '../models/transformers/keras.js';
import { llamaDecoder } from '../models/transformers/llama.js';
import { patchesTransformer } from '../models/transformers/patches.js';
import { expectOwn, type Traced, tracedFunction, tracedLayers } from '../models/transformers/truth.js';
import { visionTransformer } from '../models/transformers/vision.js';
import { difference, startTensorflow } from './support.js';

beforeAll(startTensorflow);

interface Expected {
  readonly make: () => Traced;
  /** How often each of the ops that composites are, or are made of, stands in the canonical graph. */
  readonly ops: Readonly<Record<string, number>>;
  readonly matrices: number;
  readonly masks?: readonly string[];
}

const models: Readonly<Record<string, Expected>> = {
  'a vision transformer from pixels': {
    make: () => tracedFunction(visionTransformer()),
    ops: { layer_norm: 5, gelu: 2, softmax: 2 },
    matrices: 2,
  },
  'a vision transformer from patches': {
    make: () => tracedFunction(patchesTransformer()),
    ops: { layer_norm: 5, gelu_tanh: 2, softmax: 2, mean: 1 },
    matrices: 2,
  },
  BERT: {
    make: () => tracedFunction(bertClassifier()),
    ops: { layer_norm: 5, gelu: 2, softmax: 2, tanh: 1 },
    matrices: 2,
    masks: ['mask'],
  },
  'a LLaMA-style decoder': {
    make: () => tracedFunction(llamaDecoder()),
    ops: { rms_norm: 5, swish: 2, softmax: 2 },
    matrices: 2,
  },
  'one that turns neighbours and ends in the last position': {
    make: () => tracedFunction(llamaDecoder({ rotary: 'neighbours', positions: 'last' })),
    ops: { rms_norm: 5, swish: 2, softmax: 2 },
    matrices: 2,
  },
  'an encoder of layers': {
    make: () => tracedLayers(kerasEncoder()),
    ops: { layer_norm: 4, gelu: 2, softmax: 6, mean: 1 },
    matrices: 6,
  },
};

const counted = [
  ...['layer_norm', 'rms_norm', 'gelu', 'gelu_tanh', 'swish', 'softmax', 'batch_norm'],
  ...['mean', 'square', 'pow', 'sqrt', 'rsqrt', 'reciprocal', 'div', 'exp', 'erf', 'tanh', 'sigmoid'],
];

describe.each(Object.entries(models))('%s', (_name, { make, ops, matrices, masks = [] }) => {
  it('computes what the model does, as traced and as canonicalized', () => {
    const traced = make();
    expectOwn(traced.program, traced);
    expectOwn(runPasses(traced.program, [canonicalize], forward), traced);
  });

  it('has one op a composite', () => {
    const { graph, weights } = runPasses(make().program, [canonicalize], forward);
    const counts = counted.map((op) => [op, nodesWithOp(graph, op).length] as const);
    expect(Object.fromEntries(counts.filter(([, count]) => count > 0))).toEqual(ops);
    expect(nearMisses(graph, forward, weights)).toEqual([]);
    expect(attentionMatrices(graph)).toHaveLength(matrices);
    expect(attentionMasks(graph)).toEqual(masks);
  });
});

describe.each(targets)('on $name', (target) => {
  it.each(Object.entries(models))('%s', async (_name, { make }) => {
    // tfjs has no einsum on some backends: the model itself runs on one that has all it needs
    await startTensorflow();
    const { program, own } = make();
    const { inputs, output } = own(2);
    const lowered = runPasses(program, [canonicalize, decompose], forward);
    await target.start();
    const [got] = Object.values(target.run(lowered, inputs));
    expect(difference(got!.data, output.data)).toBeUndefined();
  });
});
