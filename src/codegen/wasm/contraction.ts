// Code for products of matrices: a panel of b is packed, and tiles of rows of a run over it.
//
// A tile keeps 2 rows × 16 columns of the result in eight registers. Every element is the sum of its products in the order
// of k, whatever the tile and the thread: the bits do not depend on how the work is divided. a is read as it lies, b from
// a packed panel [k][16], so that both inner loops read memory in order.
import type { Access, ContractionKernel } from '../kernels/kernel.js';
import { panelWidth } from '../kernels/view.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, type I32, i32, type Local, type V128, v128 } from './encoder/instructions.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { readLanes, writeLanes } from './lanes.js';
import { addressed, advanced, bytesOf, type Loop, loopsOf, nest, type Pointer } from './nest.js';
import { packPanel } from './pack.js';
import { vectorsOf } from './scalars.js';
import { touch } from './touch.js';

/** Rows that make a chunk of their own worth it, also where it packs panels again; and chunks worth having. */
const fewestRowsOfChunk = { ready: 128, packing: 256 };
const wantedChunks = 16;
/** Rows from which on there are chunks enough where rows run outside. */
const manyRows = 512;
/** Bytes of all panels together up to which rows run outside of panels: they stay in the cache near the core. */
const nearBytes = 1 << 18;
/** Rows that run over all panels before the next ones do. */
const rowsOfBlock = 64;

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);
const extentsOf = (loops: readonly Loop[]) => loops.map(({ extent }) => extent);

/** Rows of a tile by its vectors of columns: what 15 registers hold with all sums in flight. */
const rowsOfTile: Readonly<Record<number, number>> = { 1: 6, 2: 4, 3: 2, 4: 2 };

/** The last loop as two, the inner one short, where its extent has a divisor that suits. */
function blockedRows(rows: readonly Loop[]): Loop[] {
  const last = rows.at(-1)!;
  const divisors = Array.from({ length: rowsOfBlock / 2 }, (_, half) => rowsOfBlock - 2 * half);
  const size = divisors.find((divisor) => last.extent > divisor && last.extent % divisor === 0);
  if (size === undefined || size < rowsOfBlock / 4) return [...rows];
  const outer = { extent: last.extent / size, strides: last.strides.map((stride) => stride * size) };
  return [...rows.slice(0, -1), outer, { extent: size, strides: last.strides }];
}

