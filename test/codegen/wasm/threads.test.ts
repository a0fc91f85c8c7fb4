// Threads: the same bits from any number of them, no run that hangs, and errors that say what could not be had.
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { wasmEngine } from '../../../src/api/engines/wasm.js';
import { dialect } from '../../../src/api/pipeline.js';
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import { planKernels } from '../../../src/codegen/kernels/plan.js';
import { FunctionBuilder } from '../../../src/codegen/wasm/encoder/function.js';
import { i32, statement } from '../../../src/codegen/wasm/encoder/instructions.js';
import { encodeModule } from '../../../src/codegen/wasm/encoder/module.js';
import { control } from '../../../src/codegen/wasm/layout.js';
import { wasmProgram } from '../../../src/codegen/wasm/module.js';
import { programLayout } from '../../../src/codegen/wasm/program-layout.js';
import { Machine, threadsFor } from '../../../src/codegen/wasm/runtime/machine.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { relativeError } from '../support.js';
import { convolutions, drawn, waves } from './nets.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const large = { program: convolutions(48, 8), x: drawn([2, 48, 48, 3], 5) };
const small = { program: waves(), x: drawn([1, 65536], 6) };

/** The bits of all outputs, in short. */
function digest(outputs: Readonly<Record<string, TensorData>>): string {
  const hash = createHash('sha256');
  for (const { data } of Object.values(outputs)) hash.update(data);
  return hash.digest('hex');
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Puts another class in the place of Worker; returns the workers that are made. */
function watchWorkers(make: (url: URL) => Worker = (url) => new Worker(url, { execArgv: [] })): Worker[] {
  const made: Worker[] = [];
  const original = process.getBuiltinModule.bind(process);
  vi.spyOn(process, 'getBuiltinModule').mockImplementation(((name: string) => {
    if (name !== 'node:worker_threads') return original(name);
    const Watched = function Watched(url: URL) {
      made.push(make(url));
      return made.at(-1);
    };
    return { Worker: Watched };
  }) as typeof process.getBuiltinModule);
  return made;
}

/** Whether a worker has ended, or does within a moment. */
const ended = (worker: Worker): Promise<boolean> =>
  Promise.race([
    new Promise<boolean>((resolve) => worker.once('exit', () => resolve(true))),
    pause(3000).then(() => worker.threadId === -1),
  ]);

describe('threads', () => {
  it('compute the same bits, whatever their number', async () => {
    const { program, x } = large;
    const wanted = evaluate(program.graph, dialect, { x }, program.weights);
    const results = [];
    for (const threads of [1, 2, 3]) {
      const engine = await wasmEngine(program, { threads });
      for (let turn = 0; turn < 20; turn++) results.push((await engine.run({ x }, [{}]))[0]!);
      engine.dispose();
    }
    for (const key of ['z', 'sums']) {
      expect(relativeError(results[0]![key]!.data, wanted[key]!.data)).toBeLessThan(1e-5);
    }
    expect(new Set(results.map(digest)).size).toBe(1);
  });

  it('are as many as were asked for, and end with the engine', async () => {
    const made = watchWorkers();
    const engine = await wasmEngine(large.program, { threads: 3 });
    expect(made).toHaveLength(2);
    const exits = made.map(ended);
    engine.dispose();
    expect(await Promise.all(exits)).toEqual([true, true]);
  });

  it('are no more than there is work for, and by default no more than eight', () => {
    expect([threadsFor(3, 16), threadsFor(12, 5), threadsFor(1, 16)]).toEqual([3, 5, 1]);
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ availableParallelism: () => 64 });
    expect([threadsFor(undefined, 16), threadsFor(undefined, 2)]).toEqual([8, 2]);
  });

  it.each([0, -1, 1.5, Number.NaN])('RELC4010: %s is no number of them', (threads) => {
    expect(() => threadsFor(threads, 16)).toThrow(
      `RELC4010: threads is ${threads}, expected an integer from 1`,
    );
  });

  it('never wait for each other in vain: two thousand small runs, some after a rest', async () => {
    const made = watchWorkers();
    const { program, x } = small;
    const engine = await wasmEngine(program, { threads: 3 });
    expect(made.length).toBeGreaterThan(0);
    const [first] = await engine.run({ x }, [{}]);
    for (let turn = 0; turn < 2000; turn++) {
      const [result] = await engine.run({ x }, [{}]);
      if (turn % 100 === 0) await pause(5); // they fall asleep
      expect(result!.sums!.data[0]).toBe(first!.sums!.data[0]);
    }
    engine.dispose();
  });

  it('of several engines are their own', async () => {
    const cases = [large, small, large];
    const engines = await Promise.all(cases.map(({ program }) => wasmEngine(program, { threads: 2 })));
    const all = () =>
      Promise.all(engines.map(async (engine, i) => digest((await engine.run({ x: cases[i]!.x }, [{}]))[0]!)));
    const first = await all();
    for (let turn = 0; turn < 20; turn++) expect(await all()).toEqual(first);
    expect(first[2]).toBe(first[0]);
    engines.pop()!.dispose();
    expect(await all()).toEqual(first.slice(0, 2));
    for (const engine of engines) engine.dispose();
  });
});

