// Pools over windows, channels last, and the routing of a maximum.
import { Arithmetic } from '../arithmetic.js';
import type { GraphBuilder } from '../builder.js';
import { type AttrSchema, keepsSign, numbersOf, type OpDefinition } from '../dialect.js';
import type { Attrs, Name, Node } from '../graph.js';
import { call, literal, value } from '../spelling.js';
import { allocate, sizeOf, type TensorData } from '../tensor.js';
import { concreteShape, printType, type TensorType } from '../type.js';
import { padAttrs } from './movement.js';
import { expectDtype, wrongShape } from './shapes.js';
import { forEachTap, type Window, windowAttrs, windowOf, windowOutput } from './window.js';

const attrs: AttrSchema = { window: 'numbers', strides: 'numbers', padding: 'pairs' };

const poolWindow = (nodeAttrs: Attrs): Window => windowOf(nodeAttrs, numbersOf(nodeAttrs, 'window'));

function inferPool(x: TensorType, nodeAttrs: Attrs): TensorType {
  expectDtype(x, 0, 'f32');
  const window = poolWindow(nodeAttrs);
  if (x.shape.length !== window.size.length + 2) {
    throw wrongShape(`operand 0 is ${printType(x)}, expected [n, ${window.size.length} spatial axes, c]`);
  }
  const spatial = windowOutput(window, x.shape.slice(1, -1));
  expectOverlap(window, x.shape.slice(1, -1) as number[], spatial);
  return { dtype: 'f32', shape: [x.shape[0]!, ...spatial, x.shape.at(-1)!] };
}

/** The first and the last window must hold a part of the picture: the maximum of nothing is no number. */
function expectOverlap(window: Window, spatial: readonly number[], pooled: readonly number[]): void {
  for (const [axis, [low]] of window.padding.entries()) {
    const last = (pooled[axis]! - 1) * window.strides[axis]! - low;
    if (low >= window.size[axis]! || last >= spatial[axis]!) {
      throw wrongShape(`axis ${axis + 1}: a window of ${window.size[axis]} would lie in the padding alone`);
    }
  }
}

/** Calls `visit(output element, input element)` for each tap inside the picture, channel by channel. */
function forEachPooled(
  x: readonly number[],
  pooled: readonly number[],
  nodeAttrs: Attrs,
  visit: (output: number, input: number) => void,
): void {
  const channels = x.at(-1)!;
  const outputPlaces = sizeOf(pooled.slice(1, -1));
  const inputPlaces = sizeOf(x.slice(1, -1));
  for (let n = 0; n < x[0]!; n++) {
    forEachTap(poolWindow(nodeAttrs), x.slice(1, -1), pooled.slice(1, -1), (output, input) => {
      for (let c = 0; c < channels; c++) {
        visit((n * outputPlaces + output) * channels + c, (n * inputPlaces + input) * channels + c);
      }
    });
  }
}

/** For each output element, the input element that won: the first in row-major order among equals. */
function winnersOf(x: TensorData, pooled: readonly number[], nodeAttrs: Attrs): Int32Array {
  const winner = new Int32Array(sizeOf(pooled)).fill(-1);
  forEachPooled(x.shape, pooled, nodeAttrs, (output, input) => {
    if (winner[output]! < 0 || x.data[input]! > x.data[winner[output]!]!) winner[output] = input;
  });
  return winner;
}

/** How many taps of each output position lie inside the picture: the divisor of an average pool. */
function tapCounts(spatial: readonly number[], pooled: readonly number[], window: Window): number[] {
  const counts = new Array<number>(sizeOf(pooled)).fill(0);
  forEachTap(window, spatial, pooled, (output) => {
    counts[output]!++;
  });
  return counts;
}

/** How many taps of each place of a pool's result lie inside the picture, whose shape is `x`. */
export const poolCounts = (node: Node, x: readonly number[]): number[] =>
  tapCounts(x.slice(1, -1), node.type.shape.slice(1, -1) as number[], poolWindow(node.attrs));

/**
 * The transpose of an average pool: divide by the tap counts, spread by the strides, and sum each window of that:
 * x_i = Σ over the outputs whose window holds i of g/count.
 */
