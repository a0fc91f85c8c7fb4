// zennit's recorded relevances: whole models under every composite that ours can express, at every recorded layer.
import { describe, expect, it } from 'vitest';
import { evaluateAll, type Inputs } from '../../src/ir/evaluate.js';
import { type Attrs, type Graph, type Name, resolveAlias } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import type { RuleChoice } from '../../src/rules/composite.js';
import { explain, relevanceKey } from '../../src/rules/explanation.js';
import { type Preset, prefixes, presetNamed } from '../../src/rules/presets.js';
import type { RuleName } from '../../src/rules/rules.js';
import { targetInput } from '../../src/rules/seed.js';
import { GoldenGraph, type GoldenRun, golden } from './golden.js';
import { dialect, lower, propagate, relativeError } from './support.js';

/** A preset, some of its rules replaced. */
interface Expression {
  readonly preset: string;
  readonly replaced?: Partial<Record<RuleName, RuleChoice>>;
}

const signed: Attrs = { denominator: 'signed', eps: 1e-6 };
const zeroBias: Attrs = { ...signed, zeroBias: true };
const rule = (name: RuleName, params: Attrs): RuleChoice => ({ rule: name, params });
/** One rule on every affine layer. */
const everywhere = (name: RuleName, params: Attrs): Expression => ({
  preset: 'epsilon',
  replaced: { epsilon: rule(name, params) },
});
const epsilonPlus = (params: Attrs): Expression => ({
  preset: 'epsilon-plus',
  replaced: { epsilon: rule('epsilon', params) },
});

/** How each recorded run is said here, by its id without the part after `@`. */
const expressed: Readonly<Record<string, Expression>> = {
  EpsilonPlus: { preset: 'epsilon-plus' },
  EpsilonPlusFlat: { preset: 'epsilon-plus-flat' },
  EpsilonAlpha2Beta1: { preset: 'epsilon-alpha2-beta1' },
  EpsilonAlpha2Beta1Flat: { preset: 'epsilon-alpha2-beta1-flat' },
  'EpsilonPlus(epsilon=0.25)': epsilonPlus({ ...signed, eps: 0.25 }),
  'EpsilonPlus(zero_params=bias)': {
    preset: 'epsilon-plus',
    replaced: { epsilon: rule('epsilon', zeroBias), zPlus: rule('zPlus', zeroBias) },
  },
  'EpsilonPlus(norm_scale)': epsilonPlus({ denominator: 'signed', eps: 0.1, normScale: true }),
  'EpsilonPlus(clip)': epsilonPlus({ denominator: 'clip', eps: 0.1 }),
  Epsilon: { preset: 'epsilon' },
  'Epsilon(0.25)': everywhere('epsilon', { ...signed, eps: 0.25 }),
  ZPlus: everywhere('zPlus', signed),
  'AlphaBeta(2,1)': everywhere('alphaBeta', { alpha: 2, beta: 1, ...signed }),
  'AlphaBeta(1,0)': everywhere('alphaBeta', { alpha: 1, beta: 0, ...signed }),
  Flat: everywhere('flat', signed),
  gradient: { preset: 'gradient' },
  ExcitationBackprop: {
    preset: 'epsilon',
    replaced: { epsilon: rule('zPlus', signed), pass: rule('gradient', {}) },
  },
};

const unexpressed: Readonly<Record<string, string>> = {
  EpsilonGammaBox: 'there is no rule gamma or zBox yet',
  'Gamma(0.25)': 'there is no rule gamma yet',
  WSquare: 'there is no rule wSquare yet',
  'first:WSquare,rest:Epsilon': 'there is no rule wSquare yet',
  'first:ZBox,rest:Epsilon': 'there is no rule zBox yet',
  DeconvNet: 'there is no rule that keeps R⁺ at a ReLU yet',
  GuidedBackprop: 'there is no rule that keeps R⁺ at a ReLU yet',
};

const baseName = ({ id }: GoldenRun) => id.replace(/@.*$/, '');

function presetFor(run: GoldenRun): Preset {
  const { preset: name, replaced } = expressed[baseName(run)]!;
  const preset = presetNamed(name);
  const composite = preset.composite.map(
    ([line, match, choice]) => [line, match, replaced?.[choice.rule as RuleName] ?? choice] as const,
  );
  return { ...preset, composite };
}

