// The lines of the `chefer` dialect: every op but affine layers, sums and non-linearities is RelPropSimple.
import type { Composite, RuleChoice } from './composite.js';
import { chefer } from './formulas/quotients.js';
import { choose, line } from './preset.js';
import type { RuleName } from './rules.js';

const simple = choose('norm', chefer);

/** Dense(α): one denominator for both halves, no bias. */
export const cheferDense = (alpha = 1): RuleChoice =>
  choose('alphaBeta', { alpha, beta: alpha - 1, zeroBias: true, ...chefer });

/**
 * All ops but layers.
 * @param sum  the rule of sums
 * @param share  of R that each factor of a product receives: all of it as published for single layers, half of it in
 *   the transformers of the same work
 */
export const cheferRest = (sum: RuleName, share = 1): Composite => [
  line('RelProp', { kind: ['activation', 'softmax', 'preprocess', 'scale'] }, choose('pass')),
  line('RelProp of rows', { kind: 'normalization' }, choose('pass')),
  line('MatMul', { kind: 'product' }, share === 1 ? simple : choose('norm', { ...chefer, share })),
  line('Add', { op: 'add' }, choose(sum)),
  line('IndexSelect', { op: 'gather' }, simple),
  line('Cat', { op: 'concat' }, simple),
  line('pool', { kind: ['max', 'mean'] }, simple),
  line('structure', { kind: 'route' }, choose('route')),
];