/** Pointers of a kernel: a, then operands and stores, then the operands of b. */
class ContractionCode {
  private readonly depth: number;
  private readonly shared: Loop[];
  /** Loops over full panels. */
  private readonly panels: Loop[];
  /** Columns behind the last full panel. */
  private readonly tail: number;
  private readonly rows: Loop[];
  private readonly terms: Loop[];
  private readonly splits: number;
  private readonly rowsOfSplit: number;
  /** Whether b lies in panels already, to be read as it is. */
  private readonly isReady: boolean;
  /** Whether rows run outside and panels inside: where sums are short, what is made of them is most of the work. */
  private readonly rowsOutside: boolean;
  /** Strides of operands and stores along columns. */
  private readonly alongColumns: readonly number[];
  private readonly outerCount: number;

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
    const column = batch.length + m.length;
    this.outerCount = outer.length;
    this.depth = product(k);
    this.alongColumns = outer.map(({ strides }) => strides[column] ?? 0);
    const sourceColumns = b.operands.map(({ strides }) => strides[batch.length + k.length]!);
    this.isReady = this.liesInPanels(sourceColumns);
    this.tail = n % panelWidth;
    const loops = loopsOf(batch, [a, ...outer, ...b.operands]);
    const isBlock = (loop: Loop) => this.tail === 0 && loop.strides[0] === 0;
    this.shared = loops.filter((loop) => !isBlock(loop));
    const full = {
      extent: Math.floor(n / panelWidth),
      strides: [0, ...this.alongColumns, ...sourceColumns].map((stride) => stride * panelWidth),
    };
    this.panels = [...loops.filter(isBlock), ...(full.extent > 0 ? [full] : [])];
    const collapsed = loopsOf(m, [a, ...outer, ...b.operands.map(() => none)], batch.length);
    const still = { extent: 1, strides: loops[0]?.strides.map(() => 0) ?? full.strides.map(() => 0) };
    this.terms = loopsOf(k, [a], column);
    const columns = product(extentsOf(this.panels)) * panelWidth + this.tail;
    const isNear = bytesOf(this.depth * columns) <= nearBytes;
    this.rowsOutside = this.panelCount > 1 && product(m) >= manyRows && isNear;
    this.rows = this.rowsOutside ? blockedRows(collapsed) : collapsed;
    if (this.rows.length === 0) this.rows = [still];
    this.rowsOfSplit = this.rowsOfChunk(product(m));
    this.splits = Math.ceil(this.rows[0]!.extent / this.rowsOfSplit);
    context.needScratch(bytesOf(panelWidth));
    if (!this.isReady || this.tail > 0) {
      const held = this.rowsOutside ? columns : Math.min(columns, panelWidth);
      context.needScratch(bytesOf(this.depth * Math.ceil(held / 4) * 4));
    }
  }

  /** Whether b is one operand whose columns lie side by side and whose terms follow in steps of a panel's width. */
  private liesInPanels(columns: readonly number[]): boolean {
    const { b, batch, k, n } = this.kernel;
    if (b.value.kind !== 'operand' || columns[0] !== 1 || n !== panelWidth) return false;
    const terms = loopsOf(k, b.operands, batch.length);
    return terms.length === 0 || (terms.length === 1 && terms[0]!.strides[0] === panelWidth);
  }

  /** Chunks there would be if no rows were divided. */
  private get parts(): number {
    return product(extentsOf(this.shared)) * (this.rowsOutside ? 1 : this.panelCount);
  }

  /** Turns of the outermost loop of rows that a chunk has: all, if there are chunks enough or rows too few. */
  private rowsOfChunk(rows: number): number {
    const { extent } = this.rows[0]!;
    const fewest = this.isReady ? fewestRowsOfChunk.ready : fewestRowsOfChunk.packing;
    const most = Math.max(1, Math.floor(rows / fewest));
    const wanted = Math.max(1, Math.ceil(wantedChunks / this.parts));
    return Math.ceil(extent / Math.min(extent, most, wanted));
  }

  private get panelCount(): number {
    const full = this.panels.length === 0 ? 0 : product(extentsOf(this.panels));
    return full + (this.tail > 0 ? 1 : 0);
  }

  get chunks(): number {
    return this.parts * this.splits;
  }

  generate(chunk: Local<'i32'>, pointers: readonly Pointer[]): void {
    const rest = this.f.hold(chunk);
    const split = this.digit(rest, this.splits);
    if (this.rowsOutside) this.rowsFirst(this.indexed(pointers, this.shared, rest), split);
    else this.panelsFirst(rest, pointers, split);
  }

  /** The remainder of a number, which is divided. */
  private digit(rest: Local<'i32'>, base: number): I32 {
    if (base === 1) return i32.const(0);
    const digit = this.f.hold(i32.remainder(rest, i32.const(base)));
    this.f.set(rest, i32.divide(rest, i32.const(base)));
    return digit;
  }

  /** Pointers at the turns of some loops that a number names, the last loop running fastest. */
  private indexed(pointers: readonly Pointer[], loops: readonly Loop[], rest: Local<'i32'>): Pointer[] {
    let current = [...pointers];
    for (const loop of [...loops].reverse()) {
      const index = this.digit(rest, loop.extent);
      current = current.map((pointer, number) => this.shifted(pointer, index, loop.strides[number]!));
    }
    return current;
  }

  private shifted(pointer: Pointer, index: I32, stride: number): Pointer {
    if (stride === 0) return pointer;
    const base = i32.add(pointer.base, i32.mul(index, i32.const(bytesOf(stride))));
    return { base: this.f.hold(base), bytes: pointer.bytes };
  }

  /** A chunk is one panel: it is packed, and rows run over it. */
  private panelsFirst(rest: Local<'i32'>, pointers: readonly Pointer[], split: I32): void {
    const { f } = this;
    const number = this.tail > 0 ? this.digit(rest, this.panelCount) : undefined;
    const run = (at: readonly Pointer[], columns: number) => {
      const panel = this.packed(at, columns, this.context.scratch);
      this.splitRows([...at, panel], split, (rows, moved) => this.tiles(rows, moved, columns));
    };
    const full = () => {
      const own = number === undefined ? rest : f.hold(number);
      const within = this.indexed(pointers, this.panels, own);
      run(this.indexed(within, this.shared, number === undefined ? own : rest), panelWidth);
    };
    const last = () => run(this.indexed(this.afterPanels(pointers), this.shared, rest), this.tail);
    if (number === undefined) full();
    else if (this.panels.length === 0) last();
    else f.when(i32.lessThan(number, i32.const(this.panelCount - 1)), full, last);
  }

  /** A chunk is some rows: all panels are packed, and each block of rows runs over them. */
  private rowsFirst(pointers: readonly Pointer[], split: I32): void {
    const { f } = this;
    const panelWords = this.depth * panelWidth;
    const scratch: Pointer = { base: this.context.scratch, bytes: 0 };
    let words = panelWords;
    const strides = [...this.panels].reverse().map((loop) => {
      const own = words;
      words *= loop.extent;
      return own;
    });
    const panels = this.panels.map((loop, index) => ({
      extent: loop.extent,
      strides: [...loop.strides, this.isReady ? 0 : strides[this.panels.length - 1 - index]!],
    }));
    const behind = { base: scratch.base, bytes: bytesOf(product(extentsOf(this.panels)) * panelWords) };
    const tailScratch = this.panels.length === 0 ? scratch : behind;
    if (!this.isReady && panels.length > 0) {
      nest(f, panels, [...pointers, scratch], (at) => this.pack(at.slice(0, -1), panelWidth, at.at(-1)!));
    }
    if (this.tail > 0) this.pack(this.afterPanels(pointers), this.tail, tailScratch);
    this.splitRows([...pointers, scratch], split, (rows, moved) => {
      const block = rows.slice(-1);
      nest(f, rows.slice(0, -1), moved, (at) => {
        if (panels.length > 0) {
          nest(f, panels, at, (current) => {
            const panel = this.isReady ? current[1 + this.outerCount]! : current.at(-1)!;
            this.tiles(block, [...current.slice(0, -1), panel], panelWidth);
          });
        }
        if (this.tail > 0) {
          this.tiles(block, [...this.afterPanels(at.slice(0, -1)), tailScratch], this.tail);
        }
      });
    });
  }

  /** Pointers behind the full panels. */
  private afterPanels(pointers: readonly Pointer[]): Pointer[] {
    const [full] = this.panels;
    if (full === undefined) return [...pointers];
    return pointers.map((pointer, index) => advanced(pointer, full.extent * full.strides[index]!));
  }

  /** Packs a panel unless it lies packed; says where it lies. */
  private packed(pointers: readonly Pointer[], columns: number, scratch: I32): Pointer {
    if (this.isReady) {
      const panel = pointers[1 + this.outerCount]!;
      touch(this.f, panel, this.depth * panelWidth, scratch);
      return panel;
    }
    const target = { base: scratch, bytes: 0 };
    this.pack(pointers, columns, target);
    return target;
  }

  private pack(pointers: readonly Pointer[], columns: number, target: Pointer): void {
    const { f, kernel, context } = this;
    const sources = pointers.slice(1 + this.outerCount);
    const start = target.bytes === 0 ? target.base : i32.add(target.base, i32.const(target.bytes));
    f.scoped(() => packPanel(f, kernel, { columns, sources, target: start, math: context.math }));
  }

  /** The rows of a split: the outermost loop of rows is what is divided. */
  private splitRows(
    pointers: readonly Pointer[],
    split: I32,
    run: (rows: readonly Loop[], pointers: readonly Pointer[]) => void,
  ): void {
    const { f } = this;
    const still = pointers.length;
    const rows = this.rows.map(({ extent, strides }) => ({
      extent,
      strides: Array.from({ length: still }, (_, index) => strides[index] ?? 0),
    }));
    if (this.splits === 1) {
      run(rows, pointers);
      return;
    }
    const [outermost, ...inner] = rows as readonly Loop[] as [Loop, ...Loop[]];
    f.scoped(() => {
      const begin = f.hold(i32.mul(split, i32.const(this.rowsOfSplit)));
      const moved = pointers.map((pointer, index) => this.shifted(pointer, begin, outermost.strides[index]!));
      const last = outermost.extent - (this.splits - 1) * this.rowsOfSplit;
      const part = (extent: number) => run([{ ...outermost, extent }, ...inner], moved);
      if (last === this.rowsOfSplit) part(last);
      else if (inner.length > 0) {
        const end = f.hold(i32.add(begin, i32.const(this.rowsOfSplit)));
        const limit = i32.const(outermost.extent);
        f.when(i32.greaterThan(end, limit), () => f.set(end, limit));
        const turns = { begin, end };
        nest(f, [outermost], pointers, (at) => run(inner, at), { loop: outermost, turns });
      } else {
        const isWhole = i32.lessThan(split, i32.const(this.splits - 1));
        f.when(
          isWhole,
          () => part(this.rowsOfSplit),
          () => part(last),
        );
      }
    });
  }

  /** Tiles over rows; the last pointer is at the panel. */
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
      const sums = Array.from({ length: height * vectors }, () => f.hold(f.constant(f32x4.const(0))));
      const [base, bytes] = addressed(pointers.at(-1)!);
      const panel = f.hold(bytes === 0 ? base : i32.add(base, i32.const(bytes)));
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
            f.set(sum, this.multiplyAdd(left[row]!, right, sum));
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

  private multiplyAdd(a: V128, b: V128, sum: V128): V128 {
    if (this.context.fusesMultiplyAdd) return f32x4.relaxedMultiplyAdd(a, b, sum);
    return f32x4.add(sum, f32x4.mul(a, b));
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
      ...kernel.b.operands.map(pointer),
    ];
    const code = new ContractionCode(kernel, f, context);
    code.generate(chunk, pointers);
    return code.chunks;
  });
}
