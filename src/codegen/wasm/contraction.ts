// Code for products of matrices: a panel of b is packed, and tiles of rows of a run over it.
//
// A tile keeps 2 rows × 16 columns of the result in eight registers. Every element is the sum of its products in the order
// of k, whatever the tile and the thread: the bits do not depend on how the work is divided. a is read as it lies, b from
// a packed panel [k][16], so that both inner loops read memory in order.
import type { Access, ContractionKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, type I32, i32, type Local, type V128, v128 } from './encoder/instructions.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { readLanes, writeLanes } from './lanes.js';
import { addressed, advanced, bytesOf, type Loop, loopsOf, nest, type Pointer } from './nest.js';
import { packPanel } from './pack.js';
import { vectorsOf } from './scalars.js';

/** Columns of a full panel. */
const panelColumns = 16;
/** Rows that make packing a panel again for another thread cheap, and chunks worth having. */
const fewestRowsOfChunk = 512;
const wantedChunks = 16;

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);

/** Rows of a tile by its vectors of columns: what 15 registers hold with all sums in flight. */
const rowsOfTile: Readonly<Record<number, number>> = { 1: 6, 2: 4, 3: 2, 4: 2 };

class ContractionCode {
  private readonly depth: number;
  private readonly batch: Loop[];
  private readonly rows: Loop[];
  private readonly terms: Loop[];
  private readonly panels: number;
  private readonly splits: number;
  private readonly rowsOfSplit: number;
  /** Strides of operands and stores along columns. */
  private readonly alongColumns: readonly number[];
  private readonly accesses: readonly Access[];

  constructor(
    private readonly kernel: ContractionKernel,
    private readonly f: FunctionBuilder,
    private readonly context: KernelContext,
  ) {
    const { batch, m, n, k, a, b } = kernel;
    const none: Access = { buffer: '', offset: 0, strides: [] };
    const outer = [
      ...kernel.operands.map((operand) => (operand === 'result' ? none : operand)),
      ...kernel.stores.map(({ access }) => access),
    ];
    this.accesses = [a, ...outer];
    this.depth = product(k);
    this.batch = loopsOf(batch, [...this.accesses, ...b.operands]);
    const collapsed = loopsOf(m, this.accesses, batch.length);
    this.rows = collapsed.length > 0 ? collapsed : [{ extent: 1, strides: this.accesses.map(() => 0) }];
    this.terms = loopsOf(k, [a], batch.length + m.length);
    this.panels = Math.ceil(n / panelColumns);
    this.alongColumns = outer.map(({ strides }) => strides[batch.length + m.length] ?? 0);
    const parts = product(batch) * this.panels;
    const { extent } = this.rows[0]!;
    const most = Math.max(1, Math.floor(product(m) / fewestRowsOfChunk));
    const splits = Math.min(extent, most, Math.max(1, Math.ceil(wantedChunks / parts)));
    this.rowsOfSplit = Math.ceil(extent / splits);
    this.splits = Math.ceil(extent / this.rowsOfSplit);
    const columns = Math.min(n, panelColumns);
    context.needScratch(bytesOf(this.depth * Math.ceil(columns / 4) * 4));
  }

  get chunks(): number {
    return product(this.batch.map(({ extent }) => extent)) * this.panels * this.splits;
  }

  generate(chunk: Local<'i32'>, pointers: readonly Pointer[], panelPointers: readonly Pointer[]): void {
    const { f } = this;
    const rest = f.hold(chunk);
    const split = this.splits === 1 ? i32.const(0) : this.digit(rest, this.splits);
    const panel = this.panels === 1 ? i32.const(0) : this.digit(rest, this.panels);
    const all = this.batched(rest, [...pointers, ...panelPointers]);
    const starts = all.slice(0, pointers.length);
    const sources = all.slice(pointers.length);
    const whole = Math.floor(this.kernel.n / panelColumns);
    const last = this.kernel.n - whole * panelColumns;
    const full = () => this.panel(panel, panelColumns, starts, sources, split);
    const partial = () => this.panel(panel, last, starts, sources, split);
    if (last === 0) full();
    else if (whole === 0) partial();
    else f.when(i32.lessThan(panel, i32.const(whole)), full, partial);
  }

