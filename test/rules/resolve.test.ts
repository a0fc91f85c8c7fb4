// Resolution: rules and presets by any of their names, parameters by their defaults, what is refused, and zB's range.
import { describe, expect, it } from 'vitest';
import type { Interval } from '../../src/ir/analyses/interval.js';
import type { Node } from '../../src/ir/graph.js';
import type { Composite, CompositeLine, RuleChoice } from '../../src/rules/composite.js';
import { presetNamed, presets } from '../../src/rules/presets.js';
import { boundedParams, leavesBounds, resolved } from '../../src/rules/resolve.js';
import { ruleNamed, ruleTable } from '../../src/rules/rules.js';
import { refusal } from './support.js';

const resolve = (choice: RuleChoice) => resolved([['mine', {}, choice]], ruleTable)[0]![2];
const refused = (choice: RuleChoice) => refusal(() => resolve(choice));

describe('the names of rules', () => {
  it.each([
    ['zPlus', 'zPlus'],
    ['ZPlus', 'zPlus'],
    ['z_plus', 'zPlus'],
    ['z-plus', 'zPlus'],
    ['Epsilon', 'epsilon'],
    ['EpsilonRule', 'epsilon'],
    ['LRP-0', 'zero'],
    ['LRP-ε', 'epsilon'],
    ['Gamma', 'gamma'],
    ['GeneralizedGammaRule', 'gamma'],
    ['GammaRule', 'captum.gamma'],
    ['Alpha1_Beta0_Rule', 'captum.alpha1Beta0'],
    ['AlphaBeta', 'alphaBeta'],
    ['ZBox', 'zBox'],
    ['Norm', 'norm'],
    ['IdentityRule', 'pass'],
    ['RelPropSimple', 'norm'],
    ['Chefer.Add', 'chefer.add'],
  ])('%s is %s', (name, rule) => {
    expect(ruleNamed(name)).toBe(rule);
  });

  it('a name that differs in a letter, of whatever script, is another name', () => {
    for (const name of ['LRP-α', 'LRP-γ', 'LRP', 'ε', '', '-', 'cheferadd', 'constructor']) {
      expect(ruleNamed(name), name).toBeUndefined();
    }
  });
});

describe('resolution', () => {
  it('states the defaults of a rule where a line leaves them out', () => {
    expect(resolve({ rule: 'ZPlus' })).toEqual({
      rule: 'zPlus',
      params: { denominator: 'signed', eps: 1e-6 },
    });
    expect(resolve({ rule: 'alphaBeta', params: { alpha: 1, beta: 0 } }).params).toEqual({
      alpha: 1,
      beta: 0,
      denominator: 'signed',
      eps: 1e-6,
    });
    expect(resolve({ rule: 'GammaRule', params: { gamma: 1 } }).params).toMatchObject({
      gamma: 1,
      eps: 1e-9,
    });
    // There is no ε in an exact denominator
    expect(resolve({ rule: 'flat', params: { denominator: 'exact' } }).params).toEqual({
      denominator: 'exact',
    });
    expect(resolve({ rule: 'pass' })).toEqual({ rule: 'pass', params: {} });
  });

  it('returns a line that states all as it is, so that resolving twice changes nothing', () => {
    const [line] = resolved([['mine', {}, { rule: 'ZPlus' }]], ruleTable);
    expect(resolved([line!], ruleTable)[0]).toBe(line);
  });

  it('RELC3006: a rule that is not there, with those of near names, or all', () => {
    const near = refused({ rule: 'alphaBetta' });
    expect(near.code).toBe('RELC3006');
    expect(near.detail).toBe("line 'mine' of the composite: there is no rule 'alphaBetta'");
    expect(near.hint).toBe('rules: alphaBeta');
    expect(refused({ rule: 'gama' }).hint).toContain('gamma');
    expect(refused({ rule: 'box' }).hint).toBe('rules: zBox, chefer.zBox');
    expect(refused({ rule: 'xyz' }).hint).toBe(`rules: ${Object.keys(ruleTable).join(', ')}`);
  });

  it.each<[RuleChoice, string]>([
    [{ rule: 'epsilon', params: { gamma: 1 } }, 'gamma'],
    [{ rule: 'pass', params: { eps: 1 } }, 'eps'],
    [{ rule: 'epsilon', params: { eps: 'small' } }, 'eps'],
    [{ rule: 'epsilon', params: { eps: 0 } }, 'eps is 0, expected a number above 0'],
    [{ rule: 'epsilon', params: { denominator: 'none' } }, 'denominator is "none"'],
    [{ rule: 'gamma', params: { gamma: -1 } }, 'gamma is -1, expected a number that is not below 0'],
    [{ rule: 'alphaBeta', params: { alpha: 2, beta: 0 } }, 'expected α − β = 1'],
    [{ rule: 'chefer.conv', params: { alpha: 2 } }, 'expected α − β = 1'],
  ])('RELC3004: %j', (choice, reason) => {
    const error = refused(choice);
    expect(error.code).toBe('RELC3004');
    expect(error.detail).toContain(`line 'mine' of the composite, rule ${choice.rule}: `);
    expect(error.message).toContain(reason);
  });
});

