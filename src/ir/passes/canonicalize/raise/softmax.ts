// Softmax by hand: eˢ / Σ eˢ with s = x, or s = x − max x, sum and maximum along one axis.
import type { Name, Node } from '../../../graph.js';
import { type Along, lessMaximum, spreadReduction } from './along.js';
import { under } from './expand.js';
import type { Raiser } from './raiser.js';
import type { Values } from './values.js';

/** What a node divides, and by what: a / b, or a · (1/b). */
function fractionsOf(values: Values, { op, args }: Node): readonly (readonly [Name, Name])[] {
  const [a, b] = args as [Name, Name];
  if (op === 'div') return [[a, b]];
  const pairs: readonly (readonly [Name, Name])[] = [
    [a, b],
    [b, a],
  ];
  return pairs.flatMap(([numerator, factor]) => {
    const node = values.node(factor);
    return node.op === 'reciprocal' ? [[numerator, node.args[0]!] as const] : [];
  });
}

function softmaxOf(values: Values, end: Node): Along | undefined {
  for (const [exponential, divisor] of fractionsOf(values, end)) {
    const total = spreadReduction(values, divisor, 'sum');
    const { op, args } = values.node(exponential);
    if (op !== 'exp' || total?.x !== exponential) continue;
    const [s] = args as [Name];
    return { x: lessMaximum(values, s, total.axis) ?? s, axis: total.axis };
  }
  return undefined;
}

/** Why an exponential that is divided by a sum of itself makes no softmax. */
function missed(values: Values, anchor: Node): string | undefined {
  const divisors = values
    .usersOf(anchor.name)
    .flatMap((user) => fractionsOf(values, user))
    .filter(([numerator]) => numerator === anchor.name);
  const isOfItsSum = divisors.some(([, divisor]) =>
    under(values, divisor, 6, ['sum']).some(({ op, args }) => op === 'sum' && args[0] === anchor.name),
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
