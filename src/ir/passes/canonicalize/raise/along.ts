// Reductions along one axis, spread back over it: what softmax and log-softmax are made of.
import { numbersOf } from '../../../dialect.js';
import type { Name } from '../../../graph.js';
import { sameShape } from '../../../type.js';
import { sameAxes, through, type Values } from './values.js';

/** An op along one axis of a value. */
export interface Along {
  readonly x: Name;
  readonly axis: number;
}

/**
 * x and the axis where `value` is the reduction `op` of x along one axis, spread back over that axis; `then`, if it is
 * stated, is applied once on the way.
 */
export function spreadReduction(values: Values, value: Name, op: string, then?: string): Along | undefined {
  const { shape } = values.node(value).type;
  let axes = sameAxes(shape);
  let due = then;
  let node = values.node(value);
  while (node.op !== op) {
    const seen = values.seenThrough(node);
    if (node.op === due) due = undefined;
    else if (seen === undefined) return undefined;
    else axes = through(axes, seen.axes);
    node = values.node(node.args[0]!);
  }
  const [axis, ...others] = numbersOf(node.attrs, 'axes');
  if (due !== undefined || axis === undefined || others.length > 0) return undefined;
  const x = node.args[0]!;
  const spread = shape.every(
    (extent, at) => extent === 1 || axes[at] === (at === axis ? -1 : at - Number(at > axis)),
  );
  return spread && sameShape(values.shapeOf(x), shape) ? { x, axis } : undefined;
}

/** x of x − max x along an axis; undefined of anything else. */
export function lessMaximum(values: Values, name: Name, axis: number): Name | undefined {
  const { op, args } = values.node(name);
  const maximum = op === 'sub' ? spreadReduction(values, args[1]!, 'reduce_max') : undefined;
  return maximum?.x === args[0] && maximum?.axis === axis ? args[0] : undefined;
}
