// The explainer: a compiled program that runs in process, on an engine that it is given.
import { expectInRange } from '../codegen/wasm/runtime/checks.js';
import { type Explanation, explanationOf } from '../codegen/wasm/runtime/explanation.js';
import type { Interval } from '../ir/analyses/interval.js';
import { type TokenLayout, tokensOf } from '../ir/analyses/tokens.js';
import type { Dialect } from '../ir/dialect.js';
import type { PacedOptions } from '../ir/evaluate.js';
import { type Graph, type Name, type Node, nodesWithOp } from '../ir/graph.js';
import type { PrintOptions } from '../ir/print.js';
import { stated } from '../ir/stated.js';
import type { TensorData } from '../ir/tensor.js';
import { elementCount } from '../ir/type.js';
import type { ExplanationRequest } from '../rules/explanation.js';
import type { Seed } from '../rules/presets.js';
import { leavesBounds } from '../rules/resolve.js';
import { isSeedInput } from '../rules/seed.js';
import { type BatchItem, type BatchOptions, explainBatch, type InputSource } from './batch.js';
import { checkConservation, expectOneSample } from './check.js';
import type { ConservationReport } from './conservation.js';
import type { EnginePool } from './engine-pool.js';
import { bindInputs, byName, type Inputs, samplesOf } from './inputs.js';
import { type KernelListing, listKernels } from './kernels.js';
import { type Compiled, dialectWith, printStage, type StageName } from './pipeline.js';
import { onRuntime } from './runtime-errors.js';
import { type ExplainOptions, seedInputs, seedKind } from './seed.js';

export type { Explanation, Values } from '../codegen/wasm/runtime/explanation.js';

/** A graph that prints itself. */
export interface Stage {
  readonly graph: Graph;
  /** The text of the graph, and after it of each custom rule that stands in it: `parseAll` reads it. */
  print(options?: PrintOptions): string;
}

/** A check takes a while: it can be watched and stopped. */
export interface CheckOptions extends ExplainOptions, PacedOptions {}

/** What an explainer was compiled for. */
export interface CompiledRequest extends ExplanationRequest {
  readonly seed: Seed;
}

export class Explainer {
  /** Every stage's graph by name, for the compiled seed; `stages.get('relevance')!.print()`. */
  readonly stages: ReadonlyMap<StageName, Stage>;
  /** What to know: a softmax taken off for the seed, inputs that no relevance reaches. */
  readonly notes: readonly string[];
  /** What the axis stands for that attention runs along; undefined where the model has no attention. */
  readonly tokens: TokenLayout | undefined;

  /** Use {@link compile}. */
  constructor(
    readonly compiled: Compiled,
    /** The preset, and what else was asked for. */
    readonly request: CompiledRequest,
    private readonly engines: EnginePool,
  ) {
    this.notes = compiled.notes;
    this.tokens = tokensOf(compiled.stages.get('canonicalize')!);
    this.stages = new Map(
      [...compiled.stages].map(([name, graph]) => [
        name,
        { graph, print: (options) => printStage(graph, compiled.rules, options) },
      ]),
    );
  }

  /** The preset's name. */
  get rules(): string {
    return this.request.preset.name;
  }

  /** The seed that is meant where an explanation names none. */
  get seed(): Seed {
    return this.request.seed;
  }

  /** The ops of every stage, those of custom rules among them: for `parse`, `parseAll`, `verify` and `evaluate`. */
  get dialect(): Dialect {
    return dialectWith(this.compiled.rules);
  }

  /** The graph inputs to explain, in order. */
  get inputs(): readonly Node[] {
    return nodesWithOp(this.compiled.program.graph, 'input').filter((node) => !isSeedInput(node.name));
  }

  /** Scores a sample of the explained output has. */
  get classes(): number {
    const graph = this.compiled.stages.get('relevance')!;
    return elementCount(graph.nodes.get('seed.scores')!.type.shape);
  }

  /**
   * The kernels that loop-level targets run for the compiled seed, and their memory: `kernels().print('plan')`. It is
   * worked out anew with each call, whatever target the explainer runs on.
   * @param batch  samples of a run; 1 unless said otherwise
   * @throws RelcError RELC4001 (an op has no kernel)
   */
  kernels(batch = 1): KernelListing {
    return listKernels(this.compiled.program, batch);
  }

  /**
   * Explains one input or a batch of them.
   * @param input  a tensor or plain numbers of the input's shape, batch first; by name where there are several inputs
   * @returns scores, the explained class, f(x), and one number of relevance for each input element
   * @throws RelcError RELC3004 (a seed that there is not, or with options that do not go with it), RELC4002 (wrong
   *   input), RELC4003 (no such class), RELC4004 (disposed, also meanwhile), RELC4006 (NaN in the result)
   */
  async explain(input: Inputs, options: ExplainOptions = {}): Promise<Explanation> {
    const [explanation] = await this.explainEach(input, [options]);
    return explanation!;
  }

