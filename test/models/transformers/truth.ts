// A traced transformer beside its own values: what a model's tests feed to graphs and hold them to.
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { evaluate, type Inputs } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { nodesWithOp } from '../../../src/ir/graph.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import { traceFunction } from '../../../src/trace/function.js';
import { traceLayersModel } from '../../../src/trace/layers-model.js';
import type { KerasEncoder } from './keras.js';
import type { Transformer } from './parts.js';

type AnyTransformer = Pick<Transformer<never>, 'fn' | 'inputs' | 'sample'> & { readonly params: object };

/** A model of either kind, traced, with its own output on seeded inputs. */
export interface Traced {
  readonly program: Program;
  /** The inputs of the graph by name, and what the model itself makes of them. */
  own(batch: number, seed?: number): { readonly inputs: Inputs; readonly output: TensorData };
}

/** A tensor as the evaluator takes it. */
function dataOf(x: tf.Tensor): TensorData {
  const dtype = x.dtype === 'int32' ? 'i32' : 'f32';
  return tensor(x.shape, x.dataSync() as ArrayLike<number>, dtype);
}

function inputsOf(program: Program, sample: tf.Tensor | Readonly<Record<string, tf.Tensor>>): Inputs {
  if (!(sample instanceof tf.Tensor)) {
    return Object.fromEntries(Object.entries(sample).map(([name, x]) => [name, dataOf(x)]));
  }
  const [node] = nodesWithOp(program.graph, 'input');
  const { data, shape } = dataOf(sample);
  return { [node!.name]: tensor(shape, data, node!.type.dtype) };
}

function traced(
  program: Program,
  sample: AnyTransformer['sample'],
  run: (x: ReturnType<AnyTransformer['sample']>) => tf.Tensor,
): Traced {
  return {
    program,
    own(batch, seed) {
      const x = sample(batch, seed);
      const y = tf.tidy(() => run(x));
      const result = { inputs: inputsOf(program, x), output: dataOf(y) };
      tf.dispose([x, y]);
      return result;
    },
  };
}

export function tracedFunction({ fn, params, inputs, sample }: AnyTransformer): Traced {
  const program = traceFunction(fn, { input: inputs, params: params as Transformer<never>['params'] });
  return traced(program, sample, (x) => fn(x, params) as tf.Tensor);
}

export function tracedLayers({ model, sample }: KerasEncoder): Traced {
  return traced(traceLayersModel(model, {}), sample, (x) => model.predict(x as tf.Tensor) as tf.Tensor);
}

/** Expects a program to compute what the model does itself, within 1e-5 of the largest value. */
export function expectOwn({ graph, weights }: Program, { own }: Traced, batches = [1, 3]): void {
  for (const batch of batches) {
    const { inputs, output } = own(batch);
    const scale = Math.max(1, ...Array.from(output.data, Math.abs));
    for (const precision of ['f32', 'f64'] as const) {
      const [got] = Object.values(evaluate(graph, forward, inputs, weights, precision));
      expect(got!.shape).toEqual(output.shape);
      const far = Array.from(got!.data).findIndex(
        (value, i) => !(Math.abs(value - output.data[i]!) <= 1e-5 * scale),
      );
      expect(far, `element that differs, ${precision}, batch ${batch}`).toBe(-1);
    }
  }
}
