// Raising: a composite that arrives as the arithmetic it stands for becomes one op again. Found by data flow alone.
import type { GraphBuilder } from '../../builder.js';
import { type Dialect, numbersOf } from '../../dialect.js';
import type { Graph, Name, Node } from '../../graph.js';
import { type Shape, sameShape } from '../../type.js';
import { rewrite } from '../rewrite.js';

type Values = Pick<GraphBuilder, 'node'>;

/** An op along one axis of a value. */
interface Along {
  readonly x: Name;
  readonly axis: number;
}

/** For each axis of a view, the axis of its operand that it runs along; −1 where the operand repeats. */
type AxisMap = readonly number[];

function broadcastMap(view: Node, operand: Shape): AxisMap {
  const axes = numbersOf(view.attrs, 'axes');
  return view.type.shape.map((extent, axis) => {
    const from = axes.indexOf(axis);
    return from >= 0 && operand[from] === extent ? from : -1;
  });
}

/** Of a reshape that only adds or drops axes of extent 1; undefined of any other. */
function reshapeMap(view: Node, operand: Shape): AxisMap | undefined {
  const wide = (shape: Shape) => shape.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
  const [from, to] = [wide(operand), wide(view.type.shape)];
  const same =
    from.length === to.length && from.every((axis, i) => operand[axis] === view.type.shape[to[i]!]);
  return same ? view.type.shape.map((_, axis) => from[to.indexOf(axis)] ?? -1) : undefined;
}

function mapOf(values: Values, view: Node): AxisMap | undefined {
  const [operand] = view.args.map((arg) => values.node(arg).type.shape);
  if (view.op === 'broadcast') return broadcastMap(view, operand!);
  return view.op === 'reshape' ? reshapeMap(view, operand!) : undefined;
}

/**
 * x and the axis where `value` is the reduction `op` of x along one axis, spread back over that axis; `then`, if it is
 * stated, is applied once on the way.
 */
function spreadReduction(values: Values, value: Name, op: string, then?: string): Along | undefined {
  const { shape } = values.node(value).type;
  let axes: AxisMap = shape.map((_, axis) => axis);
  let due = then;
  let node = values.node(value);
  for (; node.op !== op; node = values.node(node.args[0]!)) {
    if (node.op === due) due = undefined;
    else {
      const map = mapOf(values, node);
      if (map === undefined) return undefined;
      axes = axes.map((axis) => map[axis] ?? -1);
    }
  }
  const [axis] = numbersOf(node.attrs, 'axes');
  if (due !== undefined || axis === undefined) return undefined;
  const x = node.args[0]!;
  const spread = shape.every(
    (extent, at) => extent === 1 || axes[at] === (at === axis ? -1 : at - Number(at > axis)),
  );
  return spread && sameShape(values.node(x).type.shape, shape) ? { x, axis } : undefined;
}

/** s − ln Σ eˢ with s = x − max x, sum and maximum along one axis */
function logSoftmax(values: Values, { args: [s, total] }: Node): Along | undefined {
  const shifted = values.node(s!);
  if (shifted.op !== 'sub') return undefined;
  const maximum = spreadReduction(values, shifted.args[1]!, 'reduce_max');
  const sum = spreadReduction(values, total!, 'sum', 'log');
  if (maximum === undefined || sum === undefined) return undefined;
  const exponentials = values.node(sum.x);
  const matches =
    maximum.x === shifted.args[0] &&
    maximum.axis === sum.axis &&
    exponentials.op === 'exp' &&
    exponentials.args[0] === s;
  return matches ? maximum : undefined;
}

/** The graph with log-softmax as one op wherever its arithmetic stands. */
export function raiseComposites(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => {
    const match = node.op === 'sub' ? logSoftmax(builder, node) : undefined;
    if (match === undefined) return undefined;
    return builder.add('log_softmax', [match.x], { attrs: { axis: match.axis }, name: node.name });
  });
}
