// Laws between rules: where one is another's special case or limit, and what some of them ignore or conserve.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Attrs } from '../../src/ir/graph.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { bindShape, isBatched } from '../../src/ir/type.js';
import type { RuleName } from '../../src/rules/rules.js';
import { exactly, expectClose, expectSame, given, holds } from './law-support.js';
import { layers } from './single-layers.js';
import type { SingleOp, SingleOpData } from './single-ops.js';
import { dialect, filled, lower, row, sequence, total, uniform, withRule } from './support.js';

const each = layers.map((layer) => [layer.name, layer] as const);
const unbiased = layers
  .filter(({ node }) => node.args.length === 2)
  .map((layer) => [layer.name, layer] as const);

interface Signs {
  readonly x?: number;
  readonly w?: number;
  readonly b?: readonly [number, number];
}

/** Real numbers, of both signs but where told: no sum of them vanishes. */
function draw(
  { graph, node }: SingleOp,
  seed: number,
  { x = -1, w = -1, b = [-1, 1] }: Signs = {},
): SingleOpData {
  const random = sequence(seed);
  const shapeOf = (name: string) => bindShape(graph.nodes.get(name)!.type.shape, 2);
  const inputs: Record<string, TensorData> = {
    x: uniform(shapeOf('x'), random, x, 1),
    R: uniform(bindShape(node.type.shape, 2), random),
  };
  const weights = new Map([['w', uniform(shapeOf('w'), random, w, 1)]]);
  if (graph.nodes.has('b')) weights.set('b', uniform(shapeOf('b'), random, ...b));
  return { inputs, weights };
}

function run(
  { graph }: SingleOp,
  rule: RuleName,
  params: Attrs,
  { inputs, weights }: SingleOpData,
): ArrayLike<number> {
  return evaluate(lower(withRule(graph, rule, params, 0)), dialect, inputs, weights).r!.data;
}

const forwardOf = ({ graph }: SingleOp, { inputs, weights }: SingleOpData) =>
  evaluate(graph, dialect, inputs, weights).z!.data;

/** R where z > 0, and 0 elsewhere. */
function aboveZero(layer: SingleOp, data: SingleOpData): SingleOpData {
  const z = forwardOf(layer, data);
  const R = { ...data.inputs.R!, data: data.inputs.R!.data.map((r, i) => (z[i]! > 0 ? r : 0)) };
  return { ...data, inputs: { ...data.inputs, R } };
}

const signed = { denominator: 'signed', eps: 1e-6 };
const noBias = { ...exactly, zeroBias: true };

describe.each(each)('%s', (_name, layer) => {
  it('(L18) gamma(0) is epsilon', () => {
    const data = draw(layer, 1);
    for (const params of [exactly, signed])
      expectClose(
        run(layer, 'gamma', { gamma: 0, ...params }, data),
        run(layer, 'epsilon', params, data),
        1e-6,
      );
  });

  it('(L19) gamma tends to zPlus where z > 0 as γ grows', () => {
    const data = aboveZero(layer, draw(layer, 2));
    const wanted = run(layer, 'zPlus', exactly, data);
    expectClose(run(layer, 'gamma', { gamma: 1e9, ...exactly }, data), wanted, 1e-6);
  });

  it('(L20) zBox between 0 and 0 is epsilon without the bias', () => {
    const data = draw(layer, 3);
    const box = run(layer, 'zBox', { low: 0, high: 0, ...exactly }, data);
    expectClose(box, run(layer, 'epsilon', noBias, data));
  });

  it('(L21) wSquare and flat ignore x, and flat the weights', () => {
    const [one, other] = [draw(layer, 4), draw(layer, 5)];
    const moved = { ...one, inputs: { ...one.inputs, x: other.inputs.x! } };
    for (const rule of ['wSquare', 'flat'] as const)
      expectSame(run(layer, rule, signed, moved), run(layer, rule, signed, one));
    const exchanged = { ...one, weights: other.weights };
    expectSame(run(layer, 'flat', signed, exchanged), run(layer, 'flat', signed, one));
  });

  it('(L22) alphaBeta(1, 0) is zPlus', () => {
    const data = draw(layer, 6);
    const params = { alpha: 1, beta: 0, ...signed };
    expectSame(run(layer, 'alphaBeta', params, data), run(layer, 'zPlus', signed, data));
  });

  it('(L23) captum.gamma is gamma where x ≥ 0, z > 0 and b ≤ 0', () => {
    const data = aboveZero(layer, draw(layer, 7, { x: 0, b: [-0.1, 0] }));
    const params = { gamma: 0.5, ...exactly };
    expectClose(run(layer, 'captum.gamma', params, data), run(layer, 'gamma', params, data));
  });

  it('(L24) captum.alpha1Beta0 is zPlus where x ≥ 0 and b ≥ 0', () => {
    const data = draw(layer, 8, { x: 0, b: [0, 1] });
    expectClose(run(layer, 'captum.alpha1Beta0', signed, data), run(layer, 'zPlus', signed, data));
  });

  it('(L25) chefer.conv is alphaBeta without the bias where x ≥ 0', () => {
    const data = draw(layer, 9, { x: 0 });
    for (const [alpha, beta] of [
      [1, 0],
      [2, 1],
    ]) {
      const params = { alpha: alpha!, beta: beta! };
      expectClose(
        run(layer, 'chefer.conv', { ...params, ...exactly }, data),
        run(layer, 'alphaBeta', { ...params, ...noBias }, data),
      );
    }
  });

  it('(L26) zero is epsilon with the exact denominator, norm too', () => {
    const data = draw(layer, 10);
    const wanted = run(layer, 'epsilon', exactly, data);
    expectSame(run(layer, 'zero', exactly, data), wanted);
    expectSame(run(layer, 'norm', exactly, data), wanted);
  });

  it('(L27) chefer.zBox is zBox between the smallest and the largest of one sample', () => {
    const { inputs, weights } = draw(layer, 11);
    const batched = isBatched(layer.node.type);
    const one = batched ? { x: row(inputs.x!, 0), R: row(inputs.R!, 0) } : inputs;
    const bounds = { low: Math.min(...one.x!.data), high: Math.max(...one.x!.data) };
    const data = { inputs: one, weights };
    expectClose(
      run(layer, 'chefer.zBox', exactly, data),
      run(layer, 'zBox', { ...bounds, ...exactly }, data),
    );
  });

  it('(L32) zBox, chefer.zBox, flat and wSquare without b² conserve', () => {
    const data = draw(layer, 12);
    const wanted = total(data.inputs.R!.data);
    const box = { low: -1.5, high: 2, ...exactly };
    // A neuron that sees the extreme of a sample alone may have a denominator of exactly 0
    const seesOne = layer.node.op === 'conv_transpose';
    for (const found of [
      run(layer, 'zBox', box, data),
      ...(seesOne ? [] : [run(layer, 'chefer.zBox', exactly, data)]),
      run(layer, 'flat', exactly, data),
      run(layer, 'wSquare', noBias, data),
    ]) {
      expect(Math.abs(total(found) - wanted)).toBeLessThan(1e-9 * data.inputs.R!.data.length);
    }
  });
});

