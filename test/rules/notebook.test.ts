// The notebook's relevance layers: every recorded op and Dense case, in f32 as it was computed there.
import { describe, expect, it } from 'vitest';
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { type Precision, type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Composite } from '../../src/rules/composite.js';
import { base, presetNamed } from '../../src/rules/presets.js';
import { denseCases, notebook, printedDense, type Recorded, type RecordedOp } from '../fixtures/notebook.js';
import { dialect, noWeights, relativeError, relevances, ulpDistance } from './support.js';

const chefer = presetNamed('chefer').composite;
const data = ({ shape, data: values }: Recorded) => tensor(shape, values);

/** Farthest distance in units of the last place. */
function farthest(got: TensorData, wanted: Recorded): number {
  expect(got.shape).toEqual(wanted.shape);
  return wanted.data.reduce((far, value, i) => Math.max(far, ulpDistance(got.data[i]!, value)), 0);
}

function graphOf(sources: readonly string[], lines: readonly string[], z: string): Graph {
  return parse(['graph @op {', ...sources, ...lines, `return %${z}`, '}'].join('\n'), forward);
}

const inputLines = (inputs: readonly Recorded[]) =>
  inputs.map(({ shape }, i) => `%x${i} = input() : f32[${shape}]`);

const lineFor: Readonly<Record<string, (op: RecordedOp) => readonly string[]>> = {
  MatMul: ({ inputs: [a, b] }) => {
    const eq = a!.shape.length === 2 ? 'ij,jk->ik' : 'bij,bjk->bik';
    return [`%z = einsum(%x0, %x1) {eq="${eq}"} : f32[${[...a!.shape.slice(0, -1), b!.shape.at(-1)]}]`];
  },
  Add: ({ inputs: [a, b] }) => {
    const axes = a!.shape.map((_, axis) => axis);
    return [
      `%y = broadcast(%x${b === undefined ? 0 : 1}) {axes=[${axes}]} : f32[${a!.shape}]`,
      `%z = add(%x0, %y) : f32[${a!.shape}]`,
    ];
  },
  IndexSelect: ({ inputs: [x], attrs: { dim, indices } }) => {
    const shape = x!.shape.map((extent, axis) => (axis === dim ? indices!.length : extent));
    return [
      `%i = constant() {value=[${indices}]} : i32[${indices!.length}]`,
      `%z = gather(%x0, %i) {axis=${dim}} : f32[${shape}]`,
    ];
  },
};

/** The layer as a graph: a graph without a batch axis, whose sums run over the whole tensor as they do there. */
const graphFor = (op: RecordedOp) => graphOf(inputLines(op.inputs), lineFor[kindOf(op)]!(op), 'z');

const kindOf = ({ op }: RecordedOp) => op.split('.')[0]!;
const isForward = ({ op }: RecordedOp) => op.endsWith('.forward');
const title = ({ cell, op }: RecordedOp) =>
  `${cell === 'extra' ? 'beyond the notebook' : `cell ${cell}`}: ${op}`;

function feeds(inputs: readonly Recorded[], more: Inputs = {}): Inputs {
  return { ...Object.fromEntries(inputs.map((input, i) => [`x${i}`, data(input)])), ...more };
}

describe('safe_divide', () => {
  const rows = notebook.safe_divide.rows;

  it.each(rows)('%s / %s = %s', (a, b, result) => {
    const { z } = evaluate(
      graphOf(
        ['%r = input() : f32[]', '%d = input() : f32[]'],
        ['%z = quotient(%r, %d) {eps=1e-9, mode="chefer"} : f32[]'],
        'z',
      ),
      dialect,
      { r: tensor([], [spelled(a)]), d: tensor([], [spelled(b)]) },
      noWeights,
      'f32',
    );
    expect(ulpDistance(z!.data[0]!, spelled(result))).toBe(0);
  });

  it('has 110 rows', () => expect(rows).toHaveLength(110));
});

const spelled = (text: string) => Number(text.replace('inf', 'Infinity'));

describe('forward', () => {
  const cases = notebook.ops.filter((op) => isForward(op) && kindOf(op) !== 'Clone');

  it.each(cases.map((op) => [title(op), op] as const))('%s', (_title, op) => {
    const { z } = evaluate(graphFor(op), dialect, feeds(op.inputs), noWeights, 'f32');
    expect(farthest(z!, op.outputs[0]!)).toBe(0);
  });
});

/** Largest difference, in units of the last place of the largest value. */
function errorInUlps(got: TensorData, { data: wanted }: Recorded): number {
  const largest = Math.fround(Math.max(...wanted.map(Math.abs)));
  const ulp = 2 ** (Math.floor(Math.log2(largest)) - 23);
  return Math.max(...wanted.map((value, i) => Math.abs(got.data[i]! - value))) / ulp;
}

/** To four decimals as the notebook prints, without the sign of zero. */
const rounded = (values: ArrayLike<number>) =>
  Array.from(values, (value) => (Math.abs(value) < 5e-5 ? 0 : Number(value.toFixed(4))));

describe('relprop by the preset chefer', () => {
  const cases = notebook.ops.filter((op) => !isForward(op) && kindOf(op) !== 'Clone');

  it.each(cases.map((op) => [title(op), op] as const))('%s', (_title, op) => {
    const given = feeds(op.inputs, { R: data(op.relevance![0]!) });
    const found = relevances(graphFor(op), chefer, given, noWeights, 'f32');
    for (const [i, wanted] of op.outputs.entries()) {
      const got = found[`x${i}`]!;
      if (op.printed !== undefined) {
        expect(rounded(got.data)).toEqual(rounded(op.printed[i]!));
        expect(farthest(got, wanted)).toBe(0);
      } else if (wanted.shape[0] === given.R!.shape[0]) expect(farthest(got, wanted)).toBeLessThanOrEqual(2);
      // A broadcast operand: there Σ s comes before the products with x, here R passes the sum first
      else expect(errorInUlps(got, wanted)).toBeLessThanOrEqual(2);
    }
  });
});

