// Names of rules: each of the literature's and of other projects leads to the rule of that formula, or to none.
import { describe, expect, it } from 'vitest';
import { namesOf, ruleNamed, ruleTable } from '../../src/rules/rules.js';

const names = Object.entries(ruleTable).flatMap(([own, rule]) =>
  namesOf(own, rule).map((name) => [name, own] as const),
);

describe('a rule', () => {
  it.each(names)('%s is %s', (name, own) => {
    expect(ruleNamed(name)).toBe(own);
  });

  it('is found whatever the case and the dashes', () => {
    for (const name of ['alpha_beta', 'alpha-beta', 'ALPHABETA', 'AlphaBeta']) {
      expect(ruleNamed(name)).toBe('alphaBeta');
    }
  });

  it.each([
    ['the Greek letter makes the name: γ is not ε', 'LRP-γ'],
    ['a name without a rule', 'LRP'],
    ['captum’s Alpha1_Beta0_Rule and iNNvestigate’s Alpha1Beta0Rule differ where x < 0', 'alpha1-beta0-rule'],
  ])('is not guessed: %s', (_why, name) => {
    expect(ruleNamed(name)).toBeUndefined();
  });
});
