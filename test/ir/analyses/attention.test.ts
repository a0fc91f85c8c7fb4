// Attention matrices, their tokens, and how scores read them: in every way to write a transformer, and in what is none.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonical } from '../../../src/api/pipeline.js';
import { compile, parse, trace } from '../../../src/index.js';
import { attentionMatrices } from '../../../src/ir/analyses/attention.js';
import { readoutOf, tokenLayout } from '../../../src/ir/analyses/tokens.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph } from '../../../src/ir/graph.js';
import { bertClassifier } from '../../models/transformers/bert.js';
import { kerasEncoder } from '../../models/transformers/keras.js';
import { llamaDecoder } from '../../models/transformers/llama.js';
import { patchesTransformer } from '../../models/transformers/patches.js';
import { visionTransformer } from '../../models/transformers/vision.js';

beforeAll(() => tf.setBackend('cpu'));

/** A graph in which `%s` is a softmax over the last axis of a score matrix, and what follows. */
const graphOf = (lines: readonly string[], output = 'y'): Graph =>
  parse(
    [
      'graph @g {',
      '%x = input() : f32[N,5,4]',
      '%w = param() {key="w"} : f32[4,4]',
      '%v = einsum(%x, %w) {eq="nti,ij->ntj"} : f32[N,5,4]',
      '%z = einsum(%v, %x) {eq="nti,nsi->nts"} : f32[N,5,5]',
      '%s = softmax(%z) {axis=2} : f32[N,5,5]',
      ...lines,
      `return ${output}=%${output}`,
      '}',
    ].join('\n'),
    forward,
  );

describe('attentionMatrices', () => {
  const found = { matrix: 's', product: 'y', query: 1, key: 2, block: 0 };

  it.each([
    ['the product with the values', ['%y = einsum(%s, %v) {eq="nts,nsj->ntj"} : f32[N,5,4]']],
    ['the values first', ['%y = einsum(%v, %s) {eq="nsj,nts->ntj"} : f32[N,5,4]']],
    [
      'behind views',
      [
        '%a = reshape(%s) : f32[N,1,5,5]',
        '%b = transpose(%a) {perm=[0, 1, 3, 2]} : f32[N,1,5,5]',
        '%c = reshape(%b) : f32[N,5,5]',
        '%y = einsum(%c, %v) {eq="nst,nsj->ntj"} : f32[N,5,4]',
      ],
    ],
  ])('%s', (_title, lines) => {
    expect(attentionMatrices(graphOf(lines))).toEqual([found]);
  });

  it.each([
    ['over the queries', ['%y = einsum(%s, %v) {eq="nts,ntj->nsj"} : f32[N,5,4]']],
    [
      'with a constant in place of values',
      ['%k = param() {key="k"} : f32[5,4]', '%y = einsum(%s, %k) {eq="nts,sj->ntj"} : f32[N,5,4]'],
    ],
    ['as the result itself', ['%y = relu(%s) : f32[N,5,5]']],
  ])('a softmax %s is none', (_title, lines) => {
    expect(attentionMatrices(graphOf(lines))).toEqual([]);
  });

  it('heads one beside another are one block, one behind another are several', () => {
    const graph = graphOf([
      '%z2 = einsum(%x, %v) {eq="nti,nsi->nts"} : f32[N,5,5]',
      '%s2 = softmax(%z2) {axis=2} : f32[N,5,5]',
      '%a = einsum(%s, %v) {eq="nts,nsj->ntj"} : f32[N,5,4]',
      '%b = einsum(%s2, %v) {eq="nts,nsj->ntj"} : f32[N,5,4]',
      '%c = add(%a, %b) : f32[N,5,4]',
      '%z3 = einsum(%c, %x) {eq="nti,nsi->nts"} : f32[N,5,5]',
      '%s3 = softmax(%z3) {axis=2} : f32[N,5,5]',
      '%y = einsum(%s3, %c) {eq="nts,nsj->ntj"} : f32[N,5,4]',
    ]);
    expect(attentionMatrices(graph).map(({ matrix, block }) => [matrix, block])).toEqual([
      ['s', 0],
      ['s2', 0],
      ['s3', 1],
    ]);
  });

  it('queries of a group are told from its heads', () => {
    const graph = graphOf([
      '%h = reshape(%v) : f32[N,5,2,2]',
      '%q = einsum(%x, %h) {eq="nti,nsgd->ntisgd"} : f32[N,5,4,5,2,2]',
      '%t = sum(%q) {axes=[5]} : f32[N,5,4,5,2]',
      '%m = transpose(%t) {perm=[0, 4, 2, 1, 3]} : f32[N,2,4,5,5]',
      '%p = softmax(%m) {axis=4} : f32[N,2,4,5,5]',
      '%y = einsum(%p, %h) {eq="ngits,nsgd->ngitd"} : f32[N,2,4,5,2]',
    ]);
    expect(attentionMatrices(graph)).toEqual([{ matrix: 'p', product: 'y', query: 3, key: 4, block: 0 }]);
  });
});

