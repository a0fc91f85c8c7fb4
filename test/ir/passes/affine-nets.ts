// Random nets of affine ops, constants in between and all that constants may have to pass, for properties.
import fc from 'fast-check';
import { Arithmetic } from '../../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { forward } from '../../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../../src/ir/graph.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import type { Weights } from '../../../src/ir/tensor.js';
import { Choices } from '../arbitrary-graph.js';
import { f32, seedOf, uniform, weightsFor } from '../support.js';

/** A net under construction; its values are [N, length, channels], or [N, features] once it is flat. */
class Net {
  readonly builder = new GraphBuilder('net', forward);
  readonly k = new Arithmetic(this.builder);
  private keys = 0;

  constructor(readonly choose: Choices) {}

  shapeOf(x: Name): number[] {
    return this.builder.typeOf(x).shape.slice(1) as number[];
  }

  add(op: string, args: readonly Name[], attrs: Attrs = {}, shape?: readonly number[]): Name {
    return this.builder.add(op, args, { attrs, ...(shape ? { type: f32('N', ...shape) } : {}) });
  }

  param(kind: 'kernel' | 'positive', ...shape: number[]): Name {
    const attrs = { key: `${kind}${this.keys++}` };
    return this.builder.add('param', [], { attrs, type: f32(...shape) });
  }

  /** Numbers of both signs and zero, or weights above zero. */
  vector(extent: number): Name {
    if (this.choose.below(2) === 0) return this.param('positive', extent);
    return this.k.data(
      Array.from({ length: extent }, () => this.choose.of([-2, -0.5, 0, 1, 3])),
      [extent],
    );
  }
}

type Layer = (net: Net, x: Name) => Name;

/** A product or sum with a vector along one axis, or with one number. */
const constant =
  (op: string): Layer =>
  (net, x) => {
    const shape = net.shapeOf(x);
    const type = net.builder.typeOf(x);
    if (net.choose.below(4) === 0) return net.add(op, [x, net.builder.splat(-1.5, type)]);
    const axis = net.choose.below(4) === 0 ? 1 : shape.length;
    return net.add(op, [x, net.k.broadcast(net.vector(shape[axis - 1]!), [axis], type)]);
  };

const batchNorm: Layer = (net, x) => {
  const channels = net.shapeOf(x).at(-1)!;
  const parts = [net.vector(channels), net.vector(channels), net.vector(channels)];
  return net.add('batch_norm', [x, ...parts, net.param('positive', channels)], { epsilon: 1e-3 });
};

/** Strides, dilations, groups, and padding half of the time. */
function geometry({ choose }: Net, groups: number): Attrs {
  const padding = choose.below(2) === 0 ? [[0, 0]] : [[choose.below(2), choose.below(3)]];
  return { strides: [1 + choose.below(2)], dilations: [1 + choose.below(2)], groups, padding };
}

const convolution: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  const groups = channels % 2 === 0 ? 1 + net.choose.below(2) : 1;
  const width = 1 + net.choose.below(length > 2 ? 2 : 1);
  const w = net.param('kernel', width, channels / groups, 2 * groups);
  const bias = net.choose.below(2) === 0 ? [] : [net.param('kernel', 2 * groups)];
  return net.add('conv', [x, w, ...bias], geometry(net, groups));
};

const transposed: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  const groups = channels % 2 === 0 ? 1 + net.choose.below(2) : 1;
  const [width, stride] = [1 + net.choose.below(3), 1 + net.choose.below(2)];
  const [low, high] = width === 3 && length > 1 ? [1, net.choose.below(2)] : [0, 0];
  const w = net.param('kernel', width, 2, channels);
  const attrs = { strides: [stride], padding: [[low, high]], groups };
  const wide = (length - 1) * stride + width - low - high;
  return net.add('conv_transpose', [x, w], attrs, [wide, 2 * groups]);
};

const dense: Layer = (net, x) => {
  const features = net.shapeOf(x);
  const rank = features.length;
  const w = net.param('kernel', features.at(-1)!, 3);
  const bias = net.choose.below(2) === 0 ? [] : [net.param('kernel', 3)];
  return net.add('einsum', [x, w, ...bias], { eq: rank === 1 ? 'bi,ij->bj' : 'bti,ij->btj' });
};

