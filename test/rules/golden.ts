// Peers' recorded numbers in test/fixtures: reading them, and their channels-first models as graphs of ours.
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../src/ir/graph.js';
import { sizeOf, type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Dim } from '../../src/ir/type.js';
import { kernelLast, translations } from './golden-layers.js';

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
  /** `more`: what comes back from the further users of a value that is handed on as it is. */
  readonly seed: { readonly kind: string; readonly tensor: string; readonly more?: readonly string[] };
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
  /** Weights of convolutions as the peer merges them with the batch normalization behind. */
  readonly merged?: Readonly<Record<Name, Readonly<Record<string, string>>>>;
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

/** Tensors of one shape one after another along axis 1. */
function joined(parts: readonly TensorData[]): TensorData {
  const [rows, extent, ...rest] = parts[0]!.shape as [number, number, ...number[]];
  const size = sizeOf([extent, ...rest]);
  const values = Array.from({ length: rows }, (_, row) =>
    parts.map(({ data }) => Array.from(data.slice(row * size, (row + 1) * size))),
  );
  return tensor([rows, extent * parts.length, ...rest], values.flat(2));
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
    // What is shared by all samples can be explained only in a graph without a batch axis
    const sharesSamples = new Set(inputs.map(({ shape }) => shape[0])).size > 1;
    // nor has a graph with one a constant for each sample
    const hasFactor = nodes.some(({ op, params }) => op === 'Mul' && params?.weight !== undefined);
    const isBatched = !sharesSamples && !hasFactor;
    for (const { name, shape } of inputs) {
      if (spatialOps.has(nodes[0]!.op)) this.pictures.add(name);
      const own = this.pictures.has(name) ? lastAxis(shape.length).map((axis) => shape[axis]!) : shape;
      const rows = isBatched ? 'N' : shape[0]!;
      this.builder.add('input', [], { name, type: { dtype: 'f32', shape: [rows, ...own.slice(1)] } });
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

  /** A recorded kernel or bias of a convolution, in our layout. */
  convolutional(key: string): TensorData {
    const data = this.source.tensor(key);
    return data.shape.length > 1 ? permuted(data, kernelLast(data.shape.length)) : data;
  }

  inputs(): Record<Name, TensorData> {
    const entries = Object.entries(this.model.input);
    return Object.fromEntries(entries.map(([name, key]) => [name, this.recorded(name, key)]));
  }

  /** R at the model's output; parts for several users stand one after another, as the values do. */
  seed({ seed: { tensor: first, more = [] } }: GoldenRun): TensorData {
    const [output] = this.model.graph.outputs;
    return joined([first, ...more].map((key) => this.recorded(output!, key)));
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

  /** Whole numbers as a constant. */
  indices(values: readonly number[], name: Name): Name {
    return this.builder.add('constant', [], {
      name,
      attrs: { value: values },
      type: { dtype: 'i32', shape: [values.length] },
    });
  }

  shapeOf(name: Name): readonly Dim[] {
    return this.builder.typeOf(name).shape;
  }
}
