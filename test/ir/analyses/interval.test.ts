// Intervals: what preprocessing and growing ops make of a bounded input, and where nothing is said of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Interval, intervalOf } from '../../../src/ir/analyses/interval.js';
import { evaluateAll } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { tensor, type Weights } from '../../../src/ir/tensor.js';
import { uniform } from '../support.js';

const picture = '%x = input() : f32[N,2,2,3]';
const weights: Weights = new Map([
  ['mean', tensor([3], [10, 20, 30])],
  ['scale', tensor([3], [0.5, -1, 0.25])],
]);

const graphOf = (lines: readonly string[]) =>
  parse(['graph @bounded {', picture, ...lines, 'return %y', '}'].join('\n'), forward);

const bounded = (lines: readonly string[], interval: Interval = [0, 255]) =>
  intervalOf(graphOf(lines), 'y', interval, weights);

const vector = (name: string, op: string, x: string, y: string) => [
  `%${name} = param() {key="${name}"} : f32[3]`,
  `%${name}s = broadcast(%${name}) {axes=[3]} : f32[N,2,2,3]`,
  `%${y} = ${op}(%${x}, %${name}s) : f32[N,2,2,3]`,
];

const constant = (value: number) => `%c = constant() {value=${value}} : f32[N,2,2,3]`;

describe('an interval', () => {
  it('of an input is its own, one number or one a channel', () => {
    const same = ['%y = reshape(%x) : f32[N,2,2,3]'];
    expect(bounded(same, [-1, 1])).toEqual([-1, 1]);
    expect(bounded(same, [[0, 1, 2], 3])).toEqual([[0, 1, 2], 3]);
  });

  it('goes through sums and products with constants; a negative factor exchanges its ends', () => {
    expect(bounded([constant(0.5), '%y = mul(%x, %c) : f32[N,2,2,3]'])).toEqual([0, 127.5]);
    expect(bounded([constant(-1), '%y = mul(%x, %c) : f32[N,2,2,3]'])).toEqual([-255, 0]);
  });

  it('is one a channel where the constants are', () => {
    const lines = [...vector('mean', 'sub', 'x', 'centred'), ...vector('scale', 'mul', 'centred', 'y')];
    expect(bounded(lines, [0, 100])).toEqual([
      [-5, -80, -7.5],
      [45, 20, 17.5],
    ]);
  });

  it('holds the padding', () => {
    const pad = '%y = pad(%x) {high=[0,0,1,0], low=[0,0,0,0]} : f32[N,2,3,3]';
    expect(bounded([pad], [1, 2])).toEqual([0, 2]);
  });

  it('goes through what grows: activations and pools', () => {
    const pooled = [
      '%h = relu(%x) : f32[N,2,2,3]',
      '%y = max_pool(%h) {padding=[[0,0],[0,0]], strides=[1,1], window=[2,2]} : f32[N,1,1,3]',
    ];
    expect(bounded(pooled, [-1, 2])).toEqual([0, 2]);
  });

  it('goes through what moves, and through constants behind what grows', () => {
    const moved = [
      '%i = constant() {value=[1,0]} : i32[2]',
      '%g = gather(%x, %i) {axis=1} : f32[N,2,2,3]',
      '%h = relu(%g) : f32[N,2,2,3]',
      constant(-2),
      '%s = mul(%h, %c) : f32[N,2,2,3]',
      '%y = reshape(%s) : f32[N,12]',
    ];
    expect(bounded(moved, [-1, 3])).toEqual([-6, 0]);
  });

  it('is unknown behind what neither grows nor falls throughout', () => {
    expect(bounded(['%y = square(%x) : f32[N,2,2,3]'])).toBeUndefined();
    expect(bounded(['%y = mul(%x, %x) : f32[N,2,2,3]'])).toBeUndefined();
    expect(bounded([constant(1), '%y = div(%c, %x) : f32[N,2,2,3]'], [-1, 1])).toBeUndefined();
  });

  it('is unknown where elements that grow meet elements that fall', () => {
    const mixed = [
      '%t = constant() {value=[1,-1,1,-1]} : f32[2,2]',
      '%signs = broadcast(%t) {axes=[1,2]} : f32[N,2,2,3]',
      '%signed = mul(%x, %signs) : f32[N,2,2,3]',
    ];
    expect(bounded([...mixed, '%y = mean(%signed) {axes=[1,2]} : f32[N,3]'])).toBeUndefined();
    expect(bounded([...mixed, '%y = reshape(%signed) : f32[N,2,2,3]'])).toEqual([-255, 255]);
  });

  it('holds every value that an input of the interval leads to', () => {
    const lines = [
      ...vector('mean', 'sub', 'x', 'centred'),
      ...vector('scale', 'mul', 'centred', 'scaled'),
      '%h = elu(%scaled) : f32[N,2,2,3]',
      '%y = max_pool(%h) {padding=[[1,0],[0,0]], strides=[1,1], window=[2,2]} : f32[N,2,1,3]',
    ];
    const graph = graphOf(lines);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const x = uniform([2, 2, 2, 3], seed, -40, 60);
        const [low, high] = intervalOf(graph, 'y', [-40, 60], weights)!;
        const y = evaluateAll(graph, forward, { x }, weights).get('y')!.data;
        const of = (bound: Interval[0], i: number) => (typeof bound === 'number' ? bound : bound[i % 3]!);
        for (const [i, value] of [...y].entries()) {
          expect(value).toBeGreaterThanOrEqual(of(low, i));
          expect(value).toBeLessThanOrEqual(of(high, i));
        }
      }),
      { numRuns: 50, seed: 4 },
    );
  });
});
