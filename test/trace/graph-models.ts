// Graph models written by hand, in the form that the converter writes: nodes by op with attributes, weights aside.
import * as tf from '@tensorflow/tfjs';
import { randomTensor } from './support.js';

type Attribute = Readonly<Record<string, unknown>>;

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, Attribute>>;
}

export const integer = (i: number): Attribute => ({ i: String(i) });
export const integers = (...i: number[]): Attribute => ({ list: { i: i.map(String) } });
export const text = (s: string): Attribute => ({ s: btoa(s) });
export const texts = (...s: string[]): Attribute => ({ list: { s: s.map(btoa) } });

/** An input; −1 leaves a dimension open. */
export function placeholder(
  name: string,
  shape: readonly number[] | undefined,
  type = 'DT_FLOAT',
): GraphNode {
  const dims = shape?.map((size) => ({ size: String(size) }));
  return {
    name,
    op: 'Placeholder',
    attr: { dtype: { type }, shape: { shape: dims === undefined ? { unknownRank: true } : { dim: dims } } },
  };
}

/** A convolution of stride 1 that keeps the picture's size. */
export function convolution(name: string, x: string, filter: string, op = 'Conv2D'): GraphNode {
  const attr = { strides: integers(1, 1, 1, 1), padding: text('SAME'), dilations: integers(1, 1, 1, 1) };
  return { name, op, input: [x, filter], attr };
}

/** A weight: the shape of a tensor of seeded numbers, whole numbers, one or a list, or one floating-point number. */
export type Weight =
  | readonly number[]
  | { readonly whole: number | readonly number[] }
  | { readonly float: number };

function weightTensor(weight: Weight, seed: number): tf.Tensor {
  if ('float' in weight) return tf.scalar(weight.float, 'float32');
  if (!('whole' in weight)) return randomTensor(seed, weight);
  return tf.tensor(weight.whole as number | number[], undefined, 'int32');
}

function weightNode(name: string, tensor: tf.Tensor): GraphNode {
  const type = tensor.dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT';
  const dim = tensor.shape.map((size) => ({ size: String(size) }));
  return {
    name,
    op: 'Const',
    attr: { dtype: { type }, value: { tensor: { dtype: type, tensorShape: { dim } } } },
  };
}

/** The model as its files hold it. */
export async function artifactsOf(
  nodes: readonly GraphNode[],
  weights: Readonly<Record<string, Weight>>,
): Promise<tf.io.ModelArtifacts> {
  const tensors = Object.entries(weights).map(([name, weight], index) => ({
    name,
    tensor: weightTensor(weight, 300 + index),
  }));
  const { data, specs } = await tf.io.encodeWeights(tensors);
  tf.dispose(tensors.map(({ tensor }) => tensor));
  const node = [...tensors.map(({ name, tensor }) => weightNode(name, tensor)), ...nodes];
  return {
    format: 'graph-model',
    modelTopology: { node, versions: { producer: 1 } },
    weightSpecs: specs,
    weightData: data,
  };
}

export async function loadGraph(
  nodes: readonly GraphNode[],
  weights: Readonly<Record<string, Weight>>,
): Promise<tf.GraphModel> {
  return tf.loadGraphModel(tf.io.fromMemory(await artifactsOf(nodes, weights)));
}
