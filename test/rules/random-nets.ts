// Small random networks, for laws that hold whatever the weights are.
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Name } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { elementCount } from '../../src/ir/type.js';
import { sequence, uniform } from './support.js';

export interface Net extends Program {
  /** A batch of inputs. */
  readonly x: TensorData;
}

/** What a random network is drawn from; arbitrary numbers that fast-check can shrink. */
export interface NetShape {
  readonly seed: number;
  readonly depth: number;
  readonly width: number;
  readonly batch: number;
}

/** A convolution of 3×3 places that keeps the size. */
const same = {
  strides: [1, 1],
  padding: [
    [1, 1],
    [1, 1],
  ],
};

/** A pool of 2×2 places. */
const halving = {
  window: [2, 2],
  strides: [2, 2],
  padding: [
    [0, 0],
    [0, 0],
  ],
};

/** Builds a network from x to the output `y`. */
class Drawing {
  readonly builder = new GraphBuilder('net', forward);
  readonly weights = new Map<string, TensorData>();

  constructor(readonly random: () => number) {}

  add(op: string, args: readonly Name[], attrs: Attrs = {}, name?: Name): Name {
    return this.builder.add(op, args, name === undefined ? { attrs } : { attrs, name });
  }

  weight(shape: readonly number[]): Name {
    const key = this.builder.fresh('w');
    this.weights.set(key, uniform(shape, this.random));
    return this.builder.add('param', [], { name: key, attrs: { key }, type: { dtype: 'f32', shape } });
  }

  input(shape: readonly number[]): Name {
    return this.builder.add('input', [], { name: 'x', type: { dtype: 'f32', shape: ['N', ...shape] } });
  }

  dense(x: Name, outputs: number, name?: Name): Name {
    const inputs = this.builder.typeOf(x).shape[1] as number;
    return this.add('einsum', [x, this.weight([inputs, outputs])], { eq: 'bi,ij->bj' }, name);
  }

  conv(x: Name, outputs: number, name?: Name): Name {
    return this.add('conv', [x, this.kernel(x, outputs)], same, name);
  }

  /** A convolution with a bias. */
  biased(x: Name, outputs: number, name?: Name): Name {
    return this.add('conv', [x, this.kernel(x, outputs), this.weight([outputs])], same, name);
  }

  private kernel(x: Name, outputs: number): Name {
    const inputs = this.builder.typeOf(x).shape[3] as number;
    return this.weight([3, 3, inputs, outputs]);
  }

  flat(x: Name): Name {
    const { dtype, shape } = this.builder.typeOf(x);
    return this.builder.add('reshape', [x], { type: { dtype, shape: ['N', elementCount(shape)] } });
  }

  net(y: Name, batch: number): Net {
    const [, ...shape] = this.builder.typeOf('x').shape as number[];
    const x = uniform([batch, ...shape], this.random);
    return { graph: this.builder.finish({ y }), weights: this.weights, x };
  }
}

/** Dense layers, each but the last followed by a ReLU. */
export function denseNet({ seed, depth, width, batch }: NetShape): Net {
  const drawing = new Drawing(sequence(seed));
  let value = drawing.input([width + 1]);
  for (let layer = 0; layer < depth; layer++) value = drawing.add('relu', [drawing.dense(value, width + 2)]);
  return drawing.net(drawing.dense(value, 3), batch);
}

/** Convolutions with ReLUs, a pool between them, a dense layer at the end. */
export function convNet({ seed, depth, width, batch }: NetShape, pool: 'max_pool' | 'avg_pool'): Net {
  const drawing = new Drawing(sequence(seed));
  let value = drawing.input([4, 4, 2]);
  for (let layer = 0; layer < depth; layer++) value = drawing.add('relu', [drawing.conv(value, width)]);
  value = drawing.add(pool, [value], halving);
  value = drawing.add('relu', [drawing.conv(value, width)]);
  return drawing.net(drawing.dense(drawing.flat(value), 3), batch);
}

/** Blocks `x + f(x)`, f a dense layer, an activation and a dense layer; then a dense layer. */
export function residualNet({ seed, depth, width, batch }: NetShape, activation = 'relu'): Net {
  const drawing = new Drawing(sequence(seed));
  let value = drawing.input([width]);
  for (let block = 0; block < depth; block++) {
    const branch = drawing.dense(drawing.add(activation, [drawing.dense(value, width + 1)]), width);
    value = drawing.add('add', [value, branch]);
  }
  return drawing.net(drawing.dense(value, 3), batch);
}

/**
 * Everything that relevance passes on its way, with biases: convolutions with relu and relu6, residual sums, a value
 * taken apart and joined again, max and average pools, dense layers.
 */
export function mixedNet({ seed, depth, width, batch }: NetShape): Net {
  const drawing = new Drawing(sequence(seed));
  let value = drawing.add('relu', [drawing.biased(drawing.input([4, 4, 2]), 2 * width, 'c1')]);
  for (let block = 0; block < depth; block++) {
    const inner = drawing.add('clip', [drawing.biased(value, width)], { min: 0, max: 6 });
    const sum = drawing.add('add', [value, drawing.biased(inner, 2 * width)]);
    value = drawing.add('relu', [sum]);
  }
  const part = (begin: number) =>
    drawing.builder.add('slice', [value], {
      attrs: { begin: [0, 0, 0, begin], stride: [1, 1, 1, 1] },
      type: { dtype: 'f32', shape: ['N', 4, 4, width] },
    });
  const joined = drawing.add('concat', [part(width), drawing.conv(part(0), width)], { axis: 3 }, 'joined');
  const pooled = drawing.add('max_pool', [drawing.add('relu', [joined])], halving, 'pooled');
  const mixed = drawing.add('relu', [drawing.biased(pooled, width)]);
  const mean = drawing.add('avg_pool', [mixed], halving);
  const hidden = drawing.add('relu', [drawing.dense(drawing.flat(mean), width + 2)], {}, 'hidden');
  return drawing.net(drawing.dense(hidden, 3), batch);
}