describe('readoutOf', () => {
  const mixed = '%m = einsum(%s, %v) {eq="nts,nsj->ntj"} : f32[N,5,4]';
  it.each([
    ['the first token', ['%y = slice(%m) {begin=[0, 0, 0]} : f32[N,1,4]'], { kind: 'mean', from: 0, to: 1 }],
    [
      'the last of some',
      [
        '%c = slice(%m) {begin=[0, 1, 0]} : f32[N,4,4]',
        '%r = relu(%c) : f32[N,4,4]',
        '%y = slice(%r) {begin=[0, 3, 0]} : f32[N,1,4]',
      ],
      { kind: 'mean', from: 4, to: 5 },
    ],
    [
      'one that is gathered',
      ['%i = constant() {value=[2]} : i32[1]', '%y = gather(%m, %i) {axis=1} : f32[N,1,4]'],
      { kind: 'mean', from: 2, to: 3 },
    ],
    ['the mean of all', ['%y = mean(%m) {axes=[1]} : f32[N,4]'], { kind: 'mean', from: 0, to: 5 }],
    [
      'the mean of all but the first',
      ['%c = slice(%m) {begin=[0, 1, 0]} : f32[N,4,4]', '%y = mean(%c) {axes=[1]} : f32[N,4]'],
      { kind: 'mean', from: 1, to: 5 },
    ],
    ['each has its own', ['%y = einsum(%m, %w) {eq="nti,ij->ntj"} : f32[N,5,4]'], 'each'],
    ['none that is known: the largest', ['%y = reduce_max(%m) {axes=[1]} : f32[N,4]'], undefined],
    ['every second', ['%y = slice(%m) {begin=[0, 0, 0], stride=[1, 2, 1]} : f32[N,3,4]'], undefined],
    [
      'the first, where another output reads the mean',
      ['%other = mean(%m) {axes=[1]} : f32[N,4]', '%y = slice(%m) {begin=[0, 0, 0]} : f32[N,1,4]'],
      { kind: 'mean', from: 0, to: 1 },
    ],
    [
      'two in two ways',
      [
        '%a = slice(%m) {begin=[0, 0, 0]} : f32[N,1,4]',
        '%b = slice(%m) {begin=[0, 1, 0]} : f32[N,1,4]',
        '%y = add(%a, %b) : f32[N,1,4]',
      ],
      undefined,
    ],
  ] as const)('%s', (_title, lines, wanted) => {
    const graph = graphOf([mixed, ...lines]);
    expect(readoutOf(graph, attentionMatrices(graph)[0]!, 'y')).toEqual(wanted);
  });
});

describe('models', () => {
  const functions = {
    'a vision transformer': [visionTransformer({}), [0], [2, 2], { kind: 'mean', from: 0, to: 1 }],
    'patches, averaged': [patchesTransformer({}), [], undefined, { kind: 'mean', from: 0, to: 6 }],
    'an encoder of tokens': [bertClassifier({}), [], undefined, { kind: 'mean', from: 0, to: 1 }],
    'a decoder': [llamaDecoder({}), [], undefined, 'each'],
  } as const;

  it.each(Object.entries(functions))('%s', async (_name, [model, special, grid, readout]) => {
    const { graph } = canonical(await trace(model.fn, { input: model.inputs, params: model.params })).program;
    const matrices = attentionMatrices(graph);
    expect(matrices.map(({ block }) => block)).toEqual([0, 1]);
    const count = graph.nodes.get(matrices[0]!.matrix)!.type.shape[matrices[0]!.query];
    expect(tokenLayout(graph, matrices[0]!)).toEqual({ count, special, ...(grid ? { grid } : {}) });
    expect(readoutOf(graph, matrices[1]!, Object.values(graph.outputs)[0]!)).toEqual(readout);
  });

  it('a head for each layer of a layers model', async () => {
    const { model } = kerasEncoder({});
    const { graph } = canonical(await trace(model)).program;
    const blocks = attentionMatrices(graph).map(({ block }) => block);
    expect(new Set(blocks)).toEqual(new Set([0, 1]));
    expect(blocks.length).toBeGreaterThan(2);
  });

  it('an explainer tells its tokens; that of a network without attention has none', async () => {
    const { fn, inputs, params } = visionTransformer({});
    const explainer = await compile(fn, { input: inputs, params, rules: 'attnlrp', threads: 1 });
    expect(explainer.tokens).toEqual({ count: 5, special: [0], grid: [2, 2] });
    explainer.dispose();
    const plain = await compile((x) => tf.relu(x as tf.Tensor), {
      input: [null, 3],
      rules: 'epsilon',
      threads: 1,
    });
    expect(plain.tokens).toBeUndefined();
    plain.dispose();
  });
});
