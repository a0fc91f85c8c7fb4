// Seeds, worked by hand: contrast with the runner-up or a named class, all scores, a given tensor.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { parse } from '../../src/ir/parse.js';
import { type TensorData, tensor, type Weights } from '../../src/ir/tensor.js';
import { explain } from '../../src/rules/explanation.js';
import { presetNamed, type Seed } from '../../src/rules/presets.js';
import { againstInput, isSeedInput, targetInput, tensorInput } from '../../src/rules/seed.js';
import { dialect, exact, lower, relativeError, withDenominator } from './support.js';

/** x = (1, 2) scores (9, −8, 9) with contributions (1, 8), (2, −10), (−3, 12). */
const linear = parse(
  `graph @linear {
    %x = input() : f32[N,2]
    %w = param() {key="w"} : f32[2,3]
    %y = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,3]
    return %y
  }`,
  forward,
);
const weights: Weights = new Map([['w', tensor([2, 3], [1, 2, -3, 4, -5, 6])]]);
const epsilon = withDenominator(presetNamed('epsilon'), { denominator: 'exact' });

interface Asked {
  readonly seed: Seed;
  readonly target?: number;
  readonly against?: number;
  readonly relevance?: readonly number[];
  readonly preset?: typeof epsilon;
  readonly x?: readonly number[];
}

function found({ seed, target = -1, against = -1, relevance, preset = epsilon, x = [1, 2] }: Asked) {
  const graph = lower(explain(linear, dialect, { preset, seed }).graph);
  const samples = x.length / 2;
  const index = (value: number) => tensor([samples], new Array<number>(samples).fill(value), 'i32');
  const inputs: Record<string, TensorData> = {
    x: exact([samples, 2], x),
    [targetInput]: index(target),
    ...(seed === 'contrast' ? { [againstInput]: index(against) } : {}),
    ...(relevance === undefined ? {} : { [tensorInput]: exact([samples, 3], relevance) }),
  };
  const { start, target: chosen, ...rest } = evaluate(graph, dialect, inputs, weights);
  return { start: [...start!.data], target: [...chosen!.data], relevance: rest['relevance.x']!.data };
}

function expectSeed(asked: Asked, start: number, wanted: readonly number[]): void {
  const result = found(asked);
  expect(result.start).toEqual([start]);
  expect(relativeError(result.relevance, wanted)).toBeLessThan(1e-15);
}

describe('contrast', () => {
  it('the target’s score less that of the strongest other class: (1, 8) − (−3, 12)', () => {
    expectSeed({ seed: 'contrast' }, 0, [4, -4]);
    expectSeed({ seed: 'contrast', target: 0 }, 0, [4, -4]);
  });

  it('of equal others, the first: (2, −10) − (1, 8)', () => {
    expectSeed({ seed: 'contrast', target: 1 }, -17, [1, -18]);
  });

  it('less that of a named class: (1, 8) − (2, −10)', () => {
    expectSeed({ seed: 'contrast', target: 0, against: 1 }, 17, [-1, 18]);
    expectSeed({ seed: 'contrast', target: 1, against: 2 }, -17, [5, -22]);
  });

  it('of a class with itself is nothing', () => {
    expectSeed({ seed: 'contrast', target: 1, against: 1 }, 0, [0, 0]);
  });

  it('as a gradient: (1, 4) − (−3, 6), in no units', () => {
    expectSeed({ seed: 'contrast', preset: presetNamed('gradient') }, 0, [4, -2]);
  });

  it('is the difference of two explanations', () => {
    const [a, b, both] = [
      found({ seed: 'logit', target: 0 }),
      found({ seed: 'logit', target: 1 }),
      found({ seed: 'contrast', target: 0, against: 1 }),
    ].map(({ relevance }) => relevance);
    expect(
      relativeError(
        both!,
        Array.from(a!, (value, i) => value - b![i]!),
      ),
    ).toBeLessThan(1e-15);
  });

  it('looks for the runner-up in each sample: (1, −1) scores (−3, 7, −9), so (2, 5) − (1, −4)', () => {
    const { target, relevance } = found({ seed: 'contrast', x: [1, 2, 1, -1] });
    expect(target).toEqual([0, 1]);
    expect(relativeError(relevance, [4, -4, 1, 9])).toBeLessThan(1e-15);
  });

  it('has nothing to say against a runner-up whose score is 0: (2, 1) scores (6, −1, 0)', () => {
    expectSeed({ seed: 'contrast', x: [2, 1] }, 6, [2, 4]);
  });
});

describe('outputs', () => {
  it('all scores at once: (1, 8) + (2, −10) + (−3, 12)', () => {
    expectSeed({ seed: 'outputs' }, 10, [0, 10]);
  });

  it('as a gradient: Σ z_c ∇z_c = 9(1, 4) − 8(2, −5) + 9(−3, 6)', () => {
    expectSeed({ seed: 'outputs', preset: presetNamed('gradient') }, 10, [-34, 130]);
  });
});

describe('tensor', () => {
  it('whatever is given: 9 at class 0, −8 at class 1, half of 9 at class 2', () => {
    expectSeed({ seed: 'tensor', relevance: [9, -8, 9 / 2] }, 11 / 2, [3 - 3 / 2, -2 + 6]);
  });

  it('of zeros is nothing; of the scores is `outputs`', () => {
    expectSeed({ seed: 'tensor', relevance: [0, 0, 0] }, 0, [0, 0]);
    expectSeed({ seed: 'tensor', relevance: [9, -8, 9] }, 10, [0, 10]);
  });
});

it('one and logit differ by the factor of the score', () => {
  expectSeed({ seed: 'logit', target: 2 }, 9, [-3, 12]);
  expectSeed({ seed: 'one', target: 2 }, 1, [-1 / 3, 4 / 3]);
});

it('the inputs of seeds are told from those of models', () => {
  expect([targetInput, againstInput, tensorInput].every(isSeedInput)).toBe(true);
  expect(['x', 'seed', 'seed.scores', 'target'].some(isSeedInput)).toBe(false);
});
