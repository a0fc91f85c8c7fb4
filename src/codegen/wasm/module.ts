// A kernel plan as a WebAssembly module: a function a kernel, and the steps that call them, alone or by several threads.
import { RelcError } from '../../ir/error.js';
import type { Name } from '../../ir/graph.js';
import type { Kernel } from '../kernels/kernel.js';
import type { KernelPlan, Placement } from '../kernels/plan.js';
import { contractionCode } from './contraction.js';
import { FunctionBuilder, type FunctionCode } from './encoder/function.js';
import { i32, type Local, statement } from './encoder/instructions.js';
import { type EncodedModule, encodeModule, globalGet } from './encoder/module.js';
import { type KernelCode, KernelContext } from './kernel-code.js';
import { control, endStep, pageBytes, slackBytes, tableStart } from './layout.js';
import { loopsCode } from './loops.js';
import { padCode } from './pad.js';
import { specialCode } from './special.js';

/** How a module is written. */
export interface WasmOptions {
  /**
   * Adds products of matrices with the relaxed `madd`, which rounds once or twice as the machine likes it: the bits of
   * results then depend on the machine. Plain products and sums if left out.
   */
  readonly fusedMultiplyAdd?: boolean;
}

/** A module and what a loader must know of it. */
export interface WasmProgram extends EncodedModule {
  readonly plan: KernelPlan;
  readonly pages: number;
  /** Address of a buffer. */
  readonly addressOf: (name: Name) => number;
  /** Steps: those of the load phase, then those of a run; `varied` is the first that depends on varied inputs. */
  readonly steps: { readonly run: number; readonly varied: number; readonly end: number };
  /** Where scratch memory begins, and how much each of at most `threads` threads has: more would find nothing to do. */
  readonly scratch: { readonly address: number; readonly bytes: number; readonly threads: number };
}

const aligned = (bytes: number) => Math.ceil(bytes / 64) * 64;

/** Threads that scratch memory is laid out for, where steps have so many chunks. */
const mostThreads = 16;

function codeOf(kernel: Kernel, context: KernelContext): KernelCode {
  if (kernel.kind === 'loops') return loopsCode(kernel, context);
  if (kernel.kind === 'contraction') return contractionCode(kernel, context);
  if (kernel.kind === 'pad') return padCode(kernel, context);
  return specialCode(kernel, context);
}

const globals = { scratch: 0, workers: 0 };
const scratchGlobal = globalGet(0);
const workersGlobal = globalGet(1);

/** chunk(step, chunk): calls the function of a step with its addresses. */
function chunkFunction(
  steps: readonly KernelCode[],
  first: number,
  addressOf: (name: Name) => number,
): FunctionCode {
  const f = new FunctionBuilder(['i32', 'i32']);
  const [step, chunk] = f.parameters as [Local<'i32'>, Local<'i32'>];
  f.choose(
    step,
    steps.map((code) => () => {
      f.call(first + code.function, [chunk, ...code.buffers.map((name) => i32.const(addressOf(name)))]);
    }),
  );
  return f.build();
}

const at = (address: number) => i32.const(address);
const chunksOf = (step: Local<'i32'>) => i32.load(i32.shiftLeft(step, i32.const(2)), tableStart);

/** take(step, chunks): computes chunks of a step until none is left to take. */
function takeFunction(chunkIndex: number): FunctionCode {
  const f = new FunctionBuilder(['i32', 'i32']);
  const [step, chunks] = f.parameters as [Local<'i32'>, Local<'i32'>];
  f.repeat(() => {
    const state = f.hold(i32.atomicLoad(at(0), control.state));
    f.when(i32.ne(i32.shiftRight(state, i32.const(16)), step), () => f.return());
    const chunk = f.hold(i32.and(state, i32.const(0xffff)));
    f.when(i32.greaterEqual(chunk, chunks), () => f.return());
    const found = i32.atomicCompareExchange(at(0), state, i32.add(state, i32.const(1)), control.state);
    f.when(i32.eq(found, state), () => {
      f.call(chunkIndex, [step, chunk]);
      f.emit(statement.drop(i32.atomicAdd(at(0), i32.const(1), control.done)));
    });
    return i32.const(1);
  });
  return f.build();
}

/** run(first, end): the steps in order, each divided between the threads that there are. */
function runFunction(chunkIndex: number, takeIndex: number): FunctionCode {
  const f = new FunctionBuilder(['i32', 'i32']);
  const [first, end] = f.parameters as [Local<'i32'>, Local<'i32'>];
  f.loop({ from: first, until: end }, (step) => {
    const chunks = f.hold(chunksOf(step));
    // The number of a chunk has 16 bits of the state: a step of more is computed by one thread
    const isUndivided = i32.or(i32.eq(chunks, i32.const(1)), i32.greaterThan(chunks, i32.const(0xffff)));
    const alone = i32.or(isUndivided, i32.eqz(workersGlobal));
    f.when(
      alone,
      () => f.loop({ from: i32.const(0), until: chunks }, (chunk) => f.call(chunkIndex, [step, chunk])),
      () => {
        f.emit(statement.atomicStore(at(0), i32.const(0), control.done));
        f.emit(statement.atomicStore(at(0), i32.shiftLeft(step, i32.const(16)), control.state));
        f.when(i32.atomicLoad(at(0), control.sleepers), () =>
          f.emit(statement.drop(i32.atomicNotify(at(0), i32.const(-1), control.state))),
        );
        f.call(takeIndex, [step, chunks]);
        f.repeat(() => i32.lessThan(i32.atomicLoad(at(0), control.done), chunks));
      },
    );
  });
  return f.build();
}

