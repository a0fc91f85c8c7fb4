// A preset: a composite with its seed and what is made of the relevance that arrives.
import type { Attrs } from '../ir/graph.js';
import type { AttentionMethod } from './attention/method.js';
import type { Composite, CompositeLine, Match, RuleChoice } from './composite.js';
import { resolved } from './resolve.js';
import { type RuleName, ruleTable } from './rules.js';

/**
 * What relevance starts as, at the scores z before a final softmax: the target's logit; 1 at the target; all scores;
 * the target's logit less that of another class; or any tensor of z's shape.
 */
export const seeds = ['logit', 'one', 'outputs', 'contrast', 'tensor'] as const;
export type Seed = (typeof seeds)[number];

/** What is made of what arrives at the explained values. */
export const results = ['as it is', 'times input', 'grad-cam', 'attention'] as const;
export type Result = (typeof results)[number];

export interface Preset {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly composite: Composite;
  readonly seed: Seed;
  /** Relevance is divided among inputs; a gradient is what the output changes by. */
  readonly quantity: 'relevance' | 'gradient';
  readonly result: Result;
  /** How attention matrices become the relevance of tokens: of presets whose result is `attention`. */
  readonly attention?: AttentionMethod;
}

/** Put before the names of relevances and of gradients. */
export const prefixes = { relevance: 'r.', gradient: 'g.' } as const;

export const choose = (rule: RuleName, params?: Attrs): RuleChoice =>
  params === undefined ? { rule } : { rule, params };

export const line = (name: string, match: Match, choice: RuleChoice): CompositeLine => [name, match, choice];

export function preset(
  name: string,
  summary: string,
  source: string,
  composite: Composite,
  more: Partial<Preset> = {},
): Preset {
  return {
    name,
    summary,
    source,
    composite: resolved(composite, ruleTable),
    seed: 'logit',
    quantity: 'relevance',
    result: 'as it is',
    ...more,
  };
}

/** The derivative of every op. */
export const everything: Composite = [line('derivative', {}, choose('gradient'))];
