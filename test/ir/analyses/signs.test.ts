// Signs: what is said to be ≥ 0 is, on random graphs and for every op with a rule.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nonnegativeValues } from '../../../src/ir/analyses/signs.js';
import { RelcError } from '../../../src/ir/error.js';
import { evaluateAll } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph, Name } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { graphs, tameGraphs } from '../arbitrary-graph.js';
import { inputsFor, weightsFor } from '../support.js';

/** All values, or none where the graph cannot be evaluated: an index may lie outside of what it picks from. */
function valuesOf(graph: Graph): ReadonlyMap<Name, TensorData> {
  try {
    return evaluateAll(graph, forward, inputsFor(graph, 2, 11), weightsFor(graph, 4));
  } catch (error) {
    if (error instanceof RelcError && error.code === 'RELC1009') return new Map();
    throw error;
  }
}

describe('nonnegativeValues', () => {
  it.each([
    ['numbers of every size', graphs],
    ['tame numbers', tameGraphs],
  ])('is right on random graphs with %s, for every op with a rule', (_, arbitrary) => {
    const claimed = new Set<string>();
    fc.assert(
      fc.property(arbitrary, (graph) => {
        const values = valuesOf(graph);
        for (const name of nonnegativeValues(graph, forward)) {
          const { op } = graph.nodes.get(name)!;
          const data = values.get(name)?.data;
          if (data === undefined) continue;
          claimed.add(op);
          expect(
            data.every((value) => !(value < 0)),
            `%${name} = ${op}`,
          ).toBe(true);
        }
      }),
      { numRuns: 400, seed: 31 },
    );
    const ruled = Object.entries(forward).filter(
      ([, { nonnegative, traits }]) => nonnegative ?? traits?.routes,
    );
    expect([...claimed].sort()).toEqual(ruled.map(([op]) => op).sort());
  });

  it.each([
    ['an input', '%y = relu(%x) : f32[N,2]\n%z = add(%y, %x) : f32[N,2]', ['y']],
    [
      'sums and products of both signs',
      '%y = square(%x) : f32[N,2]\n%n = neg(%y) : f32[N,2]\n%m = mul(%y, %n) : f32[N,2]\n%z = add(%m, %y) : f32[N,2]',
      ['y'],
    ],
    [
      'one side of a maximum',
      '%y = sigmoid(%x) : f32[N,2]\n%a = maximum(%x, %y) : f32[N,2]\n%z = minimum(%x, %y) : f32[N,2]',
      ['y', 'a'],
    ],
    [
      'a clip from below 0',
      '%y = clip(%x) {max=6, min=0} : f32[N,2]\n%z = clip(%x) {max=6, min=-1} : f32[N,2]',
      ['y'],
    ],
    ['a clip to below its own minimum', '%z = clip(%x) {max=-1, min=0} : f32[N,2]', []],
    [
      'padding',
      '%y = relu(%x) : f32[N,2]\n%a = pad(%y) {high=[0,1], low=[0,0]} : f32[N,3]\n%z = pad(%y) {high=[0,1], low=[0,0], value=-1} : f32[N,3]',
      ['y', 'a'],
    ],
    [
      'constants',
      '%y = constant() {value=[0,2]} : f32[2]\n%z = constant() {value=[1,-1]} : f32[2]\n%a = constant() {value="inf"} : f32[2]',
      ['y', 'a'],
    ],
    ['integers', '%z = constant() {value=1} : i32[2]', []],
  ])('tells apart: %s', (_, body, wanted) => {
    const graph = parse(`graph @g {\n%x = input() : f32[N,2]\n${body}\nreturn %z\n}`, forward);
    expect([...nonnegativeValues(graph, forward)]).toEqual(wanted);
  });
});
