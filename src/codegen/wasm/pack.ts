// Packing a panel of b: its columns side by side for every k, modified on the way.
import type { ContractionKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import { type I32, i32, type Local, statement, type V128, v128 } from './encoder/instructions.js';
import { readLanes, zero } from './lanes.js';
import type { MathFunctions } from './math.js';
import { addressed, advanced, type Loop, loopsOf, nest, type Pointer } from './nest.js';
import { vectorsOf } from './scalars.js';
import { lineElements } from './touch.js';

export interface Packing {
  readonly columns: number;
  /** The operands of b at the first column of the panel. */
  readonly sources: readonly Pointer[];
  readonly target: I32;
  readonly math: MathFunctions;
}

/** Writes b[k][column] for every k in order; a row of the panel is as many whole vectors as columns take. */
export function packPanel(f: FunctionBuilder, kernel: ContractionKernel, packing: Packing): void {
  const { batch, k, b } = kernel;
  const terms = loopsOf(k, b.operands, batch.length);
  const column = b.operands.map(({ strides }) => strides[batch.length + k.length]!);
  const target = f.hold(packing.target);
  const isRead = (stride: number) => stride === 0 || stride === 1;
  const innermost = terms.at(-1);
  const turned =
    innermost !== undefined &&
    !column.every(isRead) &&
    innermost.strides.every(isRead) &&
    innermost.extent >= 4;
  if (turned) packTurned(f, kernel, packing, { terms, column, target });
  else {
    nest(f, terms, packing.sources, (sources) => packRow(f, kernel, packing, { sources, column, target }));
  }
}

interface Row {
  readonly sources: readonly Pointer[];
  readonly column: readonly number[];
  readonly target: Local<'i32'>;
}

function packRow(f: FunctionBuilder, { b }: ContractionKernel, { columns, math }: Packing, row: Row): void {
  const vectors = Math.ceil(columns / 4);
  f.scoped(() => {
    for (let vector = 0; vector < vectors; vector++) {
      const count = Math.min(4, columns - 4 * vector);
      const read = (index: number) =>
        readLanes(
          f,
          advanced(row.sources[index]!, 4 * vector * row.column[index]!),
          row.column[index]!,
          count,
        );
      const [value] = vectorsOf(f, [b.value], read, math);
      f.emit(statement.storeV128(row.target, value!, 16 * vector));
    }
  });
  f.increase(row.target, 16 * vectors);
}

/** Where k runs along memory and columns do not: blocks of 4 × 4, read along k and turned. */
function packTurned(
  f: FunctionBuilder,
  kernel: ContractionKernel,
  packing: Packing,
  { terms, column, target }: { terms: readonly Loop[]; column: readonly number[]; target: Local<'i32'> },
): void {
  const innermost = terms.at(-1)!;
  touchBlocks(f, packing, { terms, column });
  const vectors = Math.ceil(packing.columns / 4);
  const blocks = Math.floor(innermost.extent / 4);
  const strides = innermost.strides.map((stride) => 4 * stride);
  nest(f, terms.slice(0, -1), packing.sources, (outer) => {
    nest(f, [{ extent: blocks, strides }], outer, (sources) => {
      for (let vector = 0; vector < vectors; vector++) {
        f.scoped(() => {
          const rows = [0, 1, 2, 3].map((lane): V128 => {
            const number = 4 * vector + lane;
            if (number >= packing.columns) return zero;
            const read = (index: number) =>
              readLanes(f, advanced(sources[index]!, number * column[index]!), innermost.strides[index]!, 4);
            return f.hold(vectorsOf(f, [kernel.b.value], read, packing.math)[0]!);
          });
          for (const [term, value] of turnedBlock(f, rows).entries()) {
            f.emit(statement.storeV128(target, value, 16 * (term * vectors + vector)));
          }
        });
      }
      f.increase(target, 4 * 16 * vectors);
    });
    const rest = innermost.extent - 4 * blocks;
    const done = outer.map((pointer, index) => advanced(pointer, blocks * strides[index]!));
    for (let term = 0; term < rest; term++) {
      const sources = done.map((pointer, index) => advanced(pointer, term * innermost.strides[index]!));
      packRow(f, kernel, packing, { sources, column, target });
    }
  });
}

/** Brings what a panel is made of near, where the terms of a column fill a cache line: packing would wait for each. */
function touchBlocks(
  f: FunctionBuilder,
  { columns, sources, target }: Packing,
  { terms, column }: { terms: readonly Loop[]; column: readonly number[] },
): void {
  const fillsLine = terms.at(-1)!.extent === lineElements && column[0] === lineElements;
  if (sources.length !== 1 || !fillsLine) return;
  f.scoped(() => {
    const words = f.hold(i32.const(0));
    nest(f, terms.slice(0, -1), sources, ([block]) => {
      for (let line = 0; line < columns; line++) {
        f.set(words, i32.or(words, i32.load(...addressed(advanced(block!, line * lineElements)))));
      }
    });
    f.emit(statement.storeI32(target, words));
  });
}

/** The transpose of a 4 × 4 block. */
function turnedBlock(f: FunctionBuilder, [a, b, c, d]: readonly V128[]): V128[] {
  const low = f.hold(v128.shuffle(a!, b!, [0, 4, 1, 5]));
  const high = f.hold(v128.shuffle(a!, b!, [2, 6, 3, 7]));
  const lower = f.hold(v128.shuffle(c!, d!, [0, 4, 1, 5]));
  const higher = f.hold(v128.shuffle(c!, d!, [2, 6, 3, 7]));
  return [
    v128.shuffle(low, lower, [0, 1, 4, 5]),
    v128.shuffle(low, lower, [2, 3, 6, 7]),
    v128.shuffle(high, higher, [0, 1, 4, 5]),
    v128.shuffle(high, higher, [2, 3, 6, 7]),
  ];
}
