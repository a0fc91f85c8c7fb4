// The layers of recorded models as nodes of ours: PyTorch's layouts and attributes to channels last.
import type { Attrs } from '../../src/ir/graph.js';
import { sizeOf } from '../../src/ir/tensor.js';
import type { Dim } from '../../src/ir/type.js';
import type { GoldenGraph, GoldenNode } from './golden.js';

export type Translation = (to: GoldenGraph, node: GoldenNode) => void;

const numbers = ({ attrs }: GoldenNode, name: string) => attrs![name] as readonly number[];

/** Equal padding on both sides of each axis. */
const bothSides = (node: GoldenNode) => numbers(node, 'padding').map((width) => [width, width]);

/** Output, input, …window → …window, input, output. */
export const kernelLast = (rank: number) => [...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1, 0];

const windowAttrs = (node: GoldenNode): Attrs => ({
  strides: numbers(node, 'stride'),
  padding: bothSides(node),
  dilations: numbers(node, 'dilation'),
  groups: node.attrs!.groups as number,
});

const convolution: Translation = (to, node) => {
  const rank = numbers(node, 'kernel').length + 2;
  const w = to.param(node, 'weight', kernelLast(rank));
  to.add('conv', [...node.inputs, ...w, ...to.param(node, 'bias')], node.id, windowAttrs(node));
};

/** One more row or column at the end where a last, partial window would start. */
function roundedUp(to: GoldenGraph, node: GoldenNode): number[][] {
  const spatial = to.shapeOf(node.inputs[0]!).slice(1, -1) as number[];
  return spatial.map((extent, axis) => {
    const [size, stride, pad] = ['kernel', 'stride', 'padding'].map((name) => numbers(node, name)[axis]!);
    const missing = (extent + 2 * pad! - size!) % stride!;
    return [pad!, pad! + (node.attrs!.ceil_mode === true && missing > 0 ? stride! - missing : 0)];
  });
}

const pool = (op: string): Translation => {
  return (to, node) => {
    const attrs = { window: numbers(node, 'kernel'), strides: numbers(node, 'stride') };
    const [x] = node.inputs;
    const padding = roundedUp(to, node);
    const counted =
      node.attrs!.count_include_pad === true && numbers(node, 'padding').some((width) => width > 0);
    if (!counted) return void to.add(op, [x!], node.id, { ...attrs, padding });
    // Padding that counts in the mean is padding of its own
    const around = (side: number) => [0, ...padding.map((pair) => pair[side]!), 0];
    const padded = to.add('pad', [x!], `${node.id}_padded`, { low: around(0), high: around(1) });
    to.add(op, [padded], node.id, { ...attrs, padding: padding.map(() => [0, 0]) });
  };
};

/** The parts that the windows of an adaptive pool cover: they overlap where an axis does not divide. */
function covered(extent: number, count: number): { begin: number; size: number }[] {
  return Array.from({ length: count }, (_, i) => {
    const begin = Math.floor((i * extent) / count);
    return { begin, size: Math.ceil(((i + 1) * extent) / count) - begin };
  });
}

/** An adaptive average pool whose windows differ: a slice and its mean for each, put together again. */
function unevenPool(
  to: GoldenGraph,
  { id, inputs }: GoldenNode,
  spatial: readonly number[],
  outputs: readonly number[],
) {
  const [x] = inputs as [string];
  const [batch, , , channels] = to.shapeOf(x) as [Dim, Dim, Dim, Dim];
  const [rows, columns] = spatial.map((extent, axis) => covered(extent, outputs[axis]!));
  const bands = rows!.map((row, i) => {
    const means = columns!.map((column, j) => {
      const name = `${id}_${i}_${j}`;
      const window = [row.size, column.size];
      const begin = { begin: [0, row.begin, column.begin, 0] };
      const part = to.add('slice', [x], `${name}_part`, begin, [batch, ...window, channels]);
      return to.add('avg_pool', [part], name, { window, strides: window, padding: noPadding });
    });
    return to.add('concat', means, `${id}_${i}`, { axis: 2 });
  });
  to.add('concat', bands, id, { axis: 1 });
}

