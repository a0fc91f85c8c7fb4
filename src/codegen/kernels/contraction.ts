// Which loop nests are products of matrices: the sums of products that a blocked kernel computes faster than loops.
import type { Scalar } from '../../ir/scalar.js';
import { renumbering } from './expression.js';
import { type Access, accesses, type ContractionKernel, type LoopKernel, type Operand } from './kernel.js';

/** Rows below which packing a factor costs more than it saves: such products are bound by reading it once. */
const fewestRows = 4;
/** Terms of a sum below which there is nothing to block. */
const fewestTerms = 4;

/** What a loop does to a product of a and b. */
type Role = 'batch' | 'm' | 'n';

interface Factors {
  readonly a: Access;
  readonly b: ContractionKernel['b'];
}

const size = (extents: readonly number[]) => extents.reduce((product, extent) => product * extent, 1);

/** The ways to read a body as a · b, where a is an element of a buffer. */
function factorings({ operands, reduction }: LoopKernel): Factors[] {
  const body = reduction?.body;
  if (reduction?.operator !== 'sum' || body?.kind !== 'apply' || body.fn !== 'mul') return [];
  const [left, right] = body.args as [Scalar, Scalar];
  return [
    [left, right],
    [right, left],
  ].flatMap(([a, b]) => {
    if (a!.kind !== 'operand') return [];
    const { numbers, renumber } = renumbering([b!]);
    const factor = { operands: numbers.map((number) => operands[number] as Access), value: renumber(b!) };
    return [{ a: operands[a!.index] as Access, b: factor }];
  });
}

function rolesOf(loops: readonly number[], { a, b }: Factors): Role[] {
  return loops.map((extent, loop) => {
    const ofA = a.strides[loop] !== 0;
    const ofB = b.operands.some(({ strides }) => strides[loop] !== 0);
    if (extent === 1 || ofA === ofB) return 'batch';
    return ofA ? 'm' : 'n';
  });
}

/** The accesses of a kernel, for asking whether two loops are one. */
const accessesOf = (kernel: LoopKernel, { a, b }: Factors): Access[] => [
  a,
  ...b.operands,
  ...accesses(kernel.operands),
  ...kernel.stores.map((store) => store.access),
];

/**
 * Puts two neighbouring loops in one where every access crosses them in one stride; loops of extent 1 vanish. What
 * remains is a nest over the same elements in the same order.
 */
export function collapse<T extends { readonly extent: number; readonly strides: readonly number[] }>(
  loops: readonly T[],
): { extent: number; strides: readonly number[] }[] {
  const result: { extent: number; strides: readonly number[] }[] = [];
  for (const loop of loops) {
    if (loop.extent === 1) continue;
    const outer = result.at(-1);
    const joins = outer?.strides.every((stride, index) => stride === loop.strides[index]! * loop.extent);
    if (outer !== undefined && joins === true) {
      result[result.length - 1] = { extent: outer.extent * loop.extent, strides: loop.strides };
    } else result.push({ extent: loop.extent, strides: loop.strides });
  }
  return result;
}

/** Loops of a kernel with the strides of some accesses. */
function loopsWith(loops: readonly number[], all: readonly Access[]) {
  return loops.map((extent, loop) => ({
    extent,
    loop,
    strides: all.map(({ strides }) => strides[loop] ?? 0),
  }));
}

/** How many of the last loops are columns that make one loop: 0 where the last is none. */
function columnsOf(loops: readonly number[], roles: readonly Role[], all: readonly Access[]): number[] {
  const columns: number[] = [];
  for (let loop = loops.length - 1; loop >= 0; loop--) {
    if (loops[loop] === 1) continue;
    if (roles[loop] !== 'n') break;
    const candidate = [loop, ...columns];
    const joined = collapse(loopsWith(loops, all).filter((each) => candidate.includes(each.loop)));
    if (joined.length > 1) break;
    columns.unshift(loop);
  }
  return columns;
}

/** A kernel whose accesses have the strides of `order` in that order. */
const reordered = (access: Access, order: readonly number[]): Access => ({
  ...access,
  strides: order.map((loop) => access.strides[loop]!),
});

function contractionWith(kernel: LoopKernel, factors: Factors): ContractionKernel | undefined {
  const { loops, reduced } = kernel;
  const roles = rolesOf(loops, factors);
  const all = accessesOf(kernel, factors);
  const columns = columnsOf(loops, roles, all);
  if (columns.length === 0) return undefined;
  const others = loops.map((_, loop) => loop).filter((loop) => !columns.includes(loop) && loops[loop] !== 1);
  const batch = others.filter((loop) => roles[loop] !== 'm');
  const m = others.filter((loop) => roles[loop] === 'm');
  const extents = (numbers: readonly number[]) => numbers.map((loop) => loops[loop]!);
  if (size(extents(m)) < fewestRows || size(reduced) < fewestTerms) return undefined;
  const column = columns.at(-1)!;
  const terms = reduced.map((_, index) => loops.length + index);
  const outer = [...batch, ...m, column];
  const { numbers, renumber } = renumbering(kernel.stores.map(({ value }) => value));
  return {
    kind: 'contraction',
    name: kernel.name,
    values: kernel.values.map((value) => ({ ...value, scalar: renumber(value.scalar) })),
    batch: extents(batch),
    m: extents(m),
    n: size(extents(columns)),
    k: reduced,
    a: reordered(factors.a, [...batch, ...m, ...terms]),
    b: {
      operands: factors.b.operands.map((operand) => reordered(operand, [...batch, ...terms, column])),
      value: factors.b.value,
    },
    operands: numbers.map((number): Operand => {
      const operand = kernel.operands[number]!;
      return operand === 'result' ? operand : reordered(operand, outer);
    }),
    stores: kernel.stores.map((store) => ({
      ...store,
      access: reordered(store.access, outer),
      value: renumber(store.value),
    })),
  };
}

/** The kernel as a product of matrices, or as it is where it is none or loops are faster. */
export function blocked(kernel: LoopKernel): LoopKernel | ContractionKernel {
  for (const factors of factorings(kernel)) {
    const contraction = contractionWith(kernel, factors);
    if (contraction !== undefined) return contraction;
  }
  return kernel;
}
