// Presets: the named composites of the literature, each ending in the base that all share.
import { RelcError } from '../ir/error.js';
import { attentionPresets } from './attention/presets.js';
import { cheferDense, cheferRest } from './chefer.js';
import type { Composite, RuleChoice } from './composite.js';
import { signedSmall } from './formulas/quotients.js';
import { choose, everything, line, type Preset, preset } from './preset.js';
import { resolved } from './resolve.js';
import { plainName, type RuleName, ruleTable } from './rules.js';
import { transformerPresets } from './transformers.js';

export { type Preset, prefixes, type Result, results, type Seed, seeds } from './preset.js';

/**
 * The base: rules on which the literature agrees. Products of activations, softmax, exponentials and divisions have
 * no single answer and are not in it: a composite names them, or compile refuses.
 */
export const base: Composite = resolved(
  [
    line('preprocessing', { kind: 'preprocess' }, choose('pass')),
    line('structure', { kind: 'route' }, choose('route')),
    line('activation', { kind: 'activation' }, choose('pass')),
    line('constant product', { kind: 'scale' }, choose('pass')),
    line('sum', { kind: ['add', 'mean'] }, choose('norm')),
    line('maximum', { kind: 'max' }, choose('winner')),
  ],
  ruleTable,
);

const epsilon = choose('epsilon');
const zPlus = choose('zPlus');
const alpha2Beta1 = choose('alphaBeta', { alpha: 2, beta: 1 });
const affine = ['conv', 'dense'] as const;
const flatFirst = line('first layer', { kind: affine, first: true }, choose('flat'));

const convAndDense = (conv: RuleChoice, dense: RuleChoice): Composite => [
  line('convolution', { kind: 'conv' }, conv),
  line('dense', { kind: 'dense' }, dense),
];

/** captum's ε-rule, also on pools, sums and batch normalization that could not be merged. */
const captumRest: Composite = [
  line('preprocessing', { kind: 'preprocess' }, choose('pass')),
  line('structure', { kind: 'route' }, choose('route')),
  line('activation', { kind: 'activation' }, choose('pass')),
  line('PropertyRule', { kind: ['scale', 'add', 'mean', 'max'] }, choose('norm', signedSmall)),
];

const atRelu = (rule: RuleName): Composite => [line('ReLU', { op: 'relu' }, choose(rule)), ...everything];

const gradients = { seed: 'one', quantity: 'gradient' } as const;

const relevancePresets: readonly Preset[] = [
  preset('epsilon', 'the ε-rule on every affine layer', 'Bach et al., 2015', [
    line('affine', { kind: affine }, epsilon),
    ...base,
  ]),
  preset('epsilon-plus', 'z⁺ on convolutions, ε on dense layers', 'zennit EpsilonPlus', [
    ...convAndDense(zPlus, epsilon),
    ...base,
  ]),
  preset('epsilon-plus-flat', 'epsilon-plus, the first layer flat', 'zennit EpsilonPlusFlat', [
    flatFirst,
    ...convAndDense(zPlus, epsilon),
    ...base,
  ]),
  preset('epsilon-alpha2-beta1', 'α2β1 on convolutions, ε on dense layers', 'zennit EpsilonAlpha2Beta1', [
    ...convAndDense(alpha2Beta1, epsilon),
    ...base,
  ]),
  preset(
    'epsilon-alpha2-beta1-flat',
    'epsilon-alpha2-beta1, the first layer flat',
    'zennit EpsilonAlpha2Beta1Flat',
    [flatFirst, ...convAndDense(alpha2Beta1, epsilon), ...base],
  ),
  preset(
    'epsilon-gamma-box',
    'γ on convolutions, ε on dense layers, zB on the first convolution; needs the range of the input',
    'zennit EpsilonGammaBox',
    [
      line('first convolution', { kind: 'conv', first: true }, choose('zBox')),
      ...convAndDense(choose('gamma'), epsilon),
      ...base,
    ],
  ),
  preset(
    'excitation-backprop',
    'z⁺ on every affine layer; activations keep their derivative',
    'Zhang et al., ECCV 2016; zennit ExcitationBackprop',
    [
      line('affine', { kind: affine }, zPlus),
      line('activation', { kind: 'activation' }, choose('gradient')),
      ...base,
    ],
  ),
  preset('captum', 'the ε-rule with 1e-9 on layers, pools and sums', 'captum LRP', [
    line('affine', { kind: affine }, choose('epsilon', signedSmall)),
    ...captumRest,
  ]),
  ...transformerPresets,
  preset(
    'chefer',
    'the relprop layers of Transformer-Explainability, sums per sample, one denominator a convolution',
    'Chefer et al., CVPR 2021',
    [line('Dense, Conv', { kind: affine }, cheferDense()), ...cheferRest('chefer.add')],
    { seed: 'one' },
  ),
  preset(
    'chefer-original',
    'the same as published: sums over the whole batch, two denominators a convolution, zB on a first one',
    'Chefer et al., CVPR 2021',
    [
      line('Conv, first', { kind: 'conv', first: true }, choose('chefer.zBox')),
      line('Conv', { kind: 'conv' }, choose('chefer.conv')),
      line('Dense', { kind: 'dense' }, cheferDense()),
      ...cheferRest('chefer.addBatch'),
    ],
    { seed: 'one' },
  ),
];

const gradientPresets: readonly Preset[] = [
  preset('gradient', 'the derivative of the target', 'Simonyan et al., 2013', everything, gradients),
  preset('gradient-times-input', 'the derivative times the input', 'Shrikumar et al., 2016', everything, {
    ...gradients,
    result: 'times input',
  }),
  preset(
    'guided-backprop',
    'the derivative, negative parts cut at every ReLU',
    'Springenberg et al., 2014; zennit GuidedBackprop',
    atRelu('guided'),
    gradients,
  ),
  preset(
    'deconvnet',
    'the transposed network, with a ReLU on the way back',
    'Zeiler and Fergus, ECCV 2014; zennit DeconvNet',
    atRelu('deconv'),
    gradients,
  ),
  preset(
    'grad-cam',
    'the channels of one layer, weighted by their mean derivative, at the size of the input',
    'Selvaraju et al., ICCV 2017',
    everything,
    { ...gradients, result: 'grad-cam' },
  ),
];

/** All presets by name, in the order in which they are listed to users. */
export const presets: ReadonlyMap<string, Preset> = new Map(
  [...relevancePresets, ...gradientPresets, ...attentionPresets].map((entry) => [entry.name, entry]),
);

/** The preset that is meant where none is named. */
export const defaultRules = 'epsilon-plus';

/** @throws RelcError RELC3003 with the names there are; `EpsilonPlus`, `epsilonPlus` and `epsilon-plus` are one name */
export function presetNamed(name: string): Preset {
  const wanted = plainName(name);
  const preset = presets.get(name) ?? [...presets.values()].find((own) => plainName(own.name) === wanted);
  if (preset !== undefined) return preset;
  throw new RelcError(
    'RELC3003',
    `no preset is called '${name}'`,
    `presets: ${[...presets.keys()].join(', ')}`,
  );
}