describe('threads that fail', () => {
  it.each([
    ['to be loaded', (url: URL) => new Worker(new URL('./missing.js', url)), /missing\.js/],
    [
      'to be made',
      (): Worker => {
        throw new Error('too many');
      },
      /too many/,
    ],
    ['by ending at once', () => new Worker('process.exit(3)', { eval: true }), /it ended with code 3/],
    [
      'to run the module',
      () =>
        new Worker("require('node:worker_threads').parentPort.postMessage({ error: 'no SIMD' })", {
          eval: true,
        }),
      /no SIMD/,
    ],
  ])('%s are RELC4010', async (_, make, reason) => {
    watchWorkers(make);
    const failure = wasmEngine(large.program, { threads: 2 });
    await expect(failure).rejects.toThrow(reason);
    await expect(failure).rejects.toMatchObject({
      code: 'RELC4010',
      hint: 'run without, by threads: 1',
    });
  });

  /** A module whose main thread waits for a chunk, and whose helping threads do as they are told. */
  async function machineOf(
    work: (f: FunctionBuilder) => void,
    wait = (f: FunctionBuilder) =>
      f.repeat(() => i32.lessThan(i32.atomicLoad(i32.const(0), control.done), i32.const(1))),
  ): Promise<Machine> {
    const run = new FunctionBuilder(['i32', 'i32']);
    wait(run);
    const helper = new FunctionBuilder([]);
    work(helper);
    const module = encodeModule({
      pages: 1,
      functions: [run.build(), helper.build()],
      exports: { run: 0, work: 1 },
      globals: { scratch: 0, workers: 0 },
      data: [],
    });
    const layout = {
      pages: 1,
      memoryFlag: module.memoryFlag,
      steps: { run: 0, varied: 0, end: 1 },
      scratch: { address: 1024, bytes: 64, threads: 2 },
    };
    return Machine.start(module.bytes, layout, 2);
  }

  const unreachable = 0x00;

  it('in the middle of a run end it with an error, and every later one', async () => {
    const machine = await machineOf((f) => f.emit(unreachable));
    expect(() => machine.run()).toThrow('a thread of the explainer failed');
    expect(() => machine.run()).toThrow('a thread of the explainer failed');
    machine.dispose();
  });

  it('on the main thread, too', async () => {
    const machine = await machineOf(
      () => {},
      (f) => f.emit(unreachable),
    );
    for (let turn = 0; turn < 2; turn++) expect(() => machine.run()).toThrow(WebAssembly.RuntimeError);
    machine.dispose();
  });

  it('over an index that points outside are RELC4002, and the next run is a new one', async () => {
    const machine = await machineOf((f) => {
      f.emit(statement.atomicStore(i32.const(0), i32.const(1), control.failed));
      f.emit(statement.drop(i32.atomicAdd(i32.const(0), i32.const(1), control.done)));
    });
    expect(() => machine.run()).toThrow('RELC4002: an index points outside of what it gathers from');
    expect(() => machine.run()).not.toThrow();
    machine.dispose();
  });
});

describe('memory', () => {
  it.each([1, 2])('is let go of on dispose, whoever holds the machine: threads %s', async (threads) => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const { graph } = small.program;
    const wasm = wasmProgram(planKernels(fuse(graph, dialect, 1)));
    const machine = await Machine.start(wasm.bytes, programLayout(wasm, graph, 1), threads);
    expect(machine.threads).toBe(threads);
    const buffer = new WeakRef(machine.buffer);
    const isThereAfter = async (milliseconds: number) => {
      await pause(milliseconds);
      collectGarbage();
      return buffer.deref() !== undefined;
    };
    machine.run();
    expect(await isThereAfter(10)).toBe(true);
    machine.dispose();
    let isThere = true;
    for (let turn = 0; isThere && turn < 100; turn++) isThere = await isThereAfter(20);
    expect(isThere).toBe(false);
    expect(machine.threads).toBe(threads);
  });

  it('that cannot be had is RELC4009, and says how much; others go on', async () => {
    const other = await wasmEngine(small.program, { threads: 2 });
    const [before] = await other.run({ x: small.x }, [{}]);
    const { Memory } = WebAssembly;
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function Memory() {
      throw new RangeError('could not allocate memory');
    });
    const failure = wasmEngine(large.program, { threads: 2 });
    await expect(failure).rejects.toThrow(
      /^RELC4009: \d+ MiB of memory for weights and values could not be had: could not allocate memory/,
    );
    await expect(failure).rejects.toMatchObject({ name: 'RelcError', hint: expect.stringMatching('batch') });
    expect(await other.run({ x: small.x }, [{}])).toEqual([before]);
    vi.restoreAllMocks();
    expect(WebAssembly.Memory).toBe(Memory);
    (await wasmEngine(large.program, { threads: 2 })).dispose();
    other.dispose();
  });
});