/** The graph of a run, what feeds its seed, and where the relevance of a value stands in it. */
interface Posed {
  readonly graph: Graph;
  readonly inputs: Inputs;
  nameOf(value: Name): Name;
}

/** Relevance from an arbitrary R at the output. */
function posedDense(graph: Graph, preset: Preset, R: TensorData): Posed {
  const lowered = lower(propagate(graph, preset.composite));
  return { graph: lowered, inputs: { R }, nameOf: (value) => lowered.outputs[value]! };
}

/** An explanation of the recorded class, or of the arg-max, which must then be the recorded class. */
function posed(graph: Graph, preset: Preset, run: GoldenRun): Posed {
  const seed = run.seed.kind.endsWith('_one') ? 'one' : 'logit';
  const lowered = lower(explain(graph, dialect, { preset, seed }).graph);
  const asked = run.target!.map((target) => (run.seed.kind.startsWith('argmax') ? -1 : target));
  const nameOf = (value: Name) =>
    value === 'x'
      ? lowered.outputs[relevanceKey('x')]!
      : resolveAlias(lowered, `${prefixes[preset.quantity]}${value}`)!;
  return { graph: lowered, inputs: { [targetInput]: tensor([asked.length], asked, 'i32') }, nameOf };
}

/** Relevance in f64 at a node of the model, from the run's seed. */
function relevanceIn(model: GoldenGraph, run: GoldenRun): (node: Name) => TensorData {
  const merged = run.id.endsWith('@nocanon') ? [] : [canonicalize];
  const { graph, weights } = runPasses(model, merged, dialect);
  const preset = presetFor(run);
  const [output] = model.model.graph.outputs;
  const whole =
    run.seed.kind === 'dense'
      ? posedDense(graph, preset, model.recorded(output!, run.seed.tensor))
      : posed(graph, preset, run);
  const values = evaluateAll(whole.graph, dialect, { x: model.input(), ...whole.inputs }, weights);
  return (node) => values.get(whole.nameOf(resolveAlias(graph, node)!))!;
}

/** As the recording asks: 1e-5, or ten times the peer's own rounding error. */
const tolerance = (run: GoldenRun, node: Name) =>
  Math.max(1e-5, 10 * run.noise[node === 'x' ? 'x' : 'worst_layer']!);

describe.each(['zennit/vgg_tiny', 'zennit/cnn_bn'])('%s', (name) => {
  const source = golden(name);
  const [model] = source.models;
  const { runs, activations } = model!;
  const translated = new GoldenGraph(source, model!);

  it('has the activations that were recorded', () => {
    const { graph, weights } = translated;
    const values = evaluateAll(graph, dialect, { x: translated.input() }, weights);
    for (const [node, key] of Object.entries(activations)) {
      expect(relativeError(values.get(node)!.data, translated.recorded(node, key).data), node).toBeLessThan(
        1e-5,
      );
    }
  });

  it.each(runs.filter((run) => baseName(run) in expressed).map((run) => [run.id, run] as const))(
    '%s',
    (_id, run) => {
      const relevanceOf = relevanceIn(translated, run);
      const { x_f64: precise, ...layers } = run.relevance;
      expect(Object.keys(layers).length).toBeGreaterThan(9);
      for (const [node, key] of Object.entries(layers)) {
        const recorded = translated.recorded(node, node === 'x' ? precise! : key);
        const error = relativeError(relevanceOf(node).data, recorded.data);
        expect(error, `at ${node}`).toBeLessThanOrEqual(tolerance(run, node));
      }
    },
  );

  it('every run is either expressed or said not to be', () => {
    const unknown = runs.filter((run) => !(baseName(run) in expressed) && !(baseName(run) in unexpressed));
    expect(unknown.map((run) => run.id)).toEqual([]);
    expect(Object.keys(expressed).filter((id) => id in unexpressed)).toEqual([]);
  });
});

it('no run is listed that was not recorded', () => {
  const recorded = ['zennit/vgg_tiny', 'zennit/cnn_bn'].flatMap((name) =>
    golden(name).models[0]!.runs.map(baseName),
  );
  expect(
    [...Object.keys(expressed), ...Object.keys(unexpressed)].filter((id) => !recorded.includes(id)),
  ).toEqual([]);
});
