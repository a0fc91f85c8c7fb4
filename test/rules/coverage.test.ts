// What each rule is tried on: the families of ops, listed, so that one which gets lost is seen.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Attrs } from '../../src/ir/graph.js';
import type { RuleName } from '../../src/rules/rules.js';
import { familyOf } from './families.js';
import { dataFor, flavours, singleOps } from './single-ops.js';
import { dialect, lower, relativeError, withRule } from './support.js';
import { ruleNames, trials } from './trials.js';

const layers = [
  'dense',
  'dense by place',
  'dense over several axes',
  'conv 1-D',
  'conv 1-D, dilated',
  'conv 1-D, grouped',
  'conv 1-D, depthwise, dilated',
  'conv 2-D',
  'conv 2-D, dilated',
  'conv 2-D, grouped',
  'conv 2-D, depthwise',
  'conv 3-D',
  'conv 3-D, depthwise',
  'conv_transpose 1-D, dilated',
  'conv_transpose 1-D, grouped',
  'conv_transpose 2-D',
  'conv_transpose 2-D, grouped',
  'conv_transpose 2-D, depthwise',
  'conv_transpose 3-D',
];
const linear = [...layers, 'add', 'sum', 'mean', 'avg_pool', 'resize'];
const routing = [
  'reshape',
  'transpose',
  'broadcast',
  'slice',
  'pad',
  'concat',
  'reverse',
  'gather',
  'select',
];
const choosing = ['max_pool', 'reduce_max', 'maximum', 'minimum'];
const elementwise = [
  'add',
  'sub',
  'mul',
  'div',
  'maximum',
  'minimum',
  'neg',
  'relu',
  'leaky_relu',
  'clip',
  'elu',
  'selu',
  'sigmoid',
  'tanh',
  'softplus',
  'gelu',
  'gelu_tanh',
  'swish',
  'prelu',
  'exp',
  'square',
  'select',
  'accumulate',
];
const everything = [
  ...new Set([
    ...linear,
    ...routing,
    ...choosing,
    ...elementwise,
    'product of activations',
    'softmax',
    'log_softmax',
    'layer_norm',
    'rms_norm',
    'batch_norm',
    'resize_transpose',
    'scatter_add',
  ]),
];

const served: Readonly<Record<RuleName, readonly string[]>> = {
  zero: [...linear, 'sub'],
  epsilon: [...linear, 'sub'],
  zPlus: linear,
  alphaBeta: linear,
  gamma: linear,
  'captum.gamma': layers,
  'captum.alpha1Beta0': layers,
  'chefer.conv': layers,
  zBox: layers,
  'chefer.zBox': layers,
  wSquare: layers,
  flat: layers,
  norm: everything,
  gradient: everything,
  pass: [...elementwise, 'softmax', 'log_softmax', 'layer_norm', 'rms_norm', 'batch_norm'],
  route: routing,
  winner: choosing,
  softmax: ['softmax'],
  stop: everything,
  layerNorm: ['layer_norm', 'rms_norm'],
  uniform: ['mul'],
  signal: [...layers.filter((layer) => layer.startsWith('dense')), 'mul', 'product of activations'],
  guided: ['relu'],
  deconv: ['relu'],
  'chefer.add': ['add'],
  'chefer.addBatch': ['add'],
};

describe('the families of ops that each rule is tried on', () => {
  it.each(ruleNames)('%s', (rule) => {
    const tried = new Set(
      trials.filter((trial) => trial.rule === rule).map(({ single }) => familyOf(single)),
    );
    expect([...tried].sort()).toEqual([...served[rule]].sort());
  });

  it('every layer with and without a bias', () => {
    for (const family of layers) {
      const counts = singleOps
        .filter((single) => familyOf(single) === family)
        .map(({ node }) => node.args.length);
      expect(new Set(counts), family).toEqual(new Set([2, 3]));
    }
  });

  it('every rule on inputs of both signs, of one sign, and with exact zeros', () => {
    expect(flavours).toEqual(['of both signs', 'all positive', 'with exact zeros']);
    const add = singleOps.find(({ name }) => name === 'add')!;
    const signsOf = (flavour: (typeof flavours)[number]) =>
      new Set(Array.from(dataFor(add, flavour, 1).inputs.x!.data, Math.sign));
    expect(signsOf('of both signs')).toContain(-1);
    expect(signsOf('all positive')).toEqual(new Set([1]));
    expect(signsOf('with exact zeros')).toEqual(new Set([0, 1, -1]));
  });
});

describe('zBox with bounds by channel', () => {
  const affine = singleOps.filter((single) => layers.includes(familyOf(single)));
  const exactly: Attrs = { denominator: 'signed', eps: 1e-6 };

  it.each(affine.map((single) => [single.name, single] as const))('%s', (_name, single) => {
    const channels = single.graph.nodes.get('x')!.type.shape.at(-1) as number;
    const list = (start: number) => Array.from({ length: channels }, (_, channel) => start + channel / 2);
    const reference = withRule(single.graph, 'zBox', { low: list(-4), high: list(2), ...exactly }, 0);
    const expanded = lower(reference);
    for (const [seed, flavour] of flavours.entries()) {
      const { inputs, weights } = dataFor(single, flavour, seed + 11);
      const [wanted, got] = [reference, expanded].map(
        (graph) => evaluate(graph, dialect, inputs, weights).r!.data,
      );
      expect(relativeError(got!, wanted!)).toBeLessThan(1e-12);
    }
  });
});
