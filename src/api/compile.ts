// compile: a model in, an explainer out.

import { threadsFor } from '../codegen/wasm/runtime/machine.js';
import type { Interval } from '../ir/analyses/interval.js';
import type { Name } from '../ir/graph.js';
import { stated } from '../ir/stated.js';
import type { AttentionOptions } from '../rules/attention/method.js';
import { presetOf, type Rules } from '../rules/composite-file.js';
import { defaultRules, type Seed } from '../rules/presets.js';
import { type CustomRules, rulesWith } from './custom-rules.js';
import { type ExecutionTarget, engineFactory, usualTarget } from './engine.js';
import { EnginePool } from './engine-pool.js';
import { type CompiledRequest, Explainer } from './explainer.js';
import { type Model, type TraceOptions, trace } from './model.js';
import { canonical, compileExplanation } from './pipeline.js';
import { onRuntime } from './runtime-errors.js';
import { expectSeed } from './seed.js';

/** What is explained, and how. */
export interface ExplanationOptions {
  /**
   * The name of a preset (`relc rules` lists them), a preset, or a composite: a list of lines `[name, match, rule]`.
   * Defaults to `epsilon-plus`.
   */
  readonly rules?: Rules;
  /** Rules of one's own, by the names that the composite calls them by. */
  readonly customRules?: CustomRules;
  /** Which output to explain, where the model has several. */
  readonly output?: string;
  /** What relevance starts as; may be changed with each explanation. Defaults to the preset's. */
  readonly seed?: Seed;
  /** Values to explain in place of the inputs: names of values or layers, also of those merged into others. */
  readonly relevanceOf?: readonly Name[];
  /** The layer that grad-cam looks at: a value or layer [N, height, width, channels]. Defaults to the last convolution. */
  readonly layer?: Name;
  /** Of a model whose every token has scores, [N, tokens, classes]: the token explained, from 0, or from −1 at the last. */
  readonly position?: number;
  /** Of attention methods: the block they start at, the row they read, and more. */
  readonly attention?: AttentionOptions;
  /** The smallest and the largest value that an input can take, or lists with one number a channel: for zB. */
  readonly range?: Interval;
}

export interface CompileOptions extends TraceOptions, ExplanationOptions {
  /**
   * Where the explainer runs in process: `wasm` (the default), as a WebAssembly module of its own; or `tfjs`, on the tfjs
   * backend that is current at each explanation.
   */
  readonly target?: ExecutionTarget;
  /**
   * Threads that the target `wasm` runs on, from 1 on. Defaults to one a processor, up to 8, and never more than a
   * program has parts that can run at the same time. The target `tfjs` has threads of its own.
   */
  readonly threads?: number;
  /**
   * Of the target `wasm`: adds products with the relaxed `madd` instruction. Faster on some machines, but the bits of
   * results depend on the machine, where they else are the same everywhere; Node 20 has it behind a flag only.
   */
  readonly fusedMultiplyAdd?: boolean;
}

/**
 * What options ask the compiler for.
 * @throws RelcError RELC3003 (no such preset), RELC3004 (no such seed), RELC3007 (a wrong composite), RELC3009 (a custom rule that
 *   is none)
 */
export function requestFor(options: ExplanationOptions): CompiledRequest {
  const preset = presetOf(options.rules ?? defaultRules);
  const { output, relevanceOf, layer, range, position, attention } = options;
  return {
    preset,
    rules: rulesWith(options.customRules ?? {}),
    seed: expectSeed(options.seed ?? preset.seed),
    ...stated({ output, relevanceOf, layer, range, position, attention }),
  };
}

/** @throws RelcError RELC4010 where this is no number of threads */
function expectThreads(threads: number | undefined): number | undefined {
  onRuntime(() => threadsFor(threads, 1));
  return threads;
}

/**
 * Compiles an explainer: traces the model, derives the graph of its relevance under the rules, and makes it ready to
 * run on its target: the weights are loaded there until it is disposed of.
 *
 * @param model  a function on tensors, a `tf.LayersModel`, a `tf.GraphModel`, or the path of a `model.json`
 * @throws RelcError RELC2xxx (the model cannot be traced), RELC3xxx (the rules do not fit), RELC4001 (an op has no
 *   spelling on the target), RELC4007 (no such target), RELC4009 (not enough memory), RELC4010
 *   (threads), RELC4011 (an instruction that the engine lacks)
 * @example
 * const explainer = await compile(model, { input: [1, 224, 224, 3], rules: 'epsilon-plus-flat' });
 * const { scores, target, relevance } = await explainer.explain(pixels);
 */
export async function compile(model: Model, options: CompileOptions = {}): Promise<Explainer> {
  const request = requestFor(options);
  const makeEngine = engineFactory(options.target ?? usualTarget);
  const { fusedMultiplyAdd } = options;
  const engineOptions = stated({ threads: expectThreads(options.threads), fusedMultiplyAdd });
  const forward = canonical(await trace(model, options));
  const compileFor = (seed: Seed) => compileExplanation(forward, { ...request, seed });
  const engines = new EnginePool(compileFor, (program) => makeEngine(program, engineOptions));
  return new Explainer(await engines.compiled(request.seed), request, engines);
}
