// Expressions of kernels: equal parts are one object, and what only looks alike is not.
import { describe, expect, it } from 'vitest';
import { SharedExpressions } from '../../../src/codegen/kernels/expression.js';
import type { LoopKernel } from '../../../src/codegen/kernels/kernel.js';
import { operand, type Scalar, scalar } from '../../../src/ir/scalar.js';
import { graphOf } from '../support.js';
import { kernelsOf } from '../wasm/support.js';

const x = () => operand(0, 'f32');

describe('shared expressions', () => {
  it('are one object where they say the same', () => {
    const shared = new SharedExpressions();
    const first = shared.of(scalar.mul(scalar.exp(x()), scalar.number(2)));
    const second = shared.of(scalar.add(scalar.mul(scalar.exp(x()), scalar.number(2)), x()));
    expect((second as Extract<Scalar, { kind: 'apply' }>).args[0]).toBe(first);
    expect(shared.of(second)).toBe(second);
  });

  it.each([
    ['another operand', scalar.exp(operand(1, 'f32'))],
    ['another function', scalar.expm1(x())],
    ['another dtype', scalar.exp(operand(0, 'i32'))],
  ])('differ by %s', (_, other) => {
    const shared = new SharedExpressions();
    expect(shared.of(other)).not.toBe(shared.of(scalar.exp(x())));
  });

  it('tell the two zeros apart', () => {
    const shared = new SharedExpressions();
    const [plus, minus] = [0, -0].map((value) => shared.of(scalar.add(x(), scalar.number(value))));
    expect(plus).not.toBe(minus);
  });
});

it('a gelu and its derivative take one erf', () => {
  const { graph } = graphOf(
    { x: 'in f32[N,8]', half: 'constant() {value=0.7071067811865476} : f32[N,8]' },
    '%g = gelu(%x) : f32[N,8]',
    '%m = mul(%x, %half) : f32[N,8]',
    '%e = erf(%m) : f32[N,8]',
    '%z = mul(%g, %e) : f32[N,8]',
  );
  const [kernel] = kernelsOf({ graph, weights: new Map() }).run as readonly LoopKernel[];
  const found = new Set<Scalar>();
  const visit = (value: Scalar): void => {
    if (value.kind !== 'apply') return;
    if (value.fn === 'erf') found.add(value);
    value.args.forEach(visit);
  };
  for (const { value } of kernel!.stores) visit(value);
  expect(found.size).toBe(1);
});
