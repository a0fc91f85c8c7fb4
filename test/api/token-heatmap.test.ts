// Maps of token relevance, by their definition: what a patch's pixels are, their sums, and what no map goes beyond.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TokenLayout, tokenHeatmap, type Values } from '../../src/index.js';

const layout: TokenLayout = { count: 7, special: [0], grid: [2, 3] };
const relevance: Values = { shape: [1, 7], data: Float32Array.of(9, 1, 2, 3, -4, 5, 6) };
const map = (height: number, width: number, mode: 'bilinear' | 'nearest') =>
  tokenHeatmap(relevance, layout, { size: [height, width], mode });

describe('nearest', () => {
  it('gives each pixel the relevance of its patch, with sharp edges, special tokens left out', () => {
    const { shape, data } = map(4, 6, 'nearest');
    expect(shape).toEqual([1, 4, 6, 1]);
    const upper = [1, 1, 2, 2, 3, 3];
    const lower = [-4, -4, 5, 5, 6, 6];
    expect([...data]).toEqual([...upper, ...upper, ...lower, ...lower]);
  });

  it('gives a pixel that lies in two patches to the one that holds its centre', () => {
    expect([...map(2, 4, 'nearest').data]).toEqual([1, 2, 2, 3, -4, 5, 5, 6]);
    expect([...map(1, 2, 'nearest').data]).toEqual([-4, 6]);
  });
});

describe('bilinear', () => {
  it('mixes the centres around a pixel, by half-pixel centres, and goes on flat beyond the outermost', () => {
    const tokens: TokenLayout = { count: 2, special: [], grid: [1, 2] };
    const row: Values = { shape: [1, 2], data: Float32Array.of(0, 8) };
    const { data } = tokenHeatmap(row, tokens, { size: [2, 8] });
    // Centres of pixels at (o + ½)/4 patches: ⅛ ⅜ | ⅝ ⅞ 1⅛ 1⅜ | 1⅝ 1⅞, those of patches at ½ and 1½
    const line = [0, 0, 1, 3, 5, 7, 8, 8];
    expect([...data]).toEqual([...line, ...line]);
  });

  it('has the value of a patch at its centre', () => {
    const { data } = map(6, 9, 'bilinear');
    const at = (row: number, column: number) => data[(3 * row + 1) * 9 + 3 * column + 1];
    expect([at(0, 0), at(0, 1), at(0, 2), at(1, 0), at(1, 1), at(1, 2)]).toEqual([1, 2, 3, -4, 5, 6]);
  });
});

describe('both', () => {
  const trials = fc.record({
    grid: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    factor: fc.integer({ min: 1, max: 6 }),
    numbers: fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 54, maxLength: 54 }),
    special: fc.constantFrom<readonly number[]>([], [0], [0, 1]),
    mode: fc.constantFrom('bilinear' as const, 'nearest' as const),
  });

  it('keep the mean of patches, and never leave their range', () => {
    fc.assert(
      fc.property(trials, ({ grid: [rows, columns], factor, numbers, special, mode }) => {
        const count = rows * columns + special.length;
        const samples = 2;
        const data = Float32Array.from({ length: samples * count }, (_, i) => numbers[i]!);
        const size = [rows * factor, columns * factor] as const;
        const tokens = { count, special, grid: [rows, columns] as const };
        const maps = tokenHeatmap({ shape: [samples, count], data }, tokens, { size, mode });
        const pixels = size[0] * size[1];
        for (let sample = 0; sample < samples; sample++) {
          const patches = data.subarray(sample * count + special.length, (sample + 1) * count);
          const own = maps.data.subarray(sample * pixels, (sample + 1) * pixels);
          const sum = own.reduce((total, value) => total + value, 0);
          const wanted = patches.reduce((total, value) => total + value, 0);
          expect(Math.abs(sum / factor ** 2 - wanted)).toBeLessThan(1e-3);
          expect(Math.min(...own)).toBeGreaterThanOrEqual(Math.min(...patches));
          expect(Math.max(...own)).toBeLessThanOrEqual(Math.max(...patches));
        }
      }),
    );
  });

  it.each<[string, Values, TokenLayout, object, string]>([
    ['no grid', relevance, { count: 7, special: [0] }, {}, 'nothing says how 6 patches lie'],
    ['a grid of others', relevance, { ...layout, grid: [2, 2] }, {}, 'a grid of 2 x 2 has 4 patches'],
    [
      'another shape',
      { ...relevance, shape: [7] },
      layout,
      {},
      'relevance is [7], expected a number a token, [N,7]',
    ],
    ['half a pixel', relevance, layout, { size: [4, 1.5] }, 'the size of a map is [4,1.5]'],
    ['no pixels', relevance, layout, { size: [0, 4] }, 'two positive integers'],
    ['a mode that is none', relevance, layout, { mode: 'cubic' }, "no way 'cubic'"],
    ['NaN', { ...relevance, data: new Float32Array(7).fill(Number.NaN) }, layout, {}, 'relevance is NaN'],
  ])('refuse %s', (_what, values, tokens, options, message) => {
    expect(() => tokenHeatmap(values, tokens, { size: [4, 6], ...options })).toThrow(message);
  });
});
