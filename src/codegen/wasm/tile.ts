// Code for tiles of a product of matrices: sums that stand in registers while the terms go by, and what is made of them.
//
// A tile keeps 2 rows × 16 columns of the result in eight registers. Every element is the sum of its products in the order
// of k, whatever the tile and the thread: the bits do not depend on how the work is divided. a is read as it lies, b from
// a packed panel [k][16], so that both inner loops read memory in order.
import type { ContractionKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import { f32x4, i32, type V128, v128 } from './encoder/instructions.js';
import type { KernelContext } from './kernel-code.js';
import { readLanes, writeLanes } from './lanes.js';
import { addressed, advanced, type Loop, nest, type Pointer } from './nest.js';
import { vectorsOf } from './scalars.js';

/** Rows of a tile by its vectors of columns: what 15 registers hold with all sums in flight. */
const rowsOfTile: Readonly<Record<number, number>> = { 1: 6, 2: 4, 3: 2, 4: 2 };

/** What tiles of a kernel have in common. */
export interface TileForm {
  /** Loops of the sum, with the stride of a. */
  readonly terms: readonly Loop[];
  /** Strides of operands and stores along columns. */
  readonly alongColumns: readonly number[];
}

export class TileCode {
  constructor(
    private readonly kernel: ContractionKernel,
    private readonly f: FunctionBuilder,
    private readonly context: KernelContext,
    private readonly form: TileForm,
  ) {}

  /**
   * Tiles over rows, each over some panels.
   * @param panels  neighbouring panels, with strides of all pointers
   * @param pointers  those of the kernel: a, operands and stores, operands of b; the last one is at the first panel
   */
  run(rows: readonly Loop[], panels: Loop, pointers: readonly Pointer[], columns: number): void {
    const { f } = this;
    const innermost = rows.at(-1)!;
    const vectors = Math.ceil(columns / 4);
    const height = Math.min(rowsOfTile[vectors]!, innermost.extent);
    const whole = Math.floor(innermost.extent / height);
    const rest = innermost.extent - whole * height;
    nest(f, rows.slice(0, -1), pointers, (outer) => {
      const strides = innermost.strides.map((stride) => stride * height);
      const over = (start: readonly Pointer[], count: number) =>
        nest(f, [panels], start, (tile) => this.tile(tile, innermost, count, columns));
      nest(f, [{ extent: whole, strides }], outer, (start) => over(start, height));
      if (rest === 0) return;
      const after = outer.map((pointer, index) => advanced(pointer, whole * strides[index]!));
      over(after, rest);
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
      nest(f, this.form.terms, [a!], ([at]) => {
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
      advanced(
        pointers[1 + index]!,
        row * rows.strides[1 + index]! + 4 * vector * this.form.alongColumns[index]!,
      );
    f.scoped(() => {
      const read = (index: number): V128 =>
        kernel.operands[index] === 'result'
          ? result
          : readLanes(f, at(index), this.form.alongColumns[index]!, count);
      const values = vectorsOf(
        f,
        kernel.stores.map(({ value }) => value),
        read,
        this.context.math,
      );
      for (const [store, value] of values.entries()) {
        const index = kernel.operands.length + store;
        writeLanes(f, at(index), this.form.alongColumns[index]!, count, value);
      }
    });
  }
}