  /** The remainder of a number, which is divided. */
  private digit(rest: Local<'i32'>, base: number): Local<'i32'> {
    const digit = this.f.hold(i32.remainder(rest, i32.const(base)));
    this.f.set(rest, i32.divide(rest, i32.const(base)));
    return digit;
  }

  /** Pointers at the batch that a number names, its last loop running fastest. */
  private batched(rest: Local<'i32'>, pointers: readonly Pointer[]): Pointer[] {
    const { f } = this;
    let current = [...pointers];
    for (const [place, loop] of [...this.batch].reverse().entries()) {
      const index = place === this.batch.length - 1 ? rest : this.digit(rest, loop.extent);
      current = current.map((pointer, number) => {
        const stride = loop.strides[number] ?? 0;
        return stride === 0 ? pointer : this.shifted(pointer, index, stride);
      });
      void f;
    }
    return current;
  }

  private shifted(pointer: Pointer, index: I32, stride: number): Pointer {
    const base = i32.add(pointer.base, i32.mul(index, i32.const(bytesOf(stride))));
    return { base: this.f.hold(base), bytes: pointer.bytes };
  }

  /** Packs one panel of b and runs the tiles of some rows over it. */
  private panel(
    panel: I32,
    columns: number,
    starts: readonly Pointer[],
    sources: readonly Pointer[],
    split: I32,
  ): void {
    const { f, kernel } = this;
    f.scoped(() => {
      const first = f.hold(i32.mul(panel, i32.const(panelColumns)));
      const column = kernel.batch.length + kernel.k.length;
      packPanel(f, kernel, {
        columns,
        sources: sources.map((source, index) => {
          const stride = kernel.b.operands[index]!.strides[column]!;
          return stride === 0 ? source : this.shifted(source, first, stride);
        }),
        target: this.context.scratch,
        math: this.context.math,
      });
      const [a, ...outer] = starts;
      const shifted = outer.map((pointer, index) => {
        const stride = this.alongColumns[index]!;
        return stride === 0 ? pointer : this.shifted(pointer, first, stride);
      });
      this.rowsFrom([a!, ...shifted], columns, split);
    });
  }

  /** The rows of a split: the outermost loop of rows is what is divided. */
  private rowsFrom(pointers: readonly Pointer[], columns: number, split: I32): void {
    const { f } = this;
    const [outermost, ...inner] = this.rows as [Loop, ...Loop[]];
    if (this.splits === 1) {
      this.tiles(this.rows, pointers, columns);
      return;
    }
    f.scoped(() => {
      const begin = f.hold(i32.mul(split, i32.const(this.rowsOfSplit)));
      const moved = pointers.map((pointer, index) => {
        const stride = outermost.strides[index]!;
        return stride === 0 ? pointer : this.shifted(pointer, begin, stride);
      });
      const lastRows = outermost.extent - (this.splits - 1) * this.rowsOfSplit;
      const run = (extent: number) => this.tiles([{ ...outermost, extent }, ...inner], moved, columns);
      if (lastRows === this.rowsOfSplit) run(lastRows);
      else if (inner.length > 0) {
        const end = f.hold(i32.add(begin, i32.const(this.rowsOfSplit)));
        f.when(i32.greaterThan(end, i32.const(outermost.extent)), () =>
          f.set(end, i32.const(outermost.extent)),
        );
        nest(f, [outermost], pointers, (at) => this.tiles(inner, at, columns), {
          loop: outermost,
          turns: { begin, end },
        });
      } else {
        f.when(
          i32.lessThan(split, i32.const(this.splits - 1)),
          () => run(this.rowsOfSplit),
          () => run(lastRows),
        );
      }
    });
  }

