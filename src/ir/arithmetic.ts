// Short spellings of the ops that derivatives and rules are built from.
import type { GraphBuilder } from './builder.js';
import { numberAttr } from './dialect.js';
import type { Name } from './graph.js';
import { type Dim, elementCount, isBatched, type TensorType } from './type.js';

/** Adds ops to a builder by name; every method returns the new value's name. */
export class Arithmetic {
  constructor(readonly builder: GraphBuilder) {}

  unary(op: string, x: Name, name?: Name): Name {
    return this.builder.add(op, [x], name === undefined ? {} : { name });
  }

  binary(op: string, a: Name, b: Name, name?: Name): Name {
    return this.builder.add(op, [a, b], name === undefined ? {} : { name });
  }

  add(a: Name, b: Name): Name {
    return this.binary('add', a, b);
  }

  sub(a: Name, b: Name): Name {
    return this.binary('sub', a, b);
  }

  mul(a: Name, b: Name, name?: Name): Name {
    return this.binary('mul', a, b, name);
  }

  div(a: Name, b: Name): Name {
    return this.binary('div', a, b);
  }

  /** A constant with the type of `like`. */
  constant(value: number, like: Name): Name {
    return this.builder.splat(value, { dtype: 'f32', shape: this.builder.typeOf(like).shape });
  }

  /** value · x */
  scale(x: Name, value: number): Name {
    return value === 1 ? x : this.mul(x, this.constant(value, x));
  }

  reshape(x: Name, shape: readonly Dim[]): Name {
    const { dtype } = this.builder.typeOf(x);
    return this.builder.add('reshape', [x], { type: { dtype, shape } });
  }

  transpose(x: Name, perm: readonly number[]): Name {
    return perm.every((axis, index) => axis === index)
      ? x
      : this.builder.add('transpose', [x], { attrs: { perm } });
  }

  /** `x` spread over `type`: its axes become `axes` of the result. */
  broadcast(x: Name, axes: readonly number[], type: TensorType): Name {
    return this.builder.add('broadcast', [x], { attrs: { axes }, type });
  }

  sum(x: Name, axes: readonly number[]): Name {
    return axes.length === 0 ? x : this.builder.add('sum', [x], { attrs: { axes } });
  }

  /** A reduction's result spread back over the axes it removed. */
  spreadBack(reduced: Name, axes: readonly number[], type: TensorType): Name {
    const kept = type.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    return this.broadcast(reduced, kept, { dtype: this.builder.typeOf(reduced).dtype, shape: type.shape });
  }

  /** Dense data as a constant. */
  data(values: readonly number[], shape: readonly number[], name?: Name): Name {
    const attrs = { value: values.map(numberAttr) };
    return this.builder.add('constant', [], {
      attrs,
      type: { dtype: 'f32', shape },
      ...(name ? { name } : {}),
    });
  }

  /** Σ over one sample, spread back over its elements. Without a batch the whole tensor is one sample. */
  sumPerSample(x: Name): Name {
    return this.perSample('sum', x);
  }

  /** The largest element of one sample, spread back over its elements. */
  maxPerSample(x: Name): Name {
    return this.perSample('reduce_max', x);
  }

  /** A reduction over one sample: [N], or a scalar where there is no batch. */
  reducePerSample(op: 'sum' | 'reduce_max', x: Name): Name {
    const { shape } = this.builder.typeOf(x);
    const flat = this.reshape(
      x,
      isBatched({ dtype: 'f32', shape }) ? ['N', elementCount(shape)] : [elementCount(shape)],
    );
    return this.builder.add(op, [flat], { attrs: { axes: [this.builder.typeOf(flat).shape.length - 1] } });
  }

  private perSample(op: 'sum' | 'reduce_max', x: Name): Name {
    const type = this.builder.typeOf(x);
    const reduced = this.reducePerSample(op, x);
    if (!isBatched(type)) return this.broadcast(reduced, [], type);
    const flat = { dtype: type.dtype, shape: ['N', elementCount(type.shape)] } as const;
    return this.reshape(this.broadcast(reduced, [0], flat), type.shape);
  }
}
