// Whole models: relevance at every recorded layer, from the recorded seed, computed by a compiled explainer's graph.
import { compileExplanation } from '../../../src/api/pipeline.js';
import { evaluate, evaluateAll, type Inputs } from '../../../src/ir/evaluate.js';
import { type Name, resolveAlias } from '../../../src/ir/graph.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { tensor } from '../../../src/ir/tensor.js';
import { relevanceKey } from '../../../src/rules/explanation.js';
import { type Preset, presetNamed, type Seed } from '../../../src/rules/presets.js';
import type { RuleName } from '../../../src/rules/rules.js';
import { targetInput, tensorInput } from '../../../src/rules/seed.js';
import { GoldenGraph, type GoldenRun, golden } from '../golden.js';
import { dialect, relativeError } from '../support.js';
import { captum, type Expression, type Expressions, zennit } from './expressions.js';
import { type Comparison, type Suite, toleranceFor } from './suite.js';

/** The preset of an expression, its lines changed as the expression says. */
function presetFor({ preset: name, first = [], replaced }: Expression): Preset {
  const preset = presetNamed(name);
  const own = preset.composite.map(
    ([line, match, choice]) => [line, match, replaced?.[choice.rule as RuleName] ?? choice] as const,
  );
  return { ...preset, composite: [...first, ...own] };
}

/** Batch normalization is merged into the convolution before it, unless the run says that it was not. */
function canonical(model: GoldenGraph, run?: GoldenRun): Program {
  return runPasses(model, run?.id.endsWith('@nocanon') ? [] : [canonicalize], dialect);
}

/** R at the scores as it was recorded; otherwise made from the scores. */
function seedOf({ seed: { kind } }: GoldenRun): Seed {
  if (kind === 'dense') return 'tensor';
  return kind.endsWith('_one') ? 'one' : 'logit';
}

/** The recorded class of each sample; −1 where it is the arg-max, which must then be the recorded class. */
function classesOf(run: GoldenRun, samples: number): readonly number[] {
  const byArgmax = run.target == null || run.seed.kind.startsWith('argmax');
  return byArgmax ? new Array<number>(samples).fill(-1) : run.target;
}

/** A compiled explainer of the nodes asked for, and what it is given. */
function programFor(
  model: GoldenGraph,
  run: GoldenRun,
  expression: Expression,
  nodes: readonly Name[],
): { program: Program; inputs: Inputs } {
  const { range } = expression;
  const { program } = compileExplanation(
    { program: canonical(model, run), stages: new Map() },
    {
      preset: presetFor(expression),
      seed: seedOf(run),
      relevanceOf: nodes,
      ...(range === undefined ? {} : { range }),
    },
  );
  const inputs = model.inputs();
  const classes = classesOf(run, inputs.x!.shape[0]!);
  const seeded = {
    ...inputs,
    [targetInput]: tensor([classes.length], classes, 'i32'),
    ...(seedOf(run) === 'tensor' ? { [tensorInput]: model.seed(run) } : {}),
  };
  return { program, inputs: seeded };
}

const baseName = ({ id }: GoldenRun) => id.replace(/@.*$/, '');

/** The explainer of a recorded run, at every recorded layer. */
export function explainerOf(
  { model, expressions }: Pick<WholeModel, 'model' | 'expressions'>,
  run: GoldenRun,
) {
  const expression = expressions[baseName(run)];
  if (expression === undefined) throw new Error(`nothing here says ${run.id}`);
  const { x_f64: _precise, ...layers } = run.relevance;
  return programFor(model, run, expression, Object.keys(layers));
}

/** At the input against the peer's run in 64 bits, elsewhere against its run in 32. */
function comparisons(model: GoldenGraph, run: GoldenRun, expressions: Expressions): Comparison[] {
  const { x_f64: precise, ...layers } = run.relevance;
  const { program, inputs } = explainerOf({ model, expressions }, run);
  const found = evaluate(program.graph, dialect, inputs, program.weights);
  return Object.entries(layers).map(([node, key]) => {
    const recorded = model.recorded(node, node === 'x' ? precise! : key);
    const error = relativeError(found[relevanceKey(node)]!.data, recorded.data);
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
