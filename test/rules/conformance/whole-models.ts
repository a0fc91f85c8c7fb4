// Whole models: relevance at every recorded layer, from the recorded seed, as a compiled explainer computes it.
import { evaluateAll, type Inputs } from '../../../src/ir/evaluate.js';
import { type Graph, type Name, resolveAlias } from '../../../src/ir/graph.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import { explain, relevanceKey } from '../../../src/rules/explanation.js';
import { type Preset, prefixes, presetNamed } from '../../../src/rules/presets.js';
import type { RuleName } from '../../../src/rules/rules.js';
import { targetInput } from '../../../src/rules/seed.js';
import { specialize } from '../../../src/rules/specialize.js';
import { GoldenGraph, type GoldenRun, golden } from '../golden.js';
import { dialect, lowering, noWeights, propagate, relativeError } from '../support.js';
import { captum, type Expression, type Expressions, zennit } from './expressions.js';
import { type Comparison, type Suite, toleranceFor } from './suite.js';

const lower = (graph: Graph) =>
  runPasses({ graph, weights: noWeights }, [specialize, ...lowering], dialect).graph;

/** The preset of an expression, its lines changed as the expression says. */
function presetFor({ preset: name, first = [], replaced }: Expression): Preset {
  const preset = presetNamed(name);
  const own = preset.composite.map(
    ([line, match, choice]) => [line, match, replaced?.[choice.rule as RuleName] ?? choice] as const,
  );
  return { ...preset, composite: [...first, ...own] };
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
function posed(graph: Graph, expression: Expression, run: GoldenRun): Posed {
  const preset = presetFor(expression);
  const seed = run.seed.kind.endsWith('_one') ? 'one' : 'logit';
  const range = expression.range === undefined ? {} : { range: expression.range };
  const lowered = lower(explain(graph, dialect, { preset, seed, ...range }).graph);
  const asked = run.target!.map((target) => (run.seed.kind.startsWith('argmax') ? -1 : target));
  const nameOf = (value: Name) =>
    value === 'x'
      ? lowered.outputs[relevanceKey('x')]!
      : resolveAlias(lowered, `${prefixes[preset.quantity]}${value}`)!;
  return { graph: lowered, inputs: { [targetInput]: tensor([asked.length], asked, 'i32') }, nameOf };
}

/** Batch normalization is merged into the convolution before it, unless the run says that it was not. */
function canonical(model: GoldenGraph, run?: GoldenRun): Program {
  return runPasses(model, run?.id.endsWith('@nocanon') ? [] : [canonicalize], dialect);
}

/** Relevance at a node of the model, from the run's seed. */
function relevanceIn(model: GoldenGraph, run: GoldenRun, expression: Expression): (node: Name) => TensorData {
  const { graph, weights } = canonical(model, run);
  const whole =
    run.seed.kind === 'dense'
      ? posedDense(graph, presetFor(expression), model.seed(run))
      : posed(graph, expression, run);
  const values = evaluateAll(whole.graph, dialect, { ...model.inputs(), ...whole.inputs }, weights);
  return (node) => values.get(whole.nameOf(resolveAlias(graph, node)!))!;
}

const baseName = ({ id }: GoldenRun) => id.replace(/@.*$/, '');

/** At the input against the peer's run in 64 bits, elsewhere against its run in 32. */
function comparisons(model: GoldenGraph, run: GoldenRun, expressions: Expressions): Comparison[] {
  const expression = expressions[baseName(run)];
  if (expression === undefined) throw new Error(`nothing here says ${run.id}`);
  const relevanceOf = relevanceIn(model, run, expression);
  const { x_f64: precise, ...layers } = run.relevance;
  return Object.entries(layers).map(([node, key]) => {
    const recorded = model.recorded(node, node === 'x' ? precise! : key);
    const error = relativeError(relevanceOf(node).data, recorded.data);
    return { at: node, error, tolerance: toleranceFor(run.noise[node === 'x' ? 'x' : 'worst_layer']) };
  });
}

/** A recorded model, and its runs as a suite. */
export interface WholeModel {
  readonly suite: Suite;
  readonly model: GoldenGraph;
  readonly expressions: Expressions;
}

function wholeModel(peer: string, name: string, expressions: Expressions): WholeModel {
  const source = golden(`${peer}/${name}`);
  const [recorded] = source.models;
  const model = new GoldenGraph(source, recorded!);
  const runs = recorded!.runs.map((run) => ({
    id: run.id,
    compare: () => comparisons(model, run, expressions),
  }));
  return { suite: { peer, name, precision: 'f64', runs, different: [] }, model, expressions };
}

export const wholeModels: readonly WholeModel[] = [
  wholeModel('zennit', 'vgg_tiny', zennit),
  wholeModel('zennit', 'cnn_bn', zennit),
  wholeModel('captum', 'vgg_tiny', captum),
];

/** Errors of the merged weights and biases of convolutions, by the name of each. */
export function mergedErrors(model: GoldenGraph): Record<string, number> {
  const { graph, weights } = canonical(model);
  const values = evaluateAll(graph, dialect, model.inputs(), weights);
  const errors = Object.entries(model.model.merged ?? {}).flatMap(([conv, { weight, bias }]) => {
    const [, w, b] = graph.nodes.get(resolveAlias(graph, conv)!)!.args.map((arg) => values.get(arg)!);
    return [
      [`${conv} weight`, relativeError(w!.data, model.convolutional(weight!).data)],
      [`${conv} bias`, relativeError(b!.data, model.convolutional(bias!).data)],
    ] as const;
  });
  return Object.fromEntries(errors);
}