/** How often a thread looks for work before it sleeps. */
const spins = 20000;

/** work(): what a helping thread does until it is told to end. */
function workFunction(takeIndex: number, steps: number): FunctionCode {
  const f = new FunctionBuilder([]);
  const idle = f.hold(i32.const(0));
  f.repeat(() => {
    const state = f.hold(i32.atomicLoad(at(0), control.state));
    const step = f.hold(i32.shiftRight(state, i32.const(16)));
    f.when(i32.eq(step, i32.const(endStep)), () => f.return());
    const chunks = f.hold(i32.const(0));
    f.when(i32.lessThan(step, i32.const(steps)), () => f.set(chunks, chunksOf(step)));
    f.when(
      i32.lessThan(i32.and(state, i32.const(0xffff)), chunks),
      () => {
        f.call(takeIndex, [step, chunks]);
        f.set(idle, i32.const(0));
      },
      () => {
        f.increase(idle, 1);
        f.when(i32.greaterThan(idle, i32.const(spins)), () => {
          f.emit(statement.drop(i32.atomicAdd(at(0), i32.const(1), control.sleepers)));
          f.emit(statement.drop(i32.atomicWait(at(0), state, control.state)));
          f.emit(statement.drop(i32.atomicAdd(at(0), i32.const(-1), control.sleepers)));
          f.set(idle, i32.const(0));
        });
      },
    );
    return i32.const(1);
  });
  return f.build();
}

/** Four bytes a word. */
function wordBytes(words: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

function constantBytes(numbers: readonly number[], dtype: string): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(Float32Array.from(numbers).buffer);
  return wordBytes(dtype === 'bool' ? numbers.map((value) => (value === 0 ? 0 : -1)) : numbers);
}

/** Writes the module of a plan. @throws RelcError RELC4009 where it needs more memory than a module can have */
export function wasmProgram(plan: KernelPlan, { fusedMultiplyAdd = false }: WasmOptions = {}): WasmProgram {
  const context = new KernelContext(scratchGlobal, fusedMultiplyAdd);
  const [load, once, each] = [
    plan.load,
    plan.run.slice(0, plan.firstVaried),
    plan.run.slice(plan.firstVaried),
  ].map((kernels) => kernels.map((kernel) => codeOf(kernel, context))) as [
    KernelCode[],
    KernelCode[],
    KernelCode[],
  ];
  const steps = [...load, ...once, ...each];
  const weightsStart = aligned(tableStart + 4 * steps.length);
  const arenaStart = weightsStart + plan.weightBytes;
  const scratchStart = arenaStart + plan.arenaBytes + slackBytes;
  const scratchBytes = aligned(context.scratchBytes);
  const threads = Math.min(mostThreads, Math.max(1, ...steps.map(({ chunks }) => chunks)));
  const total = scratchStart + threads * scratchBytes + slackBytes;
  const pages = Math.ceil(total / pageBytes);
  if (pages > 65536) {
    throw new RelcError(
      'RELC4009',
      `the program needs ${(total / 2 ** 30).toFixed(1)} GiB of memory, and a module has 4 at most`,
      'use a smaller batch or a smaller model, or the target tfjs',
    );
  }
  const addressOf = (name: Name): number => {
    const { region, offset } = plan.placements.get(name) as Placement;
    return (region === 'weights' ? weightsStart : arenaStart) + offset;
  };
  const mathFunctions = context.math.functions;
  const firstKernel = mathFunctions.length;
  const chunkIndex = firstKernel + context.functions.length;
  const functions = [
    ...mathFunctions,
    ...context.functions,
    chunkFunction(steps, firstKernel, addressOf),
    takeFunction(chunkIndex),
    runFunction(chunkIndex, chunkIndex + 1),
    workFunction(chunkIndex + 1, steps.length),
  ];
  const constants = [...plan.program.constants].map(([name, numbers]) => ({
    address: addressOf(name),
    bytes: constantBytes(numbers, plan.program.buffers.get(name)!.dtype),
  }));
  const encoded = encodeModule({
    pages,
    functions,
    exports: { chunk: chunkIndex, run: chunkIndex + 2, work: chunkIndex + 3 },
    globals,
    data: [{ address: tableStart, bytes: wordBytes(steps.map(({ chunks }) => chunks)) }, ...constants],
  });
  return {
    ...encoded,
    plan,
    pages,
    addressOf,
    steps: { run: load.length, varied: load.length + once.length, end: steps.length },
    scratch: { address: scratchStart, bytes: scratchBytes, threads },
  };
}
