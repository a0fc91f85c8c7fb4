// The pool: one engine for each kind of seed, one call at a time, nothing held on to by what fails or is disposed of.
import { describe, expect, it } from 'vitest';
import type { Engine, EngineFactory } from '../../src/api/engine.js';
import { EnginePool } from '../../src/api/engine-pool.js';
import type { Compiled } from '../../src/api/pipeline.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { scalar } from '../../src/ir/tensor.js';
import type { Seed } from '../../src/rules/presets.js';

/** What is compiled for a seed, as far as a pool looks at it: the program's graph is named after the seed. */
const compiledFor = (seed: Seed) =>
  ({ program: { graph: { name: seed }, weights: new Map() } }) as unknown as Compiled;

/** A promise and what settles it. */
function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** An engine that writes down what happens to it; its runs end when they are let through. */
class Recorder implements Engine {
  readonly gates: ReturnType<typeof gate>[] = [];

  constructor(
    private readonly events: string[],
    private readonly name: string,
  ) {}

  async run(): Promise<Record<string, ReturnType<typeof scalar>>[]> {
    const number = this.gates.push(gate());
    this.events.push(`${this.name} ${number} begins`);
    await this.gates[number - 1]!.opened;
    this.events.push(`${this.name} ${number} ends`);
    return [{ number: scalar(number) }];
  }

  dispose(): void {
    this.events.push(`${this.name} is freed`);
  }
}

/** A pool of recorders, by seed, and what happened to them. */
function recordedPool(ready: Promise<void> = Promise.resolve()) {
  const events: string[] = [];
  const made = new Map<string, Recorder>();
  const factory = async ({ graph }: Program) => {
    events.push(`${graph.name} is made`);
    await ready;
    const engine = new Recorder(events, graph.name);
    made.set(graph.name, engine);
    return engine;
  };
  return { pool: new EnginePool(compiledFor, factory), events, made };
}

describe('an engine', () => {
  it('is made once for each kind of seed, also for two that ask at once', async () => {
    const { pool, events } = recordedPool();
    const [a, b] = await Promise.all([pool.compiled('logit'), pool.compiled('logit')]);
    expect(a).toBe(b);
    await Promise.all([pool.compiled('one'), pool.compiled('logit'), pool.compiled('one')]);
    expect(events).toEqual(['logit is made', 'one is made']);
  });

  it.each(['program', 'engine'])('is made anew after its %s failed', async (what) => {
    let attempts = 0;
    const failing = () => {
      attempts++;
      if (attempts === 1) throw new Error('no memory');
    };
    const factory: EngineFactory = () => {
      if (what === 'engine') failing();
      return new Recorder([], 'engine');
    };
    const compileFor = (seed: Seed) => {
      if (what === 'program') failing();
      return compiledFor(seed);
    };
    const pool = new EnginePool(compileFor, factory);
    const both = await Promise.allSettled([pool.compiled('logit'), pool.compiled('logit')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(attempts).toBe(1);
    await expect(pool.compiled('logit')).resolves.toBeDefined();
    expect(attempts).toBe(2);
  });
});

describe('calls', () => {
  it('run one after another, in order, whatever the seed', async () => {
    const { pool, events, made } = recordedPool();
    await Promise.all([pool.compiled('logit'), pool.compiled('one')]);
    const calls = (['logit', 'one', 'logit'] as const).map((seed) => pool.run(seed, {}, [{}]));
    for (const [seed, number] of [
      ['logit', 0],
      ['one', 0],
      ['logit', 1],
    ] as const) {
      await turn();
      expect(events.at(-1)).toBe(`${seed} ${number + 1} begins`);
      made.get(seed)!.gates[number]!.open();
    }
    const numbers = (await Promise.all(calls)).map(([outputs]) => outputs!.number!.data[0]);
    expect(numbers).toEqual([1, 1, 2]);
    expect(events.slice(2)).toEqual([
      ...['logit 1 begins', 'logit 1 ends', 'one 1 begins', 'one 1 ends', 'logit 2 begins', 'logit 2 ends'],
    ]);
  });

  it('that fail hold up none after them', async () => {
    let runs = 0;
    const engine: Engine = {
      async run() {
        runs++;
        if (runs === 1) throw new Error('lost');
        return [{ number: scalar(runs) }];
      },
      dispose() {},
    };
    const pool = new EnginePool(compiledFor, () => engine);
    const [first, second] = await Promise.allSettled([
      pool.run('logit', {}, [{}]),
      pool.run('logit', {}, [{}]),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { message: 'lost' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: [{ number: scalar(2) }] });
  });
});

describe('dispose', () => {
  it('frees every engine at once where nothing runs, and each but once', async () => {
    const { pool, events } = recordedPool();
    await Promise.all([pool.compiled('logit'), pool.compiled('one')]);
    pool.dispose();
    expect(events.slice(2)).toEqual(['logit is freed', 'one is freed']);
    pool.dispose();
    expect(events).toHaveLength(4);
    await expect(pool.compiled('logit')).rejects.toMatchObject({ code: 'RELC4004' });
    await expect(pool.run('logit', {}, [{}])).rejects.toMatchObject({ code: 'RELC4004' });
    expect(events).toHaveLength(4);
  });

  it('waits for the call that is running, and refuses those that wait', async () => {
    const { pool, events, made } = recordedPool();
    const [running, waiting] = [pool.run('logit', {}, [{}]), pool.run('logit', {}, [{}])];
    const refused = expect(waiting).rejects.toMatchObject({ code: 'RELC4004' });
    await turn();
    pool.dispose();
    expect(events.at(-1)).toBe('logit 1 begins');
    made.get('logit')!.gates[0]!.open();
    expect(await running).toHaveLength(1);
    await refused;
    expect(events.slice(1)).toEqual(['logit 1 begins', 'logit 1 ends', 'logit is freed']);
  });

  it('frees an engine that is still being made', async () => {
    const { open, opened } = gate();
    const { pool, events } = recordedPool(opened);
    const asked = pool.compiled('logit');
    const refused = expect(asked).rejects.toMatchObject({ code: 'RELC4004' });
    pool.dispose();
    open();
    await refused;
    expect(events).toEqual(['logit is made', 'logit is freed']);
  });
});
