// The layers of Transformer-Explainability one by one, in f32 as they were recorded: ε = 1e-9 lies below its resolution.
import type { Attrs } from '../../../src/ir/graph.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import type { Composite, RuleChoice } from '../../../src/rules/composite.js';
import type { RuleName } from '../../../src/rules/rules.js';
import { GoldenGraph, type GoldenModel, type GoldenRun, golden } from '../golden.js';
import { compareLayer, layerOf, relevanceBoth, ruleOf } from './single-layers.js';
import type { Run, Suite } from './suite.js';

const chefer: Attrs = { denominator: 'chefer', eps: 1e-9 };
const rule = (name: RuleName, params: Attrs): RuleChoice => ({ rule: name, params });

export const routed = rule('route', {});

/** Their `RelPropSimple`, also in sums of `layers_lrp`. */
const simple = rule('norm', chefer);
const simpleLayers = new Set([
  'BERT_explainability.modules.layers_ours.MatMul',
  'BERT_explainability.modules.layers_ours.Mul',
  'modules.layers_ours.einsum',
  'modules.layers_ours.IndexSelect',
  'modules.layers_ours.Cat',
  'modules.layers_ours.MaxPool2d',
  'modules.layers_ours.AvgPool2d',
  'modules.layers_ours.AdaptiveAvgPool2d',
  'modules.layers_lrp.Add',
]);

/** The rule that does what the recorded layer did to inputs of the first one's shape. */
function choiceFor(name: string, alpha: number, [rows, channels]: readonly number[]): RuleChoice {
  const weighted = { alpha, beta: alpha - 1, ...chefer };
  if (simpleLayers.has(name)) return simple;
  switch (name) {
    case 'modules.layers_ours.Linear':
      return rule('alphaBeta', { ...weighted, zeroBias: true });
    case 'modules.layers_lrp.Linear':
      return rule('chefer.conv', weighted);
    case 'modules.layers_ours.Conv2d':
      return channels === 3 ? rule('chefer.zBox', {}) : rule('chefer.conv', weighted);
    // Its sums run over the whole batch
    case 'modules.layers_ours.Add':
      return rows === 1 ? rule('chefer.add', chefer) : rule('chefer.addBatch', chefer);
    // R·xw / (xw + 1e-9), which is R but for the last digits
    case 'modules.layers_ours.BatchNorm2d':
      return rule('pass', {});
    case 'modules.layers_ours.Clone':
      return routed;
    default:
      throw new Error(`nothing here says ${name}`);
  }
}

const withRule = (choice: RuleChoice): Composite => [
  ['layer', { name: 'y' }, choice],
  ['broadcast', { kind: 'route' }, routed],
];

function compositeFor(model: GoldenModel, run: GoldenRun): Composite {
  const { rule: name, alpha } = ruleOf(model, run);
  const shape = source.tensor(model.input[layerOf(model).inputs[0]!]!).shape;
  return withRule(choiceFor(name as string, alpha as number, shape));
}

const source = golden('chefer/ops');

export const cheferLayers: Suite = {
  peer: 'chefer',
  name: 'ops',
  precision: 'f32',
  different: ['clone3'],
  runs: source.models.flatMap((model) =>
    model.runs.map((run) => ({
      id: model.id,
      compare: () => compareLayer(source, model, run, compositeFor(model, run), 'f32'),
    })),
  ),
};

/** Layers of `layers_ours` with α = 1 under a whole composite; not Clone, which is no op here. */
export function oursUnder(composite: Composite): Run[] {
  const isOurs = (model: GoldenModel, run: GoldenRun) => {
    const { rule: name, alpha } = ruleOf(model, run);
    return (name as string).includes('layers_ours') && alpha === 1 && layerOf(model).op !== 'Clone';
  };
  return source.models.flatMap((model) =>
    model.runs
      .filter((run) => isOurs(model, run))
      .map((run) => ({ id: model.id, compare: () => compareLayer(source, model, run, composite, 'f32') })),
  );
}

/** A recorded layer: its input, R at its output, R at its inputs there, and under a rule of ours. */
export interface CheferLayer {
  readonly x: TensorData;
  readonly seed: TensorData;
  readonly recorded: TensorData;
  /** At the first input. */
  under(choice: RuleChoice): TensorData;
}

export function cheferLayer(id: string): CheferLayer {
  const model = source.models.find((candidate) => candidate.id === id)!;
  const [run] = model.runs;
  const graph = new GoldenGraph(source, model);
  return {
    x: graph.inputs().x0!,
    seed: graph.seed(run!),
    recorded: graph.recorded('x0', run!.relevance.x0!),
    under: (choice) => relevanceBoth(graph, run!, withRule(choice), 'f32')[1]!.x0!,
  };
}

export const perSampleSum = rule('chefer.add', chefer);
export const jointDenominator = rule('alphaBeta', { alpha: 1, beta: 0, zeroBias: true, ...chefer });
