// How the recorded runs of whole models are said here: a preset, some of its rules replaced.
import type { Attrs } from '../../../src/ir/graph.js';
import type { CompositeLine, Match, RuleChoice } from '../../../src/rules/composite.js';
import type { RuleName } from '../../../src/rules/rules.js';

export interface Expression {
  readonly preset: string;
  /** Put before the preset's own lines. */
  readonly first?: readonly CompositeLine[];
  readonly replaced?: Partial<Record<RuleName, RuleChoice>>;
  /** Between which numbers the inputs lie. */
  readonly range?: readonly [low: number, high: number];
}

export type Expressions = Readonly<Record<string, Expression>>;

const signed: Attrs = { denominator: 'signed', eps: 1e-6 };
const zeroBias: Attrs = { ...signed, zeroBias: true };
const rule = (name: RuleName, params: Attrs): RuleChoice => ({ rule: name, params });

/** One rule on every affine layer. */
const everywhere = (name: RuleName, params: Attrs): Expression => ({
  preset: 'epsilon',
  replaced: { epsilon: rule(name, params) },
});

/** One rule on the first layer, ε on all others. */
const firstLayer = (name: RuleName, params: Attrs): Expression => ({
  preset: 'epsilon',
  first: [['first layer', { kind: ['conv', 'dense'], first: true }, rule(name, params)]],
});

const epsilonPlus = (params: Attrs): Expression => ({
  preset: 'epsilon-plus',
  replaced: { epsilon: rule('epsilon', params) },
});

/** zennit's composites and single rules, by a run's id without the part after `@`. */
export const zennit: Expressions = {
  EpsilonPlus: { preset: 'epsilon-plus' },
  EpsilonPlusFlat: { preset: 'epsilon-plus-flat' },
  EpsilonAlpha2Beta1: { preset: 'epsilon-alpha2-beta1' },
  EpsilonAlpha2Beta1Flat: { preset: 'epsilon-alpha2-beta1-flat' },
  EpsilonGammaBox: { preset: 'epsilon-gamma-box', range: [-3, 3] },
  ExcitationBackprop: { preset: 'excitation-backprop' },
  GuidedBackprop: { preset: 'guided-backprop' },
  DeconvNet: { preset: 'deconvnet' },
  'EpsilonPlus(epsilon=0.25)': epsilonPlus({ ...signed, eps: 0.25 }),
  'EpsilonPlus(zero_params=bias)': {
    preset: 'epsilon-plus',
    replaced: { epsilon: rule('epsilon', zeroBias), zPlus: rule('zPlus', zeroBias) },
  },
  'EpsilonPlus(norm_scale)': epsilonPlus({ denominator: 'signed', eps: 0.1, normScale: true }),
  'EpsilonPlus(clip)': epsilonPlus({ denominator: 'clip', eps: 0.1 }),
  Epsilon: { preset: 'epsilon' },
  'Epsilon(0.25)': everywhere('epsilon', { ...signed, eps: 0.25 }),
  'Gamma(0.25)': everywhere('gamma', { gamma: 0.25, ...signed }),
  ZPlus: everywhere('zPlus', signed),
  'AlphaBeta(2,1)': everywhere('alphaBeta', { alpha: 2, beta: 1, ...signed }),
  'AlphaBeta(1,0)': everywhere('alphaBeta', { alpha: 1, beta: 0, ...signed }),
  WSquare: everywhere('wSquare', signed),
  Flat: everywhere('flat', signed),
  'first:WSquare,rest:Epsilon': firstLayer('wSquare', signed),
  'first:ZBox,rest:Epsilon': firstLayer('zBox', { low: -3, high: 3, ...signed }),
  gradient: { preset: 'gradient' },
};

const captumSigned: Attrs = { denominator: 'signed', eps: 1e-9 };

/** captum's rule on convolutions, or on every affine layer; ε on all others. */
const captumOn = (kind: Match['kind'], name: RuleName, params: Attrs): Expression => ({
  preset: 'captum',
  first: [['chosen layers', { kind: kind! }, rule(name, { ...captumSigned, ...params })]],
});

export const captum: Expressions = {
  'default(Epsilon 1e-9)': { preset: 'captum' },
  'default argmin': { preset: 'captum' },
  'Epsilon(0.25) all': {
    preset: 'captum',
    replaced: {
      epsilon: rule('epsilon', { ...captumSigned, eps: 0.25 }),
      norm: rule('norm', { ...captumSigned, eps: 0.25 }),
    },
  },
  'Gamma(0.25) conv': captumOn('conv', 'captum.gamma', { gamma: 0.25 }),
  'Gamma(0.25,set_bias_to_zero) conv+linear': captumOn(['conv', 'dense'], 'captum.gamma', {
    gamma: 0.25,
    zeroBias: true,
  }),
  'Alpha1_Beta0 conv': captumOn('conv', 'captum.alpha1Beta0', {}),
  'Alpha1_Beta0(set_bias_to_zero) conv+linear': captumOn(['conv', 'dense'], 'captum.alpha1Beta0', {
    zeroBias: true,
  }),
};
