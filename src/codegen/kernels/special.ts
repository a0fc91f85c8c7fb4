// Ops that are neither maps nor sums of products: each has a loop of its own in every loop-level target.
import { numberOf, numbersOf, pairsOf } from '../../ir/dialect.js';
import type { Name, Node } from '../../ir/graph.js';
import { concreteShape, type TensorType } from '../../ir/type.js';
import type { SpecialKernel } from './kernel.js';

const kinds = ['gather', 'scatter_add', 'one_hot', 'argmax', 'max_unpool'] as const;

export const specialOps: ReadonlySet<string> = new Set(kinds);

/** Outer, axis and inner extents of a shape split at `axis`. */
export function splitAt(shape: readonly number[], axis: number): [number, number, number] {
  const size = (extents: readonly number[]) => extents.reduce((product, extent) => product * extent, 1);
  return [size(shape.slice(0, axis)), shape[axis]!, size(shape.slice(axis + 1))];
}

/** The kernel of one such op, whose operands are whole buffers. */
export function specialKernel(
  node: Node,
  from: readonly Name[],
  types: readonly TensorType[],
): SpecialKernel {
  const { attrs } = node;
  const isWindow = node.op === 'max_unpool';
  return {
    kind: node.op as SpecialKernel['kind'],
    name: node.name,
    from,
    to: node.name,
    shapes: [...types, node.type].map(concreteShape),
    dtype: types[0]!.dtype,
    attrs: {
      ...(attrs.axis === undefined ? {} : { axis: numberOf(attrs, 'axis') }),
      ...(attrs.depth === undefined ? {} : { depth: numberOf(attrs, 'depth') }),
      ...(isWindow ? { window: numbersOf(attrs, 'window'), strides: numbersOf(attrs, 'strides') } : {}),
      ...(isWindow ? { padding: pairsOf(attrs, 'padding').map(([low]) => low) } : {}),
    },
  };
}
