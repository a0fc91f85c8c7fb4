// The checks of a map of relevance, the limit of its colours, and how values are written.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkHeat, formatValue, limitOf } from '../../../src/cli/picture/heat.js';
import { messageOf } from './failure.js';

describe('checkHeat', () => {
  it('takes one finite value a pixel', () => {
    expect(() => checkHeat({ width: 2, height: 3, data: new Float32Array(6) })).not.toThrow();
  });

  it.each([
    [2, 3, 5],
    [0, 3, 0],
    [1.5, 2, 3],
    [-1, -1, 1],
  ])('refuses %d x %d with %d values', (width, height, length) => {
    const message = messageOf(() => checkHeat({ width, height, data: new Float32Array(length) }));
    expect(message).toContain(`the heatmap is ${width} x ${height} and has ${length} values`);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %d and says where',
    (bad) => {
      const data = Float32Array.of(1, 2, 3, 4, bad, 6);
      expect(messageOf(() => checkHeat({ width: 3, height: 2, data }))).toContain(
        `the heatmap is ${bad} at row 1, column 1`,
      );
    },
  );
});

describe('limitOf', () => {
  it('is the largest magnitude, of either sign', () => {
    expect(limitOf(Float32Array.of(1, -3, 2))).toEqual({ value: 3, exceeded: false });
    expect(limitOf(Float32Array.of(1, 4, 2))).toEqual({ value: 4, exceeded: false });
  });

  it('is zero for zeros', () => {
    expect(limitOf(new Float32Array(9))).toEqual({ value: 0, exceeded: false });
  });

  it('is a lower level where outliers are beyond it: 1 % of the total lies above', () => {
    const data = new Float32Array(10_000).map((_, i) => (i % 2 === 0 ? 1 : -1));
    data[77] = 50;
    const { value, exceeded } = limitOf(data);
    expect(exceeded).toBe(true);
    // The total is 9999 + 50; 50 - level = 100.49 would need a level below 1: all values share what is left.
    expect(value).toBeCloseTo((10_049 - 100.49) / 10_000, 6);
  });

  it('stays the largest where few values hold most of the relevance', () => {
    const data = new Float32Array(10_000).fill(0.001);
    data.fill(1, 500, 520);
    expect(limitOf(data)).toEqual({ value: 1, exceeded: false });
    const single = new Float32Array(10_000);
    single[3] = -2;
    expect(limitOf(single)).toEqual({ value: 2, exceeded: false });
  });

  it('leaves at most 1 % of the magnitude beyond, is in proportion to the map, and blind to sign and order', () => {
    const values = fc.float({ min: -1000, max: 1000, noNaN: true });
    const maps = fc.array(fc.oneof(values, fc.constant(0.5)), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(maps, (map) => {
        const { value, exceeded } = limitOf(Float32Array.from(map));
        const magnitudes = map.map(Math.abs);
        const total = magnitudes.reduce((sum, each) => sum + each, 0);
        const beyond = magnitudes.reduce((sum, each) => sum + Math.max(0, each - value), 0);
        expect(beyond).toBeLessThanOrEqual(0.0101 * total);
        expect(exceeded).toBe(Math.max(...magnitudes) > value);
        const turned = limitOf(Float32Array.from(map.map((each) => -4 * each).toReversed()));
        expect(turned.value).toBeCloseTo(4 * value, 3);
      }),
    );
  });
});

describe('formatValue', () => {
  it.each([
    [0, '0'],
    [1, '1.00'],
    [-1.234, '-1.23'],
    [0.012345, '0.0123'],
    [0.001, '0.00100'],
    [0.00098765, '9.88e-4'],
    [1.5e-7, '1.50e-7'],
    [12.34, '12.3'],
    [123.4, '123'],
    [1234, '1.23e3'],
  ])('writes %d as %s', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});
