// The explainer: a compiled program that runs in process on the current tfjs backend.
import * as tf from '@tensorflow/tfjs';
import { tfjsPasses } from '../codegen/typescript/lower.js';
import { planFor } from '../codegen/typescript/plan.js';
import { Walker } from '../codegen/typescript/walk.js';
import type { Dialect } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { type Graph, type Node, nodesWithOp } from '../ir/graph.js';
import { runPasses } from '../ir/passes/pass.js';
import type { PrintOptions } from '../ir/print.js';
import { sizeOf } from '../ir/tensor.js';
import { batchMultiple, bindShape, elementCount, printShape } from '../ir/type.js';
import { relevanceKey } from '../rules/explanation.js';
import type { Seed } from '../rules/presets.js';
import { targetInput } from '../rules/seed.js';
import { type Compiled, dialect, dialectWith, printStage, type StageName } from './pipeline.js';
import { expectSeed } from './seed.js';

/** Numbers on the host, row-major. */
export interface Values {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A graph that prints itself. */
export interface Stage {
  readonly graph: Graph;
  /** The text of the graph, and after it of each custom rule that stands in it: `parseAll` reads it. */
  print(options?: PrintOptions): string;
}

export type InputValue = tf.Tensor | Float32Array | readonly number[];

export interface ExplainOptions {
  /** The class to explain, or one for each sample; the top class of each if left out. */
  readonly target?: number | readonly number[];
  /** What relevance starts as: the target's logit, or 1. Defaults to the preset's. */
  readonly seed?: Seed;
}

export interface Explanation {
  /** The model's output, [N, …]. */
  readonly scores: Values;
  /** The class explained, of the first sample. */
  readonly target: number;
  readonly targets: readonly number[];
  /** f(x): the target's score before a final softmax, of the first sample. */
  readonly logit: number;
  readonly logits: readonly number[];
  /** One number for each element of the first input. */
  readonly relevance: Values;
  /** One number for each element, by input. */
  readonly relevances: Readonly<Record<string, Values>>;
}

const asTensor = (input: InputValue): input is tf.Tensor => input instanceof tf.Tensor;

function notFinite(data: ArrayLike<number>): number {
  for (let index = 0; index < data.length; index++) if (!Number.isFinite(data[index]!)) return index;
  return -1;
}

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
function samplesOf(node: Node, bound: tf.Tensor): number | undefined {
  const multiple = batchMultiple(node.type.shape[0] ?? 1);
  return multiple === undefined ? undefined : bound.shape[0]! / multiple;
}

/** Checks one input and puts it on the current backend. @throws RelcError RELC4002 */
function bindInput(node: Node, given: InputValue | undefined): tf.Tensor {
  const wanted = printShape(node.type.shape);
  expectValues(`${node.name} ${wanted}`, given);
  const perSample = elementCount(node.type.shape);
  const multiple = batchMultiple(node.type.shape[0] ?? 1);
  const size = asTensor(given) ? given.size : given.length;
  const samples = multiple === undefined ? 1 : size / perSample;
  const shape = bindShape(node.type.shape, samples);
  if (!Number.isInteger(samples) || samples < 1 || sizeOf(shape) !== size) {
    throw new RelcError(
      'RELC4002',
      `input ${node.name} has ${size} elements, expected ${wanted}: ${perSample} a sample`,
    );
  }
  if (asTensor(given)) {
    if (given.shape.join() !== shape.join()) {
      throw new RelcError('RELC4002', `input ${node.name} has shape [${given.shape}], expected ${wanted}`);
    }
    return tf.cast(given, node.type.dtype === 'i32' ? 'int32' : 'float32');
  }
  const bad = notFinite(given);
  if (bad >= 0) throw new RelcError('RELC4002', `input ${node.name} holds ${given[bad]} at element ${bad}`);
  return node.type.dtype === 'i32'
    ? tf.tensor(Int32Array.from(given), shape, 'int32')
    : tf.tensor(Float32Array.from(given), shape, 'float32');
}

/** Inputs by name, each on the current backend; `into` is the caller's to dispose of. @throws RelcError RELC4002 */
function bindInputs(
  nodes: readonly Node[],
  given: Readonly<Record<string, InputValue>>,
  into: Record<string, tf.Tensor>,
): void {
  const names = nodes.map((node) => node.name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RelcError('RELC4002', `there is no input '${unknown}'`, `inputs: ${names.join(', ')}`);
  }
  let first: number | undefined;
  for (const node of nodes) {
    const bound = bindInput(node, given[node.name]);
    into[node.name] = bound;
    const samples = samplesOf(node, bound);
    first ??= samples;
    if (samples !== undefined && samples !== first) {
      throw new RelcError(
        'RELC4002',
        `input ${node.name} holds ${samples} samples, the one before it ${first}`,
      );
    }
  }
}

export class Explainer {
  /** Every stage's graph by name, for the compiled seed; `stages.get('relevance')!.print()`. */
  readonly stages: ReadonlyMap<StageName, Stage>;
  /** What to know: a softmax taken off for the seed, inputs that no relevance reaches. */
  readonly notes: readonly string[];
  private readonly running = new Map<Seed, Walker>();
  private disposed = false;

  /** Use {@link compile}. */
  constructor(
    readonly compiled: Compiled,
    /** The preset's name. */
    readonly rules: string,
    readonly seed: Seed,
    private readonly recompile: (seed: Seed) => Compiled,
  ) {
    this.notes = compiled.notes;
    this.stages = new Map(
      [...compiled.stages].map(([name, graph]) => [
        name,
        { graph, print: (options) => printStage(graph, compiled.rules, options) },
      ]),
    );
  }

