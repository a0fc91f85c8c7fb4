// Tracing: a model in, a graph out. What the front ends for functions and models share.
import type * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { type Name, usesOf } from '../ir/graph.js';
import { removeDeadCode } from '../ir/passes/dead-code.js';
import type { Program } from '../ir/passes/pass.js';
import { rewrite } from '../ir/passes/rewrite.js';
import { simplifyGraph } from '../ir/passes/simplify.js';
import type { TensorData } from '../ir/tensor.js';
import { bindShape, type Dtype, isBatched, type TensorType } from '../ir/type.js';
import { tracedTensor, tracing } from './backend.js';
import { nameByLayers } from './naming.js';
import { Recorder } from './recorder.js';
import { batchSizes, unify } from './unify.js';

/** The shape of an input, batch first; null (or any number) in front stands for the batch. */
export type InputShape = readonly (number | null)[];
/** An input that is not f32. */
export interface TypedInput {
  readonly shape: InputShape;
  readonly dtype: Dtype;
}
export type InputSpec = InputShape | TypedInput;

/** Extents that models may leave open. */
export interface OpenExtents {
  /** Height and width of pictures [N, height, width, c]. */
  readonly size?: readonly [height: number, width: number];
  /** Tokens of texts [N, tokens]. */
  readonly length?: number;
}

/** A stated shape with the extents that it leaves open taken from what is known of pictures and texts. */
export function sized(stated: InputShape, { size, length }: OpenExtents): InputShape {
  const [batch = null, ...rest] = stated;
  if (stated.length === 4 && size !== undefined) {
    const [height = null, width = null, channels = null] = rest;
    return [batch, height ?? size[0], width ?? size[1], channels];
  }
  if (stated.length === 2 && length !== undefined) return [batch, rest[0] ?? length];
  return stated;
}

/** What a front end prepares: how to call the model and what its inputs and weights are called. */
export interface Subject {
  readonly name: string;
  /** Their types; a first dimension k·N grows with the batch, and where there is none the graph has no batch. */
  readonly inputs: ReadonlyMap<Name, TensorType>;
  readonly weightNames: ReadonlyMap<object, string>;
  /** Call sites are recorded for functions only. */
  readonly sites: boolean;
  /** Runs the model on traced tensors, in the order of `inputs`; results by output name. */
  run(inputs: readonly tf.Tensor[], recorder: Recorder): Record<string, tf.Tensor>;
}

/** `null` for a function without a batch axis: its whole input is one sample. */
export type BatchOption = { readonly batch?: null };

function typed(spec: InputSpec, extents: OpenExtents): TypedInput {
  const { shape, dtype } = 'shape' in spec ? spec : { shape: spec, dtype: 'f32' as const };
  return { shape: sized(shape, extents), dtype };
}

function checkInput(name: Name, { shape, dtype }: TypedInput, batch: BatchOption['batch']): void {
  const rest = batch === null ? shape : shape.slice(1);
  const bad = rest.find((dim) => dim === null || !Number.isInteger(dim) || dim < 1);
  if (bad !== undefined || (batch !== null && shape.length === 0)) {
    const hint =
      shape.length === 2
        ? 'state it with the option length, for example length: 128 tokens'
        : 'state the shape with the option input, for example input: [1, 224, 224, 3]';
    throw new RelcError(
      'RELC2008',
      `input ${name} has shape [${shape.map(String)}]: every dimension ${batch === null ? '' : 'after the batch '}must be a positive integer`,
      hint,
    );
  }
  if (dtype !== 'f32' && dtype !== 'i32') {
    throw new RelcError('RELC2008', `input ${name} has dtype ${dtype}; expected f32 or i32`);
  }
}

