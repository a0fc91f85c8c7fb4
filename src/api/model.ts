// Models: everything that compile accepts, and the front end for each.
import * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import type { Program } from '../ir/passes/pass.js';
import { stated } from '../ir/stated.js';
import { type FunctionInputs, type ModelFunction, type Params, traceFunction } from '../trace/function.js';
import { traceGraphModel } from '../trace/graph-model.js';
import { traceLayersModel } from '../trace/layers-model.js';
import { isGraphModel, isLayersModel, loadModel } from '../trace/load.js';
import type { InputSpec } from '../trace/trace.js';

/** A function on tensors, a TensorFlow.js model, the path of a `model.json`, or a program traced before. */
export type Model = ModelFunction | tf.LayersModel | tf.GraphModel | Program | string;

export interface TraceOptions {
  /**
   * The shape of the input, batch first: `[1, 224, 224, 3]`. For functions also a list of shapes or shapes by name,
   * and `{ shape, dtype: 'i32' }` for integer inputs. Models that state their shapes need none.
   */
  readonly input?: FunctionInputs;
  /** Height and width of pictures, for models that leave them open. */
  readonly size?: readonly [height: number, width: number];
  /** Tokens of a text, for models that leave their number open: of an input [N, null]. */
  readonly length?: number;
  /** Weights of a function, in nested objects: a weight is named by its path. */
  readonly params?: Params;
  /** `null` for a function without a batch axis: its whole input is one sample. */
  readonly batch?: null;
}

function isProgram(model: unknown): model is Program {
  return typeof model === 'object' && model !== null && 'graph' in model && 'weights' in model;
}

function single(input: FunctionInputs | undefined): { input?: InputSpec } {
  if (input === undefined) return {};
  const isOne = Array.isArray(input)
    ? !input.some((part) => typeof part === 'object' && part !== null)
    : 'shape' in input;
  if (isOne) return { input: input as InputSpec };
  throw new RelcError('RELC2008', 'a model takes one shape as option input', 'pass input: [1, …shape]');
}

/**
 * The forward graph of a model, with a symbolic batch.
 * @throws RelcError RELC2001..RELC2010
 */
export async function trace(model: Model, options: TraceOptions = {}): Promise<Program> {
  await tf.ready();
  if (isProgram(model)) return model;
  if (typeof model === 'string') {
    const loaded = await loadModel(model);
    try {
      return await trace(loaded, options);
    } finally {
      loaded.dispose();
    }
  }
  const batch = options.batch === null ? { batch: null } : {};
  const open = stated({ size: options.size, length: options.length });
  if (isGraphModel(model)) return traceGraphModel(model, { ...single(options.input), ...open, ...batch });
  if (isLayersModel(model)) return traceLayersModel(model, { ...single(options.input), ...open, ...batch });
  if (typeof model !== 'function') {
    throw new RelcError(
      'RELC2008',
      `a ${typeof model} is not a model`,
      'pass a function, a tf.LayersModel, a tf.GraphModel or the path of a model.json',
    );
  }
  const { input, params } = options;
  return traceFunction(model, { input: input!, ...stated({ params }), ...open, ...batch });
}