  /** The ops of every stage, those of custom rules among them: for `parse`, `parseAll`, `verify` and `evaluate`. */
  get dialect(): Dialect {
    return dialectWith(this.compiled.rules);
  }

  /** The graph inputs to explain, in order. */
  get inputs(): readonly Node[] {
    return nodesWithOp(this.compiled.program.graph, 'input').filter((node) => node.name !== targetInput);
  }

  /** Scores a sample of the explained output has. */
  get classes(): number {
    const graph = this.compiled.stages.get('relevance')!;
    return elementCount(graph.nodes.get('seed.scores')!.type.shape);
  }

  /**
   * Explains one input or a batch of them.
   * @param input  a tensor or plain numbers of the input's shape, batch first; by name where there are several inputs
   * @returns scores, the explained class, f(x), and one number of relevance for each input element
   * @throws RelcError RELC3004 (no such seed), RELC4002 (wrong input), RELC4003 (no such class), RELC4004 (disposed), RELC4006 (NaN in the result)
   */
  async explain(
    input: InputValue | Readonly<Record<string, InputValue>>,
    options: ExplainOptions = {},
  ): Promise<Explanation> {
    if (this.disposed)
      throw new RelcError('RELC4004', 'the explainer was disposed of', 'compile the model again');
    const given = this.byName(input);
    const seed = expectSeed(options.seed ?? this.seed);
    const feed: Record<string, tf.Tensor> = {};
    try {
      bindInputs(this.inputs, given, feed);
      feed[targetInput] = this.targetsFor(options.target, feed);
      return await this.read(this.runner(seed).run(feed));
    } finally {
      tf.dispose(feed);
    }
  }

  /** Frees the weights on the backend. The stages stay readable. */
  dispose(): void {
    this.disposed = true;
    for (const walker of this.running.values()) walker.dispose();
    this.running.clear();
  }

  private byName(
    input: InputValue | Readonly<Record<string, InputValue>>,
  ): Readonly<Record<string, InputValue>> {
    const isOne =
      input instanceof tf.Tensor || ArrayBuffer.isView(input) || Array.isArray(input) || isForeign(input);
    if (!isOne) return input as Readonly<Record<string, InputValue>>;
    const names = this.inputs.map((node) => node.name);
    if (names.length === 1) return { [names[0]!]: input as InputValue };
    throw new RelcError(
      'RELC4002',
      `one input was given, expected ${names.length}`,
      `pass { ${names.join(', ')} }`,
    );
  }

  /** One class for each sample; −1 asks the program for the arg-max. */
  private targetsFor(target: ExplainOptions['target'], feed: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
    const node = this.compiled.program.graph.nodes.get(targetInput)!;
    const [samples] = this.inputs.flatMap((input) => samplesOf(input, feed[input.name]!) ?? []);
    const count = bindShape(node.type.shape, samples ?? 1)[0]!;
    const list =
      typeof target === 'number'
        ? new Array<number>(count).fill(target)
        : (target ?? new Array<number>(count).fill(-1));
    if (list.length !== count)
      throw new RelcError('RELC4003', `${list.length} targets were given for ${count} samples`);
    for (const wanted of target === undefined ? [] : list) {
      if (!Number.isInteger(wanted) || wanted < 0 || wanted >= this.classes) {
        throw new RelcError(
          'RELC4003',
          `target ${wanted} is no class`,
          `classes are 0 to ${this.classes - 1}`,
        );
      }
    }
    return tf.tensor(Int32Array.from(list), [count], 'int32');
  }

  /** The program for a seed with its weights on a backend; tfjs moves them when another one becomes current. */
  private runner(seed: Seed): Walker {
    const known = this.running.get(seed);
    if (known !== undefined) return known;
    const compiled = seed === this.seed ? this.compiled : this.recompile(seed);
    const { graph, weights } = runPasses(compiled.program, tfjsPasses, dialect);
    const fresh = new Walker(planFor(graph, dialect), weights);
    this.running.set(seed, fresh);
    return fresh;
  }

  private async read(outputs: Readonly<Record<string, tf.Tensor>>): Promise<Explanation> {
    try {
      const values: Record<string, Values> = {};
      for (const [key, tensor] of Object.entries(outputs)) {
        const data = Float32Array.from(await tensor.data());
        const bad = notFinite(data);
        if (bad >= 0) {
          throw new RelcError(
            'RELC4006',
            `${key} is ${data[bad]} at element ${bad}`,
            'look at the scores first: the model itself may overflow on this input',
          );
        }
        values[key] = { data, shape: tensor.shape };
      }
      return this.explanation(values);
    } finally {
      tf.dispose(Object.values(outputs));
    }
  }

  private explanation(values: Readonly<Record<string, Values>>): Explanation {
    const relevances = Object.fromEntries(
      this.inputs.flatMap(({ name }) => {
        const found = values[relevanceKey(name)];
        return found === undefined ? [] : [[name, found]];
      }),
    );
    const targets = [...values.target!.data];
    const logits = [...values.logit!.data];
    const [relevance] = Object.values(relevances);
    return {
      scores: values.scores!,
      target: targets[0]!,
      targets,
      logit: logits[0]!,
      logits,
      relevance: relevance!,
      relevances,
    };
  }
}