/** A value with `count` users, each of which gives back its own part of `R`, parts one after another. */
function fannedOut({ shape }: Recorded, count: number): Graph {
  const parts = new Array<string>(count).fill('%x0');
  const type = `f32[${[shape[0]! * count, ...shape.slice(1)]}]`;
  return graphOf(inputLines([{ shape, data: [] }]), [`%z = concat(${parts}) {axis=0} : ${type}`], 'z');
}

/** What comes back to a value whose users give back `parts`. */
function fanOutSum(x: Recorded, parts: readonly Recorded[]): TensorData {
  const joined = tensor(
    [x.shape[0]! * parts.length, ...x.shape.slice(1)],
    parts.flatMap((part) => part.data),
  );
  return relevances(fannedOut(x, parts.length), base, feeds([x], { R: joined }), noWeights, 'f32').x0!;
}

describe('Clone, which is a fan-out here', () => {
  const cases = notebook.ops.filter((op) => kindOf(op) === 'Clone' && !isForward(op));

  it.each(cases.map((op) => [title(op), op] as const))('%s: Σ Rᵢ but for exact zeros of x', (_title, op) => {
    const [x] = op.inputs as [Recorded];
    const sum = fanOutSum(x, op.relevance!);
    for (const [i, value] of x.data.entries()) {
      const plain = op.relevance!.reduce((so, part) => Math.fround(so + data(part).data[i]!), 0);
      expect(sum.data[i]).toBe(plain);
      if (value === 0) expect(op.outputs[0]!.data[i]).toBeCloseTo(0, 30);
      // There: x · Σ Rᵢ/x, whose roundings are of the size of the parts
      else expect(Math.abs(op.outputs[0]!.data[i]! - plain)).toBeLessThan(1e-6);
    }
    if (op.printed !== undefined) expect(farthest(sum, op.outputs[0]!)).toBe(0);
  });

  it('x = (0, 1, −2) and R = 3, 4: (0, 7, 7) there, (7, 7, 7) here', () => {
    const x = { shape: [3], data: [0, 1, -2] };
    const [three, four] = [3, 4].map((value) => ({ shape: [3], data: [value, value, value] }));
    expect([...fanOutSum(x, [three!, four!]).data]).toEqual([7, 7, 7]);
    const there = relevances(fannedOut(x, 2), chefer, feeds([x], { R: tensor([6], [3, 3, 3, 4, 4, 4]) }));
    expect(relativeError(there.x0!.data, [0, 7, 7])).toBeLessThan(1e-8);
  });

  it('forward: the value itself, as often as it is used', () => {
    const clone = notebook.ops.find((op) => op.op === 'Clone.forward')!;
    for (const output of clone.outputs) expect(output).toMatchObject(clone.inputs[0]!);
  });
});

/** The preset with another α in its line for dense layers. */
function withAlpha(alpha: number): Composite {
  return chefer.map(([name, match, { rule, params = {} }]) => [
    name,
    match,
    { rule, params: rule === 'alphaBeta' ? { ...params, alpha, beta: alpha - 1 } : params },
  ]);
}

function denseRelevance(alpha: number, x: Recorded, w: Recorded, R: Recorded, precision: Precision) {
  const graph = graphOf(
    [`%x0 = input() : f32[N,${x.shape[1]}]`, `%w = param() {key="w"} : f32[${w.shape}]`],
    [`%z = einsum(%x0, %w) {eq="bi,ij->bj"} : f32[N,${w.shape[1]}]`],
    'z',
  );
  const weights = new Map([['w', data(w)]]);
  const composite = alpha === 1 ? chefer : withAlpha(alpha);
  return relevances(graph, composite, feeds([x], { R: data(R) }), weights, precision).x0!;
}

describe('Dense(α), β = α − 1', () => {
  it('cell 244: the printed relevances, to the last digit', () => {
    const known = [...printedDense.kernel_known];
    // Two rows are cut off in the printout: nothing positive in them reaches the first output
    const kernel = { shape: [20, 2], data: [...known, -0.5, 0.25, -0.25, 0.5] };
    const x = { shape: [1, 20], data: new Array<number>(20).fill(1) };
    const found = denseRelevance(1, x, kernel, { shape: [1, 2], data: [1, 0] }, 'f32');
    expect(known).toHaveLength(36);
    expect(farthest(found, { shape: [1, 20], data: printedDense.printed })).toBe(0);
  });

  it.each(denseCases.map((dense) => [dense.what, dense] as const))('%s', (_what, dense) => {
    const { alpha, x, kernel_in_out: kernel, R } = dense;
    const double = denseRelevance(alpha, x, kernel, R, 'f64');
    expect(relativeError(double.data, dense.out_f64.data)).toBeLessThan(1e-15);
    // Sums there are in the order of a matrix library, and αR⁺ − βR⁻ cancels
    const single = denseRelevance(alpha, x, kernel, R, 'f32');
    expect(errorInUlps(single, dense.out)).toBeLessThanOrEqual(alpha);
  });
});

it('every recorded op and Dense case is one of the above', () => {
  expect(new Set(notebook.ops.map(kindOf))).toEqual(new Set(['MatMul', 'Add', 'IndexSelect', 'Clone']));
  expect([notebook.ops.length, denseCases.length]).toEqual([13, 6]);
});
