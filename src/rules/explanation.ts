// An explanation as one graph: the forward model, the target, the seed, and the relevance of the inputs.
import { type Interval, intervalOf } from '../ir/analyses/interval.js';
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import type { Dialect } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { activeValues, type Graph, type Name, nodeOf, resolveAlias } from '../ir/graph.js';
import { nearNames } from '../ir/near-names.js';
import type { Weights } from '../ir/tensor.js';
import { printShape, printType } from '../ir/type.js';
import type { Flow, Position } from './account.js';
import { type AttentionResult, addAttention } from './attention/attention.js';
import type { AttentionMethod, AttentionOptions } from './attention/method.js';
import type { Composite } from './composite.js';
import { explainedValues, perElement } from './explained-values.js';
import { addGradCam, lastConvolution } from './grad-cam.js';
import { type Preset, prefixes, type Seed } from './preset.js';
import { type ChosenRule, type RelevanceResult, relevance } from './relevance.js';
import { boundedParams } from './resolve.js';
import { type RuleTable, ruleTable } from './rules.js';
import { addDerivative, addSeed } from './seed.js';

export interface ExplanationRequest {
  readonly preset: Preset;
  /** Which output of the model is explained; may be left out where it has one. */
  readonly output?: string;
  /** Defaults to the preset's. */
  readonly seed?: Seed;
  /** Values that relevance is wanted at, by name or layer, also ones that a pass merged; the inputs if left out. */
  readonly relevanceOf?: readonly Name[];
  /** The layer that grad-cam looks at; the last convolution if left out. */
  readonly layer?: Name;
  /** Of scores [N, tokens, classes]: the token whose scores are explained, from 0, or from −1 at the last. */
  readonly position?: number;
  /** What attention methods are to do otherwise than their preset says. */
  readonly attention?: AttentionOptions;
  /** The smallest and the largest value that an input can take: for zB. */
  readonly range?: Interval;
  /** Those of the graph: what preprocessing makes of the range may depend on them. */
  readonly weights?: Weights;
  /** Defaults to relc's own rules. */
  readonly rules?: RuleTable;
}

export interface Explanation {
  /**
   * Outputs: `scores`, `target`, `logit`, `start`, of a contrast `against`, and `relevance.<value>` for each explained
   * value.
   */
  readonly graph: Graph;
  readonly chosen: readonly ChosenRule[];
  /** The values that relevance is read at, by what they were asked for as. */
  readonly explained: ReadonlyMap<string, Name>;
  /** What relevance is accounted for by; undefined where none is propagated: raw attention. */
  readonly flow: Flow | undefined;
  /** What the user should know: a softmax taken off, an input left out. */
  readonly notes: readonly string[];
}

/** The key of the output that holds the relevance of a value. */
export const relevanceKey = (value: Name) => `relevance.${value}`;

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

/** Values and aliases that hold `wanted`, or its last part, or are near it, for a message. */
function nearValues(graph: Graph, active: ReadonlySet<Name>, wanted: Name): string {
  const aliases = [...graph.aliases.keys()].filter((alias) => active.has(resolveAlias(graph, alias) ?? ''));
  const names = [...active, ...aliases];
  const holding = [wanted, wanted.split('/').at(-1)!].map((part) =>
    names.filter((name) => name.includes(part)),
  );
  const near = holding.find((list) => list.length > 0) ?? nearNames(wanted, names);
  return near.slice(0, 8).join(', ');
}

/** The value that a name stands for, aliases of merged values and layers included. @throws RelcError RELC3008 */
function valueNamed(graph: Graph, name: Name): Name {
  const active = activeValues(graph);
  const value = resolveAlias(graph, name);
  if (value !== undefined && active.has(value)) return value;
  const detail = value === undefined ? `the model has no value '${name}'` : `%${value} depends on no input`;
  throw new RelcError('RELC3008', detail, `values: ${nearValues(graph, active, name)}`);
}

const layerIsForGradCam = ({ name }: Preset) =>
  new RelcError('RELC3005', `the option layer is for grad-cam, not for ${name}`, 'use relevanceOf');

/** What is read where: the inputs, the values asked for, or the layer of Grad-CAM in an input's place. */
function wantedValues(
  graph: Graph,
  { preset, relevanceOf, layer }: ExplanationRequest,
  { inputs, end }: { inputs: ReadonlyMap<string, Name>; end: Name },
): ReadonlyMap<string, Name> {
  if (preset.result === 'grad-cam') {
    const isPicture = (value: Name) => nodeOf(graph, value).type.shape.length === 4;
    const input = [...inputs].find(([, own]) => isPicture(own))?.[0] ?? [...inputs.keys()][0];
    const value = layer === undefined ? lastConvolution(graph, end) : valueNamed(graph, layer);
    return input === undefined ? new Map() : new Map([[input, value]]);
  }
  if (layer !== undefined) throw layerIsForGradCam(preset);
  if (relevanceOf === undefined) return inputs;
  return new Map(relevanceOf.map((name) => [name, inputs.get(name) ?? valueNamed(graph, name)]));
}

