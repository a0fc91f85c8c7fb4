// Log-softmax: s − ln Σ eˢ with s = x − max x, sum and maximum along one axis.
import type { Node } from '../../../graph.js';
import { type Along, lessMaximum, spreadReduction } from './along.js';
import type { Raiser } from './raiser.js';
import type { Values } from './values.js';

function logSoftmaxOf(values: Values, { args: [s, total] }: Node): Along | undefined {
  const sum = spreadReduction(values, total!, 'sum', 'log');
  if (sum === undefined) return undefined;
  const exponentials = values.node(sum.x);
  const x = lessMaximum(values, s!, sum.axis);
  const matches = x !== undefined && exponentials.op === 'exp' && exponentials.args[0] === s;
  return matches ? { x, axis: sum.axis } : undefined;
}

export const logSoftmax: Raiser = {
  composites: ['log_softmax'],
  ends: ['sub'],
  find(values, end) {
    const match = logSoftmaxOf(values, end);
    return (
      match && ((k, name) => k.builder.add('log_softmax', [match.x], { attrs: { axis: match.axis }, name }))
    );
  },
};
