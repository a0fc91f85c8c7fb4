// The front end for tf.LayersModel.
import type * as tf from '@tensorflow/tfjs';
import { RelcError } from '../ir/error.js';
import type { Program } from '../ir/passes/pass.js';
import type { TensorType } from '../ir/type.js';
import type { Recorder } from './recorder.js';
import { type BatchOption, type InputSpec, inputsFrom, type OpenExtents, traceSubject } from './trace.js';

export interface ModelOptions extends BatchOption, OpenExtents {
  /** The shape of the input, batch first; may be left out where the model states it. */
  readonly input?: InputSpec;
}

type Layer = tf.layers.Layer;

/** Layers inside of a layer: of nested models and wrappers. */
function innerLayers(layer: Layer): readonly Layer[] {
  const { layers, layer: wrapped } = layer as Layer & { layers?: Layer[]; layer?: Layer };
  return layers ?? (wrapped === undefined ? [] : [wrapped]);
}

/** While `action` runs, every layer that is called tells the recorder its name. */
function announcingLayers<Result>(
  layers: readonly Layer[],
  recorder: Recorder,
  action: () => Result,
): Result {
  const restore: (() => void)[] = [];
  const known = new Set<Layer>();
  const announce = (layer: Layer) => {
    if (known.has(layer)) return;
    known.add(layer);
    const call = layer.call;
    const own = Object.hasOwn(layer, 'call');
    layer.call = (...args) => {
      recorder.layers.push(layer.name);
      try {
        return call.apply(layer, args);
      } finally {
        recorder.layers.pop();
      }
    };
    restore.push(() => {
      if (own) layer.call = call;
      else Reflect.deleteProperty(layer, 'call');
    });
    innerLayers(layer).forEach(announce);
  };
  layers.forEach(announce);
  try {
    return action();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
}

/** Names of weights by data id, as the model calls them: `conv2d_1/kernel`. */
function weightNamesOf(model: tf.LayersModel): ReadonlyMap<object, string> {
  const names = new Map<object, string>();
  for (const weight of model.weights) {
    const { val, originalName } = weight as unknown as { val: tf.Variable; originalName: string };
    names.set(val.dataId, originalName);
  }
  return names;
}

/** Names of inputs and outputs: of the layers they come from, numbered where one layer gives several. */
function distinct(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  });
}

/** tfjs makes up `conv1_input` for models without an input layer, and counts such names through the whole process. */
const uniqueSuffix = /^(.+_input)_\d+$/;

function statedInputs(model: tf.LayersModel, options: ModelOptions): ReadonlyMap<string, TensorType> {
  const given = options.input;
  if (given !== undefined && model.inputs.length > 1) {
    throw new RelcError(
      'RELC2008',
      `the model has ${model.inputs.length} inputs and states their shapes`,
      'leave out the option input',
    );
  }
  const inputs = distinct(model.inputs.map((input) => input.name.replace(uniqueSuffix, '$1')));
  const specs = model.inputs.map((input, index): [string, InputSpec] => {
    const dtype = input.dtype === 'int32' ? 'i32' : 'f32';
    if (given !== undefined && 'shape' in given) return [inputs[index]!, given];
    return [inputs[index]!, { shape: given ?? input.shape, dtype }];
  });
  return inputsFrom(new Map(specs), options);
}

/**
 * Traces a layers model for inference.
 * @throws RelcError RELC2001..RELC2008
 */
export function traceLayersModel(model: tf.LayersModel, options: ModelOptions): Program {
  return traceSubject({
    name: model.name.replace(/[^A-Za-z0-9_]/g, '_'),
    inputs: statedInputs(model, options),
    weightNames: weightNamesOf(model),
    sites: false,
    run(tensors, recorder) {
      const given = tensors.length === 1 ? tensors[0]! : [...tensors];
      const result = announcingLayers(model.layers, recorder, () => model.apply(given, { training: false }));
      const outputs = (Array.isArray(result) ? result : [result]) as tf.Tensor[];
      const names = distinct(model.outputs.map((output) => output.sourceLayer.name));
      return Object.fromEntries(outputs.map((output, index) => [names[index]!, output]));
    },
  });
}
