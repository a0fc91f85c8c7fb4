// Groups: values that one kernel computes, still as expressions. Which of them it stores is known when all users are.
import type { Name } from '../../ir/graph.js';
import type { Scalar } from '../../ir/scalar.js';
import { type Dtype, rowMajorStrides } from '../../ir/type.js';
import { blocked } from './contraction.js';
import { mapOperands, renumbering, SharedExpressions } from './expression.js';
import type { Access, Kernel, LoopKernel, Operand, Store } from './kernel.js';
import { access, type Nest } from './nests.js';
import type { View } from './view.js';

/** Kernels that depend on weights alone run when weights are loaded. */
export type Phase = 'load' | 'run';

/** An expression over elements of buffers, of one shape each. */
export interface Inlined {
  readonly operands: readonly View[];
  readonly value: Scalar;
}

/** What a group computes before its expressions: nests of a linear op, a pool or a reduction. */
export interface Root {
  readonly nests: readonly (Omit<Nest, 'right'> & Partial<Pick<Nest, 'right'>>)[];
  readonly operator: 'sum' | 'max';
  readonly left: Inlined;
  readonly right?: Inlined;
}

interface Member {
  readonly scalar: Scalar;
  readonly dtype: Dtype;
}

/** Kernels in the making: they are built once it is known which buffers are read. */
export interface Pending {
  readonly phase: Phase;
  /** The kernels that write the buffers that are needed. */
  build(needed: ReadonlySet<Name>): Kernel[];
}

/** The whole of an expression's operands over some loops. */
function placed({ operands, value }: Inlined, indices: Nest['left'], depth: number, first: number) {
  return {
    operands: operands.map((view) => access(view, indices, depth)),
    value: mapOperands(value, (operand) => ({ ...operand, index: operand.index + first })),
  };
}

export class Group implements Pending {
  /** By value, in the order in which they were added. */
  readonly members = new Map<Name, Member>();
  private readonly operands: (View | 'result')[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly expressions = new SharedExpressions();

  constructor(
    readonly shape: readonly number[],
    readonly phase: Phase,
    private readonly root?: Root,
  ) {}

  /** What the root computes. */
  result(): Scalar {
    return this.number('result', 'result', 'f32');
  }

  /** An element of a buffer, as seen by a view of the group's shape. */
  operand(view: View, dtype: Dtype): Scalar {
    return this.number(`${view.buffer}+${view.offset}*${view.strides}`, view, dtype);
  }

  private number(key: string, operand: View | 'result', dtype: Dtype): Scalar {
    const known = this.numbers.get(key) ?? this.operands.push(operand) - 1;
    this.numbers.set(key, known);
    return { kind: 'operand', index: known, dtype };
  }

  add(name: Name, scalar: Scalar, dtype: Dtype): void {
    this.members.set(name, { scalar: this.expressions.of(scalar), dtype });
  }

  build(needed: ReadonlySet<Name>): Kernel[] {
    const stored = [...this.members].filter(([name]) => needed.has(name));
    if (stored.length === 0) return [];
    const values = [...this.members].map(([name, { scalar }]) => ({ name, scalar }));
    const shared = { name: stored[0]![0], values };
    if (this.root === undefined) {
      const identity = this.shape.map((_, axis) => ({ terms: { [axis]: 1 } }));
      return [pruned({ ...shared, kind: 'loops', reduced: [], ...this.fused(stored, this.shape, identity) })];
    }
    return this.root.nests.map((nest) => this.kernelOf(this.root!, nest, stored, shared));
  }

  /** Operands and stores of the expressions over some loops. */
  private fused(
    stored: readonly (readonly [Name, Member])[],
    loops: readonly number[],
    result: Nest['result'],
  ): Pick<LoopKernel, 'loops' | 'operands' | 'stores'> {
    const strides = rowMajorStrides(this.shape);
    const stores = stored.map(([buffer, { scalar, dtype }]): Store => {
      const view = { buffer, offset: 0, shape: this.shape, strides };
      return { access: access(view, result, loops.length), value: scalar, dtype };
    });
    const operands = this.operands.map(
      (operand): Operand => (operand === 'result' ? operand : access(operand, result, loops.length)),
    );
    return { loops, operands, stores };
  }

  private kernelOf(
    root: Root,
    nest: Root['nests'][number],
    stored: readonly (readonly [Name, Member])[],
    shared: Pick<LoopKernel, 'name' | 'values'>,
  ): Kernel {
    const { loops, reduced } = nest;
    const { operands, stores } = this.fused(stored, loops, nest.result);
    const common = { ...shared, kind: 'loops' as const, loops };
    if (reduced.includes(0)) {
      const nothing: Scalar = { kind: 'number', value: 0, dtype: 'f32' };
      const known = new Map<Scalar, Scalar>();
      const without = (value: Scalar) =>
        mapOperands(value, (leaf) => (operands[leaf.index] === 'result' ? nothing : leaf), known);
      return pruned({
        ...common,
        values: shared.values.map(({ name, scalar }) => ({ name, scalar: without(scalar) })),
        reduced: [],
        operands,
        stores: stores.map((store) => ({ ...store, value: without(store.value) })),
      });
    }
    const depth = loops.length + reduced.length;
    const left = placed(root.left, nest.left, depth, operands.length);
    const right =
      root.right && placed(root.right, nest.right!, depth, operands.length + left.operands.length);
    const body: Scalar = right
      ? { kind: 'apply', fn: 'mul', args: [left.value, right.value], dtype: 'f32' }
      : left.value;
    const kernel: LoopKernel = pruned({
      ...common,
      reduced,
      reduction: { operator: root.operator, body },
      operands: [...operands, ...left.operands, ...(right?.operands ?? [])],
      stores,
    });
    return blocked(kernel);
  }
}

/** A kernel with only the operands that its expressions read, and the values that its stores are made of. */
function pruned(kernel: LoopKernel): LoopKernel {
  const values = [
    ...kernel.stores.map(({ value }) => value),
    ...(kernel.reduction ? [kernel.reduction.body] : []),
  ];
  const { numbers, parts, renumber } = renumbering(values);
  return {
    ...kernel,
    values: kernel.values
      .filter(({ scalar }) => parts.has(scalar))
      .map(({ name, scalar }) => ({ name, scalar: renumber(scalar) })),
    operands: numbers.map((number) => kernel.operands[number]!),
    stores: kernel.stores.map((store) => ({ ...store, value: renumber(store.value) })),
    ...(kernel.reduction
      ? { reduction: { ...kernel.reduction, body: renumber(kernel.reduction.body) } }
      : {}),
  };
}

/** A group's kernels that are what they are, whoever reads them. */
export class Fixed implements Pending {
  constructor(
    readonly phase: Phase,
    private readonly kernels: readonly Kernel[],
    private readonly buffer: Name,
  ) {}

  build(needed: ReadonlySet<Name>): Kernel[] {
    return needed.has(this.buffer) ? [...this.kernels] : [];
  }
}

/** Access of a whole view, a stride for each axis. */
export const accessOf = ({ buffer, offset, strides }: View): Access => ({ buffer, offset, strides });
