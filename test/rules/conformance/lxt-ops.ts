// lxt's operations one by one: its explicit rules from a dense R, and its rules for gradients from a dense q.
import { Arithmetic } from '../../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import type { Attrs } from '../../../src/ir/graph.js';
import type { Composite, RuleChoice } from '../../../src/rules/composite.js';
import { type RuleName, ruleTable } from '../../../src/rules/rules.js';
import { GoldenGraph, type GoldenModel, type GoldenRun, golden } from '../golden.js';
import { dialect, relativeError } from '../support.js';
import { compareLayer, relevanceBoth, ruleOf } from './single-layers.js';
import { type Comparison, type Suite, toleranceFor } from './suite.js';

const source = golden('lxt/ops');

const rule = (name: RuleName, params: Attrs = {}): RuleChoice => ({ rule: name, params });
const plain = (eps: number): Attrs => ({ denominator: 'plain', eps });

/** The rule that does what the recorded operation did; ε is added to z whatever its sign. */
function choiceFor(name: string, epsilon: number, extent: number): RuleChoice {
  switch (name) {
    case 'add2':
    case 'epsilon_lrp_matmul':
      return rule('norm', plain(epsilon));
    // R / (2z + ε)
    case 'matmul':
      return rule('norm', { ...plain(epsilon / 2), share: 0.5 });
    case 'uniform_epsilon_matmul':
      return rule('norm', { ...plain(epsilon), share: 0.5 });
    // R / (Σx + ε), where z is Σx over the extent
    case 'mean_keep':
      return rule('norm', plain(epsilon / extent));
    case 'mul2':
    case 'mul2_const':
    case 'uniform_mul':
      return rule('uniform');
    case 'linear_epsilon':
      return rule('epsilon', plain(epsilon));
    case 'softmax':
      return rule('softmax');
    case 'layer_norm':
      return rule('layerNorm', plain(epsilon));
    // Step by step, each with the ε of a sum
    case 'layer_norm_slower':
      return rule('layerNorm', plain(1e-8));
    case 'rms_norm':
    case 'normalize':
    case 'identity_gelu':
    case 'eff_identity_silu':
      return rule('pass');
    case 'eff_divide_gradient':
      return rule('norm', { denominator: 'exact', share: 1 / 4 });
    default:
      throw new Error(`nothing here says ${name}`);
  }
}

function choiceOf(model: GoldenModel, run: GoldenRun): RuleChoice {
  const { rule: name, epsilon } = ruleOf(model, run) as { rule: string; epsilon?: number };
  return choiceFor(name, epsilon ?? 0, model.graph.inputs[0]!.shape.at(-1)!);
}

const withRule = (choice: RuleChoice): Composite => [
  ['shape of a mean', { kind: 'route' }, rule('route')],
  ['temperature', { op: 'mul', name: '*_scores' }, rule('pass')],
  ['operation', {}, choice],
];

/** What a rule's gradient form makes of q at %y, at its one operand. */
function compareGradient(model: GoldenModel, run: GoldenRun): Comparison[] {
  const translated = new GoldenGraph(source, model);
  const builder = GraphBuilder.extending(translated.graph, dialect);
  const node = builder.node('y');
  const gradient = builder.add('input', [], { name: 'q', type: node.type });
  const { rule: name, params = {} } = choiceOf(model, run);
  const k = new Arithmetic(builder);
  const site = { builder, k, node, operand: 0, attrs: params, gradient, relevance: gradient };
  const graph = builder.finish({ x0: ruleTable[name as RuleName].gradientForm!(site)! });
  const inputs = { ...translated.inputs(), q: translated.seed(run) };
  const found = evaluate(graph, dialect, inputs, translated.weights).x0!;
  const error = relativeError(found.data, source.tensor(run.relevance.x0!).data);
  return [{ at: 'x0', error, tolerance: toleranceFor(run.noise.worst) }];
}

function compare(model: GoldenModel, run: GoldenRun): readonly Comparison[] {
  if (model.id.startsWith('eff_')) return compareGradient(model, run);
  return compareLayer(source, model, run, withRule(choiceOf(model, run)), 'f64');
}

export const lxtOperations: Suite = {
  peer: 'lxt',
  name: 'ops',
  precision: 'f64',
  different: ['softmax_dim1'],
  runs: source.models.flatMap((model) =>
    model.runs.map((run) => ({ id: model.id, compare: () => compare(model, run) })),
  ),
};

/** A recorded softmax: what it was given, its relevance there and here. */
export function softmaxLayer(id: string) {
  const model = source.models.find((candidate) => candidate.id === id)!;
  const [run] = model.runs;
  const graph = new GoldenGraph(source, model);
  return {
    s: source.tensor(model.activations.y!),
    x: graph.inputs().x0!,
    seed: graph.seed(run!),
    recorded: source.tensor(run!.relevance.x0!),
    ours: relevanceBoth(graph, run!, withRule(rule('softmax')), 'f64')[1]!.x0!,
  };
}
