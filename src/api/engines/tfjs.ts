// The engine that runs programs with tfjs, on the backend that is current.
import * as tf from '@tensorflow/tfjs';
import { tfjsPasses } from '../../codegen/typescript/lower.js';
import { planFor } from '../../codegen/typescript/plan.js';
import { toTfjs, Walker } from '../../codegen/typescript/walk.js';
import type { Name } from '../../ir/graph.js';
import { type Program, runPasses } from '../../ir/passes/pass.js';
import type { TensorData } from '../../ir/tensor.js';
import type { Engine } from '../engine.js';
import { dialect } from '../pipeline.js';

const onBackend = (values: Readonly<Record<Name, TensorData>>): Record<Name, tf.Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, data]) => [name, toTfjs(data)]));

/** What a tensor holds; a copy, for plain JavaScript backends give the array that they compute with. */
async function read(tensor: tf.Tensor): Promise<TensorData> {
  const dtype = tensor.dtype === 'int32' ? 'i32' : tensor.dtype === 'bool' ? 'bool' : 'f32';
  return { dtype, shape: tensor.shape, data: (await tensor.data()).slice() };
}

async function readAll(tensors: Readonly<Record<string, tf.Tensor>>): Promise<Record<string, TensorData>> {
  const values: Record<string, TensorData> = {};
  for (const [key, tensor] of Object.entries(tensors)) values[key] = await read(tensor);
  return values;
}

/** tfjs moves the weights when another backend becomes current. */
class TfjsEngine implements Engine {
  constructor(private readonly walker: Walker) {}

  async run(
    inputs: Readonly<Record<Name, TensorData>>,
    varied: readonly Readonly<Record<Name, TensorData>>[],
  ): Promise<Record<string, TensorData>[]> {
    const outputs = tf.tidy(() => this.walker.runEach(onBackend(inputs), varied.map(onBackend)));
    try {
      const values: Record<string, TensorData>[] = [];
      for (const tensors of outputs) values.push(await readAll(tensors));
      return values;
    } finally {
      tf.dispose(outputs);
    }
  }

  dispose(): void {
    this.walker.dispose();
  }
}

/**
 * Puts a program's weights on the current tfjs backend.
 * @throws RelcError RELC4001 (an op has no spelling in tfjs)
 */
export function tfjsEngine(program: Program): Engine {
  const { graph, weights } = runPasses(program, tfjsPasses, dialect);
  return new TfjsEngine(new Walker(planFor(graph, dialect), weights));
}
