// Affine maps as text: %x.pad0[0, 2·m0 + k0, 2·m1 + k1, k2] from an offset and a stride for each loop.
import { rowMajorStrides } from '../../../ir/type.js';
import type { Access } from '../kernel.js';

/** A loop as the dump names it. */
export interface NamedLoop {
  readonly name: string;
  readonly extent: number;
}

interface Axis {
  readonly extent: number;
  readonly stride: number;
}

/** The index along one axis: at + Σ coefficient · loop. */
interface AxisIndex {
  at: number;
  readonly terms: { readonly loop: NamedLoop; readonly coefficient: number }[];
}

/** Loops of some extents: one takes the bare letter, several are numbered. */
export function namedLoops(letter: string, extents: readonly number[]): NamedLoop[] {
  const many = extents.filter((extent) => extent > 1).length > 1;
  let number = 0;
  return extents.map((extent) => ({ name: many && extent > 1 ? `${letter}${number++}` : letter, extent }));
}

/** The axis that a stride steps along: the outermost of those that it is a multiple of. */
function axisFor(axes: readonly Axis[], stride: number): number {
  const step = Math.abs(stride);
  return axes.findIndex((axis) => axis.extent > 1 && axis.stride <= step && step % axis.stride === 0);
}

/** The first axis that some index leaves; −1 where all stay within. */
function overflowing(axes: readonly Axis[], indices: readonly AxisIndex[]): number {
  return axes.findIndex(({ extent }, axis) => {
    let [low, high] = [indices[axis]!.at, indices[axis]!.at];
    for (const { loop, coefficient } of indices[axis]!.terms) {
      const reach = coefficient * (loop.extent - 1);
      if (reach < 0) low += reach;
      else high += reach;
    }
    return low < 0 || high >= extent;
  });
}

/** The index along each axis; undefined where a loop steps along none. */
function indicesAlong(
  axes: readonly Axis[],
  access: Access,
  loops: readonly NamedLoop[],
): AxisIndex[] | undefined {
  const indices = axes.map((): AxisIndex => ({ at: 0, terms: [] }));
  let rest = access.offset;
  for (const [axis, { extent, stride }] of axes.entries()) {
    if (extent === 1) continue;
    indices[axis]!.at = Math.floor(rest / stride);
    rest %= stride;
  }
  for (const [number, loop] of loops.entries()) {
    const stride = access.strides[number] ?? 0;
    if (stride === 0 || loop.extent === 1) continue;
    const axis = axisFor(axes, stride);
    if (axis < 0) return undefined;
    indices[axis]!.terms.push({ loop, coefficient: stride / axes[axis]!.stride });
  }
  return rest === 0 ? indices : undefined;
}

/** `2·m0 + k0`, `5 − k0`, `0` */
function printIndex({ at, terms }: AxisIndex): string {
  const product = (coefficient: number, name: string) =>
    coefficient === 1 ? name : `${coefficient}·${name}`;
  const added = terms.filter(({ coefficient }) => coefficient > 0);
  const parts = added.map(({ loop, coefficient }) => product(coefficient, loop.name));
  if (at !== 0 || parts.length === 0) parts.push(String(at));
  const taken = terms.filter(({ coefficient }) => coefficient < 0);
  return [parts.join(' + '), ...taken.map(({ loop, coefficient }) => product(-coefficient, loop.name))].join(
    ' − ',
  );
}

/** Whether the loops, in their order, run over the whole of a buffer. */
export function isPlain(access: Access, loops: readonly NamedLoop[], shape: readonly number[]): boolean {
  const extents = loops.map(({ extent }) => extent);
  const size = (all: readonly number[]) => all.reduce((product, extent) => product * extent, 1);
  const own = rowMajorStrides(extents);
  return (
    access.offset === 0 &&
    size(extents) === size(shape) &&
    extents.every((extent, loop) => extent === 1 || access.strides[loop] === own[loop])
  );
}

/**
 * The element that an access touches, by index. Where a loop runs over several axes of the buffer, those count as one,
 * and the shape that the index is for follows: `%x[0, k] as [1,3136]`.
 */
export function printElement(access: Access, loops: readonly NamedLoop[], shape: readonly number[]): string {
  const name = `%${access.buffer}`;
  if (shape.length === 0) return name;
  const strides = rowMajorStrides(shape);
  let axes = shape.map((extent, axis): Axis => ({ extent, stride: strides[axis]! }));
  for (;;) {
    const indices = indicesAlong(axes, access, loops);
    if (indices === undefined) break;
    const axis = overflowing(axes, indices);
    if (axis < 0) {
      const seen = axes.length < shape.length ? ` as [${axes.map(({ extent }) => extent).join(',')}]` : '';
      return `${name}[${indices.map(printIndex).join(', ')}]${seen}`;
    }
    if (axis === 0) break;
    const joined = { extent: axes[axis - 1]!.extent * axes[axis]!.extent, stride: axes[axis]!.stride };
    axes = [...axes.slice(0, axis - 1), joined, ...axes.slice(axis + 1)];
  }
  const terms = loops.map((loop, number) => ({ loop, coefficient: access.strides[number] ?? 0 }));
  const moving = terms.filter(({ loop, coefficient }) => loop.extent > 1 && coefficient !== 0);
  return `${name} at ${printIndex({ at: access.offset, terms: moving })}`;
}
