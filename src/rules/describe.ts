// Descriptions: what a rule is called, takes and may lose, and what a preset results in, as text for readers.
import type { Attr } from '../ir/graph.js';
import type { AttentionMethod } from './attention/method.js';
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

/** What is made of one attention matrix, and of all of them: `mean over heads of (R^A ⊙ ∇A)⁺`, `rolled out from block 0`. */
export function describeMethod({
  of,
  timesGradient,
  combine,
  block,
  normalizeRows,
}: AttentionMethod): readonly [matrix: string, blocks: string] {
  const where = block < 0 ? (block === -1 ? 'the last block' : `block ${block}`) : `block ${block}`;
  if (combine === 'grad-cam')
    return ['(Σ over heads of mean(∇A) · A)⁺, from 0 to 1', `the query's row of ${where}`];
  const matrix = of === 'relevance' ? 'R^A' : 'A';
  const heads = timesGradient ? `(${matrix} ⊙ ∇A)⁺` : of === 'relevance' ? '(R^A)⁺' : 'A';
  const blocks =
    combine === 'row'
      ? `the query's row of ${where}`
      : `rolled out from ${where}${normalizeRows ? ', rows summing to 1' : ''}`;
  return [`mean over heads of ${heads}`, blocks];
}

/** What is to know of a preset's numbers, where they are no shares of f(x). */
export function describeResult({ quantity, result, attention }: Preset): string[] {
  if (attention !== undefined) {
    return [`a number a token: ${describeMethod(attention).join(', ')}; no share of f(x)`];
  }
  if (result === 'grad-cam')
    return ['one layer’s (Σ mean(G) · A)⁺ at the size of the input, no share of f(x)'];
  if (result === 'times input') {
    return ['the derivative times the input: f(x) in all where f is piecewise linear and without biases'];
  }
  return quantity === 'gradient'
    ? ['a derivative, which says what f(x) changes by and shares nothing out']
    : [];
}
