// The composites for transformers: AttnLRP and conservative propagation, line by line.
import type { Attrs } from '../ir/graph.js';
import type { Composite, CompositeLine, RuleChoice } from './composite.js';
import type { RuleName } from './rules.js';

const choose = (rule: RuleName, params: Attrs = {}): RuleChoice => ({ rule, params });

/**
 * No stabiliser: R = z ⊙ q all the way, so that R / z = q is as small as z is, and no quotient is left once relevance is
 * computed as a gradient is.
 */
const exact: Attrs = { denominator: 'exact' };

/** The rules of layers. */
export interface LayerChoices {
  readonly conv: RuleChoice;
  readonly dense: RuleChoice;
}

/** The ε-rule with ε → 0. */
export const plainLayers: LayerChoices = { conv: choose('epsilon', exact), dense: choose('epsilon', exact) };

/** The generalised γ-rule, as it is used on vision transformers. */
export const gammaLayers: LayerChoices = {
  conv: choose('gamma', { gamma: 0.25 }),
  dense: choose('gamma', { gamma: 0.05 }),
};

/** The lines that both share: what is no softmax and no product of activations. */
const common = ({ conv, dense }: LayerChoices): Composite => [
  ['convolution', { kind: 'conv' }, conv],
  ['dense', { kind: 'dense' }, dense],
  ['layer norm', { op: 'layer_norm' }, choose('layerNorm', exact)],
  ['RMS norm', { op: 'rms_norm' }, choose('pass')],
  ['preprocessing', { kind: 'preprocess' }, choose('pass')],
  ['structure', { kind: 'route' }, choose('route')],
  ['activation', { kind: 'activation' }, choose('pass')],
  ['constant product', { kind: 'scale' }, choose('pass')],
  ['sum', { kind: ['add', 'mean'] }, choose('norm', exact)],
  ['maximum', { kind: 'max' }, choose('winner')],
];

const softmaxLine = (choice: RuleChoice): CompositeLine => ['softmax', { op: 'softmax' }, choice];

/** AttnLRP: softmax by its Taylor expansion, equal parts to the factors of a product. */
export const attnLrp = (layers: LayerChoices): Composite => [
  softmaxLine(choose('softmax')),
  ['matrix product', { kind: 'product', op: 'einsum' }, choose('norm', { ...exact, share: 0.5 })],
  ['gate', { kind: 'product', op: 'mul' }, choose('uniform')],
  ...common(layers),
];

/** Conservative propagation: attention weights and gates are constants. */
export const cpLrp = (layers: LayerChoices): Composite => [
  softmaxLine(choose('stop')),
  ['product', { kind: 'product' }, choose('signal', exact)],
  ...common(layers),
];
