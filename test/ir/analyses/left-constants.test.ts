// Left constants and preprocessing: what a report names, and what stays at an input.
import { describe, expect, it } from 'vitest';
import { leftConstants } from '../../../src/ir/analyses/left-constants.js';
import { preprocessedValues } from '../../../src/ir/analyses/preprocessed.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { weightsFor } from '../support.js';

/** A picture, normalized and cut, with a batch norm before a padded convolution and a table added to the result. */
const graph = parse(
  `graph @model {
  %x = input() : f32[N,6,6,3]
  %ids = input() : i32[N,2]
  %scale = constant() {value=0.0078125} : f32[N,6,6,3]
  %scaled = mul(%x, %scale) : f32[N,6,6,3]
  %cut = slice(%scaled) {begin=[0,1,1,0]} : f32[N,4,4,3]
  %red = slice(%cut) {begin=[0,0,0,0]} : f32[N,4,4,1]
  %rest = slice(%cut) {begin=[0,0,0,1]} : f32[N,4,4,2]
  %one = constant() {value=1} : f32[N,4,4,1]
  %moved = add(%red, %one) : f32[N,4,4,1]
  %bgr = concat(%rest, %moved) {axis=3} : f32[N,4,4,3]
  %h = relu(%bgr) : f32[N,4,4,3]
  %gamma = param() {key="bn/gamma"} : f32[3]
  %beta = param() {key="bn/beta"} : f32[3]
  %mean = param() {key="bn/mean"} : f32[3]
  %variance = param() {key="bn/variance"} : f32[3]
  %bn = batch_norm(%h, %gamma, %beta, %mean, %variance) {epsilon=0.001} : f32[N,4,4,3]
  %w = param() {key="conv/kernel"} : f32[3,3,3,2]
  %conv = conv(%bn, %w) {padding=[[1,1],[1,1]], strides=[2,2]} : f32[N,2,2,2]
  %table = param() {key="positions"} : f32[2,2]
  %wide = broadcast(%table) {axes=[1,2]} : f32[N,2,2,2]
  %placed = add(%conv, %wide) : f32[N,2,2,2]
  %double = constant() {value=2} : f32[N,2,2,2]
  %y = mul(%placed, %double) : f32[N,2,2,2]
  %step = constant() {value=1} : i32[N,2]
  %next = add(%ids, %step) : i32[N,2]
  %square = mul(%y, %y) : f32[N,2,2,2]
  return %square, %next
}`,
  forward,
);

describe('preprocessedValues', () => {
  it('holds what constants, views and joins make of an input, up to the first other op', () => {
    expect([...preprocessedValues(graph)]).toEqual([
      'x',
      'ids',
      'scaled',
      'cut',
      'red',
      'rest',
      'moved',
      'bgr',
      'next',
    ]);
  });
});

describe('leftConstants', () => {
  it('names batch norms and constant products and sums, but for preprocessing, integers and activations', () => {
    const names = leftConstants(graph).map(({ name }) => name);
    expect(names).toEqual(['bn', 'placed', 'y']);
  });

  it('is what canonicalization could not move', () => {
    const after = canonicalize.run({ graph, weights: weightsFor(graph, 1) }, forward).graph;
    expect(leftConstants(after).map(({ name, op }) => `${name} = ${op}`)).toEqual([
      'bn = batch_norm',
      'placed = add',
      'y = mul',
    ]);
  });
});

it('a constant that is joined to an input is no preprocessing: it has a share of its own', () => {
  const joined = parse(
    `graph @tokens {
    %x = input() : f32[N,3,2]
    %class = constant() {value=0.5} : f32[N,1,2]
    %tokens = concat(%class, %x) {axis=1} : f32[N,4,2]
    %position = constant() {value=0.25} : f32[N,4,2]
    %placed = add(%tokens, %position) : f32[N,4,2]
    return %placed
  }`,
    forward,
  );
  expect([...preprocessedValues(joined)]).toEqual(['x']);
});