function transposeAverage(builder: GraphBuilder, node: Node, cotangent: Name): Name {
  const k = new Arithmetic(builder);
  const window = poolWindow(node.attrs);
  const spatial = builder.typeOf(node.args[0]!).shape.slice(1, -1) as number[];
  const pooled = node.type.shape.slice(1, -1) as number[];
  const counts = tapCounts(spatial, pooled, window);
  const axes = pooled.map((_, axis) => axis + 1);
  const inverses = counts.map((count) => 1 / count);
  const shares = inverses.every((inverse) => inverse === inverses[0])
    ? k.scale(cotangent, inverses[0]!)
    : k.mul(cotangent, k.broadcast(k.data(inverses, pooled), axes, node.type));
  const around = (values: readonly number[]) => [0, ...values, 0];
  const low = window.size.map((size, axis) => size - 1 - window.padding[axis]![0]);
  const high = window.size.map((size, axis) => {
    const spread = (pooled[axis]! - 1) * window.strides[axis]! + 1;
    return spatial[axis]! + size - 1 - spread - low[axis]!;
  });
  const interior = window.strides.map((stride) => stride - 1);
  const padded = builder.add('pad', [shares], {
    attrs: padAttrs(around(low), around(high), around(interior)),
  });
  const still = {
    strides: axes.map(() => 1),
    padding: axes.map(() => [0, 0] as const),
    dilations: axes.map(() => 1),
  };
  const sums = builder.add('avg_pool', [padded], { attrs: { ...windowAttrs(still), window: window.size } });
  return k.scale(sums, sizeOf(window.size));
}

const geometry = (node: Node) => [
  literal(node.attrs.window!),
  literal(node.attrs.strides!),
  literal(node.attrs.padding!),
];

export const poolingOps = {
  max_pool: {
    summary: 'the maximum of each window; its derivative goes to the first winner',
    operands: ['x'],
    attrs,
    nonnegative: keepsSign,
    infer: ([x], nodeAttrs) => inferPool(x!, nodeAttrs),
    evaluate([x], node, { precision }) {
      const shape = concreteShape(node.type);
      const result = allocate('f32', shape, precision);
      winnersOf(x!, shape, node.attrs).forEach((input, output) => {
        result.data[output] = x!.data[input]!;
      });
      return result;
    },
    vjp: ({ builder, node, cotangent }) =>
      builder.add('max_unpool', [node.args[0]!, cotangent], { attrs: node.attrs }),
    tfjs: (node) => call('rt.maxPool', value(node.args[0]!), ...geometry(node)),
  },
  max_unpool: {
    summary: "sends each element of r to the place of x that won the window's maximum",
    operands: ['x', 'r'],
    attrs,
    infer([x, r], nodeAttrs) {
      const pooled = inferPool(x!, nodeAttrs);
      expectDtype(r!, 1, 'f32');
      if (pooled.shape.join() !== r!.shape.join()) {
        throw wrongShape(`operand 1 is ${printType(r!)}, expected ${printType(pooled)}`);
      }
      return x!;
    },
    evaluate([x, r], node, { precision }) {
      const result = allocate('f32', x!.shape, precision);
      winnersOf(x!, r!.shape, node.attrs).forEach((input, output) => {
        result.data[input]! += r!.data[output]!;
      });
      return result;
    },
    tfjs: (node) => call('rt.maxUnpool', value(node.args[0]!), value(node.args[1]!), ...geometry(node)),
  },
  avg_pool: {
    summary: 'the mean of the part of each window that lies inside the picture',
    operands: ['x'],
    attrs,
    nonnegative: keepsSign,
    infer: ([x], nodeAttrs) => inferPool(x!, nodeAttrs),
    evaluate([x], node, { precision }) {
      const shape = concreteShape(node.type);
      const result = allocate('f32', shape, precision);
      const counts = new Int32Array(result.data.length);
      forEachPooled(x!.shape, shape, node.attrs, (output, input) => {
        result.data[output]! += x!.data[input]!;
        counts[output]!++;
      });
      counts.forEach((count, output) => {
        result.data[output]! /= count;
      });
      return result;
    },
    vjp: ({ builder, node, cotangent }) => transposeAverage(builder, node, cotangent),
    tfjs: (node) => call('rt.avgPool', value(node.args[0]!), ...geometry(node)),
  },
} satisfies Record<string, OpDefinition>;
