// Code for maps and reductions: four lanes along the loop that suits most operands, the others around it.
import type { Access, LoopKernel } from '../kernels/kernel.js';
import { chunkWork, type Division, divide } from './chunks.js';
import { alongColumns, movedTo, operators, streamTerms } from './columns.js';
import type { FunctionBuilder } from './encoder/function.js';
import { i32, type Local, type V128, v128 } from './encoder/instructions.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { keepLanes, readLanes, writeLanes } from './lanes.js';
import { advanced, type Loop, loopsOf, nest, type Pointer, type Turns, turnsOf } from './nest.js';
import { sizeOf, vectorsOf } from './scalars.js';

/** Elements in a row that a chunk begins at a multiple of. */
const chunkGrain = 64;
/** Columns in a row that make reading a matrix by rows quick, and elements of it that no cache near the core holds. */
const streamedColumns = 2048;
const large = 1 << 18;

const product = (loops: readonly Loop[]) => loops.reduce((total, { extent }) => total * extent, 1);

/** Along which loop the lanes run. */
interface Choice {
  readonly loop: Loop;
  readonly direction: 'parallel' | 'reduced';
}

class LoopsCode {
  private readonly accesses: readonly Access[];
  private readonly operandCount: number;
  private readonly parallel: Loop[];
  private readonly reduced: Loop[];
  private readonly choice: Choice;

  constructor(
    private readonly kernel: LoopKernel,
    private readonly f: FunctionBuilder,
    private readonly context: KernelContext,
  ) {
    const none: Access = { buffer: '', offset: 0, strides: [] };
    const operands = kernel.operands.map((operand) => (operand === 'result' ? none : operand));
    this.operandCount = operands.length;
    this.accesses = [...operands, ...kernel.stores.map(({ access }) => access)];
    this.parallel = loopsOf(kernel.loops, this.accesses);
    this.reduced = loopsOf(kernel.reduced, this.accesses, kernel.loops.length);
    this.choice = this.choose();
  }

  /** Accesses that lanes along a loop would have to gather or scatter. */
  private strided({ strides }: Loop): number {
    return strides.filter((stride) => stride !== 0 && stride !== 1).length;
  }

  private choose(): Choice {
    const single: Loop = { extent: 1, strides: this.accesses.map(() => 1) };
    const candidates = (loops: readonly Loop[]) =>
      loops
        .map((loop, place) => ({ loop, cost: this.strided(loop) + (loop.extent < 4 ? 2 : 0), place }))
        .sort((a, b) => a.cost - b.cost || b.place - a.place);
    const [along] = candidates(this.parallel);
    const [across] = candidates(this.reduced);
    if (across !== undefined && (along === undefined || across.cost < along.cost)) {
      return { loop: across.loop, direction: 'reduced' };
    }
    return { loop: along?.loop ?? single, direction: 'parallel' };
  }

  /** The loop that is divided between threads, and its chunks; undefined where there is too little to do. */
  private division(): (Division & { readonly loop: Loop }) | undefined {
    const work = product(this.parallel) * product(this.reduced);
    const outer = this.parallel.filter((loop) => loop !== this.choice.loop);
    const divided = [...outer, ...this.parallel].find((loop) => loop.extent >= 8) ?? outer[0];
    if (divided === undefined || work < 2 * chunkWork) return undefined;
    const own = this.isStreamed ? streamedColumns : chunkGrain;
    const grain = divided === this.choice.loop ? own : 1;
    return { loop: divided, ...divide(divided.extent, work / divided.extent, grain) };
  }

  generate(chunk: Local<'i32'>, pointers: readonly Pointer[]): number {
    if (this.isStreamed) this.context.needScratch(4 * (this.choice.loop.extent + 4));
    const starts = this.accesses.map(({ offset }, index) => advanced(pointers[index]!, offset));
    const division = this.division();
    const turns = division && turnsOf(this.f, chunk, division.size, division.loop.extent);
    const chunked = division && { loop: division.loop, turns: turns! };
    const outer = this.parallel.filter((loop) => loop !== this.choice.loop);
    nest(
      this.f,
      outer,
      starts,
      (current) => {
        const own = division?.loop === this.choice.loop ? turns : undefined;
        if (this.choice.direction === 'reduced') this.horizontal(current);
        else if (this.isStreamed) this.streamed(current, own);
        else this.vertical(current, own);
      },
      chunked,
    );
    return division?.chunks ?? 1;
  }

