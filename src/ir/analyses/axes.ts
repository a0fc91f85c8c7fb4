// Axes: where an axis of an operand lies in the result of an op, and where an axis of the result came from.
import { numbersOf } from '../dialect.js';
import { type Graph, type Name, type Node, nodeOf } from '../graph.js';
import { parseEquation } from '../ops/einsum.js';
import { bindDim, type Shape } from '../type.js';

type Values = Pick<Graph, 'nodes'>;

/** Axes of a reshape's operand that together become axes of its result. */
interface ReshapeGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** In place of the batch: a prime, so that products of extents agree only where the batch does. */
const batchStandIn = 1_000_003;

/** The finest groups of axes that a reshape turns into each other; axes of extent 1 belong to none. */
export function reshapeGroups(from: Shape, to: Shape): ReshapeGroup[] {
  const wide = (shape: Shape) =>
    shape.flatMap((dim, axis) => {
      const extent = bindDim(dim, batchStandIn);
      return extent === 1 ? [] : [{ axis, extent }];
    });
  const [left, right] = [wide(from), wide(to)];
  const groups: ReshapeGroup[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const group = { from: [left[i]!.axis], to: [right[j]!.axis] };
    let [a, b] = [left[i++]!.extent, right[j++]!.extent];
    while (a !== b) {
      if (a < b) {
        group.from.push(left[i]!.axis);
        a *= left[i++]!.extent;
      } else {
        group.to.push(right[j]!.axis);
        b *= right[j++]!.extent;
      }
    }
    groups.push(group);
  }
  return groups;
}

/** Of a reshape: the axis that alone becomes, or alone comes from, another. */
function alone(groups: readonly ReshapeGroup[], axis: number, side: 'from' | 'to'): number | undefined {
  const other = side === 'from' ? 'to' : 'from';
  const group = groups.find((each) => each[side].includes(axis));
  return group !== undefined && group[side].length === 1 && group[other].length === 1
    ? group[other][0]
    : undefined;
}

/** Ops whose result keeps all axes of an operand of the same shape where they are. */
const sameShaped = (values: Values, node: Node, slot: number): boolean =>
  node.op !== 'gather' &&
  node.op !== 'einsum' &&
  nodeOf(values, node.args[slot]!).type.shape.join() === node.type.shape.join();

const present = (axis: number): number | undefined => (axis < 0 ? undefined : axis);

/** The axis of the result along which axis `axis` of an operand lies whole; undefined where it does not. */
export function axisAfter(values: Values, node: Node, slot: number, axis: number): number | undefined {
  const operand = nodeOf(values, node.args[slot]!).type.shape;
  switch (node.op) {
    case 'transpose':
      return present(numbersOf(node.attrs, 'perm').indexOf(axis));
    case 'reshape':
      return alone(reshapeGroups(operand, node.type.shape), axis, 'from');
    case 'broadcast': {
      const to = numbersOf(node.attrs, 'axes')[axis]!;
      return node.type.shape[to] === operand[axis] ? to : undefined;
    }
    case 'sum':
    case 'mean':
    case 'reduce_max': {
      const axes = numbersOf(node.attrs, 'axes');
      return axes.includes(axis) ? undefined : axis - axes.filter((reduced) => reduced < axis).length;
    }
    case 'einsum': {
      const { left, right, out } = parseEquation(node.attrs.eq as string);
      return present(out.indexOf((slot === 0 ? left : right)[axis]!));
    }
    case 'slice':
    case 'pad':
    case 'concat':
      return node.type.shape[axis] === operand[axis] ? axis : undefined;
    case 'gather':
      return axisAfterGather(values, node, slot, axis);
    default:
      return sameShaped(values, node, slot) ? axis : undefined;
  }
}

/** x[…, i, …]: axes of x before and behind the gathered one, and those of the indices in its place. */
function axisAfterGather(values: Values, node: Node, slot: number, axis: number): number | undefined {
  const gathered = node.attrs.axis as number;
  if (slot === 1) return gathered + axis;
  if (axis === gathered) return undefined;
  const rank = nodeOf(values, node.args[1]!).type.shape.length;
  return axis < gathered ? axis : axis + rank - 1;
}

