// Each rule against its paper's formula, on cases worked by hand in exact rational numbers.
import { describe, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { parse } from '../../src/ir/parse.js';
import { dense, exactly, expectRelevance, R, worked } from './worked.js';

describe('epsilon: x ⊙ Wᵀ(R/den(z)), bias in z', () => {
  it('zero: s = (10/5, 6/−3)', () => {
    expectRelevance(dense, 'zero', exactly, R, [4, 4, -6]);
  });

  it.each([
    ['signed: s = (10/6, 6/−4)', { denominator: 'signed', eps: 1 }, [19 / 6, 11 / 3, -14 / 3]],
    ['clip: s = (10/5, 6/−4)', { denominator: 'clip', eps: 4 }, [7 / 2, 5, -5]],
    ['plain: s = (10/6, 6/−2)', { denominator: 'plain', eps: 1 }, [14 / 3, 2 / 3, -23 / 3]],
    ['chefer: s = (10/6, 6/−2)', { denominator: 'chefer', eps: 1 }, [14 / 3, 2 / 3, -23 / 3]],
    ['zero-only: s = (10/5, 6/−3)', { denominator: 'zero-only', eps: 1 }, [4, 4, -6]],
    ['exact: s = (10/5, 6/−3)', exactly, [4, 4, -6]],
    ['without its bias: s = (10/4, 6/3)', { ...exactly, zeroBias: true }, [1 / 2, 14, 3 / 2]],
  ])('%s', (_name, params, wanted) => {
    expectRelevance(dense, 'epsilon', params, R, wanted);
  });

  it('scaled by the rms of z = (7, −1), which is 5: s = (16/(7+1), 6/(−1−1))', () => {
    const shifted = { ...dense, data: { ...dense.data, b: [3, -4] } };
    const params = { denominator: 'signed', eps: 1 / 5, normScale: true };
    expectRelevance(shifted, 'epsilon', params, [16, 6], [2 + 3, 2 * (4 - 3), -(2 + 6)]);
  });

  it('scaled by an rms of 0, ε stays: z = (0, 0), s = (10/1, 6/1)', () => {
    const nothing = { ...dense, data: { x: [0, 2, 4], w: [1, 1, 2, -2, -1, 1], b: [0, 0] } };
    const params = { denominator: 'signed', eps: 1, normScale: true };
    expectRelevance(nothing, 'epsilon', params, R, [0, 2 * (20 - 12), 4 * (-10 + 6)]);
  });
});

describe('one sign at a time', () => {
  it('zPlus: s = (10/6, 6/4); the bias keeps 1·10/6', () => {
    expectRelevance(dense, 'zPlus', exactly, R, [5 / 3, 29 / 3, 3]);
  });

  it('zPlus without the bias: s = (10/5, 6/4)', () => {
    expectRelevance(dense, 'zPlus', { ...exactly, zeroBias: true }, R, [2, 11, 3]);
  });

  it('alphaBeta(2,1): twice zPlus less zβ, with sβ = (10/−1, 6/−7)', () => {
    const params = { alpha: 2, beta: 1, ...exactly };
    expectRelevance(dense, 'alphaBeta', params, R, [10 / 3 - 6 / 7, 58 / 3, 6 - 10]);
  });

  it('alphaBeta(2,1) without the bias: sα = (10/5, 6/4), sβ = (10/−1, 6/−1)', () => {
    const params = { alpha: 2, beta: 1, ...exactly, zeroBias: true };
    expectRelevance(dense, 'alphaBeta', params, R, [4 - 6, 22, 6 - 10]);
  });

  it('alphaBeta(3/2,1/2)', () => {
    const params = { alpha: 3 / 2, beta: 1 / 2, ...exactly, zeroBias: true };
    expectRelevance(dense, 'alphaBeta', params, R, [3 - 3, 33 / 2, 9 / 2 - 5]);
  });

  it('alphaBeta(1,0) with the denominator of Chefer et al.: s = (10/(5+1), 6/(4+1))', () => {
    const params = { alpha: 1, beta: 0, denominator: 'chefer', eps: 1, zeroBias: true };
    expectRelevance(dense, 'alphaBeta', params, R, [5 / 3, 136 / 15, 12 / 5]);
  });
});

describe('flat: R spread evenly over what lies inside the picture', () => {
  const row = (w: readonly number[], z: string) =>
    worked({ x: ['f32[N,3,1]', [7, -2, 0]], w: [`f32[${w.length},1,1]`, w] }, z);

  it('at a border: three outputs see 2, 3 and 2 places', () => {
    const conv = row([4, -5, 6], 'conv(%x, %w) {strides=[1], padding=[[1,1]]} : f32[N,3,1]');
    expectRelevance(conv, 'flat', exactly, [6, 6, 6], [3 + 2, 3 + 2 + 3, 2 + 3]);
  });

  it('places that no window reaches get nothing', () => {
    const conv = row([4, -5], 'conv(%x, %w) {strides=[2], padding=[[1,0]]} : f32[N,2,1]');
    expectRelevance(conv, 'flat', exactly, [3, 8], [3, 4, 4]);
    const gap = row([4], 'conv(%x, %w) {strides=[2], padding=[[0,0]]} : f32[N,2,1]');
    expectRelevance(gap, 'flat', exactly, [3, 8], [3, 0, 8]);
  });

  it('on a dense layer: a third each', () => {
    expectRelevance(dense, 'flat', exactly, [9, 6], [5, 5, 5]);
  });
});

describe('norm: x ⊙ vjp(R/den(z)), by the weights of the op itself', () => {
  const signed = { denominator: 'signed', eps: 1 / 2 };

  it('mean of (1, 2, −1, 2) is 1: s = 8, a quarter to each', () => {
    const mean = worked({ x: ['f32[N,4]', [1, 2, -1, 2]] }, 'mean(%x) {axes=[1]} : f32[N]');
    expectRelevance(mean, 'norm', exactly, [8], [2, 4, -2, 4]);
  });

  it('avg_pool at a border divides by 2, 3 and 2: s = (3/3, 8/4, 10/5)', () => {
    const pool = worked(
      { x: ['f32[N,3,1]', [2, 4, 6]] },
      'avg_pool(%x) {window=[3], strides=[1], padding=[[1,1]]} : f32[N,3,1]',
    );
    expectRelevance(pool, 'norm', exactly, [3, 8, 10], [7 / 3, 26 / 3, 10]);
  });

  it('sum and sub: each operand in proportion to what it adds; nothing where they cancel', () => {
    const given = { x: ['f32[N,2]', [3, 1]], y: ['f32[N,2]', [1, -1]] } as const;
    const add = worked(given, 'add(%x, %y) : f32[N,2]');
    expectRelevance(add, 'norm', exactly, [8, 5], [6, 0]);
    expectRelevance(add, 'norm', exactly, [8, 5], [2, 0], 1);
    expectRelevance(add, 'norm', signed, [9, 5], [6, 10]);
    expectRelevance(add, 'norm', signed, [9, 5], [2, -10], 1);
    const sub = worked(given, 'sub(%x, %y) : f32[N,2]');
    expectRelevance(sub, 'norm', exactly, [8, 5], [12, 5 / 2]);
    expectRelevance(sub, 'norm', exactly, [8, 5], [-4, 5 / 2], 1);
  });

  it('a product gives all of R to each factor, half with share = 1/2', () => {
    const mul = worked({ x: ['f32[N,2]', [3, 2]], y: ['f32[N,2]', [4, -5]] }, 'mul(%x, %y) : f32[N,2]');
    expectRelevance(mul, 'norm', exactly, [6, 7], [6, 7]);
    expectRelevance(mul, 'norm', { ...exactly, share: 1 / 2 }, [6, 7], [3, 7 / 2]);
    expectRelevance(mul, 'norm', { ...exactly, share: 1 / 2 }, [6, 7], [3, 7 / 2], 1);
  });

  it('resize: two pixels become three, the middle one half of each: s = (2/2, 6/3, 8/4)', () => {
    const resize = worked(
      { x: ['f32[N,1,2,1]', [2, 4]] },
      'resize(%x) {mode="bilinear", align_corners=true} : f32[N,1,3,1]',
    );
    expectRelevance(resize, 'norm', exactly, [2, 6, 8], [2 * (1 + 1), 4 * (1 + 2)]);
  });
});

describe('winner: the maximum takes all; of equals, the first', () => {
  it('max_pool', () => {
    const pool = worked(
      { x: ['f32[N,4,1]', [3, 3, 1, 2]] },
      'max_pool(%x) {window=[2], strides=[2], padding=[[0,0]]} : f32[N,2,1]',
    );
    expectRelevance(pool, 'winner', {}, [5, 7], [5, 0, 0, 7]);
  });

  it('max_pool, first in order of row, then column; overlapping windows add up', () => {
    const pool = worked(
      { x: ['f32[N,2,3,1]', [1, 4, 4, 4, 4, 0]] },
      'max_pool(%x) {window=[2,2], strides=[1,1], padding=[[0,0],[0,0]]} : f32[N,1,2,1]',
    );
    expectRelevance(pool, 'winner', {}, [5, 7], [0, 12, 0, 0, 0, 0]);
  });

  it('reduce_max and maximum', () => {
    const reduce = worked({ x: ['f32[N,3]', [2, 5, 5]] }, 'reduce_max(%x) {axes=[1]} : f32[N]');
    expectRelevance(reduce, 'winner', {}, [4], [0, 4, 0]);
    const given = { x: ['f32[N,3]', [1, 2, 3]], y: ['f32[N,3]', [1, 3, 2]] } as const;
    const maximum = worked(given, 'maximum(%x, %y) : f32[N,3]');
    expectRelevance(maximum, 'winner', {}, [4, 5, 6], [4, 0, 6]);
    expectRelevance(maximum, 'winner', {}, [4, 5, 6], [0, 5, 0], 1);
    const minimum = worked(given, 'minimum(%x, %y) : f32[N,3]');
    expectRelevance(minimum, 'winner', {}, [4, 5, 6], [4, 5, 0]);
    expectRelevance(minimum, 'winner', {}, [4, 5, 6], [0, 0, 6], 1);
  });
});

describe('what only moves', () => {
  it('route: places taken twice receive both, places not taken nothing', () => {
    const gather = worked(
      { x: ['f32[N,3]', [1, 2, 3]], i: ['i32[3]', [2, 0, 2]] },
      'gather(%x, %i) {axis=1} : f32[N,3]',
    );
    const graph = parse(
      [
        'graph @worked {',
        '%x = input() : f32[N,3]',
        '%i = constant() {value=[2,0,2]} : i32[3]',
        '%z = gather(%x, %i) {axis=1} : f32[N,3]',
        'return %z',
        '}',
      ].join('\n'),
      forward,
    );
    const { x } = gather.data as { x: readonly number[] };
    expectRelevance({ graph, data: { x } }, 'route', {}, [4, 5, 6], [5, 0, 10]);
    expectRelevance({ graph, data: { x: [1, 2, 0] } }, 'norm', exactly, [4, 5, 6], [5, 0, 0]);
  });

  it('pass leaves R where it is; gradient multiplies by the slope', () => {
    const relu = worked({ x: ['f32[N,3]', [1, 0, -1]] }, 'relu(%x) : f32[N,3]');
    expectRelevance(relu, 'pass', {}, [4, 5, 6], [4, 5, 6]);
    expectRelevance(relu, 'gradient', {}, [4, 5, 6], [4, 0, 0]);
  });
});

describe('cheferAdd: a·(|Σa|/(|Σa|+|Σb|)·ΣR)/Σa', () => {
  it('z = (4, −2), s = (1, −3): a = (1, −6) is turned round, b = (3, 12)', () => {
    const add = worked({ x: ['f32[N,2]', [1, 2]], y: ['f32[N,2]', [3, -4]] }, 'add(%x, %y) : f32[N,2]');
    expectRelevance(add, 'chefer.add', exactly, [4, 6], [-1 / 2, 3]);
    expectRelevance(add, 'chefer.add', exactly, [4, 6], [3 / 2, 6], 1);
  });
});

describe('denominators, as 1/den(z) with ε = 1/2', () => {
  const zs = [2, -2, 0, 1 / 2, -1 / 2];
  /** x = 1 and y = z − 1, so that x·R/den(z) is 1/den(z). */
  const add = worked(
    { x: ['f32[N,5]', zs.map(() => 1)], y: ['f32[N,5]', zs.map((z) => z - 1)] },
    'add(%x, %y) : f32[N,5]',
  );

  it.each([
    ['signed', [2 / 5, -2 / 5, 2, 1, -1]],
    ['clip', [1 / 2, -1 / 2, 2, 2, -2]],
    ['chefer', [2 / 5, -2 / 3, 0, 1, 2]],
    ['zero-only', [1 / 2, -1 / 2, 2, 2, -2]],
  ])('%s', (denominator, wanted) => {
    expectRelevance(
      add,
      'norm',
      { denominator, eps: 1 / 2 },
      zs.map(() => 1),
      wanted,
    );
  });

  it('exact', () => {
    expectRelevance(
      add,
      'norm',
      exactly,
      zs.map(() => 1),
      [1 / 2, -1 / 2, 0, 2, -2],
    );
  });

  it('plain, which is unsafe at z = −ε: R must be 0 there', () => {
    const elsewhere = worked(
      { x: ['f32[N,4]', [1, 1, 1, 1]], y: ['f32[N,4]', [1, -3, -1, -1 / 2]] },
      'add(%x, %y) : f32[N,4]',
    );
    const wanted = [2 / 5, -2 / 3, 2, 1];
    expectRelevance(elsewhere, 'norm', { denominator: 'plain', eps: 1 / 2 }, [1, 1, 1, 1], wanted);
  });
});
