// Resizing: exact values of the filter, what it conserves, and that it does not alias.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resizeMap, resizePicture } from '../../../src/cli/picture/resize.js';

const side = fc.integer({ min: 1, max: 12 });
const value = fc.float({ min: -100, max: 100, noNaN: true });

function mapOf(width: number, height: number, at: (x: number, y: number) => number): Float32Array {
  return Float32Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width)));
}

function mean(data: ArrayLike<number>): number {
  return Array.from(data).reduce((sum, each) => sum + each, 0) / data.length;
}

describe('resizeMap', () => {
  it('interpolates upwards between the centres of samples', () => {
    expect([...resizeMap(Float32Array.of(0, 100), 2, 1, 4, 1)]).toEqual([0, 25, 75, 100]);
    expect([...resizeMap(Float32Array.of(0, 100), 1, 2, 1, 4)]).toEqual([0, 25, 75, 100]);
  });

  it('averages downwards by a triangle as wide as the factor', () => {
    // By two: the weights 1 3 3 1 over eight; at an edge those that are left, 3 3 1 over seven.
    expect([...resizeMap(Float32Array.of(0, 0, 56, 0, 0, 0), 6, 1, 3, 1)]).toEqual([8, 21, 0]);
    expect([...resizeMap(Float32Array.of(0, 0, 56, 0, 0, 0), 1, 6, 1, 3)]).toEqual([8, 21, 0]);
  });

  it('treats the two axes apart', () => {
    const map = mapOf(4, 3, (x, y) => 10 * x + y);
    const resized = resizeMap(map, 4, 3, 8, 3);
    expect([...resized.subarray(8, 12)]).toEqual([1, 3.5, 8.5, 13.5]);
    expect(resized).toHaveLength(24);
  });

  it('leaves a map of the same size as it is, in an array of its own', () => {
    const map = Float32Array.of(3, 1, 4, 1, 5, 9);
    const same = resizeMap(map, 3, 2, 3, 2);
    expect([...same]).toEqual([...map]);
    expect(same).not.toBe(map);
  });

  it('keeps constants exactly', () => {
    fc.assert(
      fc.property(side, side, side, side, value, (width, height, newWidth, newHeight, constant) => {
        const map = new Float32Array(width * height).fill(constant);
        const resized = resizeMap(map, width, height, newWidth, newHeight);
        expect(resized).toHaveLength(newWidth * newHeight);
        for (const each of resized) expect(each).toBeCloseTo(constant, 4);
      }),
    );
  });

  it('stays within the range of its input', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), side, (values, newWidth) => {
        const resized = resizeMap(Float32Array.from(values), values.length, 1, newWidth, 1);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        for (const each of resized) {
          expect(each).toBeGreaterThanOrEqual(low - 1e-4);
          expect(each).toBeLessThanOrEqual(high + 1e-4);
        }
      }),
    );
  });

  it('mirrors with its input', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), side, (values, newWidth) => {
        const forth = resizeMap(Float32Array.from(values), values.length, 1, newWidth, 1);
        const back = resizeMap(Float32Array.from(values.toReversed()), values.length, 1, newWidth, 1);
        for (const [i, each] of back.toReversed().entries()) expect(each).toBeCloseTo(forth[i]!, 3);
      }),
    );
  });

  it('keeps the mean, but for what edges weigh more', () => {
    // A bump that is zero at the edges keeps its mean closely, up and down.
    const bump = mapOf(60, 40, (x, y) => Math.exp(-((x - 25) ** 2 + (y - 22) ** 2) / 30));
    for (const [width, height] of [
      [20, 10],
      [17, 13],
      [120, 80],
      [224, 224],
    ] as const) {
      const resized = resizeMap(bump, 60, 40, width, height);
      expect(mean(resized) / mean(bump)).toBeCloseTo(1, 2);
    }
  });

  it('does not alias: the finest stripes become grey', () => {
    const stripes = mapOf(64, 64, (x) => (x % 2 === 0 ? 1 : 0));
    const small = resizeMap(stripes, 64, 64, 7, 7);
    for (const each of small) expect(Math.abs(each - 0.5)).toBeLessThan(0.05);
  });

  it('puts things where they were', () => {
    const dot = mapOf(50, 50, (x, y) => (x === 35 && y === 12 ? 1 : 0));
    const small = resizeMap(dot, 50, 50, 10, 10);
    expect(small.indexOf(Math.max(...small))).toBe(2 * 10 + 7);
  });
});

describe('resizePicture', () => {
  it('resizes each channel on its own and rounds', () => {
    const picture = { width: 2, height: 1, data: Uint8Array.of(0, 10, 255, 101, 10, 0) };
    const { width, height, data } = resizePicture(picture, 4, 1);
    expect([width, height]).toEqual([4, 1]);
    expect([...data]).toEqual([0, 10, 255, 25, 10, 191, 76, 10, 64, 101, 10, 0]);
  });

  it('keeps constant pictures exactly', () => {
    const data = Uint8Array.from({ length: 13 * 7 * 3 }, (_, i) => [255, 1, 77][i % 3]!);
    const resized = resizePicture({ width: 13, height: 7, data }, 30, 5);
    expect(resized.data.every((each, i) => each === [255, 1, 77][i % 3])).toBe(true);
  });

  it('returns the picture itself where the size is right', () => {
    const picture = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
    expect(resizePicture(picture, 1, 1)).toBe(picture);
  });
});