  /** How many vectors are in flight at once. */
  private get unroll(): number {
    const size = sizeOf(this.kernel.stores.map(({ value }) => value));
    if (this.kernel.reduction !== undefined) return this.choice.loop.extent >= 32 && size <= 4 ? 8 : 4;
    return size <= 8 ? 4 : size <= 24 ? 2 : 1;
  }

  /** Lanes along a loop of the result: blocks of several vectors, then single ones, then what is left. */
  private vertical(starts: readonly Pointer[], turns: Turns | undefined): void {
    const { loop } = this.choice;
    const { unroll: vectors } = this;
    alongColumns(this.f, { loop, turns, vectors }, starts, (pointers, count, lanes) =>
      this.vectors(pointers, count, lanes),
    );
  }

  /**
   * Lanes along a loop of the result while the terms of the sum run outside: a matrix that is read once is read in order,
   * several rows at a time, and the sums of all columns stand in scratch memory.
   */
  private streamed(starts: readonly Pointer[], turns: Turns | undefined): void {
    const { f, kernel, context } = this;
    const { loop } = this.choice;
    const { reduction } = kernel;
    const begin = turns?.begin ?? i32.const(0);
    const vectors = f.hold(
      i32.shiftRight(
        i32.add(i32.sub(turns?.end ?? i32.const(loop.extent), begin), i32.const(3)),
        i32.const(2),
      ),
    );
    const here = starts.map((pointer, index) => movedTo(f, pointer, loop.strides[index]!, turns));
    const form = {
      strides: loop.strides,
      ...{ body: reduction!.body, operator: operators[reduction!.operator], math: context.math },
    };
    streamTerms(f, form, { reduced: this.reduced, starts: here, sums: context.scratch, vectors });
    const sums = { base: f.hold(i32.sub(context.scratch, i32.mul(begin, i32.const(4)))), bytes: 0 };
    const withSums = { extent: loop.extent, strides: [...loop.strides, 1] };
    alongColumns(f, { loop: withSums, turns, vectors: 1 }, [...starts, sums], (pointers, _count, lanes) => {
      f.scoped(() => {
        const result = f.hold(readLanes(f, pointers.at(-1)!, 1, lanes));
        this.finish(pointers, result, loop.strides, lanes);
      });
    });
  }

  /** Whether a reduction reads a large matrix once, row by row. */
  private get isStreamed(): boolean {
    const { loop, direction } = this.choice;
    const terms = product(this.reduced);
    if (this.kernel.reduction === undefined || direction === 'reduced') return false;
    return (
      this.strided(loop) === 0 && terms >= 8 && loop.extent >= streamedColumns && terms * loop.extent >= large
    );
  }

  /** `vectors` neighbouring vectors of the result, of which the last `count` lanes of each are there. */
  private vectors(pointers: readonly Pointer[], vectors: number, count: number): void {
    const { f, kernel } = this;
    const { strides } = this.choice.loop;
    const at = (vector: number) =>
      pointers.map((pointer, index) => advanced(pointer, 4 * vector * strides[index]!));
    f.scoped(() => {
      if (kernel.reduction === undefined) {
        for (let vector = 0; vector < vectors; vector++) this.finish(at(vector), undefined, strides, count);
        return;
      }
      const operator = operators[kernel.reduction.operator];
      const { body } = kernel.reduction;
      const totals = Array.from({ length: vectors }, () => f.hold(f.constant(operator.start)));
      nest(f, this.reduced, pointers, (inner) => {
        f.scoped(() => {
          const shared = new Map<number, V128>();
          for (const [vector, total] of totals.entries()) {
            const read = (index: number): V128 => {
              if (strides[index] !== 0) {
                return readLanes(
                  f,
                  advanced(inner[index]!, 4 * vector * strides[index]!),
                  strides[index]!,
                  count,
                );
              }
              const known = shared.get(index) ?? f.hold(readLanes(f, inner[index]!, 0, 4));
              shared.set(index, known);
              return known;
            };
            const [value] = vectorsOf(f, [body], read, this.context.math);
            f.set(total, operator.combine(total, value!));
          }
        });
      });
      for (const [vector, total] of totals.entries()) this.finish(at(vector), total, strides, count);
    });
  }

