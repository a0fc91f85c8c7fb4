// The engines of an explainer: one for each kind of seed, made when it is first asked for, one call at a time.
import { RelcError } from '../ir/error.js';
import type { Name } from '../ir/graph.js';
import type { TensorData } from '../ir/tensor.js';
import type { Seed } from '../rules/presets.js';
import type { Engine, EngineFactory } from './engine.js';
import type { Compiled } from './pipeline.js';

/** A compiled program and what runs it. */
interface Loaded {
  readonly compiled: Compiled;
  readonly engine: Engine;
}

export class EnginePool {
  /** Promises, so that two that ask at once are given one engine. */
  private readonly loaded = new Map<Seed, Promise<Loaded>>();
  private readonly engines = new Set<Engine>();
  /** Ends, and never fails, when the last call that was made has ended. */
  private lastCall: Promise<void> = Promise.resolve();
  private running = false;
  private disposed = false;

  constructor(
    private readonly compileFor: (seed: Seed) => Compiled,
    private readonly factory: EngineFactory,
  ) {}

  /** @throws RelcError RELC4004 */
  expectAlive(): void {
    if (!this.disposed) return;
    throw new RelcError('RELC4004', 'the explainer was disposed of', 'compile the model again');
  }

  /**
   * The program for a kind of seed, with its engine ready.
   * @throws RelcError RELC3xxx (the rules do not fit), RELC4001 (an op that the engine does not have), RELC4004
   */
  async compiled(seed: Seed): Promise<Compiled> {
    return (await this.load(seed)).compiled;
  }

  /**
   * Runs the program for a kind of seed, after all calls before.
   * @throws RelcError as {@link compiled}
   */
  async run(
    seed: Seed,
    inputs: Readonly<Record<Name, TensorData>>,
    varied: readonly Readonly<Record<Name, TensorData>>[],
  ): Promise<Record<string, TensorData>[]> {
    const { engine } = await this.load(seed);
    const call = this.lastCall.then(() => this.call(() => engine.run(inputs, varied)));
    // A call that fails holds up none after it; results are not held on to
    const ended = () => {};
    this.lastCall = call.then(ended, ended);
    return call;
  }

  /** Frees all engines, after the call that is running; those that wait for it are refused. */
  dispose(): void {
    this.disposed = true;
    this.loaded.clear();
    if (!this.running) this.free();
  }

  private async call<Result>(action: () => Promise<Result>): Promise<Result> {
    this.expectAlive();
    this.running = true;
    try {
      return await action();
    } finally {
      this.running = false;
      if (this.disposed) this.free();
    }
  }

  private free(): void {
    for (const engine of this.engines) engine.dispose();
    this.engines.clear();
  }

  private load(seed: Seed): Promise<Loaded> {
    const known = this.loaded.get(seed);
    if (known !== undefined) return known;
    const fresh = this.make(seed);
    this.loaded.set(seed, fresh);
    // What failed once may succeed the next time: memory may be free by then
    fresh.catch(() => this.loaded.delete(seed));
    return fresh;
  }

  private async make(seed: Seed): Promise<Loaded> {
    this.expectAlive();
    const compiled = this.compileFor(seed);
    const engine = await this.factory(compiled.program);
    if (this.disposed) engine.dispose();
    this.expectAlive();
    this.engines.add(engine);
    return { compiled, engine };
  }
}
