// Attention methods: against their definition on dense matrices, query rows, options, refusals.
import { describe, expect, it } from 'vitest';
import { canonical, compileExplanation } from '../../src/api/pipeline.js';
import { attentionMatrices } from '../../src/ir/analyses/attention.js';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Graph, Name } from '../../src/ir/graph.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import type { AttentionMethod, AttentionOptions } from '../../src/rules/attention/method.js';
import { presetNamed, type Seed } from '../../src/rules/presets.js';
import { againstInput, targetInput } from '../../src/rules/seed.js';
import { attentionMethods } from '../presets.js';
import { GoldenGraph, golden } from './golden.js';
import { dialect, lower, refusal, relativeError, total } from './support.js';

const model = new GoldenGraph(golden('chefer/vit_tiny'), golden('chefer/vit_tiny').models[0]!);
const forward = canonical({ graph: model.graph, weights: model.weights });
const matrices = attentionMatrices(forward.program.graph).map(({ matrix }) => matrix);
const tokens = 17;
const inputs = { ...model.inputs(), [targetInput]: tensor([1], [3], 'i32') };

const compiled = (method: string, attention: AttentionOptions = {}) =>
  compileExplanation(forward, { preset: presetNamed(method), attention });

function resultOf(method: string, attention: AttentionOptions = {}): Record<string, TensorData> {
  const { program } = compiled(method, attention);
  return evaluate(program.graph, dialect, inputs, program.weights);
}

/** Values of a graph by name. */
function valuesOf(graph: Graph, names: readonly Name[]): TensorData[] {
  const outputs = Object.fromEntries(names.map((name) => [name, name]));
  const found = evaluate(lower({ ...graph, outputs }), dialect, inputs, forward.program.weights);
  return names.map((name) => found[name]!);
}

const whole = compiled('transformer-attribution').stages.get('relevance')!;
const [attention, relevance, gradient] = ['', 'r.', 'g.'].map((prefix) =>
  valuesOf(
    whole,
    matrices.map((matrix) => `${prefix}${matrix}`),
  ),
) as [TensorData[], TensorData[], TensorData[]];

type Matrix = readonly (readonly number[])[];

const square = (value: (row: number, column: number) => number): Matrix =>
  Array.from({ length: tokens }, (_, row) =>
    Array.from({ length: tokens }, (_, column) => value(row, column)),
  );

/** W of a block by its definition: the mean over heads. */
function weightsOf(method: AttentionMethod, block: number): Matrix {
  const of = method.of === 'relevance' ? relevance[block]! : attention[block]!;
  const heads = of.shape[1]!;
  return square((row, column) => {
    let sum = 0;
    for (let head = 0; head < heads; head++) {
      const at = (head * tokens + row) * tokens + column;
      const factor = method.timesGradient ? gradient[block]!.data[at]! : 1;
      sum += Math.max(of.data[at]! * factor, 0);
    }
    return sum / heads;
  });
}

const product = (a: Matrix, b: Matrix): Matrix =>
  square((row, column) => a[row]!.reduce((sum, value, inner) => sum + value * b[inner]![column]!, 0));

/** (W_L + I) · … · (W_s + I), whole. */
function rolledOut(method: AttentionMethod, start: number, normalizeRows: boolean): Matrix {
  return matrices
    .map((_, block) => block)
    .filter((block) => block >= start)
    .map((block) => {
      const w = weightsOf(method, block);
      const more = square((row, column) => w[row]![column]! + (row === column ? 1 : 0));
      const sums = more.map((values) => (normalizeRows ? values.reduce((a, b) => a + b) : 1));
      return square((row, column) => more[row]![column]! / sums[row]!);
    })
    .reduce((product_, next) => product(next, product_));
}

const meanRow = (matrix: Matrix): number[] =>
  matrix[0]!.map((_, column) => matrix.reduce((sum, row) => sum + row[column]!, 0) / matrix.length);

const expectRow = (actual: TensorData, wanted: readonly number[]) => {
  expect(actual.shape).toEqual([1, tokens]);
  expect(relativeError(actual.data, wanted)).toBeLessThan(1e-10);
};

describe('rollouts, by the whole product of matrices', () => {
  const methods = attentionMethods.filter((name) => presetNamed(name).attention!.combine === 'rollout');

  it('are among the methods', () => {
    expect(methods).toEqual([
      ...['transformer-attribution', 'rollout', 'attention-rollout', 'gradient-attention'],
    ]);
  });

  it.each(methods)(
    '%s: the class token, the mean, any token; with rows of sum 1; from a later block',
    (name) => {
      const method = presetNamed(name).attention!;
      const plain = rolledOut(method, 0, false);
      const rows = rolledOut(method, 1, true);
      expectRow(resultOf(name, { normalizeRows: false })['relevance.x']!, plain[0]!);
      expectRow(resultOf(name, { normalizeRows: false, query: 'mean' })['relevance.x']!, meanRow(plain));
      expectRow(resultOf(name, { block: 1, normalizeRows: true, query: 5 })['relevance.x']!, rows[5]!);
      expectRow(resultOf(name, { block: -2, normalizeRows: true, query: -1 })['relevance.x']!, rows[16]!);
      expectRow(
        resultOf(name, { block: 1, normalizeRows: true, query: 'mean' })['relevance.x']!,
        meanRow(rows),
      );
    },
  );

  it('of attention rows of sum 1 sum to 1', () => {
    const { data } = resultOf('attention-rollout')['relevance.x']!;
    expect(total(data)).toBeCloseTo(1, 12);
  });
});