  /** Lanes along a reduced loop: partial results in four vectors, joined at the end. */
  private horizontal(starts: readonly Pointer[]): void {
    const { f, kernel } = this;
    const { loop } = this.choice;
    const operator = operators[kernel.reduction!.operator];
    const { body } = kernel.reduction!;
    const others = this.reduced.filter((each) => each !== loop);
    f.scoped(() => {
      const totals = [0, 1, 2, 3].map(() => f.hold(f.constant(operator.start)));
      const add = (pointers: readonly Pointer[], total: Local<'v128'>, vector: number, count: number) =>
        f.scoped(() => {
          const read = (index: number) =>
            readLanes(
              f,
              advanced(pointers[index]!, 4 * vector * loop.strides[index]!),
              loop.strides[index]!,
              count,
            );
          const [value] = vectorsOf(f, [body], read, this.context.math);
          f.set(total, operator.combine(total, keepLanes(value!, count, operator.start)));
        });
      nest(f, others, starts, (outer) => {
        const blocks = Math.floor(loop.extent / 16);
        const block: Loop = { extent: blocks, strides: loop.strides.map((stride) => 16 * stride) };
        if (blocks > 0) {
          nest(f, [block], outer, (inner) => {
            for (const [vector, total] of totals.entries()) add(inner, total, vector, 4);
          });
        }
        const done = outer.map((pointer, index) => advanced(pointer, 16 * blocks * loop.strides[index]!));
        const left = loop.extent - 16 * blocks;
        for (let vector = 0; 4 * vector < left; vector++) {
          add(done, totals[vector]!, vector, Math.min(4, left - 4 * vector));
        }
      });
      const [a, b, c, d] = totals as readonly V128[] as [V128, V128, V128, V128];
      const joined = f.hold(operator.combine(operator.combine(a, b), operator.combine(c, d)));
      const pairs = f.hold(operator.combine(joined, v128.shuffle(joined, joined, [2, 3, 0, 1])));
      const total = f.hold(operator.combine(pairs, v128.shuffle(pairs, pairs, [1, 0, 3, 2])));
      const still = this.accesses.map(() => 1);
      this.finish(starts, total, still, 1);
    });
  }

  /** Computes the stores of one vector and writes them. */
  private finish(
    pointers: readonly Pointer[],
    result: V128 | undefined,
    strides: readonly number[],
    count: number,
  ): void {
    const { f, kernel } = this;
    f.scoped(() => {
      const read = (index: number): V128 =>
        kernel.operands[index] === 'result'
          ? result!
          : readLanes(f, pointers[index]!, strides[index]!, count);
      const values = vectorsOf(
        f,
        kernel.stores.map(({ value }) => value),
        read,
        this.context.math,
      );
      for (const [store, value] of values.entries()) {
        const index = this.operandCount + store;
        writeLanes(f, pointers[index]!, strides[index]!, count, value);
      }
    });
  }
}

/** Buffers of a kernel's accesses, in the order in which its function takes their addresses. */
function buffersOf(kernel: LoopKernel): string[] {
  const operands = kernel.operands.flatMap((operand) => (operand === 'result' ? [] : [operand.buffer]));
  return [...new Set([...operands, ...kernel.stores.map(({ access }) => access.buffer)])];
}

/** Code for a map or a reduction. */
export function loopsCode(kernel: LoopKernel, context: KernelContext): KernelCode {
  const buffers = buffersOf(kernel);
  return context.define(kernel, buffers, (f, chunk, addresses) => {
    const pointerOf = (buffer: string): Pointer => ({ base: addresses.get(buffer)!, bytes: 0 });
    const pointers = [
      ...kernel.operands.map((operand) =>
        operand === 'result' ? { base: i32.const(0), bytes: 0 } : pointerOf(operand.buffer),
      ),
      ...kernel.stores.map(({ access }) => pointerOf(access.buffer)),
    ];
    return new LoopsCode(kernel, f, context).generate(chunk, pointers);
  });
}
