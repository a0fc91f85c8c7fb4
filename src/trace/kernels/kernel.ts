// What a kernel's translation is given, and what many translations share.
import type * as tf from '@tensorflow/tfjs';
import { OpProblem, numberAttr as spelling } from '../../ir/dialect.js';
import type { Attr, Name } from '../../ir/graph.js';
import { sizeOf } from '../../ir/tensor.js';
import type { Recorder, Value } from '../recorder.js';
import { squeezedBefore } from './batch-first.js';

/** One kernel call: operands by tfjs's names, attributes as tfjs states them. */
export interface KernelCall {
  readonly kernel: string;
  readonly r: Recorder;
  readonly inputs: Readonly<Record<string, Value>>;
  readonly attrs: tf.NamedAttrMap;
}

/** Adds the nodes of one kernel call; returns the value, or values, of its result. */
export type Translation = (call: KernelCall) => Name | readonly Name[];

export type TranslationTable = Readonly<Record<string, Translation>>;

/** The operand called `key`. */
export function need(call: KernelCall, key: string): Name {
  const value = call.inputs[key];
  if (value === undefined) throw new OpProblem('RELC2001', `operand ${key} is missing`);
  return value.name;
}

/** Operands of kernels that take a list, in order. */
export function listOf(call: KernelCall): readonly Name[] {
  return Object.keys(call.inputs)
    .sort((a, b) => Number(a) - Number(b))
    .map((key) => call.inputs[key]!.name);
}

export function numberAttr(call: KernelCall, key: string, fallback?: number): number {
  const value = call.attrs[key] ?? fallback;
  if (typeof value !== 'number') throw new OpProblem('RELC2001', `attribute ${key} is ${String(value)}`);
  return value;
}

/** A number of the call as an attribute of a node, which spells the infinite ones. */
export function spelledNumber(call: KernelCall, key: string, fallback?: number): Attr {
  return spelling(numberAttr(call, key, fallback));
}

/** A number, or a list of them, as a list of `length`. */
export function numbersAttr(call: KernelCall, key: string, length: number): number[] {
  const value = call.attrs[key] ?? 1;
  return typeof value === 'number' ? new Array<number>(length).fill(value) : [...(value as number[])];
}

/** Axes as tfjs states them (one, several, negative, none for all), sorted. */
export function axesOf(stated: unknown, rank: number): number[] {
  if (stated === undefined || stated === null) return Array.from({ length: rank }, (_, axis) => axis);
  const list = typeof stated === 'number' ? [stated] : [...(stated as number[])];
  return list.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

/** The shape that two shapes broadcast to, by NumPy's rule. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly number[], axis: number) => shape[axis - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [at(a, axis), at(b, axis)];
    if (x !== y && x !== 1 && y !== 1) throw new OpProblem('RELC1004', `[${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** `x` spread to `shape` by NumPy's rule: a broadcast node, with a reshape where axes of extent 1 grow. */
export function broadcastTo(r: Recorder, x: Name, shape: readonly number[]): Name {
  const own = r.shapeOf(x);
  if (own.join() === shape.join() && own.length === shape.length) return x;
  const { dtype } = r.typeOf(x);
  const offset = shape.length - own.length;
  const node = r.builder.node(x);
  if (node.op === 'constant' && !Array.isArray(node.attrs.value)) {
    return r.add('constant', [], node.attrs, { dtype, shape });
  }
  const kept = own.map((_, axis) => axis).filter((axis) => own[axis] === shape[axis + offset]);
  const source =
    kept.length === own.length
      ? x
      : r.k.reshape(
          x,
          kept.map((axis) => own[axis]!),
        );
  const axes = kept.map((axis) => axis + offset);
  return r.add('broadcast', [source], { axes }, { dtype, shape });
}

/** A reshape, or the value of that shape among those reshaped before: a batch moved away returns to the front. */
export function reshape(r: Recorder, x: Name, shape: readonly number[]): Name {
  const wanted = shape.join();
  for (let name = x; ; ) {
    if (r.shapeOf(name).join() === wanted) return name;
    const { op, args } = r.builder.node(name);
    if (op !== 'reshape') return squeezedBefore(r, x, shape) ?? r.k.reshape(x, shape);
    name = args[0]!;
  }
}

/** Both values spread to their common shape. */
export function aligned(r: Recorder, names: readonly Name[]): Name[] {
  const shape = names.map((name) => r.shapeOf(name)).reduce(broadcastShape);
  return names.map((name) => broadcastTo(r, name, shape));
}

export function elements(shape: readonly number[]): number {
  return sizeOf(shape);
}
