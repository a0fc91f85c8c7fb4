// An explanation as one graph: the forward model, the target, the seed, and the relevance of the inputs.
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import type { Dialect } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { type Graph, type Name, nodeOf, nodesWithOp } from '../ir/graph.js';
import { elementCount, isBatched, printType } from '../ir/type.js';
import { type Preset, presets, type Seed } from './presets.js';
import { type ChosenRule, type RelevanceResult, relevance } from './relevance.js';

export interface ExplanationRequest {
  readonly preset: Preset;
  /** Which output of the model is explained; may be left out where it has one. */
  readonly output?: string;
  /** Defaults to the preset's. */
  readonly seed?: Seed;
}

export interface Explanation {
  /** Outputs: `scores`, `target`, `logit`, and `relevance.<input>` for each explained input. */
  readonly graph: Graph;
  readonly chosen: readonly ChosenRule[];
  /** What the user should know: a softmax taken off, an input left out. */
  readonly notes: readonly string[];
}

/** The input that names the class to explain, an i32 for each sample; −1 asks for the arg-max. */
export const targetInput = 'seed.target';

/** The key of the output that holds the relevance of an input. */
export const relevanceKey = (input: Name) => `relevance.${input}`;

/** @throws RelcError RELC3003 with the names there are */
export function presetNamed(name: string): Preset {
  const preset = presets.get(name);
  if (preset !== undefined) return preset;
  throw new RelcError(
    'RELC3003',
    `no preset is called '${name}'`,
    `presets: ${[...presets.keys()].join(', ')}`,
  );
}

function chooseOutput(graph: Graph, wanted: string | undefined): Name {
  const names = Object.keys(graph.outputs);
  const key = wanted ?? (names.length === 1 ? names[0]! : undefined);
  const value = key === undefined ? undefined : graph.outputs[key];
  if (value !== undefined) return value;
  const detail = key === undefined ? 'the model has several outputs' : `the model has no output '${key}'`;
  throw new RelcError('RELC3005', detail, `name one with the option output: ${names.join(', ')}`);
}

/** The value a softmax at the model's end is taken of, looking through reshapes; or the value itself. */
function beforeSoftmax(graph: Graph, output: Name, notes: string[]): Name {
  let node = graph.nodes.get(output)!;
  while (node.op === 'reshape') node = graph.nodes.get(node.args[0]!)!;
  if (node.op !== 'softmax' && node.op !== 'log_softmax') return output;
  notes.push(
    `the ${node.op.replace('_', '-')} %${node.name} at the model's end is taken off for the seed: ` +
      `relevance starts at the logits, %${node.args[0]}`,
  );
  return node.args[0]!;
}

interface SeedValues {
  readonly target: Name;
  readonly logit: Name;
  readonly relevance: Name;
}

/** target → one-hot → R, as nodes: R = onehot(target) ⊙ z for `logit`, onehot(target) for `one`. */
function addSeed(k: Arithmetic, z: Name, seed: Seed, name: Name): SeedValues {
  const { builder } = k;
  const type = builder.typeOf(z);
  const rows = isBatched(type) ? 'N' : 1;
  const classes = elementCount(type.shape);
  const add = (op: string, args: Name[], suffix: string, attrs = {}) =>
    builder.add(op, args, { name: `seed.${suffix}`, attrs });
  const index = { dtype: 'i32', shape: [rows] } as const;
  const flat = builder.add('reshape', [z], {
    name: 'seed.scores',
    type: { dtype: 'f32', shape: [rows, classes] },
  });
  const asked = builder.add('input', [], { name: targetInput, type: index });
  const top = add('argmax', [flat], 'top', { axis: 1 });
  const given = add('greater_equal', [asked, builder.splat(0, index, 'seed.zero')], 'given');
  const target = add('select', [given, asked, top], 'class');
  const hot = add('one_hot', [target], 'hot', { depth: classes });
  const atTarget = add('mul', [hot, flat], 'scores_at_target');
  const logit = add('sum', [atTarget], 'logit', { axes: [1] });
  const start = builder.add('reshape', [seed === 'logit' ? atTarget : hot], { name, type });
  return { target, logit, relevance: start };
}

/** Where an integer input becomes floating point: an embedding's rows, or a cast. */
function firstFloats(graph: Graph, input: Name): Name[] {
  return [...graph.nodes.values()]
    .filter(({ op, args, type }) => {
      const slot = op === 'gather' ? 1 : op === 'cast' ? 0 : -1;
      return args[slot] === input && type.dtype === 'f32';
    })
    .map((node) => node.name);
}

/** The floating-point inputs, and the first float value of each integer input: where relevance is read. */
function explainedValues(graph: Graph, notes: string[]): ReadonlyMap<Name, Name> {
  const explained = new Map<Name, Name>();
  for (const input of nodesWithOp(graph, 'input')) {
    if (input.type.dtype === 'f32') explained.set(input.name, input.name);
    if (input.type.dtype !== 'i32') continue;
    const [first, ...others] = firstFloats(graph, input.name);
    if (first === undefined) continue;
    explained.set(input.name, first);
    if (others.length > 0) {
      notes.push(`input %${input.name} is explained at %${first} alone, not at %${others.join(', %')}`);
    }
  }
  return explained;
}

/**
 * Appends target, seed and relevance to a canonical forward graph.
 * @throws RelcError RELC3001, RELC3002 (rules), RELC3005 (nothing to explain)
 */
export function explain(graph: Graph, dialect: Dialect, request: ExplanationRequest): Explanation {
  const { preset } = request;
  const notes: string[] = [];
  const output = chooseOutput(graph, request.output);
  const z = beforeSoftmax(graph, output, notes);
  const type = nodeOf(graph, z).type;
  if (type.dtype !== 'f32') {
    throw new RelcError('RELC3005', `output %${output} is ${printType(type)}`, 'explain an output of scores');
  }
  const builder = GraphBuilder.extending(graph, dialect);
  const k = new Arithmetic(builder);
  builder.scope = 't.';
  const seed = addSeed(k, z, request.seed ?? preset.seed, builder.fresh(`${preset.prefix}${z}`));
  const explained = explainedValues(graph, notes);
  const result = relevance(builder, {
    prefix: preset.prefix,
    composite: preset.composite,
    seed: { value: z, relevance: seed.relevance },
    wrt: [...explained.values()],
  });
  const outputs: Record<string, Name> = { scores: output, target: seed.target, logit: seed.logit };
  for (const [input, value] of explained) {
    const found = inputRelevance(k, preset, value, result);
    if (found !== undefined) outputs[relevanceKey(input)] = found;
    else notes.push(`no relevance reaches input %${input}`);
  }
  if (!Object.keys(outputs).some((key) => key.startsWith('relevance.'))) {
    throw new RelcError(
      'RELC3005',
      `output %${output} depends on no input through floating-point values`,
      'explain another output',
    );
  }
  return { graph: builder.finish(outputs), chosen: result.chosen, notes };
}

function inputRelevance(
  k: Arithmetic,
  preset: Preset,
  value: Name,
  result: RelevanceResult,
): Name | undefined {
  const found = result.relevanceOf.get(value);
  if (found === undefined || !preset.timesInput) return found;
  return k.mul(value, found, `r.${value}`);
}
