// Code for products of matrices: panels of b are packed, and tiles of rows of a run over them.
import type { Access, ContractionKernel } from '../kernels/kernel.js';
import { panelWidth } from '../kernels/view.js';
import type { FunctionBuilder } from './encoder/function.js';
import { type I32, i32, type Local } from './encoder/instructions.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { advanced, bytesOf, type Loop, loopsOf, nest, type Pointer } from './nest.js';
import { packPanel } from './pack.js';
import { TileCode } from './tile.js';
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

/**
 * Panels that a row runs over before the next row does, and bytes of them that stay in the cache beside a core: what is made
 * of their sums lies side by side, where from panel to panel it is a whole row of the result apart.
 */
const panelsTogether = [4, 2];
const togetherBytes = 1 << 19;

/** A loop as two, the inner one of `size` turns. */
const parted = ({ extent, strides }: Loop, size: number): [Loop, Loop] => [
  { extent: extent / size, strides: strides.map((stride) => stride * size) },
  { extent: size, strides },
];

/** The last loop as two, the inner one short, where its extent has a divisor that suits. */
function blockedRows(rows: readonly Loop[]): Loop[] {
  const last = rows.at(-1)!;
  const divisors = Array.from({ length: rowsOfBlock / 2 }, (_, half) => rowsOfBlock - 2 * half);
  const size = divisors.find((divisor) => last.extent > divisor && last.extent % divisor === 0);
  if (size === undefined || size < rowsOfBlock / 4) return [...rows];
  return [...rows.slice(0, -1), ...parted(last, size)];
}

/** A loop of one turn, that moves nothing. */
const still = (pointers: number): Loop => ({ extent: 1, strides: new Array<number>(pointers).fill(0) });

/** Pointers of a kernel: a, then operands and stores, then the operands of b. */
class ContractionCode {
  private readonly depth: number;
  private readonly shared: Loop[];
  /** Loops over full panels, or over those that rows run over together. */
  private readonly panels: Loop[];
  /** Full panels that rows run over together. */
  private readonly together: Loop;
  /** Columns behind the last full panel. */
  private readonly tail: number;
  private readonly rows: Loop[];
  private readonly tiles: TileCode;
  private readonly splits: number;
  private readonly rowsOfSplit: number;
  /** Whether b lies in panels already, to be read as it is. */
  private readonly isReady: boolean;
  /** Whether rows run outside and panels inside: where sums are short, what is made of them is most of the work. */
  private readonly rowsOutside: boolean;
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
    const alongColumns = outer.map(({ strides }) => strides[column] ?? 0);
    const sourceColumns = b.operands.map(({ strides }) => strides[batch.length + k.length]!);
    this.isReady = this.liesInPanels(sourceColumns);
    this.tail = n % panelWidth;
    const loops = loopsOf(batch, [a, ...outer, ...b.operands]);
    const isBlock = (loop: Loop) => this.tail === 0 && loop.strides[0] === 0;
    this.shared = loops.filter((loop) => !isBlock(loop));
    const full = {
      extent: Math.floor(n / panelWidth),
      strides: [0, ...alongColumns, ...sourceColumns].map((stride) => stride * panelWidth),
    };
    const panels = [...loops.filter(isBlock), ...(full.extent > 0 ? [full] : [])];
    const collapsed = loopsOf(m, [a, ...outer, ...b.operands.map(() => none)], batch.length);
    this.tiles = new TileCode(kernel, f, context, { terms: loopsOf(k, [a], column), alongColumns });
    const columns = product(extentsOf(panels)) * panelWidth + this.tail;
    const isNear = bytesOf(this.depth * columns) <= nearBytes;
    this.rowsOutside = columns > panelWidth && product(m) >= manyRows && isNear;
    const together = this.rowsOutside ? 1 : this.countTogether(panels);
    this.together = still(full.strides.length);
    this.panels = panels;
    if (together > 1) {
      const [outside, inside] = parted(panels.at(-1)!, together);
      this.panels = [...panels.slice(0, -1), outside];
      this.together = inside;
    }
    this.rows = this.rowsOutside ? blockedRows(collapsed) : collapsed;
    if (this.rows.length === 0) this.rows = [still(full.strides.length)];
    this.rowsOfSplit = this.rowsOfChunk(product(m));
    this.splits = Math.ceil(this.rows[0]!.extent / this.rowsOfSplit);
    context.needScratch(bytesOf(panelWidth));
    if (!this.isReady || this.tail > 0) {
      const held = this.rowsOutside ? columns : Math.min(columns, together * panelWidth);
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

  /** As many of the neighbouring panels as stay near, and leave chunks enough. */
  private countTogether(panels: readonly Loop[]): number {
    const chunks = product(extentsOf(this.shared)) * product(extentsOf(panels));
    const bytes = bytesOf(this.depth * panelWidth);
    const suits = (count: number) =>
      panels.at(-1)!.extent % count === 0 && count * bytes <= togetherBytes && chunks >= count * wantedChunks;
    return panels.length === 0 ? 1 : (panelsTogether.find(suits) ?? 1);
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

  /** A chunk is one panel or a few: they are packed, and rows run over them. */
  private panelsFirst(rest: Local<'i32'>, pointers: readonly Pointer[], split: I32): void {
    const { f } = this;
    const number = this.tail > 0 ? this.digit(rest, this.panelCount) : undefined;
    const sources = this.kernel.b.operands;
    const run = (at: readonly Pointer[], columns: number, together: Loop) => {
      const { first, step } = this.packed(at, columns, together);
      const outer = together.strides.slice(0, 1 + this.outerCount);
      const panels = { extent: together.extent, strides: [...outer, ...sources.map(() => 0), step] };
      this.splitRows([...at, first], split, (rows, moved) => this.tiles.run(rows, panels, moved, columns));
    };
    const full = () => {
      const own = number === undefined ? rest : f.hold(number);
      const within = this.indexed(pointers, this.panels, own);
      run(this.indexed(within, this.shared, number === undefined ? own : rest), panelWidth, this.together);
    };
    const last = () =>
      run(this.indexed(this.afterPanels(pointers), this.shared, rest), this.tail, still(pointers.length));
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
            this.tiles.run(block, still(current.length), [...current.slice(0, -1), panel], panelWidth);
          });
        }
        if (this.tail > 0) {
          const behindPanels = [...this.afterPanels(at.slice(0, -1)), tailScratch];
          this.tiles.run(block, still(at.length), behindPanels, this.tail);
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

  /** Packs panels unless they lie packed; says where the first one is, and how many elements on the next. */
  private packed(
    pointers: readonly Pointer[],
    columns: number,
    { extent, strides }: Loop,
  ): { readonly first: Pointer; readonly step: number } {
    const { f } = this;
    const { scratch } = this.context;
    const words = this.depth * panelWidth;
    const number = 1 + this.outerCount;
    if (this.isReady) {
      const [first, step] = [pointers[number]!, strides[number]!];
      nest(f, [{ extent, strides: [step] }], [first], ([panel]) => touch(f, panel!, words, scratch));
      return { first, step };
    }
    const first: Pointer = { base: scratch, bytes: 0 };
    const step = extent === 1 ? 0 : words;
    const moving = { extent, strides: [...strides, step] };
    nest(f, [moving], [...pointers, first], (at) => this.pack(at.slice(0, -1), columns, at.at(-1)!));
    return { first, step };
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
