// The front end for plain functions on tensors.
import * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import type { Program } from '../ir/passes/pass.js';
import { type BatchOption, type InputSpec, inputsFrom, type OpenExtents, traceSubject } from './trace.js';

/** Weights of a function: tensors in nested objects and arrays; a weight is named by its path, `fc1/kernel`. */
export type Params = { readonly [key: string]: tf.Tensor | Params } | readonly (tf.Tensor | Params)[];

/** One tensor, or tensors by name: each name is an output. */
export type ModelResult = tf.Tensor | readonly tf.Tensor[] | Readonly<Record<string, tf.Tensor>>;

/**
 * A model as a function: of one tensor, of a list, or of tensors by name, as `input` states; then of its weights.
 * Declared as a method, for then a function of `tf.Tensor4D` is one too: parameters of methods compare both ways.
 */
export type ModelFunction = {
  call(input: unknown, params: unknown): ModelResult | Promise<ModelResult>;
}['call'];

/** One shape, a list of them, or shapes by name. */
export type FunctionInputs = InputSpec | readonly InputSpec[] | Readonly<Record<string, InputSpec>>;

export interface FunctionOptions extends BatchOption, OpenExtents {
  readonly input: FunctionInputs;
  readonly params?: Params;
}

const isShape = (spec: unknown): spec is InputSpec =>
  Array.isArray(spec)
    ? spec.every((dim) => dim === null || typeof dim === 'number')
    : typeof spec === 'object' && spec !== null && Array.isArray((spec as { shape?: unknown }).shape);

/** The stated inputs by name, and how to hand tensors to the function in the form that was stated. */
function arrange(input: FunctionInputs | undefined): {
  specs: ReadonlyMap<string, InputSpec>;
  pack: (tensors: readonly tf.Tensor[]) => unknown;
} {
  if (input === undefined || input === null) {
    throw new RelcError(
      'RELC2008',
      'a function was given without the shape of its input',
      'pass the option input: [1, …shape]',
    );
  }
  if (isShape(input)) return { specs: new Map([['x', input]]), pack: ([x]) => x };
  if (Array.isArray(input)) {
    return {
      specs: new Map(input.map((spec: InputSpec, index) => [`x${index}`, spec])),
      pack: (tensors) => tensors,
    };
  }
  const names = Object.keys(input);
  const specs = new Map(Object.entries(input as Record<string, InputSpec>));
  return { specs, pack: (tensors) => Object.fromEntries(names.map((name, index) => [name, tensors[index]])) };
}

function collect(params: Params | tf.Tensor | undefined, path: string, names: Map<object, string>): void {
  if (params === undefined || params === null) return;
  if (params instanceof tf.Tensor) names.set(params.dataId, path);
  else {
    for (const [key, value] of Object.entries(params))
      collect(value, path === '' ? key : `${path}/${key}`, names);
  }
}

function asOutputs(result: ModelResult | Promise<ModelResult>): Record<string, tf.Tensor> {
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new RelcError(
      'RELC2005',
      'the model function returned a promise',
      'trace a synchronous function; load and await beforehand',
    );
  }
  if (result instanceof tf.Tensor) return { output: result };
  const entries = typeof result === 'object' && result !== null ? Object.entries(result) : [];
  const bad = entries.find(([, value]) => !(value instanceof tf.Tensor));
  if (entries.length === 0 || bad !== undefined) {
    const got = bad === undefined ? String(result) : `${String(bad[1])} under '${bad[0]}'`;
    throw new RelcError('RELC2009', `the model function returned ${got}, expected tensors`);
  }
  const named = Array.isArray(result)
    ? entries.map(([key, value]) => [`output${key}`, value] as const)
    : entries;
  return Object.fromEntries(named);
}

/**
 * Traces a function.
 * @throws RelcError RELC2001..RELC2009
 */
export function traceFunction(fn: ModelFunction, options: FunctionOptions): Program {
  const { specs, pack } = arrange(options.input);
  const weightNames = new Map<object, string>();
  collect(options.params, '', weightNames);
  return traceSubject({
    name: fn.name === '' ? 'model' : fn.name.replace(/[^A-Za-z0-9_]/g, '_'),
    inputs: inputsFrom(specs, options),
    weightNames,
    sites: true,
    run: (tensors) => asOutputs(fn(pack(tensors), options.params)),
  });
}