describe.each(unbiased)('%s', (_name, layer) => {
  it('(L33) on contributions of one sign, zPlus, gamma and epsilon agree', () => {
    const data = draw(layer, 13, { x: 0.1, w: 0.1 });
    const wanted = run(layer, 'epsilon', exactly, data);
    expectClose(run(layer, 'zPlus', exactly, data), wanted);
    expectClose(run(layer, 'gamma', { gamma: 3, ...exactly }, data), wanted);
    expectClose(run(layer, 'captum.gamma', { gamma: 3, ...exactly }, data), wanted);
  });

  it('(L34) turning x round turns epsilon’s, gamma’s and αβ’s z round, and leaves their relevance', () => {
    const data = draw(layer, 14);
    const turned = (part: TensorData): TensorData => ({ ...part, data: part.data.map((value) => -value) });
    const other = { ...data, weights: new Map([['w', turned(data.weights.get('w')!)]]) };
    const both = { ...other, inputs: { ...other.inputs, x: turned(data.inputs.x!) } };
    for (const [rule, params] of [
      ['epsilon', signed],
      ['gamma', { gamma: 0.25, ...signed }],
      ['zPlus', signed],
      ['alphaBeta', { alpha: 2, beta: 1, ...signed }],
    ] as const) {
      expectSame(run(layer, rule, params, both), run(layer, rule, params, data));
    }
    for (const [rule, params] of [
      ['epsilon', signed],
      ['gamma', { gamma: 0.25, ...signed }],
    ] as const) {
      expectSame(run(layer, rule, params, other), run(layer, rule, params, data));
    }
  });
});

describe('sums', () => {
  const add = 'add(%x, %y) : f32[N,6]';
  const data = (seed: number, batch: number, low = -1) => {
    const random = sequence(seed);
    const drawn = () => uniform([batch, 6], random, low, 1);
    return { x: drawn(), y: drawn(), R: filled([batch, 6], random) };
  };

  it('(L28) chefer.add is norm where both shares sum to the same sign', () => {
    holds(({ seed }) => {
      const inputs = data(seed, 2, 0.1);
      for (const to of [0, 1])
        expectClose(
          given(add, inputs, 'chefer.add', exactly, to).data,
          given(add, inputs, 'norm', exactly, to).data,
        );
    });
  });

  it('(L29) chefer.addBatch is chefer.add on a batch of one', () => {
    holds(({ seed }) => {
      const inputs = data(seed, 1);
      for (const to of [0, 1])
        expectClose(
          given(add, inputs, 'chefer.addBatch', exactly, to).data,
          given(add, inputs, 'chefer.add', exactly, to).data,
        );
    });
  });
});