  /**
   * Explains one input, or a batch of them, in several ways: other classes, other seeds. What does not depend on the
   * class or the numbers of a seed, the forward pass above all, is computed once for all requests of one kind of seed.
   * @param input  as for {@link explain}
   * @param requests  what to explain, an explanation each
   * @throws RelcError as {@link explain}
   * @example
   * const [roses, daisy, why] = await explainer.explainEach(pixels, [{ target: 2 }, { target: 0 }, { against: 4 }]);
   */
  async explainEach(input: Inputs, requests: readonly ExplainOptions[]): Promise<Explanation[]> {
    this.engines.expectAlive();
    const kinds = requests.map((request) => seedKind(request, this.seed));
    const { feed, samples } = await this.bind(input);
    this.expectInRange(feed);
    const seeds: Record<Name, TensorData>[] = [];
    for (const [index, kind] of kinds.entries()) {
      const { program } = await this.engines.compiled(kind);
      seeds.push(await seedInputs(program.graph, requests[index]!, { samples, classes: this.classes }));
    }
    const explanations: Explanation[] = [];
    for (const kind of new Set(kinds)) {
      const indices = [...kinds.keys()].filter((index) => kinds[index] === kind);
      const own = indices.map((index) => seeds[index]!);
      for (const [place, outputs] of (await this.engines.run(kind, feed, own)).entries()) {
        explanations[indices[place]!] = onRuntime(() => explanationOf(outputs));
      }
    }
    return explanations;
  }

  /**
   * Explains many inputs one after another. Results come in the order of the inputs; the next input is taken when the
   * next result is asked for, and the source is closed when the loop is left. An input that cannot be explained
   * (RELC4002, RELC4003, RELC4006) is a result with an `error`, and the rest go on.
   * @param inputs  what {@link explain} takes, in a list, an iterable or an asynchronous iterable
   * @throws RelcError RELC3004, RELC4004 as {@link explain}, RELC4002 where `inputs` is one input; what the source
   *   throws; the signal's reason where it aborts
   * @example
   * for await (const { index, explanation, error } of explainer.explainBatch(pictures)) {
   *   console.log(index, error?.message ?? explanation.target);
   * }
   */
  explainBatch(inputs: InputSource, options: BatchOptions = {}): AsyncGenerator<BatchItem, void, undefined> {
    return explainBatch(this, inputs, options);
  }

  /**
   * Accounts for the relevance of one sample: what arrives at each node, what leaves it, and where the rest goes, each
   * cause by a formula of its own. Runs in f64 on the host, slowly and plainly, beside the compiled explainer.
   * @param input  one sample, as for {@link explain}
   * @throws RelcError as {@link explain}, RELC4002 also for a batch; the signal's reason where it aborts
   */
  async check(input: Inputs, options: CheckOptions = {}): Promise<ConservationReport> {
    this.engines.expectAlive();
    const { onProgress, signal, ...request } = options;
    const seed = seedKind(request, this.seed);
    const { feed, samples } = await this.bind(input);
    expectOneSample(samples);
    const compiled = await this.engines.compiled(seed);
    const seeds = await seedInputs(compiled.program.graph, request, { samples, classes: this.classes });
    const [outputs] = await this.engines.run(seed, feed, [seeds]);
    const run = { inputs: { ...feed, ...seeds }, outputs: outputs! };
    return checkConservation(compiled, run, {
      rules: this.rules,
      seed,
      ...stated({ onProgress, signal }),
    });
  }

  /** The range of the input, where a rule relies on it. */
  get boundsBy(): Interval | undefined {
    return this.compiled.chosen.some(({ line }) => leavesBounds(line)) ? this.request.range : undefined;
  }

  /** Frees the weights where they are held, after the run that is going on. The stages stay readable. */
  dispose(): void {
    this.engines.dispose();
  }

  /** @throws RelcError RELC4002 where an input leaves the range that a rule relies on */
  private expectInRange(feed: Readonly<Record<Name, TensorData>>): void {
    const range = this.boundsBy;
    if (range === undefined) return;
    for (const { name, type } of this.inputs) {
      if (type.dtype === 'f32') onRuntime(() => expectInRange(name, feed[name]!.data, type.shape, range));
    }
  }

  /** Inputs on the host, and how many samples they hold. @throws RelcError RELC4002 */
  private async bind(
    input: Inputs,
  ): Promise<{ readonly feed: Record<Name, TensorData>; readonly samples: number }> {
    const feed = await bindInputs(this.inputs, byName(this.inputs, input));
    const [samples = 1] = this.inputs.flatMap((node) => samplesOf(node, feed[node.name]!) ?? []);
    return { feed, samples };
  }
}
