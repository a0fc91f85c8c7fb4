// A vision transformer of Transformer-Explainability: every method's result, and what came back to each attention matrix.
import { canonical, compileExplanation } from '../../../src/api/pipeline.js';
import { attentionMatrices } from '../../../src/ir/analyses/attention.js';
import { evaluate, type Inputs } from '../../../src/ir/evaluate.js';
import type { Name } from '../../../src/ir/graph.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import type { AttentionOptions } from '../../../src/rules/attention/method.js';
import { type Preset, presetNamed } from '../../../src/rules/presets.js';
import { targetInput } from '../../../src/rules/seed.js';
import { GoldenGraph, type GoldenRun, golden } from '../golden.js';
import { dialect, lower, relativeError, total } from '../support.js';
import { type Comparison, type Suite, toleranceFor } from './suite.js';

/** What a recorded run is here. */
interface Said {
  readonly preset: string;
  readonly alpha?: number;
  readonly attention?: AttentionOptions;
}

const fromSecond: AttentionOptions = { block: 1 };

/** Recorded runs by their names. */
const said: Readonly<Record<string, Said>> = {
  transformer_attribution: { preset: 'transformer-attribution' },
  'transformer_attribution@start1': { preset: 'transformer-attribution', attention: fromSecond },
  'transformer_attribution@class3': { preset: 'transformer-attribution' },
  'transformer_attribution@alpha2': { preset: 'transformer-attribution', alpha: 2 },
  rollout: { preset: 'rollout' },
  'rollout@start1': { preset: 'rollout', attention: fromSecond },
  full: { preset: 'full' },
  'full@class3': { preset: 'full' },
  'full@alpha2': { preset: 'full', alpha: 2 },
  last_layer: { preset: 'last-layer' },
  'last_layer@ablation': { preset: 'last-layer-ablation' },
  last_layer_attn: { preset: 'last-layer-attn' },
  second_layer: { preset: 'second-layer' },
  'second_layer@ablation': { preset: 'second-layer-ablation' },
  'baseline:attention_rollout': { preset: 'attention-rollout' },
  'baseline:attention_rollout@start1': { preset: 'attention-rollout', attention: fromSecond },
  'baseline:attn_gradcam': { preset: 'attention-grad-cam' },
};

const source = golden('chefer/vit_tiny');
const [recorded] = source.models;
const model = new GoldenGraph(source, recorded!);
const forward = canonical({ graph: model.graph, weights: model.weights });

/** The preset with another α on its layers. */
function weighted({ preset: name, alpha }: Said): Preset {
  const preset = presetNamed(name);
  if (alpha === undefined) return preset;
  const composite = preset.composite.map(([line, match, { rule, params }]) => {
    const changed = rule === 'alphaBeta' ? { ...params, alpha, beta: alpha - 1 } : params;
    return [line, match, changed === undefined ? { rule } : { rule, params: changed }] as const;
  });
  return { ...preset, composite };
}

const inputsOf = (run: GoldenRun): Inputs => ({
  ...model.inputs(),
  [targetInput]: tensor([1], run.target!, 'i32'),
});

/** Pixels are summed over their channels there; the class token is left out. */
function asRecorded({ data, shape }: TensorData): ArrayLike<number> {
  const channels = shape.length === 4 ? shape[3]! : 1;
  if (channels === 1) return data.slice(1);
  return Array.from({ length: data.length / channels }, (_, pixel) =>
    total(data.slice(pixel * channels, (pixel + 1) * channels)),
  );
}

const compiledFor = (run: GoldenRun) => {
  const own = said[run.id];
  if (own === undefined) throw new Error(`nothing here says ${run.id}`);
  const attention = own.attention === undefined ? {} : { attention: own.attention };
  return compileExplanation(forward, { preset: weighted(own), ...attention });
};

function compareResult(run: GoldenRun): Comparison {
  const { program } = compiledFor(run);
  const found = evaluate(program.graph, dialect, inputsOf(run), program.weights);
  const wanted = source.tensor(run.relevance.result_f64 ?? run.relevance.result!);
  const error = relativeError(asRecorded(found['relevance.x']!), wanted.data);
  return { at: 'result', error, tolerance: toleranceFor(run.noise.result) };
}

/** Relevance (`r.`) and derivative (`g.`) of each block's matrix, recorded in 32 bits beside one run. */
function compareMatrices(run: GoldenRun): Comparison[] {
  const { stages } = compileExplanation(forward, { preset: presetNamed('transformer-attribution') });
  const graph = stages.get('relevance')!;
  const matrices = attentionMatrices(forward.program.graph).map(({ matrix }) => matrix);
  const names: Readonly<Record<string, (matrix: Name) => Name>> = {
    relevance: (matrix) => `r.${matrix}`,
    gradient: (matrix) => `g.${matrix}`,
  };
  const wanted = Object.keys(run.relevance).flatMap((key) => {
    const [kind, block] = key.split('.') as [string, string?];
    return block === undefined ? [] : [{ key, value: names[kind]!(matrices[Number(block)]!) }];
  });
  const outputs = Object.fromEntries(wanted.map(({ key, value }) => [key, value]));
  const { weights } = forward.program;
  const found = evaluate(lower({ ...graph, outputs }), dialect, inputsOf(run), weights);
  return wanted.map(({ key }) => ({
    at: key,
    error: relativeError(found[key]!.data, source.tensor(run.relevance[key]!).data),
    tolerance: toleranceFor(run.noise.result),
  }));
}

export const attentionModel: Suite = {
  peer: 'chefer',
  name: 'vit_tiny',
  precision: 'f64',
  different: [],
  runs: recorded!.runs.map((run) => ({
    id: run.id,
    compare: () => [compareResult(run), ...compareMatrices(run)],
  })),
};

/** What is said here and was not recorded. */
export const unrecorded = Object.keys(said).filter((id) => !recorded!.runs.some((run) => run.id === id));
