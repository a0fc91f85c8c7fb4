// Inputs of an explainer: tensors and plain numbers, checked and brought to the host.
import * as tf from '@tensorflow/tfjs';
import { notFinite } from '../codegen/wasm/runtime/explanation.js';
import { RelcError } from '../ir/error.js';
import type { Name, Node } from '../ir/graph.js';
import { type NumberArray, sizeOf, type TensorData } from '../ir/tensor.js';
import { batchMultiple, bindShape, type Dtype, elementCount, printShape } from '../ir/type.js';

export type InputValue = tf.Tensor | Float32Array | Int32Array | readonly number[];

/** One input, or several by name. */
export type Inputs = InputValue | Readonly<Record<string, InputValue>>;

const isTensor = (input: InputValue): input is tf.Tensor => input instanceof tf.Tensor;

/** A tensor of another copy of tfjs looks like one of ours and cannot be used. */
const isForeign = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'dataId' in value && !(value instanceof tf.Tensor);

/** @throws RelcError RELC4002 where `given` is neither a tensor nor numbers */
function expectValues(name: string, given: InputValue | undefined): asserts given is InputValue {
  if (given === undefined) throw new RelcError('RELC4002', `input ${name} is missing`);
  if (given instanceof tf.Tensor || Array.isArray(given) || ArrayBuffer.isView(given)) return;
  const hint = isForeign(given)
    ? 'it is a tensor of another copy of @tensorflow/tfjs: install one copy'
    : undefined;
  throw new RelcError('RELC4002', `input ${name} is neither a tensor nor a list of numbers`, hint);
}

/** Samples that a bound input holds; undefined where it has no batch. */
export function samplesOf(node: Node, bound: TensorData): number | undefined {
  const multiple = batchMultiple(node.type.shape[0] ?? 1);
  return multiple === undefined ? undefined : bound.shape[0]! / multiple;
}

/** What was given as numbers: what a tensor holds, and of complex numbers the real parts. */
async function numbersOf(tensor: tf.Tensor): Promise<ArrayLike<number>> {
  if (tensor.dtype !== 'complex64') return tensor.data();
  const real = tf.real(tensor);
  try {
    return await real.data();
  } finally {
    real.dispose();
  }
}

/** Copies numbers as tfjs casts them: to integers towards zero, to truth unless they are zero. */
const stored: Readonly<Record<Dtype, (numbers: ArrayLike<number>) => NumberArray>> = {
  f32: (numbers) => Float32Array.from(numbers),
  i32: (numbers) => Int32Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers, (value) => (value === 0 ? 0 : 1)),
};

/**
 * Checks one input and copies it to the host, as the type that its node states. Numbers are copied, and tensors asked
 * for theirs, before the first wait.
 * @throws RelcError RELC4002
 */
export async function bindInput(node: Node, given: InputValue | undefined): Promise<TensorData> {
  const wanted = printShape(node.type.shape);
  expectValues(`${node.name} ${wanted}`, given);
  const perSample = elementCount(node.type.shape);
  const multiple = batchMultiple(node.type.shape[0] ?? 1);
  const size = isTensor(given) ? given.size : given.length;
  const samples = multiple === undefined ? 1 : size / perSample;
  const shape = bindShape(node.type.shape, samples);
  if (!Number.isInteger(samples) || samples < 1 || sizeOf(shape) !== size) {
    throw new RelcError(
      'RELC4002',
      `input ${node.name} has ${size} elements, expected ${wanted}: ${perSample} a sample`,
    );
  }
  if (isTensor(given) && given.shape.join() !== shape.join()) {
    throw new RelcError('RELC4002', `input ${node.name} has shape [${given.shape}], expected ${wanted}`);
  }
  const numbers = isTensor(given) ? await numbersOf(given) : given;
  const bad = notFinite(numbers);
  if (bad >= 0) throw new RelcError('RELC4002', `input ${node.name} holds ${numbers[bad]} at element ${bad}`);
  const { dtype } = node.type;
  return { dtype, shape, data: stored[dtype](numbers) };
}

/** Inputs by name, each on the host. @throws RelcError RELC4002 */
export async function bindInputs(
  nodes: readonly Node[],
  given: Readonly<Record<string, InputValue>>,
): Promise<Record<Name, TensorData>> {
  const names = nodes.map((node) => node.name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RelcError('RELC4002', `there is no input '${unknown}'`, `inputs: ${names.join(', ')}`);
  }
  // All at once: what was given may be changed or disposed of while one of them is waited for
  const bound = await Promise.all(nodes.map((node) => bindInput(node, given[node.name])));
  let first: number | undefined;
  for (const [index, node] of nodes.entries()) {
    const samples = samplesOf(node, bound[index]!);
    first ??= samples;
    if (samples !== undefined && samples !== first) {
      throw new RelcError(
        'RELC4002',
        `input ${node.name} holds ${samples} samples, the one before it ${first}`,
      );
    }
  }
  return Object.fromEntries(nodes.map(({ name }, index) => [name, bound[index]!]));
}

/** Whether `input` is one input and not several by name. */
const isOne = (input: Inputs): input is InputValue =>
  input instanceof tf.Tensor || ArrayBuffer.isView(input) || Array.isArray(input) || isForeign(input);

/** What was given, by input. @throws RelcError RELC4002 where one value was given for several inputs */
export function byName(nodes: readonly Node[], input: Inputs): Readonly<Record<string, InputValue>> {
  if (!isOne(input)) return input;
  const names = nodes.map((node) => node.name);
  if (names.length === 1) return { [names[0]!]: input };
  throw new RelcError(
    'RELC4002',
    `one input was given, expected ${names.length}`,
    `pass { ${names.join(', ')} }`,
  );
}
