// Softmax by hand: eˢ / Σ eˢ with s = x, or s = x − max x, sum and maximum along one axis.
import type { Name, Node } from '../../../graph.js';
import { type Along, lessMaximum, spreadReduction } from './along.js';
import { under } from './expand.js';
import type { Raiser } from './raiser.js';
import type { Values } from './values.js';

/** eˢ and what it is divided by: a node, or a · (1/b). */
interface Fraction {
  readonly numerator: Name;
  readonly divisor: Name;
  /** `reciprocal`, where the divisor is under one. */
  readonly inverted?: string;
}

function fractionsOf({ op, args }: Node): readonly Fraction[] {
  const [a, b] = args as [Name, Name];
  if (op === 'div') return [{ numerator: a, divisor: b }];
  if (op !== 'mul') return [];
  return [
    { numerator: a, divisor: b, inverted: 'reciprocal' },
    { numerator: b, divisor: a, inverted: 'reciprocal' },
  ];
}

/** Whether two values are one exponential, computed once or twice. */
function isSameExponential(values: Values, a: Name, b: Name): boolean {
  const [left, right] = [values.node(a), values.node(b)];
  return left.op === 'exp' && right.op === 'exp' && left.args[0] === right.args[0];
}

function softmaxOf(values: Values, end: Node): Along | undefined {
  for (const { numerator, divisor, inverted } of fractionsOf(end)) {
    const total = spreadReduction(values, divisor, 'sum', inverted);
    if (total === undefined || !isSameExponential(values, numerator, total.x)) continue;
    const s = values.node(numerator).args[0]!;
    return { x: lessMaximum(values, s, total.axis) ?? s, axis: total.axis };
  }
  return undefined;
}

/** Why an exponential that is divided by a sum of itself makes no softmax. */
function missed(values: Values, anchor: Node): string | undefined {
  const divisors = values
    .usersOf(anchor.name)
    .flatMap(fractionsOf)
    .filter(({ numerator }) => numerator === anchor.name);
  const isOfItsSum = divisors.some(({ divisor }) =>
    under(values, divisor, 6, ['sum']).some(
      ({ op, args }) => op === 'sum' && isSameExponential(values, args[0]!, anchor.name),
    ),
  );
  return isOfItsSum ? 'it is divided by something else than its sum along one axis' : undefined;
}

export const softmax: Raiser = {
  composites: ['softmax'],
  ends: ['div', 'mul'],
  find(values, end) {
    const match = softmaxOf(values, end);
    return match && ((k, name) => k.builder.add('softmax', [match.x], { attrs: { axis: match.axis }, name }));
  },
  near: { anchors: ['exp'], missed },
};
