// More rules on cases worked by hand: γ, the two of captum, zB, w², the original's own, guided and deconv, rms scales.
import { describe, it } from 'vitest';
import { dense, exactly, expectRelevance, R, worked } from './worked.js';

/**
 * x = (1, 2, 3) under the window (1, −1, 2), one place of padding at each end. Contributions by output:
 * z₀ = 0 − 1 + 4 = 3, z₁ = 1 − 2 + 6 = 5, z₂ = 2 − 3 + 0 = −1.
 */
const conv = worked(
  { x: ['f32[N,3,1]', [1, 2, 3]], w: ['f32[3,1,1]', [1, -1, 2]] },
  'conv(%x, %w) {strides=[1], padding=[[1,1]]} : f32[N,3,1]',
);

/** z = (2, −1): of 3 − 1 and of 1 − 2. */
const sum = worked({ x: ['f32[N,2]', [3, 1]], y: ['f32[N,2]', [-1, -2]] }, 'add(%x, %y) : f32[N,2]');

describe('a convolution', () => {
  it('epsilon: s = (3/3, 5/5, 2/−1)', () => {
    expectRelevance(conv, 'epsilon', exactly, [3, 5, 2], [-1 + 1, 4 - 2 + 2 * -2, 6 + -3 * -2]);
  });

  it('zPlus: zα = (4, 7, 2), s = (1, 2, 3)', () => {
    expectRelevance(conv, 'zPlus', exactly, [4, 14, 6], [0 + 1 * 2, 4 + 0 + 2 * 3, 6 * 2]);
  });

  it('alphaBeta(2,1): sα = (1, 2, 3), and with zβ = (−1, −2, −3) sβ = (−4, −7, −2)', () => {
    const params = { alpha: 2, beta: 1, ...exactly };
    expectRelevance(
      conv,
      'alphaBeta',
      params,
      [4, 14, 6],
      [2 * 2 - -1 * -4, 2 * 10 - -2 * -7, 2 * 12 - -3 * -2],
    );
  });

  it('gamma(1): twice 4, 1 + 6 and −3, so den = (−1+8, 2−2+12, 2−6) and s = (1, 1, −1)', () => {
    expectRelevance(conv, 'gamma', { gamma: 1, ...exactly }, [7, 12, 4], [-1 + 2, 8 - 2 - 2, 12 + 6]);
  });

  it('wSquare: (1, 1, 4) reaches (5, 6, 2), s = 1 everywhere', () => {
    expectRelevance(conv, 'wSquare', exactly, [5, 6, 2], [1 + 1, 4 + 1 + 1, 4 + 1]);
  });

  it('zBox(−1, 3): padding has no bounds; den = (2+6, 2+1+8, 3+0), s = (1, 1, 2)', () => {
    const params = { low: -1, high: 3, ...exactly };
    expectRelevance(conv, 'zBox', params, [8, 11, 6], [2 + 2, 6 + 1 + 3 * 2, 8 + 0]);
  });
});

describe('gamma: contributions of the sign of z count 1 + γ times', () => {
  it('γ = 1: den = (2+8−1+2, −2+2+2−12) = (11, −10)', () => {
    const [s, t] = [10 / 11, -6 / 10];
    expectRelevance(dense, 'gamma', { gamma: 1, ...exactly }, R, [
      2 * s - 2 * t,
      8 * s + 2 * t,
      -1 * s + 2 * t,
    ]);
  });

  it('γ = 1/2: den = (3/2+6−1+3/2, −3/2+2+2−9) = (8, −13/2)', () => {
    const wanted = [15 / 8 + 18 / 13, 30 / 4 - 24 / 13, -5 / 4 - 24 / 13];
    expectRelevance(dense, 'gamma', { gamma: 1 / 2, ...exactly }, R, wanted);
  });

  it('without the bias in the sums, but with the sign of the biased z: den = (2+8−1, −2+2+2) = (9, 2)', () => {
    const wanted = [20 / 9 - 6, 80 / 9 + 6, -10 / 9 + 6];
    expectRelevance(dense, 'gamma', { gamma: 1, ...exactly, zeroBias: true }, R, wanted);
  });

  it('z = 0 drops R: with a bias of −4, only the second neuron hands on, by s = −6/10', () => {
    const zero = { ...dense, data: { ...dense.data, b: [-4, -6] } };
    expectRelevance(zero, 'gamma', { gamma: 1, ...exactly }, R, [6 / 5, -6 / 5, -6 / 5]);
  });

  it('with a stabiliser of 1: den = (11+1, −10−1)', () => {
    const [s, t] = [10 / 12, -6 / 11];
    const params = { gamma: 1, denominator: 'signed', eps: 1 };
    expectRelevance(dense, 'gamma', params, R, [2 * s - 2 * t, 8 * s + 2 * t, -s + 2 * t]);
  });

  it('a sum, its terms alike: den = (6−1, 1−4), s = (2, −2)', () => {
    expectRelevance(sum, 'gamma', { gamma: 1, ...exactly }, [10, 6], [12, -2]);
    expectRelevance(sum, 'gamma', { gamma: 1, ...exactly }, [10, 6], [-2, 8], 1);
  });
});

