// BERT as a graph model: traced whole, its composites raised, its attention found, its mask told from its words.
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { attentionMatrices } from '../../src/ir/analyses/attention.js';
import { attentionMasks } from '../../src/ir/analyses/attention-masks.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { traceGraphModel } from '../../src/trace/graph-model.js';
import { graphBert, tokens } from './graph-bert.js';
import { expectOwnValues, startTensorflow } from './support.js';

beforeAll(startTensorflow);

it('computes what the model does, with one op a composite', async () => {
  const model = await graphBert();
  const program = traceGraphModel(model, {});
  expectOwnValues(program, (inputs) => ({ logits: model.execute(inputs, ['logits']) as tf.Tensor }), {
    integers: 2,
  });
  const { graph } = runPasses(program, [canonicalize], forward);
  const counts = ['layer_norm', 'gelu', 'softmax', 'erf', 'rsqrt', 'mean', 'exp'].map(
    (op) => [op, nodesWithOp(graph, op).length] as const,
  );
  expect(Object.fromEntries(counts)).toEqual({
    layer_norm: 5,
    gelu: 2,
    softmax: 2,
    erf: 0,
    rsqrt: 0,
    mean: 0,
    exp: 0,
  });
  expect(attentionMatrices(graph)).toMatchObject([
    { matrix: 'block0/attention/softmax', query: 2, key: 3, block: 0 },
    { matrix: 'block1/attention/softmax', query: 2, key: 3, block: 1 },
  ]);
  expect(attentionMasks(graph)).toEqual(['mask']);
  expect(graph.nodes.get('ids')!.type.shape).toEqual(['N', tokens]);
  model.dispose();
});
