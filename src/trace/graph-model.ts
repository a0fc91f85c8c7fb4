// The front end for tf.GraphModel.
import type * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import type { Program } from '../ir/passes/pass.js';
import type { ModelOptions } from './layers-model.js';
import type { Recorder } from './recorder.js';
import { type InputSpec, inputsFrom, sized, traceSubject } from './trace.js';

/** The part of a graph executor that names its nodes: not in tfjs's public types. */
interface ExecutorNode {
  readonly name: string;
  category: string;
}
interface WithExecutor {
  readonly executor?: { readonly graph?: { readonly nodes?: Readonly<Record<string, ExecutorNode>> } };
}

/** The longest path that all names with a path share: said once, it would only be noise in every name. */
function commonPath(names: readonly string[]): string {
  const paths = names.filter((name) => name.includes('/')).map((name) => name.split('/').slice(0, -1));
  let depth = 0;
  const [first] = paths;
  while (first?.[depth] !== undefined && paths.every((path) => path[depth] === first[depth])) depth++;
  return depth === 0 ? '' : `${first!.slice(0, depth).join('/')}/`;
}

/**
 * While `action` runs, the recorder learns which node runs: the executor reads a node's category just before it
 * runs it.
 */
function announcingNodes<Result>(model: tf.GraphModel, recorder: Recorder, action: () => Result): Result {
  const restore: (() => void)[] = [];
  const nodes = Object.values((model as unknown as WithExecutor).executor?.graph?.nodes ?? {});
  const prefix = commonPath(nodes.filter((node) => node.category !== 'graph').map((node) => node.name));
  for (const node of nodes) {
    const { category, name } = node;
    const layer = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    Object.defineProperty(node, 'category', {
      configurable: true,
      enumerable: true,
      get() {
        recorder.layers.splice(0, recorder.layers.length, layer);
        return category;
      },
    });
    restore.push(() =>
      Object.defineProperty(node, 'category', {
        configurable: true,
        enumerable: true,
        writable: true,
        value: category,
      }),
    );
  }
  try {
    return action();
  } finally {
    recorder.layers.length = 0;
    for (const undo of restore) undo();
  }
}

function weightNamesOf(model: tf.GraphModel): ReadonlyMap<object, string> {
  const names = new Map<object, string>();
  for (const [name, tensors] of Object.entries(model.weights)) {
    for (const tensor of tensors) names.set(tensor.dataId, name);
  }
  return names;
}

/** Input shapes as the model states them, −1 for what it leaves open; and whether its batch size is fixed. */
function statedInputs(model: tf.GraphModel, options: ModelOptions) {
  const given = options.input;
  const specs = new Map<string, InputSpec>();
  for (const input of model.inputs) {
    const known = input.shape?.map((dim) => (dim !== null && dim < 0 ? null : dim));
    const stated = known && sized(known, options);
    const usable = stated?.slice(1).every((dim) => dim !== null) === true;
    const dtype = input.dtype === 'int32' ? 'i32' : 'f32';
    const spec: InputSpec | undefined = usable ? { shape: stated!, dtype } : given;
    const asked = given === undefined ? undefined : 'shape' in given ? given.shape : given;
    if (usable && asked !== undefined && asked.slice(1).join() !== stated!.slice(1).join()) {
      throw new RelcError(
        'RELC2008',
        `the shape [${asked}] is asked for, but input ${input.name} of the model is [${stated!.map(String)}]`,
        'leave out the option input: the model states its shape',
      );
    }
    if (spec === undefined) {
      throw new RelcError(
        'RELC2008',
        `the model leaves the shape of input ${input.name} open: [${stated?.map(String) ?? 'unknown'}]`,
        'state it with the option input, for example input: [1, 224, 224, 3]',
      );
    }
    specs.set(input.name, spec);
  }
  return specs;
}

/** A graph converted with a fixed batch size of 1 is one sample; of more, it has to be said what to do. */
function batchOption(model: tf.GraphModel, options: ModelOptions): null | undefined {
  if (options.batch === null) return null;
  const fixed = model.inputs
    .map((input) => input.shape?.[0])
    .filter((dim) => typeof dim === 'number' && dim > 0);
  if (fixed.length === 0) return undefined;
  if (fixed.every((dim) => dim === 1)) return null;
  throw new RelcError(
    'RELC2008',
    `the model was converted for batches of ${fixed[0]}`,
    'convert it with a dynamic batch, or pass batch: null to explain the whole batch as one sample',
  );
}

/** Executes a model, and says in words of ours that tfjs can only do it asynchronously. */
function execute(model: tf.GraphModel, feed: tf.NamedTensorMap, outputs: string[]): tf.Tensor | tf.Tensor[] {
  try {
    return model.execute(feed, outputs);
  } catch (error) {
    const [, node, op] = /node '(.*)', which has the dynamic op '(.*)'/.exec(String(error)) ?? [];
    if (op === undefined) throw error;
    throw new RelcError(
      'RELC2006',
      `${op} (${node}): the shape of a result, or which ops run, depends on the values of the input`,
      'explain the part of the model before this op',
      { cause: error },
    );
  }
}

/**
 * Traces a graph model.
 * @throws RelcError RELC2001..RELC2008
 */
export function traceGraphModel(model: tf.GraphModel, options: ModelOptions): Program {
  const batch = batchOption(model, options);
  const names = model.inputs.map((input) => input.name);
  return traceSubject({
    name: 'model',
    inputs: inputsFrom(statedInputs(model, options), batch === null ? { batch } : {}),
    weightNames: weightNamesOf(model),
    sites: false,
    run(tensors, recorder) {
      const feed = Object.fromEntries(names.map((name, index) => [name, tensors[index]!]));
      const outputs = model.outputs.map((output) => output.name);
      const result = announcingNodes(model, recorder, () => execute(model, feed, outputs));
      const list = Array.isArray(result) ? result : [result];
      return Object.fromEntries(list.map((output, index) => [outputs[index]!.replace(/:0$/, ''), output]));
    },
  });
}
