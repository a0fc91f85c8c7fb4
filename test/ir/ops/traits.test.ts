// The traits of ops: what they promise holds, and ops that keep a promise make it.
import { describe, expect, it } from 'vitest';
import type { OpTraits } from '../../../src/ir/dialect.js';
import { type ForwardOp, forward } from '../../../src/ir/forward.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { bindShape } from '../../../src/ir/type.js';
import { type Application, apply, booleans, exact, uniform } from '../support.js';
import { batch, type Case, differentiable } from './vjp-table.js';

const opsWith = (trait: keyof OpTraits) =>
  Object.entries(forward).flatMap(([op, { traits }]) => (traits?.[trait] ? [op as ForwardOp] : []));

const casesOf = (op: ForwardOp): readonly Case[] => differentiable[op] ?? [];

function applyCase(op: ForwardOp, { attrs = {}, type }: Case, args: readonly TensorData[]): TensorData {
  const stated: Application =
    type === undefined ? {} : { type: { ...type, shape: bindShape(type.shape, batch) } };
  return apply(op, args, { attrs, ...stated });
}

const dataOf = ({ operands }: Case) => operands.map(({ data }) => data);

describe('routes: every output element copies one input element, or is a constant', () => {
  it('is what the movements do, gather and select', () => {
    const movement = ['reshape', 'transpose', 'broadcast', 'slice', 'pad', 'concat', 'reverse'];
    const routes = [...movement, 'gather', 'select'];
    expect(opsWith('routes').sort()).toEqual(routes.sort());
  });

  it.each(opsWith('routes'))('%s', (op) => {
    expect(casesOf(op).length).toBeGreaterThan(0);
    for (const given of casesOf(op)) {
      const args = dataOf(given);
      const there = new Set(args.flatMap(({ data }) => Array.from(data)));
      const filler = (given.attrs?.value as number | undefined) ?? 0;
      if (op === 'pad') there.add(filler);
      const strangers = Array.from(applyCase(op, given, args).data).filter((value) => !there.has(value));
      expect(strangers).toEqual([]);
    }
  });
});

/** Places of the result that change when one element of the operand does. */
function changedBy(
  op: ForwardOp,
  attrs: Case['attrs'],
  args: readonly TensorData[],
  slot: number,
  place: number,
) {
  const moved = args.map((arg, index) => {
    const data = arg.data.map((value, i) => (index === slot && i === place ? 1 - value : value));
    return { ...arg, data };
  });
  const before = apply(op, args, { attrs: attrs ?? {} });
  const after = apply(op, moved, { attrs: attrs ?? {} });
  expect(after.shape).toEqual(args[0]!.shape);
  return Array.from(before.data, (value, index) => (Object.is(value, after.data[index]) ? -1 : index)).filter(
    (index) => index >= 0,
  );
}

describe('elementwise: an output element depends on the same place of each operand alone', () => {
  const attrsOf: Readonly<Record<string, Case['attrs']>> = {
    quotient: { mode: 'signed', eps: 0.1 },
    stabiliser: { mode: 'signed', eps: 0.1 },
  };
  it.each(opsWith('elementwise'))('%s', (op) => {
    const attrs = casesOf(op)[0]?.attrs ?? attrsOf[op];
    const { operands } = forward[op];
    const boolean = op.startsWith('logical');
    const args = operands
      .filter((name) => !name.endsWith('?'))
      .map((name, slot) =>
        boolean || name === 'condition' ? booleans([4], [0, 1, 1, 0]) : uniform([4], slot + 3, 0.1, 0.4),
      );
    for (const slot of args.keys()) {
      for (const place of [0, 1, 2, 3]) {
        for (const changed of changedBy(op, attrs, args, slot, place)) expect(changed).toBe(place);
      }
    }
  });

  it('is what all ops do that take any one shape, but for sums over the batch', () => {
    const one = uniform([2, 3], 1, 0.1, 0.4);
    const works = (Object.keys(forward) as ForwardOp[]).filter((op) => {
      const { attrs = {}, operands } = forward[op];
      if (
        op === 'batch_total' ||
        operands.length === 0 ||
        Object.values(attrs).some((kind) => !kind.endsWith('?'))
      )
        return false;
      const args = operands.map(() => one);
      try {
        return apply(op, args).shape.join() === '2,3';
      } catch {
        return false;
      }
    });
    for (const op of works) expect(opsWith('elementwise'), op).toContain(op);
    expect(works.length).toBeGreaterThan(25);
  });
});

describe('activation: an elementwise non-linearity of its first operand', () => {
  it('is what the table says', () => {
    const activations = [
      'relu',
      'clip',
      'leaky_relu',
      'elu',
      'selu',
      'sigmoid',
      'tanh',
      'softplus',
      'gelu',
      'gelu_tanh',
      'swish',
      'prelu',
    ];
    expect(opsWith('activation').sort()).toEqual(activations.sort());
    expect(opsWith('elementwise')).toEqual(expect.arrayContaining(activations));
  });
});

describe('affine: affine in x, linear in w, plus a bias', () => {
  it('is what contractions do', () => {
    expect(opsWith('affine').sort()).toEqual(['conv', 'conv_transpose', 'einsum']);
  });

  it.each(opsWith('affine'))('%s', (op) => {
    expect(forward[op].operands.slice(1)).toEqual(['w', 'bias?']);
    for (const given of casesOf(op)) {
      const [x, w] = dataOf(given) as [TensorData, TensorData];
      const scaled = (data: TensorData, factor: number) =>
        exact(
          data.shape,
          data.data.map((value) => value * factor),
        );
      const z = applyCase(op, given, [x, w]);
      for (const args of [
        [scaled(x, 2), w],
        [x, scaled(w, 2)],
      ]) {
        expect(applyCase(op, given, args).data).toEqual(scaled(z, 2).data);
      }
    }
  });
});
