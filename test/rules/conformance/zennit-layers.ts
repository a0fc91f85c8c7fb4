// zennit's single layers: every rule there is, on inputs of both signs with exact zeros.
import type { Attrs } from '../../../src/ir/graph.js';
import type { Composite } from '../../../src/rules/composite.js';
import type { RuleName } from '../../../src/rules/rules.js';
import { type GoldenModel, type GoldenRun, golden } from '../golden.js';
import { compareLayer, ruleOf } from './single-layers.js';
import type { Suite } from './suite.js';

const names: Readonly<Record<string, RuleName>> = {
  Epsilon: 'epsilon',
  Gamma: 'gamma',
  ZPlus: 'zPlus',
  AlphaBeta: 'alphaBeta',
  WSquare: 'wSquare',
  Flat: 'flat',
  ZBox: 'zBox',
  Norm: 'norm',
  gradient: 'gradient',
};

/** Parameters that are called the same here. */
const shared = ['alpha', 'beta', 'gamma', 'low', 'high'] as const;

function compositeFor(model: GoldenModel, run: GoldenRun): Composite {
  const { rule: recorded, epsilon, stabilizer, zero_bias: zeroBias, ...rest } = ruleOf(model, run);
  const rule = names[recorded as string];
  if (rule === undefined) throw new Error(`nothing here says ${recorded}`);
  const own: Attrs = Object.fromEntries(
    shared.flatMap((name) => (rest[name] === undefined ? [] : [[name, rest[name]]])),
  );
  // In zBox the bias cancels
  const biasless = zeroBias === true && rule !== 'zBox' ? { zeroBias } : {};
  const params: Attrs =
    rule === 'gradient' ? {} : { denominator: 'signed', eps: (epsilon ?? stabilizer)!, ...own, ...biasless };
  return [
    ['padding that counts, slices', { kind: 'route' }, { rule: 'route', params: {} }],
    ['layer', {}, { rule, params }],
  ];
}

const source = golden('zennit/ops');

export const zennitLayers: Suite = {
  peer: 'zennit',
  name: 'ops',
  precision: 'f64',
  different: [],
  runs: source.models.flatMap((model) =>
    model.runs.map((run) => ({
      id: `${model.id}: ${run.id}`,
      compare: () => compareLayer(source, model, run, compositeFor(model, run), 'f64'),
    })),
  ),
};