describe('the range of the input', () => {
  const node: Node = {
    name: 'z',
    op: 'conv',
    args: ['x', 'w'],
    attrs: {},
    type: { dtype: 'f32', shape: ['N', 2, 2, 1] },
    loc: {},
  };
  const withBox = (params: RuleChoice['params'], range?: Interval) => {
    const composite: Composite = [
      ['first', { first: true }, { rule: 'zBox', params: params! }],
      ['rest', {}, { rule: 'gradient', params: {} }],
    ];
    return composite.map((line) => boundedParams(line, node, { range, boundsOf: (_value, own) => own }));
  };

  it('is stated where a line leaves it to the input, one number or one a channel', () => {
    expect(withBox({ eps: 1 }, [0, 1])).toEqual([{ eps: 1, low: 0, high: 1 }, {}]);
    const byChannel: Interval = [
      [-1, -2],
      [1, 2],
    ];
    expect(withBox({}, byChannel)[0]).toEqual({ low: [-1, -2], high: [1, 2] });
  });

  it('gives way to what a line states', () => {
    expect(withBox({ low: -3, high: 3 }, [0, 1])[0]).toEqual({ low: -3, high: 3 });
    expect(withBox({ low: -3 }, [0, 1])[0]).toEqual({ low: -3, high: 1 });
    expect(withBox({ high: 3 }, [0, 1])[0]).toEqual({ low: 0, high: 3 });
    expect(withBox({ low: -3, high: 3 })[0]).toEqual({ low: -3, high: 3 });
  });

  it('RELC3004 where zB is to be used without', () => {
    const error = refusal(() => withBox({ low: 0 }));
    expect([error.code, error.detail]).toEqual([
      'RELC3004',
      "line 'first' of the composite: zBox on %z = conv has to know the smallest and the largest value of the input",
    ]);
    expect(error.hint).toContain('range: [low, high]');
  });

  it('RELC3004 where the bounds are exchanged, for all channels or for one', () => {
    for (const [low, high] of [
      [1, 0],
      [[0, 1, 0], 0.5],
      [
        [0, 0],
        [1, -1],
      ],
    ]) {
      const error = refused({ rule: 'zBox', params: { low: low!, high: high! } });
      expect([error.code, error.detail.includes('expected low ≤ high')]).toEqual(['RELC3004', true]);
    }
    expect(withBox({ low: 0, high: 0 })[0]).toEqual({ low: 0, high: 0 });
  });

  it('RELC3004 where nothing is known of what the layer takes', () => {
    const line: CompositeLine = ['first', {}, { rule: 'zBox' }];
    const error = refusal(() => boundedParams(line, node, { range: [0, 1], boundsOf: () => undefined }));
    expect([error.code, error.detail]).toEqual([
      'RELC3004',
      "line 'first' of the composite: the smallest and the largest value of %x, which %z = conv takes, do not follow from those of the input",
    ]);
  });

  it('is asked of no other rule', () => {
    for (const preset of presets.values()) {
      if (preset.name === 'epsilon-gamma-box') continue;
      expect(preset.composite.some(leavesBounds)).toBe(false);
    }
  });
});

describe('the names of presets', () => {
  it.each([
    ['epsilon-plus', 'epsilon-plus'],
    ['EpsilonPlus', 'epsilon-plus'],
    ['epsilonPlusFlat', 'epsilon-plus-flat'],
    ['EpsilonAlpha2Beta1Flat', 'epsilon-alpha2-beta1-flat'],
    ['epsilon_gamma_box', 'epsilon-gamma-box'],
    ['GuidedBackprop', 'guided-backprop'],
    ['DeconvNet', 'deconvnet'],
    ['gradCAM', 'grad-cam'],
    ['gradientTimesInput', 'gradient-times-input'],
    ['CHEFER', 'chefer'],
  ])('%s is %s', (name, preset) => {
    expect(presetNamed(name).name).toBe(preset);
  });

  it('RELC3003 with the names there are', () => {
    const error = refusal(() => presetNamed('epsilon-minus'));
    expect([error.code, error.detail]).toEqual(['RELC3003', "no preset is called 'epsilon-minus'"]);
    expect(error.hint).toBe(`presets: ${[...presets.keys()].join(', ')}`);
    expect(refusal(() => presetNamed('')).code).toBe('RELC3003');
  });
});