/** Where an axis of a result lies in one of its operands. */
interface Source {
  readonly value: Name;
  readonly axis: number;
}

/** The operands along whose axis an axis of the result lies whole. */
function axisBefore(values: Values, node: Node, axis: number): Source[] {
  return node.args.flatMap((value, slot) => {
    const own = nodeOf(values, value).type.shape;
    const from = [...own.keys()].find((candidate) => axisAfter(values, node, slot, candidate) === axis);
    return from === undefined ? [] : [{ value, axis: from }];
  });
}

/**
 * What lies along an axis, or within one that holds more: entry t is where ⌊index / inner⌋ mod extent = t. Dense layers on
 * tokens are often written over rows, [N,T,D] as [T·N,D]: the tokens are then within the axis of rows.
 */
export interface Factor {
  readonly axis: number;
  readonly extent: number;
  readonly inner: number;
}

/** Whether a factor is all of its axis. */
export const isWhole = ({ axis, extent, inner }: Factor, shape: Shape): boolean =>
  inner === 1 && shape[axis] === extent;

/** Axes of a group with their extents, and how far apart in the group's order the entries of each lie. */
function stepsOf(shape: Shape, axes: readonly number[]) {
  let step = 1;
  return [...axes].reverse().map((axis) => {
    const own = { axis, extent: bindDim(shape[axis]!, batchStandIn), step };
    step *= own.extent;
    return own;
  });
}

/** The axes that a reshape makes of those around a factor, and how far apart in their order its entries lie. */
function acrossReshape(from: Shape, to: Shape, { axis, inner }: Factor) {
  const group = reshapeGroups(from, to).find((each) => each.from.includes(axis));
  if (group === undefined) return undefined;
  const own = stepsOf(from, group.from).find((each) => each.axis === axis)!;
  return { step: own.step * inner, axes: stepsOf(to, group.to) };
}

function throughReshape(from: Shape, to: Shape, factor: Factor): Factor | undefined {
  const { extent } = factor;
  const across = acrossReshape(from, to, factor);
  if (across === undefined) return undefined;
  const { step, axes } = across;
  const holder = axes.find(
    (each) => step % each.step === 0 && (each.step * each.extent) % (step * extent) === 0,
  );
  return holder && { axis: holder.axis, extent, inner: step / holder.step };
}

/** Where a factor of an operand lies in the result; undefined where it is torn. */
export function factorAfter(values: Values, node: Node, slot: number, factor: Factor): Factor | undefined {
  if (node.op === 'reshape') {
    return throughReshape(nodeOf(values, node.args[0]!).type.shape, node.type.shape, factor);
  }
  const axis = axisAfter(values, node, slot, factor.axis);
  return axis === undefined ? undefined : { ...factor, axis };
}

/** The operands that a factor of a result lies in. */
export function factorBefore(
  values: Values,
  node: Node,
  factor: Factor,
): { readonly value: Name; readonly factor: Factor }[] {
  if (node.op !== 'reshape') {
    return axisBefore(values, node, factor.axis).map(({ value, axis }) => ({
      value,
      factor: { ...factor, axis },
    }));
  }
  const [value] = node.args as [Name];
  const before = throughReshape(node.type.shape, nodeOf(values, value).type.shape, factor);
  return before === undefined ? [] : [{ value, factor: before }];
}

/** The extents of two axes that a reshape makes a factor of, the first the outer one. */
export function mergedPair(values: Values, node: Node, factor: Factor): [number, number] | undefined {
  const across = acrossReshape(node.type.shape, nodeOf(values, node.args[0]!).type.shape, factor);
  if (across === undefined) return undefined;
  const { step, axes } = across;
  const within = axes.filter((each) => each.step >= step && each.step * each.extent <= step * factor.extent);
  const [columns, rows, ...more] = within;
  const isPair = rows !== undefined && more.length === 0 && columns!.step === step;
  return isPair && rows.extent * columns!.extent === factor.extent
    ? [rows.extent, columns!.extent]
    : undefined;
}
