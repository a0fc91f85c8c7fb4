// zennit's recorded relevances of single layers: every rule there is, on inputs of both signs with exact zeros.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Attrs } from '../../src/ir/graph.js';
import type { RuleName } from '../../src/rules/rules.js';
import { GoldenGraph, type GoldenModel, type GoldenRun, golden } from './golden.js';
import { dialect, lower, propagate, relativeError } from './support.js';

const ours: Readonly<Record<string, RuleName>> = {
  Epsilon: 'epsilon',
  ZPlus: 'zPlus',
  AlphaBeta: 'alphaBeta',
  Flat: 'flat',
  Norm: 'norm',
  gradient: 'gradient',
};

const unexpressed: Readonly<Record<string, string>> = {
  Gamma: 'there is no rule gamma yet',
  WSquare: 'there is no rule wSquare yet',
  ZBox: 'there is no rule zBox yet',
};

/** Windows that overlap unevenly: no one pool says them. */
const unexpressedModels = ['gap32'];

/** The one layer of a model. */
const node = ({ graph }: GoldenModel) => graph.nodes[0]!;

function ruleOf(model: GoldenModel, run: GoldenRun) {
  const recorded = run.rules[node(model).id]!;
  return typeof recorded === 'string' ? { rule: recorded } : recorded;
}

function paramsOf(model: GoldenModel, run: GoldenRun): Attrs {
  const { rule, epsilon, stabilizer, alpha, beta, zero_bias: zeroBias } = ruleOf(model, run);
  if (rule === 'gradient') return {};
  const denominator = { denominator: 'signed', eps: (epsilon ?? stabilizer)! };
  const signs = rule === 'AlphaBeta' ? { alpha: alpha!, beta: beta! } : {};
  return { ...denominator, ...signs, ...(zeroBias === true ? { zeroBias } : {}) };
}

const source = golden('zennit/ops');
const trials = source.models
  .filter(({ id }) => !unexpressedModels.includes(id))
  .flatMap((model) => model.runs.map((run) => ({ model, run })))
  .filter(({ model, run }) => (ruleOf(model, run).rule as string) in ours);

function errors(model: GoldenModel, run: GoldenRun): number[] {
  const translated = new GoldenGraph(source, model);
  const { graph, weights } = translated;
  const { id } = node(model);
  const rule = ours[ruleOf(model, run).rule as string]!;
  const ruled = propagate(graph, [
    ['padding that counts', { op: 'pad' }, { rule: 'route', params: {} }],
    ['layer', {}, { rule, params: paramsOf(model, run) }],
  ]);
  const inputs = { x: translated.input(), R: translated.recorded(id, run.seed.tensor) };
  const wanted = translated.recorded('x', run.relevance.x!);
  return [ruled, lower(ruled)].map((stage) =>
    relativeError(evaluate(stage, dialect, inputs, weights).x!.data, wanted.data),
  );
}

describe('zennit/ops', () => {
  it.each(trials.map(({ model, run }) => [`${model.id}: ${run.id}`, model, run] as const))(
    '%s',
    (_title, model, run) => {
      const tolerance = Math.max(1e-5, 10 * run.noise.x!);
      for (const error of errors(model, run)) expect(error).toBeLessThanOrEqual(tolerance);
    },
  );

  it('every run is either expressed or said not to be', () => {
    const rules = source.models.flatMap((model) =>
      model.runs.map((run) => ruleOf(model, run).rule as string),
    );
    expect([...new Set(rules)].sort()).toEqual([...Object.keys(ours), ...Object.keys(unexpressed)].sort());
  });
});
