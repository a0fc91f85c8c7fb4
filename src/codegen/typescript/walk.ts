// The walker: runs a plan on the current tfjs backend, calling what the emitted module would call.
import * as tf from '@tensorflow/tfjs';
import { attrNumber } from '../../ir/dialect.js';
import type { Attr, Name } from '../../ir/graph.js';
import type { Expression } from '../../ir/spelling.js';
import type { TensorData, Weights } from '../../ir/tensor.js';
import { batchMultiple, bindShape } from '../../ir/type.js';
import { type DividedRun, divideRun, type Plan, type Statement } from './plan.js';
import * as runtime from './runtime.js';

type Callable = (...args: unknown[]) => tf.Tensor;

const libraries: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  tf: tf as unknown as Record<string, unknown>,
  rt: runtime as unknown as Record<string, unknown>,
};

function callee(name: string): Callable {
  const [library, member] = name.split('.') as [string, string];
  const found = libraries[library]?.[member];
  if (typeof found !== 'function') throw new Error(`there is no function ${name}`);
  return found as Callable;
}

/** A literal as JavaScript has it: spelled-out non-finite numbers become numbers. */
function plain(attr: Attr): unknown {
  if (Array.isArray(attr)) return attr.map(plain);
  return typeof attr === 'string' ? (attrNumber(attr) ?? attr) : attr;
}

const dtypes = { f32: 'float32', i32: 'int32', bool: 'bool' } as const;

/** A host tensor on the current backend. */
export function toTfjs(data: TensorData): tf.Tensor {
  const values = data.dtype === 'f32' ? new Float32Array(data.data) : data.data;
  return tf.tensor(values as Float32Array, [...data.shape], dtypes[data.dtype]);
}

/** A plan with its weights loaded on the current tfjs backend. */
export class Walker {
  private readonly constants = new Map<Name, tf.Tensor>();
  /** Divided runs by the inputs that vary. */
  private readonly divided = new Map<string, DividedRun>();

  constructor(
    private readonly plan: Plan,
    weights: Weights,
  ) {
    const kept = new Set(plan.kept);
    tf.tidy(() => {
      const values = new Map<Name, tf.Tensor>();
      for (const { name, key } of plan.params) values.set(name, toTfjs(weights.get(key)!));
      for (const statement of plan.load) this.execute(statement, values, 1);
      for (const name of kept) this.constants.set(name, tf.keep(values.get(name)!));
    });
  }

  /** Outputs by key, for the caller to dispose of. Inputs are not disposed of. */
  run(inputs: Readonly<Record<Name, tf.Tensor>>): Record<string, tf.Tensor> {
    return tf.tidy(() => this.finish(this.plan.run, this.valuesWith(inputs), this.batchOf(inputs)));
  }

  /**
   * Outputs for each of several values of some inputs, in order; what does not depend on those is computed once.
   * @param inputs  the other inputs
   * @param varied  values of the same inputs each time, one at least
   */
  runEach(
    inputs: Readonly<Record<Name, tf.Tensor>>,
    varied: readonly Readonly<Record<Name, tf.Tensor>>[],
  ): Record<string, tf.Tensor>[] {
    if (varied.length === 1) return [this.run({ ...inputs, ...varied[0] })];
    const { once, each } = this.dividedBy(Object.keys(varied[0]!));
    return tf.tidy(() => {
      const batch = this.batchOf({ ...inputs, ...varied[0] });
      const shared = this.valuesWith(inputs);
      for (const statement of once) this.execute(statement, shared, batch);
      return varied.map((own) =>
        tf.tidy(() => this.finish(each, new Map([...shared, ...Object.entries(own)]), batch)),
      );
    });
  }

  dispose(): void {
    for (const constant of this.constants.values()) constant.dispose();
    this.constants.clear();
  }

  private dividedBy(names: readonly Name[]): DividedRun {
    const key = names.join();
    const known = this.divided.get(key) ?? divideRun(this.plan, new Set(names));
    this.divided.set(key, known);
    return known;
  }

  private valuesWith(inputs: Readonly<Record<Name, tf.Tensor>>): Map<Name, tf.Tensor> {
    return new Map([...this.constants, ...Object.entries(inputs)]);
  }

  /** Executes the last statements of a run and copies the outputs. */
  private finish(
    statements: readonly Statement[],
    values: Map<Name, tf.Tensor>,
    batch: number,
  ): Record<string, tf.Tensor> {
    for (const statement of statements) this.execute(statement, values, batch);
    const entries = Object.entries(this.plan.graph.outputs);
    return Object.fromEntries(entries.map(([key, name]) => [key, tf.clone(values.get(name)!)]));
  }

  private batchOf(inputs: Readonly<Record<Name, tf.Tensor>>): number {
    for (const { name, type } of this.plan.inputs) {
      const multiple = batchMultiple(type.shape[0] ?? 1);
      if (multiple !== undefined) return inputs[name]!.shape[0]! / multiple;
    }
    return 1;
  }

  private execute({ node, expression, dead }: Statement, values: Map<Name, tf.Tensor>, batch: number): void {
    values.set(node.name, this.value(expression, values, batch) as tf.Tensor);
    for (const name of dead) {
      values.get(name)!.dispose();
      values.delete(name);
    }
  }

  private value(expression: Expression, values: ReadonlyMap<Name, tf.Tensor>, batch: number): unknown {
    switch (expression.kind) {
      case 'value':
        return values.get(expression.name);
      case 'literal':
        return plain(expression.value);
      case 'shape':
        return bindShape(expression.shape, batch);
      case 'list':
        return expression.items.map((item) => this.value(item, values, batch));
      case 'call':
        return callee(expression.callee)(...expression.args.map((arg) => this.value(arg, values, batch)));
    }
  }
}
