// Channel vectors: constants that are the same along every axis but the last, as vectors of that axis.

import { Arithmetic } from '../../arithmetic.js';
import type { GraphBuilder } from '../../builder.js';
import { numbersOf } from '../../dialect.js';
import type { Name } from '../../graph.js';
import { elementCount } from '../../type.js';

/**
 * The vector v with `value[…, c] = v[c]`, added to the builder, or undefined where `value` varies along another axis.
 * `value` must be a constant.
 */
export function channelVector(builder: GraphBuilder, value: Name): Name | undefined {
  const node = builder.node(value);
  const channels = node.type.shape.at(-1);
  if (typeof channels !== 'number' || node.type.dtype !== 'f32') return undefined;
  const k = new Arithmetic(builder);
  const type = { dtype: 'f32' as const, shape: [channels] };
  if (node.op === 'constant' && !Array.isArray(node.attrs.value)) {
    return builder.add('constant', [], { attrs: node.attrs, type });
  }
  if (elementCount(node.type.shape) === channels && typeof node.type.shape[0] === 'number') {
    return node.type.shape.length === 1 ? value : k.reshape(value, [channels]);
  }
  if (node.op !== 'broadcast') return undefined;
  const [source] = node.args;
  const own = builder.typeOf(source!).shape;
  if (elementCount(own) === 1) return k.broadcast(k.reshape(source!, []), [], type);
  const axes = numbersOf(node.attrs, 'axes');
  const alongLast = axes.at(-1) === node.type.shape.length - 1 && own.at(-1) === channels;
  return alongLast && elementCount(own) === channels ? k.reshape(source!, [channels]) : undefined;
}
