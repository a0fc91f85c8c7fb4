// A module with its memory and threads, ready to run. Needs nothing but WebAssembly: emitted explainers carry this file.
import { control, endStep, idleStep, pageBytes, tableStart } from '../layout.js';
import { ExplainerError } from './error.js';
import { canShareMemory, processorCount } from './surroundings.js';
import { Threads } from './threads.js';

/** What a module must be given, and where its steps are. */
export interface MachineLayout {
  /** Pages of memory, of 64 KiB. */
  readonly pages: number;
  /** Where the byte of the module stands that says whether its memory is shared. */
  readonly memoryFlag: number;
  /** Steps from `run` on are a run; those before are run once when weights are there. */
  readonly steps: { readonly run: number; readonly varied: number; readonly end: number };
  readonly scratch: { readonly address: number; readonly bytes: number; readonly threads: number };
}

interface Exports {
  readonly run: (first: number, end: number) => void;
  readonly scratch: { value: number };
  readonly workers: { value: number };
}

/** Threads that are started where nobody says how many. */
const usualThreads = 8;

/** Values of the byte of a module that says whether its memory is shared. */
const memoryKinds = { own: 1, shared: 3 } as const;

/**
 * How many threads run a program: as many as were asked for or the machine has, and no more than the program divides
 * its steps between; one where threads cannot have memory in common.
 * @throws ExplainerError RELC4010 where what was asked for is no number of threads
 */
export function threadsFor(asked: number | undefined, most: number): number {
  if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1)) {
    throw new ExplainerError(
      'RELC4010',
      `threads is ${String(asked)}, expected an integer from 1 on`,
      'leave it out for one thread a processor, up to 8',
    );
  }
  if (!canShareMemory()) return 1;
  return Math.min(asked ?? Math.min(processorCount(), usualThreads), most);
}

/** @throws ExplainerError RELC4009 */
function memoryOf(pages: number, isShared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: isShared });
  } catch (error) {
    throw new ExplainerError(
      'RELC4009',
      `${((pages * pageBytes) / 2 ** 20).toFixed(0)} MiB of memory for weights and values could not be had: ${(error as Error).message}`,
      'dispose of other explainers, or use a smaller batch or a smaller model',
      { cause: error },
    );
  }
}

/** @throws ExplainerError RELC4011 */
function expectRunnable(module: Uint8Array<ArrayBuffer>): void {
  if (WebAssembly.validate(module)) return;
  throw new ExplainerError(
    'RELC4011',
    'this JavaScript engine does not run the module: it lacks SIMD, bulk memory, atomics, or relaxed SIMD',
    'use a newer engine, or compile without fusedMultiplyAdd',
  );
}

/** The words that threads agree by. */
const controlWords = (buffer: ArrayBufferLike) => new Int32Array(buffer, 0, tableStart / 4);

/** What a machine holds until it is disposed of: each part keeps the memory alive. */
interface Parts {
  readonly memory: WebAssembly.Memory;
  readonly exports: Exports;
  readonly helpers: Threads | undefined;
}

export class Machine {
  private failure: Error | undefined;
  readonly threads: number;

  private constructor(
    private parts: Parts | undefined,
    private readonly layout: MachineLayout,
  ) {
    this.threads = 1 + (parts?.helpers?.count ?? 0);
  }

  /**
   * Makes the memory, starts the threads, and waits until each is ready.
   * @throws ExplainerError RELC4009 (the memory cannot be had), RELC4010 (threads that cannot be started),
   *   RELC4011 (an instruction that the engine lacks)
   */
  static async start(
    bytes: Uint8Array<ArrayBuffer>,
    layout: MachineLayout,
    asked?: number,
  ): Promise<Machine> {
    const threads = threadsFor(asked, layout.scratch.threads);
    const own = bytes.slice();
    own[layout.memoryFlag] = threads > 1 ? memoryKinds.shared : memoryKinds.own;
    expectRunnable(own);
    const memory = memoryOf(layout.pages, threads > 1);
    const module = await WebAssembly.compile(own);
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    const exports = instance.exports as unknown as Exports;
    exports.scratch.value = layout.scratch.address;
    const words = controlWords(memory.buffer);
    words[control.state / 4] = idleStep << 16;
    if (threads === 1) return new Machine({ memory, exports, helpers: undefined }, layout);
    const { address, bytes: each } = layout.scratch;
    const scratches = Array.from({ length: threads - 1 }, (_, index) => address + (index + 1) * each);
    const helpers = await Threads.start({ module, memory }, scratches);
    exports.workers.value = helpers.count;
    return new Machine({ memory, exports, helpers }, layout);
  }

  /** All memory, until {@link dispose}. */
  get buffer(): ArrayBufferLike {
    return this.parts!.memory.buffer;
  }

  /** Runs the load phase. */
  load(): void {
    this.steps(0, this.layout.steps.run);
  }

  /** Runs everything, or what depends on varied inputs. @throws ExplainerError RELC4002 where an index points outside */
  run(part: 'all' | 'varied' = 'all'): void {
    const { run, varied, end } = this.layout.steps;
    this.steps(part === 'all' ? run : varied, end);
  }

  /** Ends the threads and lets go of the memory. */
  dispose(): void {
    const { memory, helpers } = this.parts ?? {};
    this.parts = undefined;
    if (memory === undefined || helpers === undefined) return;
    const words = controlWords(memory.buffer);
    Atomics.store(words, control.state / 4, endStep << 16);
    Atomics.notify(words, control.state / 4);
    helpers.end();
  }

  /** After a trap threads may be anywhere: nothing runs on this memory again. */
  private steps(first: number, end: number): void {
    if (this.failure !== undefined) throw this.failure;
    try {
      this.parts!.exports.run(first, end);
    } catch (error) {
      this.failure = error as Error;
      throw error;
    }
    const words = controlWords(this.buffer);
    const failed = Atomics.exchange(words, control.failed / 4, 0);
    if (failed === 0) return;
    if (failed > 0) throw new ExplainerError('RELC4002', 'an index points outside of what it gathers from');
    this.failure = new Error('a thread of the explainer failed: this is a defect of the compiler');
    throw this.failure;
  }
}