/** A weight of its own for each position. */
const local: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  return net.add('einsum', [x, net.param('kernel', length, 2, channels)], { eq: 'bti,tji->btj' });
};

const pool =
  (op: string): Layer =>
  (net, x) =>
    net.shapeOf(x)[0]! < 2
      ? x
      : net.add(op, [x], { window: [2], strides: [1], padding: [[net.choose.below(2), 0]] });

const pad: Layer = (net, x) => {
  const interior = net.choose.below(4) === 0 ? { interior: [0, 1, 0] } : {};
  const value = net.choose.below(3) === 0 ? { value: 2 } : {};
  const channel = Number(net.choose.below(4) === 0);
  const low = [0, net.choose.below(2), channel];
  return net.add('pad', [x], { low, high: [0, net.choose.below(2), 0], ...interior, ...value });
};

const slice: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  return net.add('slice', [x], { begin: [0, length > 1 ? 1 : 0, 0] }, [Math.max(1, length - 1), channels]);
};

const split: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  return net.add(
    'reshape',
    [x],
    {},
    net.choose.below(2) === 0 ? [length * channels, 1] : [1, length * channels],
  );
};

const reused: Layer = (net, x) => net.add('add', [x, net.add('relu', [x])]);
const concatenated: Layer = (net, x) =>
  net.add('concat', [net.choose.below(2) === 0 ? dense(net, x) : x, dense(net, x)], { axis: 2 });
const summed: Layer = (net, x) => net.add('add', [dense(net, x), dense(net, x)]);

/** Constants that come too late for the affine op before them, and something to pass on the way to the next. */
const between: Layer = (net, x) => {
  const { choose } = net;
  const mapped = choose.of([constant('mul'), constant('add'), batchNorm])(net, net.add('relu', [x]));
  const passed = choose.of([pool('max_pool'), pool('avg_pool'), pad, slice, split])(net, mapped);
  return choose.of([convolution, transposed, dense, local])(net, choose.below(3) === 0 ? mapped : passed);
};

const everywhere: readonly Layer[] = [
  constant('mul'),
  constant('add'),
  batchNorm,
  dense,
  (net, x) => net.add('relu', [x]),
  reused,
  summed,
];

const onPictures: readonly Layer[] = [
  ...everywhere,
  between,
  between,
  between,
  convolution,
  transposed,
  local,
  pool('max_pool'),
  pool('avg_pool'),
  pad,
  slice,
  split,
  concatenated,
  (net, x) => net.add('transpose', [x], { perm: [0, 2, 1] }),
];

const flattened: Layer = (net, x) => {
  const [length, channels] = net.shapeOf(x) as [number, number];
  if (net.choose.below(2) === 0) return net.add('mean', [x], { axes: [1] });
  return net.add('reshape', [x], {}, [length * channels]);
};

/** Small values only: what a net may grow to. */
const isSmall = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1) <= 60;

function build(list: readonly number[]): Graph {
  const net = new Net(new Choices(list));
  const input = net.builder.add('input', [], { name: 'x', type: f32('N', 4, 2) });
  const outputs: Record<string, Name> = {};
  let x = net.add('relu', [input]);
  while (!net.choose.isDone && isSmall(net.shapeOf(x))) {
    const isFlat = net.shapeOf(x).length === 1;
    if (!isFlat && net.choose.below(12) === 0) x = flattened(net, x);
    x = net.choose.of(net.shapeOf(x).length === 1 ? everywhere : onPictures)(net, x);
    if (net.choose.below(12) === 0) outputs[x] = x;
  }
  return net.builder.finish({ ...outputs, [x]: x });
}

/** Kernels of both signs; what is called positive is. */
function weightsOf(graph: Graph): Weights {
  return new Map(
    [...weightsFor(graph, 9)].map(([key, data]) => {
      if (!key.startsWith('kernel')) return [key, data];
      return [key, { ...data, data: Float32Array.from(uniform(data.shape, seedOf(key)).data) }];
    }),
  );
}

/** Nets with weights. */
export const affineNets: fc.Arbitrary<Program> = fc
  .array(fc.nat({ max: 2 ** 30 }), { minLength: 5, maxLength: 60, size: 'max' })
  .map((list) => {
    const graph = build(list);
    return { graph, weights: weightsOf(graph) };
  });
