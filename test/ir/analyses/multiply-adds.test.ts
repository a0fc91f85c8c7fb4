// Multiply–adds: by hand for each kind of contraction, and which of them count.
import { describe, expect, it } from 'vitest';
import { contractions, multiplyAdds } from '../../../src/ir/analyses/multiply-adds.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';

const graph = parse(
  `graph @costs {
  %x = input() : f32[N,6,8,4]
  %w = param() {key="w"} : f32[3,5,4,10]
  %conv = conv(%x, %w) {padding=[[0,0],[2,2]], strides=[1,2]} : f32[N,4,4,10]
  %back = conv_transpose(%conv, %w) {padding=[[0,0],[2,2]], strides=[1,2]} : f32[N,6,8,4]
  %d = param() {key="d"} : f32[2,2,1,8]
  %depthwise = conv(%x, %d) {groups=4, padding=[[0,0],[0,0]], strides=[2,2]} : f32[N,3,4,8]
  %v = param() {key="v"} : f32[10,7]
  %dense = einsum(%conv, %v) {eq="byxi,ij->byxj"} : f32[N,4,4,7]
  %q = input() : f32[2N,3,5,6]
  %scores = einsum(%q, %q) {eq="bhqc,bhkc->bhqk"} : f32[2N,3,5,5]
  %h = relu(%dense) : f32[N,4,4,7]
  %product = einsum(%v, %v) {eq="ij,kj->ik"} : f32[10,10]
  %ones = constant() {value=1} : f32[N,10]
  %sums = einsum(%ones, %product) {eq="bi,ij->bj"} : f32[N,10]
  return %back, %depthwise, %scores, %h, %sums
}`,
  forward,
);

describe('multiplyAdds', () => {
  it.each([
    ['conv', 4 * 4 * 10 * (3 * 5 * 4)],
    ['back', 4 * 4 * 10 * (3 * 5 * 4)],
    ['depthwise', 3 * 4 * 8 * (2 * 2 * 1)],
    ['dense', 4 * 4 * 10 * 7],
    ['scores', 2 * 3 * 5 * 5 * 6],
    ['product', 10 * 10 * 7],
    ['h', 0],
    ['w', 0],
  ])('of %%%s is %i', (name, wanted) => {
    expect(multiplyAdds(graph, graph.nodes.get(name)!)).toBe(wanted);
  });
});

describe('contractions', () => {
  it('are those that run for every explanation: they depend on an input or have a batch', () => {
    const found = contractions(graph);
    expect(found.map(({ node }) => node.name)).toEqual([
      'conv',
      'back',
      'depthwise',
      'dense',
      'scores',
      'sums',
    ]);
    for (const { node, multiplyAdds: cost } of found) expect(cost).toBe(multiplyAdds(graph, node));
  });
});