/** The scores of one token, where each has scores of its own. @throws RelcError RELC3005 */
function scoresAt(builder: GraphBuilder, z: Name, position: number | undefined): Name {
  if (position === undefined) return z;
  const { shape } = builder.typeOf(z);
  const [rows, tokens, classes] = shape;
  if (shape.length !== 3 || typeof tokens !== 'number' || !Number.isInteger(position)) {
    throw new RelcError(
      'RELC3005',
      `position is ${position}, but the scores %${z} are ${printShape(shape)}`,
      'position names one token of scores [N, tokens, classes]; leave it out for others',
    );
  }
  const token = position < 0 ? tokens + position : position;
  if (token < 0 || token >= tokens) {
    throw new RelcError(
      'RELC3005',
      `position is ${position}, but there are ${tokens} tokens`,
      `name one from 0 to ${tokens - 1}, or from −1 at the last`,
    );
  }
  const row = builder.add('slice', [z], {
    attrs: { begin: [0, token, 0] },
    type: { dtype: 'f32', shape: [rows!, 1, classes!] },
    name: 'position.row',
  });
  return builder.add('reshape', [row], {
    type: { dtype: 'f32', shape: [rows!, classes!] },
    name: 'position.scores',
  });
}

/** The scores to explain, before a final softmax. @throws RelcError RELC3005 */
function chooseScores(graph: Graph, wanted: string | undefined, notes: string[]) {
  const output = chooseOutput(graph, wanted);
  const z = beforeSoftmax(graph, output, notes);
  const type = nodeOf(graph, z).type;
  if (type.dtype === 'f32') return { output, z };
  throw new RelcError('RELC3005', `output %${output} is ${printType(type)}`, 'explain an output of scores');
}

/** What all ways to explain start from. */
interface Start {
  readonly k: Arithmetic;
  readonly graph: Graph;
  readonly request: ExplanationRequest;
  /** The scores that are explained, and R there. */
  readonly seed: Position;
  /** The same scores, and what the derivative of what is explained starts as there. */
  readonly slope: Position;
  readonly inputs: ReadonlyMap<string, Name>;
  /** What flows back from the scores to some values. */
  flow(prefix: string, composite: Composite, wrt: readonly Name[]): RelevanceResult;
}

/** What a way to explain adds: outputs by key, and what is told of it. */
type Added = Omit<Explanation, 'graph' | 'notes'> & { readonly outputs: Readonly<Record<string, Name>> };

/**
 * Appends target, seed and relevance to a canonical forward graph.
 * @throws RelcError RELC3001, RELC3002, RELC3004, RELC3006 (rules), RELC3005 (nothing to explain), RELC3008 (no such value)
 */
export function explain(graph: Graph, dialect: Dialect, request: ExplanationRequest): Explanation {
  const { preset, rules = ruleTable, range, weights = new Map(), position } = request;
  const notes: string[] = [];
  const { output, z: all } = chooseScores(graph, request.output, notes);
  const builder = GraphBuilder.extending(graph, dialect);
  const k = new Arithmetic(builder);
  const z = scoresAt(builder, all, position);
  const forward = { ...graph, nodes: new Map(builder.nodes) };
  const known = { range, boundsOf: (value: Name, of: Interval) => intervalOf(graph, value, of, weights) };
  const inputs = explainedValues(graph, notes, request.relevanceOf);
  builder.scope = 't.';
  const { quantity } = preset;
  const name = builder.fresh(`${prefixes[quantity]}${z}`);
  const kind = request.seed ?? preset.seed;
  const { relevance: start, ...told } = addSeed(k, z, { seed: kind, quantity, name });
  const seed = { value: z, relevance: start };
  const slope =
    preset.attention === undefined ? seed : { value: z, relevance: addDerivative(k, z, kind, start) };
  const flow: Start['flow'] = (prefix, composite, wrt) =>
    relevance(builder, {
      paramsFor: (line, node) => boundedParams(line, node, known),
      inputs: [...inputs.values()],
      seed: prefix === prefixes.gradient ? slope : seed,
      ...{ prefix, composite, wrt, rules },
    });
  const from = { k, graph: forward, request, seed, slope, inputs, flow };
  const { outputs, ...added } =
    preset.attention === undefined
      ? explainValues(from, output, notes)
      : explainTokens(from, preset.attention);
  const scores = position === undefined ? output : z;
  return { ...added, graph: builder.finish({ scores, ...told, ...outputs }), notes };
}

