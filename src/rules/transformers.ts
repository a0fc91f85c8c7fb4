// Presets for transformers: AttnLRP and conservative propagation, line by line.
import type { Attrs } from '../ir/graph.js';
import type { Composite, RuleChoice } from './composite.js';
import { choose, line, type Preset, preset } from './preset.js';

/**
 * No stabiliser: R = z ⊙ q all the way, so that R / z = q is as small as z is, and no quotient is left once relevance is
 * computed as a gradient is.
 */
const exact: Attrs = { denominator: 'exact' };

/** The rules of layers. */
interface LayerChoices {
  readonly conv: RuleChoice;
  readonly dense: RuleChoice;
}

/** The ε-rule with ε → 0. */
const plainLayers: LayerChoices = { conv: choose('epsilon', exact), dense: choose('epsilon', exact) };

/** The generalised γ-rule, as it is used on vision transformers. */
const gammaLayers: LayerChoices = {
  conv: choose('gamma', { gamma: 0.25 }),
  dense: choose('gamma', { gamma: 0.05 }),
};

/** The lines that both share: what is no softmax and no product of activations. */
const common = ({ conv, dense }: LayerChoices): Composite => [
  line('convolution', { kind: 'conv' }, conv),
  line('dense', { kind: 'dense' }, dense),
  line('layer norm', { op: 'layer_norm' }, choose('layerNorm', exact)),
  line('RMS norm', { op: 'rms_norm' }, choose('pass')),
  line('preprocessing', { kind: 'preprocess' }, choose('pass')),
  line('structure', { kind: 'route' }, choose('route')),
  line('activation', { kind: 'activation' }, choose('pass')),
  line('constant product', { kind: 'scale' }, choose('pass')),
  line('sum', { kind: ['add', 'mean'] }, choose('norm', exact)),
  line('maximum', { kind: 'max' }, choose('winner')),
];

/** AttnLRP: softmax by its Taylor expansion, equal parts to the factors of a product. */
const attnLrp = (layers: LayerChoices): Composite => [
  line('softmax', { op: 'softmax' }, choose('softmax')),
  line('matrix product', { kind: 'product', op: 'einsum' }, choose('norm', { ...exact, share: 0.5 })),
  line('gate', { kind: 'product', op: 'mul' }, choose('uniform')),
  ...common(layers),
];

/** Conservative propagation: attention weights and gates are constants. */
const cpLrp = (layers: LayerChoices): Composite => [
  line('softmax', { op: 'softmax' }, choose('stop')),
  line('product', { kind: 'product' }, choose('signal', exact)),
  ...common(layers),
];

const attnLrpSource = 'Achtibat et al., ICML 2024; lxt';
const cpLrpSource = 'Ali et al., ICML 2022; lxt';

export const transformerPresets: readonly Preset[] = [
  preset(
    'attnlrp',
    'for transformers: softmax by its Taylor expansion, equal parts to the factors of a product, ε elsewhere',
    attnLrpSource,
    attnLrp(plainLayers),
  ),
  preset(
    'attnlrp-gamma',
    'attnlrp with γ on convolutions and dense layers',
    attnLrpSource,
    attnLrp(gammaLayers),
  ),
  preset(
    'cp-lrp',
    'for transformers: attention weights, gates and deviations are constants, ε elsewhere',
    cpLrpSource,
    cpLrp(plainLayers),
  ),
  preset('cp-lrp-gamma', 'cp-lrp with γ on convolutions and dense layers', cpLrpSource, cpLrp(gammaLayers)),
];
