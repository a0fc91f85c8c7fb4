// Code for maps and reductions: four lanes along the loop that suits most operands, the others around it.
import type { Access, LoopKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, type I32, i32, type Local, type V128, v128 } from './encoder/instructions.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { keepLanes, readLanes, writeLanes } from './lanes.js';
import { advanced, type Loop, loopsOf, nest, type Pointer, type Turns, turnsOf } from './nest.js';
import { sizeOf, vectorsOf } from './scalars.js';

/** Elements that are worth a chunk of their own, and the most chunks. */
const chunkWork = 16384;
const mostChunks = 64;
/** Elements in a row that a chunk begins at a multiple of. */
const chunkGrain = 64;

const product = (loops: readonly Loop[]) => loops.reduce((total, { extent }) => total * extent, 1);

/** A reduction's operator on lanes. */
interface Operator {
  readonly start: V128;
  combine(total: V128, value: V128): V128;
}

const operators: Readonly<Record<'sum' | 'max', Operator>> = {
  sum: { start: f32x4.const(0), combine: (total, value) => f32x4.add(total, value) },
  max: { start: f32x4.const(Number.NEGATIVE_INFINITY), combine: (total, value) => f32x4.max(total, value) },
};

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

  /** Chunks of the loop that is divided between threads. */
  private division(): { loop: Loop; size: number; chunks: number } | undefined {
    const work = product(this.parallel) * product(this.reduced);
    const wanted = Math.min(mostChunks, Math.floor(work / chunkWork));
    if (wanted < 2) return undefined;
    const outer = this.parallel.filter((loop) => loop !== this.choice.loop);
    const divided = [...outer, ...this.parallel].find((loop) => loop.extent >= 8) ?? outer[0];
    if (divided === undefined) return undefined;
    const grain = divided === this.choice.loop ? chunkGrain : 1;
    const size = Math.ceil(divided.extent / wanted / grain) * grain;
    return { loop: divided, size, chunks: Math.ceil(divided.extent / size) };
  }

  generate(chunk: Local<'i32'>, pointers: readonly Pointer[]): number {
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
        if (this.choice.direction === 'reduced') this.horizontal(current);
        else this.vertical(current, division?.loop === this.choice.loop ? turns : undefined);
      },
      chunked,
    );
    return division?.chunks ?? 1;
  }

  /** How many vectors are in flight at once. */
  private get unroll(): number {
    const size = sizeOf(this.kernel.stores.map(({ value }) => value));
    if (this.kernel.reduction !== undefined) return this.choice.loop.extent >= 32 ? 8 : 4;
    return size <= 8 ? 4 : size <= 24 ? 2 : 1;
  }

  /** Lanes along a loop of the result: blocks of several vectors, then single ones, then what is left. */
  private vertical(starts: readonly Pointer[], turns: Turns | undefined): void {
    const { f } = this;
    const { loop } = this.choice;
    const blocks = this.unroll;
    f.scoped(() => {
      const moving = starts.map((pointer, index) =>
        loop.strides[index] === 0 ? undefined : f.hold(startOf(pointer, loop.strides[index]!, turns)),
      );
      const current = starts.map((pointer, index) => {
        const local = moving[index];
        return local === undefined ? pointer : { base: local, bytes: 0 };
      });
      const advance = (elements: number) =>
        moving.forEach((local, index) => {
          if (local !== undefined) f.increase(local, 4 * elements * loop.strides[index]!);
        });
      const rest = loop.extent % 4;
      const runs: [vectors: number, count: number][] = [
        [blocks, 4],
        [1, 4],
      ];
      if (turns === undefined) {
        const whole = Math.floor(loop.extent / (4 * blocks));
        const single = Math.floor((loop.extent - whole * 4 * blocks) / 4);
        for (const [turn, times] of [whole, single].entries()) {
          if (times === 0) continue;
          const [vectors] = runs[turn]!;
          f.times(times, () => {
            this.vectors(current, vectors, 4);
            advance(4 * vectors);
          });
        }
        if (rest > 0) this.vectors(current, 1, rest);
        return;
      }
      const index = f.hold(turns.begin);
      for (const [vectors] of blocks === 1 ? runs.slice(1) : runs) {
        const more = () => i32.lessThan(i32.add(index, i32.const(4 * vectors - 1)), turns.end);
        f.when(more(), () => {
          f.repeat(() => {
            this.vectors(current, vectors, 4);
            advance(4 * vectors);
            f.increase(index, 4 * vectors);
            return more();
          });
        });
      }
      if (rest > 0) f.when(i32.lessThan(index, turns.end), () => this.vectors(current, 1, rest));
    });
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
      const totals = Array.from({ length: vectors }, () => f.hold(operator.start));
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
      const totals = [0, 1, 2, 3].map(() => f.hold(operator.start));
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

function startOf({ base, bytes }: Pointer, stride: number, turns: Turns | undefined): I32 {
  const start = bytes === 0 ? base : i32.add(base, i32.const(bytes));
  return turns === undefined ? start : i32.add(start, i32.mul(turns.begin, i32.const(4 * stride)));
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