/** Relevance of values: of the inputs, or of what was asked for. @throws RelcError RELC3004, RELC3005 */
function explainValues(
  { k, graph, request, seed, inputs, flow }: Start,
  output: Name,
  notes: string[],
): Added {
  const { preset, relevanceOf } = request;
  if (request.attention !== undefined) {
    throw new RelcError(
      'RELC3004',
      `the option attention is for attention methods, not for ${preset.name}`,
      'use rules such as transformer-attribution, or leave it out',
    );
  }
  const { quantity } = preset;
  const explained = wantedValues(graph, request, { inputs, end: seed.value });
  const result = flow(prefixes[quantity], preset.composite, [...explained.values()]);
  const outputs: Record<string, Name> = {};
  for (const [asked, value] of explained) {
    const found = resultOf(k, preset, { asked, value, result });
    const input = inputs.has(asked) ? nodeOf(graph, asked) : undefined;
    const how = quantity === 'gradient' && preset.result === 'as it is' ? 'length' : 'sum';
    if (found !== undefined) {
      const named = `${prefixes[quantity]}${asked}`;
      outputs[relevanceKey(asked)] =
        input === undefined ? found : perElement(k, input, { value, relevance: found, how }, named);
    } else notes.push(`no relevance reaches ${inputs.has(asked) ? 'input ' : ''}%${asked}`);
  }
  if (Object.keys(outputs).length === 0) {
    throw new RelcError(
      'RELC3005',
      `output %${output} depends on ${relevanceOf === undefined ? 'no input' : `none of ${relevanceOf.join(', ')}`} through floating-point values`,
      relevanceOf === undefined ? 'explain another output' : 'ask for values that the output depends on',
    );
  }
  const told = { quantity, seed, explained: reached(explained, result) };
  return { outputs, chosen: result.chosen, explained, flow: told };
}

/** Relevance of tokens, by an attention method. @throws RelcError RELC3004, RELC3005 */
function explainTokens(
  { k, graph, request, seed, slope, inputs, flow }: Start,
  method: AttentionMethod,
): Added {
  const { preset, attention: options = {}, relevanceOf, layer } = request;
  if (layer !== undefined) throw layerIsForGradCam(preset);
  const [input] = inputs.keys();
  if (relevanceOf !== undefined || input === undefined) {
    throw new RelcError(
      'RELC3005',
      `${preset.name} explains the tokens of an input, not ${relevanceOf?.join(', ') ?? 'a model without one'}`,
      'leave out relevanceOf',
    );
  }
  const added = addAttention(k, graph, {
    ...{ method, options, composite: preset.composite, scores: seed.value, flow },
  });
  const outputs: Record<string, Name> = { [relevanceKey(input)]: added.relevance };
  if (options.perBlock) {
    for (const [block, row] of added.rows) outputs[relevanceKey(`block${block}`)] = row;
  }
  const told = added.flow && {
    quantity: preset.quantity,
    seed: preset.quantity === 'gradient' ? slope : seed,
    explained: reachedMatrices(added, added.flow),
  };
  return {
    outputs,
    chosen: added.flow?.chosen ?? [],
    explained: new Map(added.matrices.map(({ matrix }) => [matrix, matrix])),
    flow: told,
  };
}

const reachedMatrices = ({ matrices }: AttentionResult, flow: RelevanceResult) =>
  reached(new Map(matrices.map(({ matrix }) => [matrix, matrix])), flow);

/** The explained values that relevance reaches, with their relevances. */
function reached(explained: ReadonlyMap<string, Name>, { relevanceOf }: RelevanceResult): Flow['explained'] {
  return new Map(
    [...explained].flatMap(([asked, value]) => {
      const found = relevanceOf.get(value);
      return found === undefined ? [] : [[asked, { value, relevance: found }] as const];
    }),
  );
}

function resultOf(
  k: Arithmetic,
  preset: Preset,
  { asked, value, result }: { asked: string; value: Name; result: RelevanceResult },
): Name | undefined {
  const found = result.relevanceOf.get(value);
  if (found === undefined || preset.result === 'as it is') return found;
  if (preset.result === 'times input') return k.mul(value, found, `r.${value}`);
  return addGradCam(k, value, found, asked, `r.${asked}`);
}
