// What the tests of the rules share: data, running relevance on a graph, comparing results.
import { uniforms as sequence } from '../../src/api/random.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { mergeDialects } from '../../src/ir/dialect.js';
import { RelcError } from '../../src/ir/error.js';
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { type Attrs, type Graph, type Name, nodeOf, nodesWithOp } from '../../src/ir/graph.js';
import { commonSubexpressions } from '../../src/ir/passes/common-subexpressions.js';
import { deadCode } from '../../src/ir/passes/dead-code.js';
import { type Program, runPasses } from '../../src/ir/passes/pass.js';
import { simplify } from '../../src/ir/passes/simplify.js';
import { type Precision, sizeOf, type TensorData, tensor, type Weights } from '../../src/ir/tensor.js';
import type { Composite } from '../../src/rules/composite.js';
import { ruleDialect, rulePrefix } from '../../src/rules/dialect.js';
import { expand } from '../../src/rules/expand.js';
import { type ExplanationRequest, explain } from '../../src/rules/explanation.js';
import type { Preset } from '../../src/rules/presets.js';
import { relevance } from '../../src/rules/relevance.js';
import type { RuleName } from '../../src/rules/rules.js';
import { targetInput } from '../../src/rules/seed.js';

/** The same numbers in [0, 1) for a seed, on every machine. */
export { sequence };

export const dialect = mergeDialects(forward, ruleDialect);

export const noWeights: Weights = new Map();

/** What comes after the relevance pass. */
export const lowering = [expand, simplify, commonSubexpressions, deadCode];

/** The graph without rule lines. */
export function lower(graph: Graph): Graph {
  return runPasses({ graph, weights: noWeights }, lowering, dialect).graph;
}

/** f32 data held in 64 bits: the evaluator's exact mode. */
export function exact(shape: readonly number[], values: ArrayLike<number>): TensorData {
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for [${shape}]`);
  return { dtype: 'f32', shape, data: Float64Array.from(values) };
}

/** Fills a tensor from left to right. */
export function filled(shape: readonly number[], value: () => number): TensorData {
  return exact(shape, Array.from({ length: sizeOf(shape) }, value));
}

/** Uniform in [low, high). */
export function uniform(shape: readonly number[], random: () => number, low = -1, high = 1): TensorData {
  return filled(shape, () => low + (high - low) * random());
}

/** Row `index` of a batch, as a batch of one. */
export function row(batch: TensorData, index: number): TensorData {
  const size = batch.data.length / batch.shape[0]!;
  const data = batch.data.slice(index * size, (index + 1) * size);
  return { ...batch, shape: [1, ...batch.shape.slice(1)], data };
}

/** A graph of one op `%z` with one rule line `%r.x`, the output `r`; R is an input. */
export function withRule(graph: Graph, rule: RuleName, params: Attrs, operand: number): Graph {
  const z = nodeOf(graph, 'z');
  const builder = GraphBuilder.extending(graph, dialect);
  const seed = builder.add('input', [], { name: 'R', type: z.type });
  const line = builder.add(`${rulePrefix}${rule}`, [...z.args, z.name, seed], {
    attrs: { ...params, of: z.op, to: operand },
    name: 'r.x',
  });
  return builder.finish({ r: line });
}

/** The graph of relevance from an arbitrary R, fed as the input `R`, at the one output; each value's by its name. */
export function propagate(graph: Graph, composite: Composite, wrt?: readonly Name[]): Graph {
  const output = Object.values(graph.outputs)[0]!;
  const builder = GraphBuilder.extending(graph, dialect);
  const inputs = nodesWithOp(graph, 'input').filter((node) => node.type.dtype === 'f32');
  const seed = builder.add('input', [], { name: 'R', type: builder.typeOf(output) });
  const result = relevance(builder, {
    prefix: 'r.',
    composite,
    seed: { value: output, relevance: seed },
    wrt: wrt ?? inputs.map((node) => node.name),
  });
  return builder.finish(Object.fromEntries(result.relevanceOf));
}

/** Relevances of all values under a composite, by value, computed by the expanded graph. */
export function relevances(
  graph: Graph,
  composite: Composite,
  inputs: Inputs,
  weights: Weights = noWeights,
  precision: Precision = 'f64',
): Record<Name, TensorData> {
  return evaluate(lower(propagate(graph, composite)), dialect, inputs, weights, precision);
}

export const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);

const magnitude = (values: ArrayLike<number>) =>
  Array.from(values).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/** max|actual − wanted| / max|wanted|; infinite where shapes differ or something is not finite. */
export function relativeError(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const difference = magnitude(Array.from(actual, (value, i) => value - wanted[i]!));
  if (difference === 0) return 0;
  return Number.isFinite(difference) ? difference / magnitude(wanted) : Number.POSITIVE_INFINITY;
}

const bits = new DataView(new ArrayBuffer(4));

/** f32 numbers counted from zero in order of size, −0 and 0 both 0. */
function ordinal(value: number): number {
  bits.setFloat32(0, value);
  const raw = bits.getInt32(0);
  return raw < 0 ? -(raw & 0x7fffffff) : raw;
}

/** How many f32 numbers apart two values are, once rounded to f32; infinite if one is not a number. */
export function ulpDistance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.POSITIVE_INFINITY;
  return Math.abs(ordinal(Math.fround(a)) - ordinal(Math.fround(b)));
}

/** What `action` throws, which must be a RelcError. */
export function refusal(action: () => unknown): RelcError {
  try {
    action();
  } catch (error) {
    if (error instanceof RelcError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** Every output of an explanation, in f64: the arg-max unless targets are given. */
export function explained(
  { graph, weights }: Program,
  request: ExplanationRequest,
  x: TensorData,
  targets: readonly number[] = new Array<number>(x.shape[0]!).fill(-1),
): Record<string, TensorData> {
  const lowered = lower(explain(graph, dialect, request).graph);
  const inputs = { x, [targetInput]: tensor([targets.length], targets, 'i32') };
  return evaluate(lowered, dialect, inputs, weights);
}

/** A preset with other parameters wherever a rule has a denominator. */
export function withDenominator(preset: Preset, params: Attrs): Preset {
  const changed = (own: Attrs): Attrs => {
    const { denominator, eps: _eps, ...rest } = own;
    return denominator === undefined ? own : { ...rest, ...params };
  };
  const composite = preset.composite.map(
    ([line, match, { rule, params: own }]) => [line, match, { rule, params: changed(own ?? {}) }] as const,
  );
  return { ...preset, composite };
}
