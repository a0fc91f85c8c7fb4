// Peers' recorded numbers in test/fixtures: reading them, and their channels-first models as graphs of ours.
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../src/ir/graph.js';
import { sizeOf, type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Dim } from '../../src/ir/type.js';

export interface GoldenNode {
  readonly id: Name;
  readonly op: string;
  readonly inputs: readonly Name[];
  readonly attrs?: Readonly<Record<string, unknown>>;
  readonly params?: Readonly<Record<string, string>>;
}

/** A rule's name, or its name and parameters. */
export type GoldenRule = string | Readonly<Record<string, string | number | boolean>>;

export interface GoldenRun {
  readonly id: string;
  readonly rules: Readonly<Record<Name, GoldenRule>>;
  /** The class explained, for each sample. */
  readonly target?: readonly number[] | null;
  readonly seed: { readonly kind: string; readonly tensor: string };
  /** Relevance at the output of each node, and `x_f64`: that of x in 64 bits. */
  readonly relevance: Readonly<Record<Name, string>>;
  /** The peer's own rounding errors: at x, and where they are worst. */
  readonly noise: Readonly<Record<string, number>>;
}

export interface GoldenModel {
  readonly id: string;
  readonly graph: {
    readonly inputs: readonly { readonly name: Name; readonly shape: readonly number[] }[];
    readonly nodes: readonly GoldenNode[];
    readonly outputs: readonly Name[];
  };
  readonly input: Readonly<Record<Name, string>>;
  readonly activations: Readonly<Record<Name, string>>;
  readonly runs: readonly GoldenRun[];
}

export interface Golden {
  readonly models: readonly GoldenModel[];
  tensor(name: string): TensorData;
}

/** One recorded case, such as `zennit/ops`. */
export function golden(name: string): Golden {
  const file = (suffix: string) => new URL(`../fixtures/${name}.${suffix}`, import.meta.url);
  const { models, tensors } = JSON.parse(readFileSync(file('json'), 'utf8')) as {
    models: GoldenModel[];
    tensors: Record<string, [offset: number, shape: number[]]>;
  };
  const bytes = readFileSync(file('bin'));
  return {
    models,
    tensor(key) {
      const [offset, shape] = tensors[key]!;
      return tensor(
        shape,
        Array.from({ length: sizeOf(shape) }, (_, i) => bytes.readFloatLE(offset + 4 * i)),
      );
    },
  };
}

/** `data` with axis `perm[i]` as axis i. */
export function permuted({ shape, data }: TensorData, perm: readonly number[]): TensorData {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const moved = perm.map((axis) => shape[axis]!);
  const values = Array.from({ length: data.length }, (_, position) => {
    let rest = position;
    let from = 0;
    for (let axis = moved.length - 1; axis >= 0; axis--) {
      from += (rest % moved[axis]!) * strides[perm[axis]!]!;
      rest = Math.floor(rest / moved[axis]!);
    }
    return data[from]!;
  });
  return tensor(moved, values);
}

const lastAxis = (rank: number) => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];

const spatialOps = new Set([
  'Conv1d',
  'Conv2d',
  'ConvTranspose2d',
  'BatchNorm2d',
  'MaxPool2d',
  'AvgPool2d',
  'AdaptiveAvgPool2d',
]);

/** A model's graph with channels last, its weights by key, and how to read recorded values of its nodes. */
export class GoldenGraph {
  private readonly builder = new GraphBuilder('golden', forward);
  readonly weights = new Map<string, TensorData>();
  /** Values that the peer holds channels first. */
  private readonly pictures = new Set<Name>();

  constructor(
    private readonly source: Golden,
    readonly model: GoldenModel,
  ) {
    const { inputs, nodes } = model.graph;
    for (const { name, shape } of inputs) {
      if (spatialOps.has(nodes[0]!.op)) this.pictures.add(name);
      const own = this.pictures.has(name) ? lastAxis(shape.length).map((axis) => shape[axis]!) : shape;
      this.builder.add('input', [], { name, type: { dtype: 'f32', shape: ['N', ...own.slice(1)] } });
    }
    for (const node of nodes) {
      if (node.op !== 'Flatten' && this.pictures.has(node.inputs[0]!)) this.pictures.add(node.id);
      translations[node.op]!(this, node);
    }
  }

  get graph(): Graph {
    const [output] = this.model.graph.outputs;
    return this.builder.finish({ [output!]: output! });
  }

  /** A recorded value of a node's, or its relevance, in our layout. */
  recorded(node: Name, key: string): TensorData {
    const data = this.source.tensor(key);
    return this.pictures.has(node) ? permuted(data, lastAxis(data.shape.length)) : data;
  }

  input(): TensorData {
    return this.recorded('x', this.model.input.x!);
  }

  add(op: string, args: readonly Name[], name: Name, attrs: Attrs = {}, shape?: readonly Dim[]): Name {
    const type = shape === undefined ? {} : { type: { dtype: 'f32' as const, shape } };
    return this.builder.add(op, args, { name, attrs, ...type });
  }

  /** A parameter of the node, its axes permuted; nothing where the node has none of that name. */
  param({ id, params }: GoldenNode, name: string, perm?: readonly number[]): Name[] {
    const key = params?.[name];
    if (key === undefined) return [];
    const data = this.source.tensor(key);
    this.weights.set(key, perm === undefined ? data : permuted(data, perm));
    return [this.add('param', [], `${id}_${name}`, { key }, this.weights.get(key)!.shape)];
  }

  shapeOf(name: Name): readonly Dim[] {
    return this.builder.typeOf(name).shape;
  }
}

type Translation = (to: GoldenGraph, node: GoldenNode) => void;

const numbers = ({ attrs }: GoldenNode, name: string) => attrs![name] as readonly number[];

/** Equal padding on both sides of each axis. */
const bothSides = (node: GoldenNode) => numbers(node, 'padding').map((width) => [width, width]);

/** Output, input, …window → …window, input, output. */
const kernelLast = (rank: number) => [...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1, 0];

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

const translations: Readonly<Record<string, Translation>> = {
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
  ReLU: (to, node) => void to.add('relu', node.inputs, node.id),
  MaxPool2d: pool('max_pool'),
  AvgPool2d: pool('avg_pool'),
  AdaptiveAvgPool2d(to, node) {
    const spatial = to.shapeOf(node.inputs[0]!).slice(1, -1) as number[];
    const outputs = numbers(node, 'output_size');
    const window = spatial.map((extent, axis) => extent / outputs[axis]!);
    to.add('avg_pool', node.inputs, node.id, { window, strides: window, padding: window.map(() => [0, 0]) });
  },
  // Flattening runs over channels first
  Flatten(to, node) {
    const moved = to.add('transpose', node.inputs, `${node.id}_moved`, { perm: [0, 3, 1, 2] });
    const extents = to.shapeOf(moved).slice(1) as number[];
    to.add('reshape', [moved], node.id, {}, ['N', sizeOf(extents)]);
  },
};
