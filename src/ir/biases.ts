// Biases: where the bias of an affine op stands in its result.
import type { Arithmetic } from './arithmetic.js';
import type { Name, Node } from './graph.js';
import { parseEquation } from './ops/einsum.js';

/** The axes of the result that the bias runs along: the channels of a convolution, the right-only indices of an einsum. */
function biasAxes({ op, attrs, type }: Node): readonly number[] {
  if (op !== 'einsum') return [type.shape.length - 1];
  const { out, rightOnly } = parseEquation(attrs.eq as string);
  return [...out].flatMap((index, axis) => (rightOnly.includes(index) ? [axis] : []));
}

/** A bias of an affine node, or anything of its shape, spread over the node's result. */
export const spreadBias = (k: Arithmetic, node: Node, bias: Name): Name =>
  k.broadcast(bias, biasAxes(node), node.type);
