// The presets in families: the order in which docs and sheet show them.
import { presets } from '../src/rules/presets.js';

export interface Family {
  readonly title: string;
  readonly presets: readonly string[];
  /** Methods that explain a transformer's tokens: no picture of a convolutional network shows them. */
  readonly ofTokens?: true;
}

export const families: readonly Family[] = [
  {
    title: 'shares in proportion to contributions',
    presets: ['epsilon', 'captum', 'epsilon-gamma-box'],
  },
  {
    title: 'positive and negative contributions apart',
    presets: ['epsilon-plus', 'epsilon-plus-flat', 'epsilon-alpha2-beta1', 'epsilon-alpha2-beta1-flat'],
  },
  {
    title: 'positive contributions throughout',
    presets: ['excitation-backprop', 'chefer', 'chefer-original'],
  },
  {
    title: 'for transformers',
    presets: ['attnlrp', 'attnlrp-gamma', 'cp-lrp', 'cp-lrp-gamma'],
  },
  {
    title: 'channels of one layer',
    presets: ['grad-cam'],
  },
  {
    title: 'derivatives',
    presets: ['gradient', 'gradient-times-input', 'guided-backprop', 'deconvnet'],
  },
  {
    title: 'attention matrices of transformers',
    presets: [
      'transformer-attribution',
      'rollout',
      'last-layer',
      'last-layer-ablation',
      'second-layer',
      'second-layer-ablation',
      'full',
      'last-layer-attn',
      'attention-rollout',
      'gradient-attention',
      'attention-grad-cam',
    ],
    ofTokens: true,
  },
];

/** Presets that stand in no family, and names in families that are no presets. */
export function misplacedPresets(): readonly string[] {
  const placed = families.flatMap((family) => family.presets);
  const missing = [...presets.keys()].filter((name) => !placed.includes(name));
  return [...missing, ...placed.filter((name) => !presets.has(name))];
}
