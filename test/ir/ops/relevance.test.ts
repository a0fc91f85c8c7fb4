// The stabilised quotient in each mode, and the sum of what came back.
import { describe, expect, it } from 'vitest';
import { denominatorModes } from '../../../src/ir/ops/quotient.js';
import { apply, exact, expectClose, expectValues, failure, single, uniform } from '../support.js';

const eps = 0.25;
const zs = [2, -2, 0.125, -0.125, -0.25, 0.25, 0];

/** den(z) by the table: with ε = ¼ every one of these is exact. */
const denominators: Readonly<Record<string, readonly number[]>> = {
  signed: [2.25, -2.25, 0.375, -0.375, -0.5, 0.5, 0.25],
  clip: [2, -2, 0.25, -0.25, -0.25, 0.25, 0.25],
  plain: [2.25, -1.75, 0.375, 0.125, 0, 0.5, 0.25],
  // max(z, ε) + min(z, ε), ε where that is 0, and no quotient at all at 0.
  chefer: [2.25, -1.75, 0.375, 0.125, 0.25, 0.5, Number.POSITIVE_INFINITY],
  'zero-only': [2, -2, 0.125, -0.125, -0.25, 0.25, 0.25],
  exact: [2, -2, 0.125, -0.125, -0.25, 0.25, Number.POSITIVE_INFINITY],
};

describe('quotient', () => {
  it('has a table for each mode', () => {
    expect(Object.keys(denominators)).toEqual([...denominatorModes]);
  });

  it.each(denominatorModes)('in mode %s is 3 / den(z)', (mode) => {
    const r = exact(
      [zs.length],
      zs.map(() => 3),
    );
    const wanted = denominators[mode]!.map((denominator) => 3 / denominator);
    for (const precision of ['f64', 'f32'] as const) {
      const given = precision === 'f32' ? single([zs.length], zs) : exact([zs.length], zs);
      const got = apply('quotient', [r, given], { attrs: { mode, eps }, precision });
      expectValues(got, [zs.length], precision === 'f32' ? wanted.map(Math.fround) : wanted);
    }
  });

  it('takes an ε for each element from a third operand', () => {
    const got = apply('quotient', [exact([2], [1, 1]), exact([2], [1, -1]), exact([2], [1, 3])], {
      attrs: { mode: 'signed' },
    });
    expectValues(got, [2], [0.5, -0.25]);
  });

  it('in single precision rounds ε, the denominator and the quotient', () => {
    const [r, z] = [single([1], [1]), single([1], [3])];
    const got = apply('quotient', [r, z], { attrs: { mode: 'signed', eps: 1e-9 }, precision: 'f32' });
    expectValues(got, [1], [Math.fround(1 / 3)]);
    const near = apply('quotient', [r, z], { attrs: { mode: 'signed', eps: 1e-9 } });
    expectValues(near, [1], [1 / (3 + 1e-9)]);
  });

  it('refuses an unknown mode and two stabilisers', () => {
    const x = exact([1], [1]);
    const unknown = failure(() => apply('quotient', [x, x], { attrs: { mode: 'sign', eps } }));
    expect([unknown.code, unknown.detail]).toEqual([
      'RELC1005',
      '%z = quotient: mode is "sign", expected one of signed, clip, plain, chefer, zero-only, exact',
    ]);
    const both = failure(() => apply('quotient', [x, x, x], { attrs: { mode: 'signed', eps } }));
    expect([both.code, both.detail]).toEqual([
      'RELC1005',
      '%z = quotient: eps is given as an attribute and as an operand',
    ]);
  });
});

describe('accumulate', () => {
  it('sums any number of parts, one after the other', () => {
    const parts = [1, 2, 3, 4].map((seed) => uniform([2, 3], seed));
    const sum = parts[0]!.data.map((_, index) => parts.reduce((total, part) => total + part.data[index]!, 0));
    expectClose(apply('accumulate', parts), exact([2, 3], sum), 0);
    expectValues(apply('accumulate', [exact([1], [7])]), [1], [7]);
    const [large, one, minus] = [2 ** 24, 1, -(2 ** 24)].map((value) => single([1], [value]));
    expectValues(apply('accumulate', [large!, one!, minus!], { precision: 'f32' }), [1], [0]);
  });
});