describe('one sign of a sum at a time', () => {
  it('zPlus: only the positive term', () => {
    expectRelevance(sum, 'zPlus', exactly, [10, 6], [10, 6]);
    expectRelevance(sum, 'zPlus', exactly, [10, 6], [0, 0], 1);
  });

  it('alphaBeta(2,1): twice to the positive term, once taken from the negative one', () => {
    const params = { alpha: 2, beta: 1, ...exactly };
    expectRelevance(sum, 'alphaBeta', params, [10, 6], [20, 12]);
    expectRelevance(sum, 'alphaBeta', params, [10, 6], [-10, -6], 1);
  });
});

describe('the two rules of captum, which do not look at the sign of x', () => {
  it('captum.gamma(1): positive weights twice; den = (2+8−2+1, −1+4+2−6) = (9, −1)', () => {
    const wanted = [20 / 9 + 6, 80 / 9 - 24, -20 / 9 - 12];
    expectRelevance(dense, 'captum.gamma', { gamma: 1, ...exactly }, R, wanted);
  });

  it('captum.gamma(1) without the bias: den = (8, 5)', () => {
    const wanted = [20 / 8 - 6 / 5, 80 / 8 + 24 / 5, -20 / 8 + 12 / 5];
    expectRelevance(dense, 'captum.gamma', { gamma: 1, ...exactly, zeroBias: true }, R, wanted);
  });

  it('captum.alpha1Beta0: W⁺ alone; den = (1+4−1+1, 2−6) = (5, −4)', () => {
    expectRelevance(dense, 'captum.alpha1Beta0', exactly, R, [2, 8 - 3, -2]);
  });

  it('captum.alpha1Beta0 without the bias: den = (4, 2)', () => {
    const params = { ...exactly, zeroBias: true };
    expectRelevance(dense, 'captum.alpha1Beta0', params, R, [5 / 2, 10 + 6, -5 / 2]);
  });
});

describe('zBox: distances from the bounds, whatever the bias', () => {
  it('(−1, 2): den = (2+6+0, 1+3+6) = (8, 10)', () => {
    const [s, t] = [10 / 8, 6 / 10];
    const params = { low: -1, high: 2, ...exactly };
    expectRelevance(dense, 'zBox', params, R, [2 * s + t, 6 * s + 3 * t, 6 * t]);
  });

  it('bounds by channel: den = (2+4+1, 0+2+2) = (7, 4)', () => {
    const [s, t] = [10 / 7, 6 / 4];
    const params = { low: [-1, 0, -2], high: [1, 2, 0], ...exactly };
    expectRelevance(dense, 'zBox', params, R, [2 * s, 4 * s + 2 * t, s + 2 * t]);
  });

  it('chefer.zBox: between the smallest and the largest of each sample, plain + ε; (−1, 2), then (0, 3)', () => {
    const two = { ...dense, data: { ...dense.data, x: [1, 2, -1, 0, 3, 1] } };
    // Second sample: den = (0+6+1, 3+3+4) = (7, 10)
    const plain = { denominator: 'plain', eps: 1 };
    const wanted = [20 / 9 + 6 / 11, 60 / 9 + 18 / 11, 36 / 11, 3, 6 + 3, 1 + 4];
    expectRelevance(two, 'chefer.zBox', plain, [10, 6, 8, 11], wanted);
  });
});

describe('wSquare: (1, 4, 1) and (1, 1, 4), whatever x', () => {
  it('with b²: den = (6+1, 6+36)', () => {
    expectRelevance(dense, 'wSquare', exactly, R, [10 / 7 + 1 / 7, 40 / 7 + 1 / 7, 10 / 7 + 4 / 7]);
  });

  it('without b²: den = (6, 6)', () => {
    expectRelevance(dense, 'wSquare', { ...exactly, zeroBias: true }, R, [5 / 3 + 1, 20 / 3 + 1, 5 / 3 + 4]);
  });
});

