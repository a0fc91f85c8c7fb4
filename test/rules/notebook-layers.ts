// The notebook's relevance layers as graphs of ours, under the preset that says them.
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { type Precision, type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Composite } from '../../src/rules/composite.js';
import { base, presetNamed } from '../../src/rules/presets.js';
import {
  notebook,
  printedDense,
  type Recorded,
  type RecordedDense,
  type RecordedOp,
} from '../fixtures/notebook.js';
import { dialect, noWeights, relevances } from './support.js';

export const chefer = presetNamed('chefer').composite;
export const data = ({ shape, data: values }: Recorded) => tensor(shape, values);

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
export const graphFor = (op: RecordedOp) => graphOf(inputLines(op.inputs), lineFor[kindOf(op)]!(op), 'z');

export const kindOf = ({ op }: RecordedOp) => op.split('.')[0]!;
export const isForward = ({ op }: RecordedOp) => op.endsWith('.forward');
export const title = ({ cell, op }: RecordedOp) =>
  `${cell === 'extra' ? 'beyond the notebook' : `cell ${cell}`}: ${op}`;

export const relprops = notebook.ops.filter((op) => !isForward(op));

export function feeds(inputs: readonly Recorded[], more: Inputs = {}): Inputs {
  return { ...Object.fromEntries(inputs.map((input, i) => [`x${i}`, data(input)])), ...more };
}

const spelled = (text: string) => Number(text.replace('inf', 'Infinity'));

/** A row of safe_divide: the quotient that was recorded, and ours. */
export function quotientOf([a, b, result]: readonly [string, string, string]) {
  const graph = graphOf(
    ['%r = input() : f32[]', '%d = input() : f32[]'],
    ['%z = quotient(%r, %d) {eps=1e-9, mode="chefer"} : f32[]'],
    'z',
  );
  const inputs = { r: tensor([], [spelled(a)]), d: tensor([], [spelled(b)]) };
  const { z } = evaluate(graph, dialect, inputs, noWeights, 'f32');
  return { recorded: Math.fround(spelled(result)), ours: z!.data[0]! };
}

/** A value with `count` users, each of which gives back its own part of `R`, parts one after another. */
function fannedOut({ shape }: Recorded, count: number): Graph {
  const parts = new Array<string>(count).fill('%x0');
  const type = `f32[${[shape[0]! * count, ...shape.slice(1)]}]`;
  return graphOf(inputLines([{ shape, data: [] }]), [`%z = concat(${parts}) {axis=0} : ${type}`], 'z');
}

/** What comes back to a value whose users give back `parts`. */
export function fanOutSum(x: Recorded, parts: readonly Recorded[], composite: Composite = base): TensorData {
  const joined = tensor(
    [x.shape[0]! * parts.length, ...x.shape.slice(1)],
    parts.flatMap((part) => part.data),
  );
  return relevances(fannedOut(x, parts.length), composite, feeds([x], { R: joined }), noWeights, 'f32').x0!;
}

/** Relevance of every operand of a recorded layer. */
export function relpropOf(op: RecordedOp): Record<string, TensorData> {
  if (kindOf(op) === 'Clone') return { x0: fanOutSum(op.inputs[0]!, op.relevance!) };
  const given = feeds(op.inputs, { R: data(op.relevance![0]!) });
  return relevances(graphFor(op), chefer, given, noWeights, 'f32');
}

/** The preset with another α in its line for dense layers. */
function withAlpha(alpha: number): Composite {
  return chefer.map(([name, match, { rule, params = {} }]) => [
    name,
    match,
    { rule, params: rule === 'alphaBeta' ? { ...params, alpha, beta: alpha - 1 } : params },
  ]);
}

type Dense = Pick<RecordedDense, 'alpha' | 'x' | 'kernel_in_out' | 'R'>;

export function denseRelevance({ alpha, x, kernel_in_out: w, R }: Dense, precision: Precision): TensorData {
  const graph = graphOf(
    [`%x0 = input() : f32[N,${x.shape[1]}]`, `%w = param() {key="w"} : f32[${w.shape}]`],
    [`%z = einsum(%x0, %w) {eq="bi,ij->bj"} : f32[N,${w.shape[1]}]`],
    'z',
  );
  const weights = new Map([['w', data(w)]]);
  const composite = alpha === 1 ? chefer : withAlpha(alpha);
  return relevances(graph, composite, feeds([x], { R: data(R) }), weights, precision).x0!;
}

/** Cell 244. Two rows of its kernel are cut off in the printout: nothing positive in them reaches the first output. */
export const cell244: Dense = {
  alpha: 1,
  x: { shape: [1, 20], data: new Array<number>(20).fill(1) },
  kernel_in_out: { shape: [20, 2], data: [...printedDense.kernel_known, -0.5, 0.25, -0.25, 0.5] },
  R: { shape: [1, 2], data: [1, 0] },
};
