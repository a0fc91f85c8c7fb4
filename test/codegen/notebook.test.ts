// The notebook's relevance layers through the whole pipeline: traced, derived, evaluated, walked, and emitted.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { trace } from '../../src/api/model.js';
import { canonical } from '../../src/api/pipeline.js';
import { emitTypeScript } from '../../src/codegen/typescript/emit.js';
import { planFor } from '../../src/codegen/typescript/plan.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { commonSubexpressions } from '../../src/ir/passes/common-subexpressions.js';
import { deadCode } from '../../src/ir/passes/dead-code.js';
import { foldConstants } from '../../src/ir/passes/fold-constants.js';
import { type Program, runPasses } from '../../src/ir/passes/pass.js';
import { simplify } from '../../src/ir/passes/simplify.js';
import { encodeSafetensors } from '../../src/ir/safetensors.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Composite } from '../../src/rules/composite.js';
import { expand } from '../../src/rules/expand.js';
import { base, presetNamed } from '../../src/rules/presets.js';
import { relevance } from '../../src/rules/relevance.js';
import type { ModelFunction } from '../../src/trace/function.js';
import {
  denseCases,
  notebook,
  printedDense,
  type Recorded,
  type RecordedDense,
  type RecordedOp,
} from '../fixtures/notebook.js';
import { runEmitted } from './emitted.js';
import { dialect, graphOf, lowered, sideBySide, useBackend, walked } from './support.js';
import { targets } from './targets.js';

const chefer = presetNamed('chefer').composite;
const data = ({ shape, data: values }: Recorded) => tensor(shape, values);

/** A layer as a function on tensors, and what was recorded of it. */
interface Layer {
  readonly title: string;
  readonly model: ModelFunction;
  readonly inputs: readonly Recorded[];
  readonly composite: Composite;
  readonly R: Recorded;
  readonly wanted: readonly Recorded[];
  /** How far, in units of the last place of the largest value, results may lie from the recorded ones. */
  readonly ulps: number;
}

type Pair = [tf.Tensor2D, tf.Tensor2D];

const models: Readonly<Record<string, (op: RecordedOp) => ModelFunction>> = {
  MatMul: () => (([a, b]: Pair) => tf.matMul(a, b)) as ModelFunction,
  Add: () => (([a, b]: Pair) => tf.add(a, b)) as ModelFunction,
  IndexSelect: ({ attrs: { dim, indices } }) =>
    (([x]: Pair) => tf.gather(x, tf.tensor1d([...indices!], 'int32'), dim)) as ModelFunction,
  Clone: ({ relevance: parts }) => (([x]: Pair) => tf.concat(parts!.map(() => x))) as ModelFunction,
};

const kindOf = ({ op }: RecordedOp) => op.split('.')[0]!;

function joined(parts: readonly Recorded[]): Recorded {
  const [first] = parts;
  const shape = [first!.shape[0]! * parts.length, ...first!.shape.slice(1)];
  return { shape, data: parts.flatMap((part) => part.data) };
}

function layerOf(op: RecordedOp): Layer {
  const { cell, inputs, relevance: parts, outputs, printed } = op;
  return {
    title: `${cell === 'extra' ? 'beyond the notebook' : `cell ${cell}`}: ${op.op}`,
    model: models[kindOf(op)]!(op),
    inputs,
    composite: kindOf(op) === 'Clone' ? base : chefer,
    R: joined(parts!),
    wanted: outputs,
    ulps: printed === undefined ? 2 : 0,
  };
}

/** The preset with another α in its line for dense layers. */
function withAlpha(alpha: number): Composite {
  return chefer.map(([name, match, { rule, params = {} }]) => [
    name,
    match,
    { rule, params: rule === 'alphaBeta' ? { ...params, alpha, beta: alpha - 1 } : params },
  ]);
}

function denseLayer({ what, alpha, x, kernel_in_out: kernel, R, out }: RecordedDense): Layer {
  const weights = () => tf.tensor2d([...kernel.data], kernel.shape as [number, number]);
  const model = (([input]: Pair) => tf.matMul(input, weights())) as ModelFunction;
  // αR⁺ − βR⁻ cancels, and sums there are in the order of a matrix library
  return {
    title: `Dense: ${what}`,
    model,
    inputs: [x],
    composite: withAlpha(alpha),
    R,
    wanted: [out],
    ulps: 2 * alpha,
  };
}

/** Where x is zero the notebook's Clone forgets what came back; the sum does not. */
const forgets = ({ op, inputs: [x] }: RecordedOp) => op.startsWith('Clone') && x!.data.includes(0);

const layers: readonly Layer[] = [
  ...notebook.ops.filter((op) => op.relevance !== null && !forgets(op)).map(layerOf),
  ...denseCases.map(denseLayer),
];

interface Ready {
  readonly program: Program;
  readonly inputs: Inputs;
}

const passes = [expand, simplify, commonSubexpressions, foldConstants, deadCode];