describe('chefer.conv: x⁺ and x⁻ each by a denominator of their own', () => {
  it('α = 1: (1+4) and nothing; 2 and 2, each of which receives all of R: doubled', () => {
    expectRelevance(dense, 'chefer.conv', { alpha: 1, beta: 0, ...exactly }, R, [2, 8 + 6, 6]);
  });

  it('α = 2, β = 1: twice that, less (nothing and −1) and (−1 and nothing)', () => {
    expectRelevance(dense, 'chefer.conv', { alpha: 2, beta: 1, ...exactly }, R, [
      2 * 2 - 6,
      2 * 14,
      2 * 6 - 10,
    ]);
  });

  it('a denominator of 1 more: 10/6; 6/3 twice', () => {
    const params = { alpha: 1, beta: 0, denominator: 'chefer', eps: 1 };
    expectRelevance(dense, 'chefer.conv', params, R, [10 / 6, 40 / 6 + 4, 4]);
  });
});

describe('sums of the original', () => {
  /** z = (2, 1), a = x·R/z = (2, 15), b = (2, −10): one element a sample. */
  const two = worked({ x: ['f32[N,1]', [1, 3]], y: ['f32[N,1]', [1, -2]] }, 'add(%x, %y) : f32[N,1]');

  it('chefer.add, by sample: 4 is shared as 2 to 2, 5 as 15 to 10', () => {
    expectRelevance(two, 'chefer.add', exactly, [4, 5], [2, 3]);
    expectRelevance(two, 'chefer.add', exactly, [4, 5], [2, 2], 1);
  });

  it('chefer.addBatch: 9 is shared as 17 to 8, and b, whose sum is −8, is turned round', () => {
    expectRelevance(two, 'chefer.addBatch', exactly, [4, 5], [(2 * 9) / 25, (15 * 9) / 25]);
    expectRelevance(two, 'chefer.addBatch', exactly, [4, 5], [(2 * -9) / 25, (-10 * -9) / 25], 1);
  });

  it('nothing is left where a branch sums to 0: a = (2, −2)', () => {
    const nothing = worked({ x: ['f32[N,2]', [1, 1]], y: ['f32[N,2]', [0, -2]] }, 'add(%x, %y) : f32[N,2]');
    // z = (1, −1), R = (2, 2): a = (2, −2), b = (0, 4)
    expectRelevance(nothing, 'chefer.add', exactly, [2, 2], [0, 0]);
    expectRelevance(nothing, 'chefer.add', exactly, [2, 2], [0, 4], 1);
  });
});

describe('at a ReLU', () => {
  const relu = worked({ x: ['f32[N,5]', [2, -1, 0, 3, -2]] }, 'relu(%x) : f32[N,5]');
  const arriving = [5, 4, 3, -2, -1];

  it.each([
    ['pass', [5, 4, 3, -2, -1]],
    ['gradient', [5, 0, 0, -2, 0]],
    ['deconv', [5, 4, 3, 0, 0]],
    ['guided', [5, 0, 0, 0, 0]],
  ] as const)('%s', (rule, wanted) => {
    expectRelevance(relu, rule, {}, arriving, wanted);
  });
});

describe('ε times the rms of each sample: 1/den of z = (7, 1), rms 5, and of z = (−2, −14), rms 10', () => {
  const z = [7, 1, -2, -14];
  const given = { x: ['f32[N,2]', [1, 1, 1, 1]], y: ['f32[N,2]', z.map((value) => value - 1)] } as const;
  const add = worked(given, 'add(%x, %y) : f32[N,2]');

  it.each([
    ['signed', [1 / 8, 1 / 2, -1 / 4, -1 / 16]],
    ['clip', [1 / 7, 1, -1 / 2, -1 / 14]],
    ['chefer', [1 / 8, 1 / 2, 1 / 2, -1 / 12]],
    ['zero-only', [1 / 7, 1, -1 / 2, -1 / 14]],
  ])('%s with ε = 1/5: 1 and 2', (denominator, wanted) => {
    expectRelevance(add, 'norm', { denominator, eps: 1 / 5, normScale: true }, [1, 1, 1, 1], wanted);
  });

  it('plain with ε = 2/5: 2 and 4', () => {
    const wanted = [1 / 9, 1 / 3, 1 / 2, -1 / 10];
    expectRelevance(add, 'norm', { denominator: 'plain', eps: 2 / 5, normScale: true }, [1, 1, 1, 1], wanted);
  });

  it('clip with ε = 2/5: 2 and 4', () => {
    const wanted = [1 / 7, 1 / 2, -1 / 4, -1 / 14];
    expectRelevance(add, 'norm', { denominator: 'clip', eps: 2 / 5, normScale: true }, [1, 1, 1, 1], wanted);
  });
});
