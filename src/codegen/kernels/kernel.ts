// Kernels: loop nests over affine maps, with scalar expressions at their hearts. What loop-level targets are made from.
import type { Name } from '../../ir/graph.js';
import type { Scalar } from '../../ir/scalar.js';
import type { Dtype } from '../../ir/type.js';
import { panelWidth } from './view.js';

/** Where a loop nest touches a buffer: element offset + Σ index·strides, one stride a loop. */
export interface Access {
  readonly buffer: Name;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** What an operand of a scalar expression is: an element of a buffer, or what the kernel's contraction made. */
export type Operand = Access | 'result';

/** One value that a kernel writes, over its outer loops. */
export interface Store {
  readonly access: Access;
  readonly value: Scalar;
  readonly dtype: Dtype;
}

/** A value of the graph that a kernel computes, stored or not. */
export interface KernelValue {
  readonly name: Name;
  /** The very object that stands in the stores' expressions, or in those of later values. */
  readonly scalar: Scalar;
}

interface Fused {
  /** The value that the kernel is named after. */
  readonly name: Name;
  /** The named values that its stores are made of, in order: for readers, no target needs them. */
  readonly values: readonly KernelValue[];
  /** What expressions refer to by number. */
  readonly operands: readonly Operand[];
  readonly stores: readonly Store[];
}

/**
 * For every index of `loops`: result = Σ or max over `reduced` of `body`; then the stores. Without a reduction it is
 * a map. Strides of operands are over loops and reduced loops, those of stores over loops.
 */
export interface LoopKernel extends Fused {
  readonly kind: 'loops';
  readonly loops: readonly number[];
  readonly reduced: readonly number[];
  readonly reduction?: { readonly operator: 'sum' | 'max'; readonly body: Scalar };
}

/**
 * A product of matrices in affine packing: for every batch, row (m) and column (n)
 *   result[batch, m, n] = Σ_k a[batch, m, k] · b(batch, k, n), in the order of k;
 * then the stores. Dense layers, attention, and convolutions forward and transposed are all this.
 * Strides: of `a` over batch, m, k; of the operands of `b` over batch, k, n; of other operands and stores over batch, m, n.
 */
export interface ContractionKernel extends Fused {
  readonly kind: 'contraction';
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: number;
  readonly k: readonly number[];
  readonly a: Access;
  /** b as an expression: a modified weight such as max(w, 0) is made while it is packed and never stored. */
  readonly b: { readonly operands: readonly Access[]; readonly value: Scalar };
}

/** A copy of `from` with elements around it and between its elements. */
export interface PadKernel {
  readonly kind: 'pad';
  readonly name: Name;
  readonly from: Access;
  readonly shape: readonly number[];
  readonly to: Name;
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly interior: readonly number[];
  readonly filler: number;
  readonly dtype: Dtype;
}

/** Ops that have a loop of their own; all operands are whole buffers, shapes are [outer, axis, inner]. */
export interface SpecialKernel {
  readonly kind: 'gather' | 'scatter_add' | 'one_hot' | 'argmax' | 'max_unpool';
  readonly name: Name;
  readonly from: readonly Name[];
  readonly to: Name;
  /** Shapes of the operands and of the result. */
  readonly shapes: readonly (readonly number[])[];
  readonly attrs: Readonly<Record<string, readonly number[] | number>>;
  /** Of the first operand. */
  readonly dtype: Dtype;
}

export type Kernel = LoopKernel | ContractionKernel | PadKernel | SpecialKernel;

/** A dense piece of memory, row-major unless said otherwise, that one kernel writes, or that is given. */
export interface Buffer {
  readonly name: Name;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where it comes from: outside, the weights, numbers in the program, or a kernel. */
  readonly origin: 'input' | 'weight' | 'constant' | 'kernel';
  /** A weight that lies in panels of 16 columns, [columns / 16][rows][16]: products read it as it is. */
  readonly inPanels?: true;
}

/** The shape in which a buffer lies in memory, row-major. */
export function storedShape({ shape, inPanels }: Buffer): readonly number[] {
  return inPanels ? [shape.at(-1)! / panelWidth, ...shape.slice(0, -1), panelWidth] : shape;
}

/** A program of kernels in execution order. */
export interface KernelProgram {
  readonly name: string;
  readonly buffers: ReadonlyMap<Name, Buffer>;
  /** Kernels that depend on weights alone: run once. */
  readonly load: readonly Kernel[];
  readonly run: readonly Kernel[];
  /** The buffer of each output, whole. */
  readonly outputs: Readonly<Record<string, Name>>;
  /** The key of each weight's buffer, and the numbers of constants. */
  readonly weights: ReadonlyMap<Name, string>;
  readonly constants: ReadonlyMap<Name, readonly number[]>;
}

/** The buffers that a kernel reads, each once. */
export function reads(kernel: Kernel): Name[] {
  switch (kernel.kind) {
    case 'loops':
      return unique(accesses(kernel.operands).map(({ buffer }) => buffer));
    case 'contraction':
      return unique(
        [kernel.a, ...kernel.b.operands, ...accesses(kernel.operands)].map(({ buffer }) => buffer),
      );
    case 'pad':
      return [kernel.from.buffer];
    default:
      return unique(kernel.from);
  }
}

/** The buffers that a kernel writes. */
export function writes(kernel: Kernel): Name[] {
  return 'stores' in kernel ? unique(kernel.stores.map(({ access }) => access.buffer)) : [kernel.to];
}

export const accesses = (operands: readonly Operand[]): Access[] =>
  operands.filter((operand): operand is Access => operand !== 'result');

const unique = <T>(items: readonly T[]): T[] => [...new Set(items)];