  private tiles(rows: readonly Loop[], pointers: readonly Pointer[], columns: number): void {
    const { f } = this;
    const innermost = rows.at(-1)!;
    const vectors = Math.ceil(columns / 4);
    const height = Math.min(rowsOfTile[vectors]!, innermost.extent);
    const whole = Math.floor(innermost.extent / height);
    const rest = innermost.extent - whole * height;
    nest(f, rows.slice(0, -1), pointers, (outer) => {
      const strides = innermost.strides.map((stride) => stride * height);
      nest(f, [{ extent: whole, strides }], outer, (tile) => this.tile(tile, innermost, height, columns));
      if (rest === 0) return;
      const after = outer.map((pointer, index) => advanced(pointer, whole * strides[index]!));
      this.tile(after, innermost, rest, columns);
    });
  }

  /** The products of one tile, and what is made of them. */
  private tile(pointers: readonly Pointer[], rows: Loop, height: number, columns: number): void {
    const { f } = this;
    const vectors = Math.ceil(columns / 4);
    f.scoped(() => {
      const sums = Array.from({ length: height * vectors }, () => f.hold(f32x4.const(0)));
      const panel = f.hold(this.context.scratch);
      const [a] = pointers;
      nest(f, this.terms, [a!], ([at]) => {
        const left = Array.from({ length: height }, (_, row) => {
          const [base, offset] = addressed(advanced(at!, row * rows.strides[0]!));
          return f.hold(v128.loadSplat(base, offset));
        });
        const right = f.local('v128');
        for (let vector = 0; vector < vectors; vector++) {
          f.set(right, v128.load(panel, 16 * vector));
          for (let row = 0; row < height; row++) {
            const sum = sums[row * vectors + vector]!;
            f.set(sum, f32x4.add(sum, f32x4.mul(left[row]!, right)));
          }
        }
        f.increase(panel, 16 * vectors);
      });
      for (let row = 0; row < height; row++) {
        for (let vector = 0; vector < vectors; vector++) {
          const count = Math.min(4, columns - 4 * vector);
          this.finish(pointers, rows, { row, vector, count }, sums[row * vectors + vector]!);
        }
      }
    });
  }

  private finish(
    pointers: readonly Pointer[],
    rows: Loop,
    { row, vector, count }: { row: number; vector: number; count: number },
    result: V128,
  ): void {
    const { f, kernel } = this;
    const at = (index: number) =>
      advanced(pointers[1 + index]!, row * rows.strides[1 + index]! + 4 * vector * this.alongColumns[index]!);
    f.scoped(() => {
      const read = (index: number): V128 =>
        kernel.operands[index] === 'result'
          ? result
          : readLanes(f, at(index), this.alongColumns[index]!, count);
      const values = vectorsOf(
        f,
        kernel.stores.map(({ value }) => value),
        read,
        this.context.math,
      );
      for (const [store, value] of values.entries()) {
        const index = kernel.operands.length + store;
        writeLanes(f, at(index), this.alongColumns[index]!, count, value);
      }
    });
  }
}

/** Buffers of a contraction, in the order in which its function takes their addresses. */
function buffersOf({ a, b, operands, stores }: ContractionKernel): string[] {
  const outer = operands.flatMap((operand) => (operand === 'result' ? [] : [operand.buffer]));
  const written = stores.map(({ access }) => access.buffer);
  return [...new Set([a.buffer, ...b.operands.map(({ buffer }) => buffer), ...outer, ...written])];
}

/** Code for a product of matrices. */
export function contractionCode(kernel: ContractionKernel, context: KernelContext): KernelCode {
  return context.define(kernel, buffersOf(kernel), (f, chunk, addresses) => {
    const pointer = ({ buffer, offset }: Access): Pointer => ({
      base: addresses.get(buffer)!,
      bytes: bytesOf(offset),
    });
    const nothing: Pointer = { base: i32.const(0), bytes: 0 };
    const pointers = [
      pointer(kernel.a),
      ...kernel.operands.map((operand) => (operand === 'result' ? nothing : pointer(operand))),
      ...kernel.stores.map(({ access }) => pointer(access)),
    ];
    const code = new ContractionCode(kernel, f, context);
    code.generate(chunk, pointers, kernel.b.operands.map(pointer));
    return code.chunks;
  });
}