describe('rows of one block', () => {
  it.each([
    ['last-layer', 2],
    ['last-layer-ablation', 2],
    ['last-layer-attn', 2],
    ['second-layer', 1],
    ['second-layer-ablation', 1],
  ] as const)('%s', (name, block) => {
    const method = presetNamed(name).attention!;
    expectRow(resultOf(name)['relevance.x']!, weightsOf(method, block)[0]!);
    expectRow(resultOf(name, { block: 0, query: 3 })['relevance.x']!, weightsOf(method, 0)[3]!);
  });

  it('each block by itself, beside the rollout', () => {
    const found = resultOf('transformer-attribution', { perBlock: true, block: 1 });
    const method = presetNamed('transformer-attribution').attention!;
    expect(Object.keys(found).filter((key) => key.startsWith('relevance.'))).toEqual([
      ...['relevance.x', 'relevance.block1', 'relevance.block2'],
    ]);
    for (const block of [1, 2]) expectRow(found[`relevance.block${block}`]!, weightsOf(method, block)[0]!);
  });
});

describe('seeds', () => {
  const { preset, classes } = { preset: presetNamed('transformer-attribution'), classes: [3, 5] as const };
  const against = tensor([1], [classes[1]], 'i32');
  const seeded = (seed: Seed) => compileExplanation(forward, { preset, seed });
  const given = { ...inputs, [againstInput]: against };

  /** Relevance and derivative of the last matrix, by seed and class. */
  function flowsOf(seed: Seed, target: number): [relevance: TensorData, gradient: TensorData] {
    const last = matrices.at(-1)!;
    const outputs = { r: `r.${last}`, g: `g.${last}` };
    const graph = lower({ ...seeded(seed).stages.get('relevance')!, outputs });
    const all = { ...given, [targetInput]: tensor([1], [target], 'i32') };
    const found = evaluate(graph, dialect, all, forward.program.weights);
    return [found.r!, found.g!];
  }

  const minus = (a: TensorData, b: TensorData) => Array.from(a.data, (value, i) => value - b.data[i]!);

  it('of a contrast: the derivative of the difference, and relevance in units of the scores', () => {
    const [[, own], [, other]] = classes.map((target) => flowsOf('one', target)) as [
      [TensorData, TensorData],
      [TensorData, TensorData],
    ];
    const [relevanceOf, gradientOf] = flowsOf('contrast', classes[0]);
    expect(relativeError(gradientOf.data, minus(own, other))).toBeLessThan(1e-10);
    expect(Math.max(...Array.from(relevanceOf.data, Math.abs))).toBeGreaterThan(1e-4);
    const { program } = seeded('contrast');
    const { start, 'relevance.x': row } = evaluate(program.graph, dialect, given, program.weights);
    const scores = evaluate(program.graph, dialect, given, program.weights).scores!.data;
    expect(start!.data[0]).toBeCloseTo(scores[classes[0]]! - scores[classes[1]]!, 10);
    expect(total(row!.data.slice(1))).toBeGreaterThan(1e-4);
  });

  it('of the logit: the derivative as it is, whatever the sign of the score', () => {
    const [[one, slope], [scaled, same]] = (['one', 'logit'] as const).map((seed) => flowsOf(seed, 3)) as [
      [TensorData, TensorData],
      [TensorData, TensorData],
    ];
    expect(relativeError(same.data, slope.data)).toBeLessThan(1e-12);
    const score = evaluate(seeded('logit').program.graph, dialect, given, seeded('logit').program.weights);
    const logit = score.logit!.data[0]!;
    expect(
      relativeError(
        scaled.data,
        Array.from(one.data, (value) => value * logit),
      ),
    ).toBeLessThan(1e-6);
  });
});

it('attention Grad-CAM runs from 0 to 1 over the patches, and is 0 at the class token', () => {
  for (const block of [-1, 0]) {
    const { data } = resultOf('attention-grad-cam', { block })['relevance.x']!;
    const b = block === 0 ? 0 : 2;
    const heads = attention[b]!.shape[1]!;
    const at = (head: number, token: number) => head * tokens * tokens + token;
    const map = Array.from({ length: tokens }, (_, token) => {
      let sum = 0;
      for (let head = 0; head < heads; head++) {
        let weight = 0;
        for (let patch = 1; patch < tokens; patch++) weight += gradient[b]!.data[at(head, patch)]! / 16;
        sum += weight * attention[b]!.data[at(head, token)]!;
      }
      return Math.max(sum, 0);
    });
    const [low, high] = [Math.min(...map.slice(1)), Math.max(...map.slice(1))];
    const wanted = map.map((value, token) =>
      token === 0 || high === low ? 0 : (value - low) / (high - low),
    );
    for (const [token, value] of wanted.entries()) expect(data[token]).toBeCloseTo(value, 10);
  }
});

describe('what is refused', () => {
  const refused = (method: string, attention: AttentionOptions) => refusal(() => compiled(method, attention));

  it('blocks and tokens that there are not', () => {
    expect(refused('rollout', { block: 3 })).toMatchObject({
      code: 'RELC3005',
      detail: 'the method looks at block 3, but the model has 3',
    });
    expect(refused('rollout', { block: 0.5 }).code).toBe('RELC3004');
    expect(refused('rollout', { query: 17 })).toMatchObject({
      code: 'RELC3004',
      detail: 'attention query is 17, but there are 17 tokens',
    });
    expect(refused('last-layer', { normalizeRows: true }).code).toBe('RELC3004');
  });

  it('values in place of tokens, and models without attention', () => {
    const preset = presetNamed('rollout');
    const values = refusal(() => compileExplanation(forward, { preset, relevanceOf: ['add'] }));
    expect(values).toMatchObject({ code: 'RELC3005', hint: 'leave out relevanceOf' });
  });
});
