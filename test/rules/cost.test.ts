// What rules cost: contractions in the expanded graph beyond the forward one, and those that z saves.
import { expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { RuleName } from '../../src/rules/rules.js';
import { lower, withRule } from './support.js';

const contractions = ({ nodes }: Graph) =>
  [...nodes.values()].filter(({ op }) => ['einsum', 'conv', 'conv_transpose'].includes(op)).length;

const graph = parse(
  `graph @layer {
    %x = input() : f32[N,4,4,2]
    %w = param() {key="w"} : f32[3,3,2,3]
    %b = param() {key="b"} : f32[3]
    %z = conv(%x, %w, %b) {padding=[[1,1],[1,1]], strides=[1,1]} : f32[N,4,4,3]
    return %z
  }`,
  forward,
);

const signed = { denominator: 'signed', eps: 1e-6 };
const a2b1 = { alpha: 2, beta: 1, ...signed };

it.each<[RuleName, Attrs, cost: number, why: string]>([
  ['gradient', {}, 1, 'a transpose; z is not needed'],
  ['epsilon', signed, 2, 'the forward and a transpose: z is shared'],
  ['norm', signed, 2, 'the same'],
  ['epsilon', { ...signed, zeroBias: true }, 2, 'a forward without bias in place of z, and a transpose'],
  ['flat', signed, 2, 'a forward of ones for one sample, and a transpose'],
  ['zPlus', signed, 4, 'two halves of x, each forward and back'],
  ['zPlus', { ...signed, nonnegative: true }, 2, 'one half'],
  ['alphaBeta', a2b1, 8, 'zPlus for either sign'],
  ['alphaBeta', { ...a2b1, nonnegative: true }, 4, 'one half of x for either sign'],
  ['alphaBeta', { alpha: 1, beta: 0, ...signed }, 4, 'as zPlus: nothing is computed for β = 0'],
])('%s %j takes %i contractions: %s', (rule, params, cost) => {
  expect(contractions(lower(withRule(graph, rule, params, 0)))).toBe(cost);
});
