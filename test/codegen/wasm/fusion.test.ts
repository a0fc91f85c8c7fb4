// Fusion: which kernels known graphs become, and what is stored of what a kernel swallows.
import { describe, expect, it } from 'vitest';
import type { KernelProgram } from '../../../src/codegen/kernels/kernel.js';
import { type Drawn, dataFor, graphOf } from '../support.js';
import { expectAgreement, kernelsOf, namesOf, runOnWasm } from './support.js';

/** The kernels of a graph, which computes what it should. */
function kernelsFor({ graph, drawnAs }: Drawn): KernelProgram {
  const { inputs, weights } = dataFor({ graph, drawnAs });
  expectAgreement(graph, inputs, weights, runOnWasm(graph, inputs, weights));
  return kernelsOf({ graph, weights }, 2);
}

const conv = '{padding=[[1,1],[1,1]], strides=[1,1]}';
const layer = {
  x: 'in f32[N,6,5,8]',
  w: 'w f32[3,3,8,8]',
  b: 'w f32[8]',
  r: 'in f32[N,6,5,8]',
  zero: 'constant() {value=0} : f32[3,3,8,8]',
};

/** Names of the buffers that are neither given nor returned. */
const own = ({ buffers }: KernelProgram) =>
  [...buffers.values()].filter(({ origin }) => origin === 'kernel').map(({ name }) => name);

describe('one kernel is', () => {
  it('a convolution with its bias, relu and the quotient of a rule', () => {
    const program = kernelsFor(
      graphOf(
        layer,
        `%c = conv(%x, %w, %b) ${conv} : f32[N,6,5,8]`,
        '%h = relu(%c) : f32[N,6,5,8]',
        '%z = quotient(%r, %h) {eps=0.25, mode="signed"} : f32[N,6,5,8]',
      ),
    );
    expect(namesOf(program.run)).toEqual(['pad x.pad0', 'contraction z']);
    expect(own(program)).toEqual(['x.pad0', 'z']);
  });

  it('a product with a modified weight: max(w, 0) is stored nowhere', () => {
    const program = kernelsFor(
      graphOf(
        layer,
        '%p = maximum(%w, %zero) : f32[3,3,8,8]',
        `%z = conv_transpose(%r, %p) ${conv} : f32[N,6,5,8]`,
      ),
    );
    expect(namesOf(program.run)).toEqual(['pad r.pad0', 'contraction z']);
    expect(program.load).toEqual([]);
    expect(own(program)).toEqual(['r.pad0', 'z']);
  });

  it('a transposed convolution of patches, whatever their size', () => {
    const program = kernelsFor(
      graphOf(
        { r: 'in f32[N,4,3,32]', w: 'w f32[4,4,3,32]' },
        '%z = conv_transpose(%r, %w) {padding=[[0,0],[0,0]], strides=[4,4]} : f32[N,16,12,3]',
      ),
    );
    expect(namesOf(program.run)).toEqual(['contraction z']);
  });

  it('a dense layer whose transposed, scaled weight stands on the right', () => {
    const program = kernelsFor(
      graphOf(
        { x: 'in f32[N,9,12]', w: 'w f32[7,12]', s: 'w f32[12]' },
        '%r = broadcast(%s) {axes=[1]} : f32[7,12]',
        '%m = mul(%w, %r) : f32[7,12]',
        '%t = transpose(%m) {perm=[1,0]} : f32[12,7]',
        '%z = einsum(%x, %t) {eq="bti,ij->btj"} : f32[N,9,7]',
      ),
    );
    expect(namesOf([...program.load, ...program.run])).toEqual(['contraction z']);
    expect(own(program)).toEqual(['z']);
  });

  it('a chain of maps over views, of which one value is asked for', () => {
    const program = kernelsFor(
      graphOf(
        { x: 'in f32[N,6,4]', y: 'in f32[N,4,6]', s: 'w f32[4]' },
        '%a = relu(%x) : f32[N,6,4]',
        '%t = transpose(%y) {perm=[0,2,1]} : f32[N,6,4]',
        '%c = add(%a, %t) : f32[N,6,4]',
        '%r = broadcast(%s) {axes=[2]} : f32[N,6,4]',
        '%z = mul(%c, %r) : f32[N,6,4]',
      ),
    );
    expect(namesOf(program.run)).toEqual(['loops z']);
  });

  it('a sum with what only it reads, and what is done to it', () => {
    const program = kernelsFor(
      graphOf(
        { x: 'in f32[N,6,4]', y: 'in f32[N,6,4]', d: 'in f32[N,6]' },
        '%a = mul(%x, %y) : f32[N,6,4]',
        '%s = sum(%a) {axes=[2]} : f32[N,6]',
        '%z = sub(%s, %d) : f32[N,6]',
      ),
    );
    expect(namesOf(program.run)).toEqual(['loops z']);
  });
});

it('joins a bias that is modified after the product was written', () => {
  const program = kernelsFor(
    graphOf(
      { x: 'in f32[N,12]', w: 'w f32[12,7]', b: 'w f32[7]', nothing: 'constant() {value=0} : f32[7]' },
      '%c = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,7]',
      '%p = maximum(%b, %nothing) : f32[7]',
      '%r = broadcast(%p) {axes=[1]} : f32[N,7]',
      '%z = add(%c, %r) : f32[N,7]',
    ),
  );
  expect(program.run).toHaveLength(1);
  expect(namesOf(program.load)).toEqual(['loops p']);
});

it('stores what has other readers, and computes it once', () => {
  const program = kernelsFor(
    graphOf(
      { x: 'in f32[N,6,6]' },
      '%a = exp(%x) : f32[N,6,6]',
      '%s = sum(%a) {axes=[2]} : f32[N,6]',
      '%r = broadcast(%s) {axes=[0,1]} : f32[N,6,6]',
      '%z = div(%a, %r) : f32[N,6,6]',
    ),
  );
  expect(namesOf(program.run)).toEqual(['loops a', 'loops s', 'loops z']);
});