const noPadding = [
  [0, 0],
  [0, 0],
];

const concatenation: Translation = (to, node) =>
  void to.add('concat', node.inputs, node.id, { axis: node.attrs!.dim as number });

export const translations: Readonly<Record<string, Translation>> = {
  Conv1d: convolution,
  Conv2d: convolution,
  ConvTranspose2d(to, node) {
    const w = to.param(node, 'weight', kernelLast(4));
    const x = to.shapeOf(node.inputs[0]!);
    const [kernel, stride, padding, extra] = ['kernel', 'stride', 'padding', 'output_padding'].map((name) =>
      numbers(node, name),
    );
    const spatial = x.slice(1, -1).map((extent, i) => {
      return ((extent as number) - 1) * stride![i]! - 2 * padding![i]! + kernel![i]! + extra![i]!;
    });
    const shape = [x[0]!, ...spatial, node.attrs!.out_channels as number];
    const args = [...node.inputs, ...w, ...to.param(node, 'bias')];
    to.add('conv_transpose', args, node.id, windowAttrs(node), shape);
  },
  Linear(to, node) {
    const leading = to.shapeOf(node.inputs[0]!).length === 3 ? 'bt' : 'b';
    const args = [...node.inputs, ...to.param(node, 'weight', [1, 0]), ...to.param(node, 'bias')];
    to.add('einsum', args, node.id, { eq: `${leading}i,ij->${leading}j` });
  },
  BatchNorm2d(to, node) {
    const statistics = ['weight', 'bias', 'running_mean', 'running_var'].flatMap((name) =>
      to.param(node, name),
    );
    to.add('batch_norm', [...node.inputs, ...statistics], node.id, { epsilon: node.attrs!.eps as number });
  },
  LayerNorm(to, node) {
    const along = ['weight', 'bias'].flatMap((name) => to.param(node, name));
    to.add('layer_norm', [...node.inputs, ...along], node.id, { epsilon: node.attrs!.eps as number });
  },
  GELU: (to, node) => void to.add('gelu', node.inputs, node.id),
  SiLU: (to, node) => void to.add('swish', node.inputs, node.id),
  RMSNorm(to, node) {
    const scale = to.param(node, 'weight');
    to.add('rms_norm', [...node.inputs, ...scale], node.id, { epsilon: node.attrs!.eps as number });
  },
  // x / ‖x‖ = x / √(n · mean x²)
  Normalize(to, { id, inputs }) {
    const extent = to.shapeOf(inputs[0]!).at(-1) as number;
    const scale = to.add('constant', [], `${id}_scale`, { value: 1 / Math.sqrt(extent) }, [extent]);
    to.add('rms_norm', [...inputs, scale], id, { epsilon: 0 });
  },
  Mean(to, { id, inputs }) {
    const shape = to.shapeOf(inputs[0]!);
    const mean = to.add('mean', inputs, `${id}_mean`, { axes: [shape.length - 1] });
    to.add('reshape', [mean], id, {}, [...shape.slice(0, -1), 1]);
  },
  Identity: (to, { id, inputs }) => void to.add('reshape', inputs, id, {}, to.shapeOf(inputs[0]!)),
  Softmax(to, { id, inputs, attrs }) {
    const shape = to.shapeOf(inputs[0]!);
    const { dim, temperature = 1 } = attrs as { dim: number; temperature?: number };
    const factor = () => to.add('constant', [], `${id}_factor`, { value: 1 / temperature }, shape);
    const scores = temperature === 1 ? inputs : [to.add('mul', [...inputs, factor()], `${id}_scores`)];
    to.add('softmax', scores, id, { axis: (dim + shape.length) % shape.length });
  },
  MulScalar(to, node) {
    const shape = to.shapeOf(node.inputs[0]!);
    const factor = to.add('constant', [], `${node.id}_factor`, { value: node.attrs!.value as number }, shape);
    to.add('mul', [...node.inputs, factor], node.id);
  },
  // Of one that puts another axis before the batch only the parts are made, by Select
  Permute(to, node) {
    const perm = numbers(node, 'dims');
    if (perm[0] === 0) to.add('transpose', node.inputs, node.id, { perm });
  },
  // The first extent is that of the one sample recorded
  Reshape(to, node) {
    const [, ...rest] = numbers(node, 'shape');
    to.add('reshape', node.inputs, node.id, {}, ['N', ...rest]);
  },
  Select(to, { id, inputs, attrs }) {
    const moved = to.model.graph.nodes.find((other) => other.id === inputs[0])!;
    const perm = numbers(moved, 'dims');
    const [x] = moved.inputs as [string];
    const shape = to.shapeOf(x);
    const axis = perm[attrs!.dim as number]!;
    const begin = shape.map((_, at) => (at === axis ? (attrs!.index as number) : 0));
    const size = shape.map((extent, at) => (at === axis ? 1 : extent));
    const part = to.add('slice', [x], `${id}_part`, { begin }, size);
    const rest = shape.filter((_, at) => at !== axis);
    const flat = to.add('reshape', [part], `${id}_flat`, {}, rest);
    const kept = perm.filter((at) => at !== axis).map((at) => (at > axis ? at - 1 : at));
    to.add('transpose', [flat], id, { perm: kept });
  },
  Parameter(to, node) {
    const [value] = to.param(node, 'value') as [string];
    const shape = to.shapeOf(value);
    to.add('broadcast', [value], node.id, { axes: [...shape.keys()] }, shape);
  },
  Expand(to, { id, inputs, attrs }) {
    const axes = [...to.shapeOf(inputs[0]!).keys()];
    const [, ...rest] = attrs!.shape as readonly number[];
    to.add('broadcast', inputs, id, { axes }, ['N', ...rest]);
  },
  ReLU: (to, node) => void to.add('relu', node.inputs, node.id),
  MaxPool2d: pool('max_pool'),
  AvgPool2d: pool('avg_pool'),
  AdaptiveAvgPool2d(to, node) {
    const spatial = to.shapeOf(node.inputs[0]!).slice(1, -1) as number[];
    const outputs = numbers(node, 'output_size');
    const window = spatial.map((extent, axis) => extent / outputs[axis]!);
    if (!window.every(Number.isInteger)) return unevenPool(to, node, spatial, outputs);
    to.add('avg_pool', node.inputs, node.id, { window, strides: window, padding: noPadding });
  },
  // Flattening runs over channels first
  Flatten(to, node) {
    const from = (node.attrs!.start_dim as number | undefined) ?? 1;
    const moved = to.add('transpose', node.inputs, `${node.id}_moved`, { perm: [0, 3, 1, 2] });
    const extents = to.shapeOf(moved).slice(1) as number[];
    const kept = extents.slice(0, from - 1);
    to.add('reshape', [moved], node.id, {}, ['N', ...kept, sizeOf(extents.slice(from - 1))]);
  },
  Add(to, node) {
    const [a, b] = node.inputs as [string, string];
    const shape = to.shapeOf(a);
    const axes = { axes: shape.map((_, axis) => axis) };
    const isNarrow = to.shapeOf(b).join() !== shape.join();
    to.add('add', [a, isNarrow ? to.add('broadcast', [b], `${b}_spread`, axes, shape) : b], node.id);
  },
  Mul: (to, node) => void to.add('mul', [...node.inputs, ...to.param(node, 'weight')], node.id),
  MatMul(to, node) {
    const shared = 'bh'.slice(0, to.shapeOf(node.inputs[0]!).length - 2);
    to.add('einsum', node.inputs, node.id, { eq: `${shared}ij,${shared}jk->${shared}ik` });
  },
  einsum: (to, node) => void to.add('einsum', node.inputs, node.id, { eq: node.attrs!.equation as string }),
  IndexSelect(to, node) {
    const places = to.indices(numbers(node, 'indices'), `${node.id}_places`);
    to.add('gather', [...node.inputs, places], node.id, { axis: node.attrs!.dim as number });
  },
  Cat: concatenation,
  Concat: concatenation,
  // A value read several times: here its copies stand one after another
  Clone(to, node) {
    const copies = new Array<string>(node.attrs!.num as number).fill(node.inputs[0]!);
    to.add('concat', copies, node.id, { axis: 1 });
  },
};