/** Traces a layer and derives the relevance of its inputs from an input R. */
async function prepare({ model, inputs, composite, R }: Layer): Promise<Ready> {
  const shapes = inputs.map(({ shape }) => shape);
  const { program } = canonical(await trace(model, { input: shapes, batch: null }));
  const builder = GraphBuilder.extending(program.graph, dialect);
  const wrt = nodesWithOp(program.graph, 'input').map(({ name }) => name);
  const value = Object.values(program.graph.outputs)[0]!;
  const seed = builder.add('input', [], { name: 'R', type: builder.typeOf(value) });
  const { relevanceOf } = relevance(builder, {
    prefix: 'r.',
    composite,
    seed: { value, relevance: seed },
    wrt,
  });
  const graph = builder.finish(Object.fromEntries(wrt.map((name) => [name, relevanceOf.get(name)!])));
  const given = Object.fromEntries(wrt.map((name, i) => [name, data(inputs[i]!)]));
  return {
    program: runPasses({ graph, weights: program.weights }, passes, dialect),
    inputs: { ...given, R: data(R) },
  };
}

/** Largest difference, in units of the last place of the largest value; the sign of zero is none. */
function errorInUlps(got: TensorData, { shape, data: wanted }: Recorded): number {
  expect(got.shape).toEqual(shape);
  const values = wanted.map(Math.fround);
  const ulp = 2 ** (Math.floor(Math.log2(Math.max(...values.map(Math.abs)))) - 23);
  return Math.max(...values.map((value, i) => Math.abs(got.data[i]! - value))) / ulp;
}

function expectRecorded(got: Readonly<Record<string, TensorData>>, { wanted, ulps }: Layer): void {
  for (const [i, recorded] of wanted.entries()) {
    expect(errorInUlps(got[`x${i}`]!, recorded), `input ${i}, ulps`).toBeLessThanOrEqual(ulps);
  }
}

const ready = new Map<Layer, Ready>();

beforeAll(async () => {
  await useBackend('cpu');
  for (const layer of layers) ready.set(layer, await prepare(layer));
});

const titled = layers.map((layer) => [layer.title, layer] as const);

describe('evaluated in f32', () => {
  it.each(titled)('%s', (_title, layer) => {
    const { program, inputs } = ready.get(layer)!;
    expectRecorded(evaluate(program.graph, dialect, inputs, program.weights, 'f32'), layer);
  });
});

describe.each(targets)('run on $name', ({ start, run }) => {
  beforeAll(start);

  it.each(titled)('%s', (_title, layer) => {
    const { program, inputs } = ready.get(layer)!;
    expectRecorded(run(program, inputs), layer);
  });

  it('every printed safe_divide', () => {
    const { graph } = graphOf(
      { a: 'in f32[110]', b: 'in f32[110]' },
      '%z = quotient(%a, %b) {eps=1e-9, mode="chefer"} : f32[110]',
    );
    const [a, b, wanted] = [0, 1, 2].map((column) =>
      Float32Array.from(notebook.safe_divide.rows, (row) => Number(row[column]!.replace('inf', 'Infinity'))),
    );
    const { z } = run({ graph, weights: new Map() }, { a: tensor([110], a!), b: tensor([110], b!) });
    expect([...z!.data].map((value) => value + 0)).toEqual([...wanted!].map((value) => value + 0));
  });
});

it('emitted: bit by bit what is walked', async () => {
  await useBackend('cpu');
  const { program, inputs } = sideBySide([...ready.values()]);
  const { graph, weights } = lowered(program);
  const options = { title: 'The notebook.', details: [], parameters: [] };
  const files = await emitTypeScript(planFor(graph, dialect), options);
  const binary = { 'weights.safetensors': encodeSafetensors(weights) };
  const ran = await runEmitted({ notebook: { inputs, files: { ...files, ...binary } } }, ['cpu']);
  const { outputs } = ran['cpu notebook']!;
  for (const [i, layer] of layers.entries()) {
    const own = walked(ready.get(layer)!.program, ready.get(layer)!.inputs);
    for (const [key, value] of Object.entries(own)) {
      expect([...outputs[`c${i}.${key}`]!.data], `${layer.title} ${key}`).toEqual([...value.data]);
    }
    expectRecorded(Object.fromEntries(Object.keys(own).map((key) => [key, outputs[`c${i}.${key}`]!])), layer);
  }
});

it('cell 244, Dense(α=1) from the one-hot of its first output: the printed relevances by explain()', async () => {
  await useBackend('cpu');
  // Two rows are cut off in the printout: nothing positive in them reaches the first output
  const kernel = tf.tensor2d([...printedDense.kernel_known, -0.5, 0.25, -0.25, 0.5], [20, 2]);
  const dense = (x: tf.Tensor2D, { w }: { w: tf.Tensor2D }) => tf.matMul(x, w);
  const explainer = await compile(dense as ModelFunction, {
    input: [null, 20],
    params: { w: kernel },
    rules: 'chefer',
  });
  const x = new Float32Array(20).fill(1);
  const printed = { shape: [1, 20], data: printedDense.printed };
  const { relevance: found } = await explainer.explain(x, { target: 0, seed: 'one' });
  // tfjs sums in 64 bits
  expect(errorInUlps({ ...found, dtype: 'f32' }, printed)).toBeLessThanOrEqual(2);
  const { graph, weights } = explainer.compiled.program;
  const feed = { x: tensor([1, 20], x), 'seed.target': tensor([1], [0], 'i32') };
  const exact = evaluate(graph, dialect, feed, weights, 'f32')['relevance.x']!;
  expect(errorInUlps(exact, printed)).toBe(0);
  explainer.dispose();
  kernel.dispose();
});

it('every recorded layer is one of the above', () => {
  expect(layers).toHaveLength(8 + 6);
  expect(new Set(notebook.ops.map(kindOf))).toEqual(new Set(Object.keys(models)));
});
