// Descriptions: what a rule is called, takes and may lose, and what a preset results in, as text for readers.
import type { Attr } from '../ir/graph.js';
import { possibleCauses } from './causes.js';
import type { Preset } from './presets.js';
import { type RuleDefinition, vocabularies } from './rules.js';

/** Attributes that passes state: nobody else sets them. */
const stated = new Set(['nonnegative', 'vanishing']);

/** `eps=1e-6` */
const printDefault = (value: Attr) =>
  typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential()
    : JSON.stringify(value);

/** Parameters with their defaults: `denominator="signed"`, `eps=1e-6`; `zeroBias` where there is none. */
export function describeParameters({ attrs, defaults = {} }: RuleDefinition): string[] {
  return Object.keys(attrs)
    .filter((name) => !stated.has(name))
    .map((name) => (defaults[name] === undefined ? name : `${name}=${printDefault(defaults[name])}`));
}

/** What others call the rule, by whom: `zennit Epsilon`; the literature's names stand alone. */
export function describeNames({ knownAs = {} }: RuleDefinition): string[] {
  return vocabularies.flatMap((whose) =>
    (knownAs[whose] ?? []).map((name) => (whose === 'literature' ? name : `${whose} ${name}`)),
  );
}

/** What the rule may lose; a second line where a gradient is accounted for in another way, as value ⊙ gradient. */
export function describeLosses(rule: RuleDefinition): string[] {
  const [asRelevance, asGradient] = (['relevance', 'gradient'] as const).map(
    (quantity) => possibleCauses(rule, quantity).join(', ') || 'nothing',
  );
  if (asRelevance === asGradient) return [asRelevance!];
  return [`among rules: ${asRelevance}`, `as value ⊙ gradient: ${asGradient}`];
}

/** What is to know of a preset's numbers, where they are no shares of f(x). */
export function describeResult({ quantity, result }: Preset): string[] {
  if (result === 'grad-cam')
    return ['one layer’s (Σ mean(G) · A)⁺ at the size of the input, no share of f(x)'];
  if (result === 'times input') {
    return ['the derivative times the input: f(x) in all where f is piecewise linear and without biases'];
  }
  return quantity === 'gradient'
    ? ['a derivative, which says what f(x) changes by and shares nothing out']
    : [];
}
