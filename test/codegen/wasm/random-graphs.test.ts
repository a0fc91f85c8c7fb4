// Random graphs of every forward op on the WebAssembly target: what is found by no list of cases.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RelcError } from '../../../src/ir/error.js';
import { evaluate, type Inputs } from '../../../src/ir/evaluate.js';
import { type Graph, nodesWithOp } from '../../../src/ir/graph.js';
import { decomposeWholeOps } from '../../../src/ir/passes/decompose.js';
import { print } from '../../../src/ir/print.js';
import { tameGraphs } from '../../ir/arbitrary-graph.js';
import { inputsFor, weightsFor } from '../../ir/support.js';
import { dialect } from '../support.js';
import { runOnWasm } from './support.js';

/** Near each other, or the same infinity or NaN. */
const agree = (a: number, b: number) =>
  Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b));

/** Inputs as a target is given them. */
function singleInputs(graph: Graph): Inputs {
  const rounded = Object.entries(inputsFor(graph, 2, 5)).map(([name, value]) => [
    name,
    value.dtype === 'f32' ? { ...value, data: Float32Array.from(value.data) } : value,
  ]);
  return Object.fromEntries(rounded);
}

/** Compares, where the graph has values: an index may lie outside of what it picks from. */
function isCompared(graph: Graph): boolean {
  // What is only for accounts runs on no target
  if (nodesWithOp(graph, 'stabiliser').length > 0) return false;
  const [inputs, weights] = [singleInputs(graph), weightsFor(graph, 3)];
  let wanted: ReturnType<typeof evaluate>;
  try {
    wanted = evaluate(graph, dialect, inputs, weights, 'f32');
  } catch (error) {
    if (error instanceof RelcError && error.code === 'RELC1009') return false;
    throw error;
  }
  const got = runOnWasm(decomposeWholeOps(graph, dialect), inputs, weights);
  for (const [key, { data }] of Object.entries(wanted)) {
    const bad = data.findIndex((value, index) => !agree(got[key]!.data[index]!, value));
    if (bad >= 0)
      expect.fail(`${print(graph)}\n${key}[${bad}] is ${got[key]!.data[bad]}, expected ${data[bad]}`);
  }
  return true;
}

it('agree with the evaluator in f32', () => {
  let compared = 0;
  fc.assert(
    fc.property(tameGraphs, (graph) => {
      if (isCompared(graph)) compared++;
    }),
    { numRuns: 300, seed: 4 },
  );
  expect(compared).toBeGreaterThan(150);
});
