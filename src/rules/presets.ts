// Presets: the named composites of the literature, each ending in the base that all share.
import type { Attrs } from '../ir/graph.js';
import type { Composite, CompositeLine, Match, RuleChoice } from './composite.js';
import type { RuleName } from './rules.js';

/** What relevance starts as: the target's logit, or 1. */
export type Seed = 'logit' | 'one';

export interface Preset {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly composite: Composite;
  readonly seed: Seed;
  /** Put before the names of relevances. */
  readonly prefix: string;
  /** Multiply what arrives at the input by the input. */
  readonly timesInput: boolean;
}

const choose = (rule: RuleName, params: Attrs = {}): RuleChoice => ({ rule, params });

/** The stabiliser of zennit: ε = 1e-6, with the sign of z. */
const signed: Attrs = { eps: 1e-6, denominator: 'signed' };
/** The stabiliser of Chefer et al.: 1e-9 and no bias in the denominator. */
const chefer: Attrs = { eps: 1e-9, denominator: 'chefer' };

const line = (name: string, match: Match, choice: RuleChoice): CompositeLine => [name, match, choice];

/**
 * The base: rules on which the literature agrees. Products of activations, softmax, exponentials and divisions have
 * no single answer and are not in it: a composite names them, or compile refuses.
 */
export const base: Composite = [
  line('preprocessing', { kind: 'preprocess' }, choose('pass')),
  line('structure', { kind: 'route' }, choose('route')),
  line('activation', { kind: 'activation' }, choose('pass')),
  line('constant product', { kind: 'scale' }, choose('pass')),
  line('sum', { kind: ['add', 'mean'] }, choose('norm', signed)),
  line('maximum', { kind: 'max' }, choose('winner')),
];

const epsilon = choose('epsilon', signed);
const zPlus = choose('zPlus', signed);
const alpha2Beta1 = choose('alphaBeta', { alpha: 2, beta: 1, ...signed });
const flatFirst = line('first layer', { kind: ['conv', 'dense'], first: true }, choose('flat', signed));

const convAndDense = (conv: RuleChoice, dense: RuleChoice): Composite => [
  line('convolution', { kind: 'conv' }, conv),
  line('dense', { kind: 'dense' }, dense),
];

/** In the `chefer` dialect every op but affine layers, sums and non-linearities is RelPropSimple. */
const cheferSimple = choose('norm', chefer);
const cheferLines: Composite = [
  line(
    'Dense, Conv',
    { kind: ['conv', 'dense'] },
    choose('alphaBeta', { alpha: 1, beta: 0, zeroBias: true, ...chefer }),
  ),
  line('RelProp', { kind: ['activation', 'softmax', 'preprocess', 'scale'] }, choose('pass')),
  line('MatMul', { kind: 'product' }, cheferSimple),
  line('Add', { op: 'add' }, choose('cheferAdd', chefer)),
  line('IndexSelect', { op: 'gather' }, cheferSimple),
  line('Cat', { op: 'concat' }, cheferSimple),
  line('pool', { kind: ['max', 'mean'] }, cheferSimple),
  line('structure', { kind: 'route' }, choose('route')),
];

const everything: Composite = [line('derivative', {}, choose('gradient'))];

function preset(
  name: string,
  summary: string,
  source: string,
  composite: Composite,
  more: Partial<Preset> = {},
) {
  const defaults = { seed: 'logit', prefix: 'r.', timesInput: false } as const;
  return { name, summary, source, composite, ...defaults, ...more };
}

const gradients = { seed: 'one', prefix: 'g.' } as const;

const presetList: readonly Preset[] = [
  preset('epsilon', 'the ε-rule on every affine layer', 'Bach et al., 2015', [
    line('affine', { kind: ['conv', 'dense'] }, epsilon),
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
    'chefer',
    'the relprop layers of Transformer-Explainability',
    'Chefer et al., CVPR 2021',
    cheferLines,
    {
      seed: 'one',
    },
  ),
  preset('gradient', 'the derivative of the target', 'Simonyan et al., 2013', everything, gradients),
  preset('gradient-times-input', 'the derivative times the input', 'Shrikumar et al., 2016', everything, {
    ...gradients,
    timesInput: true,
  }),
];

/** All presets by name, in the order in which they are listed to users. */
export const presets: ReadonlyMap<string, Preset> = new Map(presetList.map((entry) => [entry.name, entry]));
