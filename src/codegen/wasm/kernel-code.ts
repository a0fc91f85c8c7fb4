// What code generators of kernels are given and give: kernels that differ in their buffers alone share a function.
import type { Name } from '../../ir/graph.js';
import type { Scalar } from '../../ir/scalar.js';
import type { Kernel } from '../kernels/kernel.js';
import { FunctionBuilder, type FunctionCode } from './encoder/function.js';
import type { I32, Local } from './encoder/instructions.js';
import { MathFunctions } from './math.js';

/** A function of a kernel and what it is called with: the number of a chunk, then the addresses of buffers. */
export interface KernelCode {
  /** Number among the kernel functions. */
  readonly function: number;
  readonly buffers: readonly Name[];
  /** Parts that may run on different threads. */
  readonly chunks: number;
}

/** Writes the body of a kernel's function; returns in how many chunks it computes. */
export type Generate = (
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  addresses: ReadonlyMap<Name, Local<'i32'>>,
) => number;

/**
 * A kernel as text that two kernels share where they differ in buffers alone. What expressions share is written once,
 * so that the text grows with their size.
 */
function formOf(kernel: Kernel, buffers: readonly Name[]): string {
  const shared = new Map<object, number>();
  const numbers = new Map(buffers.map((buffer, index) => [buffer, index]));
  return JSON.stringify({ ...kernel, name: '', values: [] }, (key, value: unknown) => {
    if (key === 'buffer' || key === 'to') return numbers.get(value as Name);
    if (key === 'from' && Array.isArray(value)) return value.map((name: Name) => numbers.get(name));
    // JSON has no infinities
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if ((value as Scalar | null)?.kind !== 'apply') return value;
    const seen = shared.get(value as Scalar);
    if (seen !== undefined) return seen;
    shared.set(value as Scalar, shared.size);
    return value;
  });
}

/** The functions of a module's kernels while it is written. */
export class KernelContext {
  readonly math = new MathFunctions();
  readonly functions: FunctionCode[] = [];
  /** Bytes of scratch memory that a thread needs. */
  scratchBytes = 0;
  private readonly known = new Map<string, { function: number; chunks: number }>();

  constructor(
    /** The address of the running thread's scratch memory. */
    readonly scratch: I32,
    /** Whether products are added with one rounding where the machine can: the bits then depend on the machine. */
    readonly fusesMultiplyAdd: boolean,
  ) {}

  /** Lets every thread have so much scratch memory at least. */
  needScratch(bytes: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, bytes);
  }

  /** The function of a kernel: a new one, or that of a kernel of the same form. */
  define(kernel: Kernel, buffers: readonly Name[], generate: Generate): KernelCode {
    const key = formOf(kernel, buffers);
    const known = this.known.get(key) ?? this.write(buffers, generate);
    this.known.set(key, known);
    return { ...known, buffers };
  }

  private write(buffers: readonly Name[], generate: Generate): { function: number; chunks: number } {
    const f = new FunctionBuilder(['i32', ...buffers.map(() => 'i32' as const)]);
    const [chunk, ...addresses] = f.parameters as Local<'i32'>[];
    const chunks = generate(f, chunk!, new Map(buffers.map((buffer, index) => [buffer, addresses[index]!])));
    return { function: this.functions.push(f.build()) - 1, chunks };
  }
}
