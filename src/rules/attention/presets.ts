// Presets of attention methods: what Chefer et al. compare, by their attention matrices.
import { cheferDense, cheferRest } from '../chefer.js';
import type { Composite } from '../composite.js';
import { choose, everything, line, type Preset, preset } from '../preset.js';
import type { AttentionMethod } from './method.js';

/** The relprop layers as the transformers of Chefer et al. use them: each factor of a product receives half. */
const cheferTransformer: Composite = [
  line('Dense, Conv', { kind: ['conv', 'dense'] }, cheferDense()),
  ...cheferRest('chefer.add', 0.5),
];

const chefer2021 = 'Chefer et al., CVPR 2021';

const rollout = { combine: 'rollout', block: 0, normalizeRows: false } as const;
const lastBlock = { combine: 'row', block: -1, normalizeRows: false } as const;
const secondBlock = { ...lastBlock, block: 1 } as const;

const ofRelevance = { of: 'relevance', timesGradient: false } as const;
const ofGradient = { of: 'relevance', timesGradient: true } as const;
const ofAttention = { of: 'attention', timesGradient: false } as const;

/** Relevance of tokens starts at 1, so that relevance and derivative start alike. */
function method(name: string, summary: string, source: string, attention: AttentionMethod): Preset {
  const composite = attention.of === 'relevance' ? cheferTransformer : everything;
  return preset(name, summary, source, composite, {
    seed: 'one',
    quantity: attention.of === 'relevance' ? 'relevance' : 'gradient',
    result: 'attention',
    attention,
  });
}

export const attentionPresets: readonly Preset[] = [
  method(
    'transformer-attribution',
    'relevance times gradient of every attention matrix, rolled out over the blocks',
    chefer2021,
    { ...ofGradient, ...rollout },
  ),
  method('rollout', 'relevance of every attention matrix, rolled out over the blocks', chefer2021, {
    ...ofRelevance,
    ...rollout,
  }),
  method('last-layer', "relevance of the last block's attention", chefer2021, {
    ...ofRelevance,
    ...lastBlock,
  }),
  method('last-layer-ablation', 'the same times its gradient', chefer2021, { ...ofGradient, ...lastBlock }),
  method('second-layer', "relevance of the second block's attention", chefer2021, {
    ...ofRelevance,
    ...secondBlock,
  }),
  method('second-layer-ablation', 'the same times its gradient', chefer2021, {
    ...ofGradient,
    ...secondBlock,
  }),
  preset(
    'full',
    'the relprop layers down to the input; zB on a first convolution',
    chefer2021,
    [line('Conv, first', { kind: 'conv', first: true }, choose('chefer.zBox')), ...cheferTransformer],
    { seed: 'one' },
  ),
  method('last-layer-attn', "the last block's attention as it is", chefer2021, {
    ...ofAttention,
    ...lastBlock,
  }),
  method(
    'attention-rollout',
    'attention as it is, rolled out over the blocks, rows summing to 1',
    'Abnar and Zuidema, ACL 2020',
    { ...ofAttention, ...rollout, normalizeRows: true },
  ),
  method(
    'gradient-attention',
    'attention times its gradient, rolled out over the blocks',
    'Chefer et al., ICCV 2021',
    { of: 'attention', timesGradient: true, ...rollout },
  ),
  method(
    'attention-grad-cam',
    "the heads of the last block's attention, weighted by their mean gradient, scaled to 0..1",
    chefer2021,
    { of: 'attention', timesGradient: true, combine: 'grad-cam', block: -1, normalizeRows: false },
  ),
];