/** Types of inputs by name from what the user stated: N in front, or fixed with `batch: null`. @throws RelcError RELC2008 */
export function inputsFrom(
  specs: ReadonlyMap<Name, InputSpec>,
  { batch, ...extents }: BatchOption & OpenExtents,
): ReadonlyMap<Name, TensorType> {
  if (specs.size === 0)
    throw new RelcError('RELC2008', 'no input is stated', 'pass the option input: [1, …shape]');
  const inputs = new Map<Name, TensorType>();
  for (const [name, spec] of specs) {
    const input = typed(spec, extents);
    checkInput(name, input, batch);
    const { dtype } = input;
    const shape = input.shape as readonly number[];
    inputs.set(name, { dtype, shape: batch === null ? shape : ['N', ...shape.slice(1)] });
  }
  return inputs;
}

/** Runs the model; what it throws of its own is said to be the model's. */
function runModel(subject: Subject, inputs: readonly tf.Tensor[], recorder: Recorder) {
  try {
    return subject.run(inputs, recorder);
  } catch (error) {
    if (error instanceof RelcError) throw error;
    const shapes = inputs.map((input) => `[${input.shape}]`).join(', ');
    throw new RelcError(
      'RELC2011',
      `model '${subject.name}' failed on inputs of shape ${shapes}: ${error instanceof Error ? error.message : String(error)}`,
      'run the model on tensors of these shapes to see the same error',
      { cause: error },
    );
  }
}

/** One trace; every k·N among the inputs' shapes is a number. */
function recordOnce(subject: Subject, batch: number, read: Map<object, TensorData>): Program {
  const recorder = new Recorder(subject.name, subject.weightNames, subject.sites, read);
  const outputs: Record<string, Name> = {};
  tracing(recorder, () => {
    const inputs = [...subject.inputs].map(([name, { shape, dtype }]) => {
      return tracedTensor(recorder, recorder.input(name, { dtype, shape: bindShape(shape, batch) }));
    });
    for (const [key, result] of Object.entries(runModel(subject, inputs, recorder))) {
      outputs[key] = recorder.operand(result).name;
    }
  });
  const { graph, weights } = recorder.finish(outputs);
  const clean = removeDeadCode(simplifyGraph(removeDeadCode(graph), forward));
  const program = reshapeWeights({ graph: clean, weights });
  return { graph: { ...program.graph, aliases: new Map() }, weights: program.weights };
}

/** Reshapes of weights that nothing else uses are done on the weight: it keeps its name. */
function reshapeWeights({ graph, weights }: Program): Program {
  const uses = usesOf(graph);
  const outputs = new Set(Object.values(graph.outputs));
  const stored = new Map(weights);
  const reshaped = rewrite(graph, forward, (node, { builder }) => {
    const [source] = node.args;
    const weight = node.op === 'reshape' ? builder.node(source!) : undefined;
    if (weight?.op !== 'param' || uses.get(source!)!.length !== 1 || outputs.has(source!)) return undefined;
    const key = weight.attrs.key as string;
    stored.set(key, { ...stored.get(key)!, shape: node.type.shape as number[] });
    builder.nodes.delete(weight.name);
    return builder.add('param', [], { name: weight.name, attrs: weight.attrs, type: node.type });
  });
  return { graph: reshaped, weights: stored };
}

/** Weights that the graph uses; the rest was only touched by computations on constants. */
function used({ graph, weights }: Program): Program {
  const keys = new Set([...graph.nodes.values()].map((node) => node.attrs.key));
  return { graph, weights: new Map([...weights].filter(([key]) => keys.has(key))) };
}

/**
 * Traces a model into a graph whose batch dimension is symbolic where an input's is.
 * @throws RelcError RELC2001..RELC2009
 */
export function traceSubject(subject: Subject): Program {
  const read = new Map<object, TensorData>();
  const program = [...subject.inputs.values()].some(isBatched)
    ? unify(recordOnce(subject, batchSizes[0], read), recordOnce(subject, batchSizes[1], read))
    : recordOnce(subject, 1, read);
  return used({ graph: nameByLayers(program.graph), weights: program.weights });
}
