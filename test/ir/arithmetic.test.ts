// The short spellings that derivatives and rules are built from: names, views and sums of each sample.
import { describe, expect, it } from 'vitest';
import { Arithmetic } from '../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { evaluateAll } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Name } from '../../src/ir/graph.js';
import type { Shape } from '../../src/ir/type.js';
import { counting, expectValues, f32, noWeights } from './support.js';

/** What `spell` makes of an input x of 0, 1, 2, … */
function made(shape: Shape, given: readonly number[], spell: (k: Arithmetic, x: Name) => Name) {
  const builder = new GraphBuilder('spelled', forward);
  const x = builder.add('input', [], { name: 'x', type: f32(...shape) });
  const name = spell(new Arithmetic(builder), x);
  const value = evaluateAll(builder.finish({ name }), forward, { x: counting(given) }, noWeights).get(name)!;
  return { builder, name, value };
}

describe('arithmetic', () => {
  it('spells the four operations', () => {
    const { value } = made(['N'], [3], (k, x) => {
      const two = k.constant(2, x);
      return k.div(k.sub(k.mul(k.add(x, two), x), x), two);
    });
    expectValues(value, [3], [0, 1, 3]);
  });

  it('gives values the names that are asked for', () => {
    const { builder } = made(['N'], [3], (k, x) => {
      k.mul(x, x, 'product');
      k.unary('neg', x, 'minus');
      k.data([1, 2], [2], 'pair');
      k.builder.splat(1, f32(2), 'ones');
      k.builder.splat(1, f32(2));
      return k.unary('abs', x);
    });
    expect([...builder.nodes.keys()]).toEqual(['x', 'product', 'minus', 'pair', 'ones', 'constant', 'abs']);
  });

  it('scale by 1, a transpose that moves nothing and a sum over no axes are the value itself', () => {
    expect(made(['N', 2], [2, 2], (k, x) => k.scale(k.transpose(k.sum(x, []), [0, 1]), 1)).name).toBe('x');
    expectValues(made(['N', 2], [1, 2], (k, x) => k.scale(x, 3)).value, [1, 2], [0, 3]);
    expectValues(
      made(['N', 2, 2], [1, 2, 2], (k, x) => k.transpose(x, [0, 2, 1])).value,
      [1, 2, 2],
      [0, 2, 1, 3],
    );
  });

  it('spreads a reduction back over the axes that it removed', () => {
    const { value, builder, name } = made(['N', 2, 2], [2, 2, 2], (k, x) =>
      k.spreadBack(k.sum(x, [1]), [1], k.builder.typeOf(x)),
    );
    expectValues(value, [2, 2, 2], [2, 4, 2, 4, 10, 12, 10, 12]);
    expect(builder.typeOf(name).shape).toEqual(['N', 2, 2]);
  });

  it('writes data with non-finite numbers', () => {
    const data = [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0];
    const { builder, value } = made(['N'], [1], (k) => k.data(data, [5], 'd'));
    expect(builder.node('d').attrs.value).toEqual([1, 'inf', '-inf', 'nan', 0]);
    expectValues(value, [5], [...data.slice(0, 4), 0]);
  });

  it.each([
    ['rows of a batch', ['N', 3], [2, 3], [3, 3, 3, 12, 12, 12]],
    ['several rows of each sample', ['2N', 2], [4, 2], [6, 6, 6, 6, 22, 22, 22, 22]],
    ['a number for each sample', ['N'], [3], [0, 1, 2]],
    ['the whole, where there is no batch', [2, 3], [2, 3], [15, 15, 15, 15, 15, 15]],
  ] as const)('sums one sample: %s', (_, shape: Shape, given, wanted) => {
    const { value, builder, name } = made(shape, given, (k, x) => k.sumPerSample(x));
    expectValues(value, given, wanted);
    expect(builder.typeOf(name).shape).toEqual(shape);
  });
});
