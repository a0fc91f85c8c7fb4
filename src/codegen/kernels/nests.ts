// Linear ops as loop nests: which elements of the operands meet in which element of the result, as affine maps.
import { numbersOf, pairsOf } from '../../ir/dialect.js';
import type { Node } from '../../ir/graph.js';
import { parseEquation } from '../../ir/ops/einsum.js';
import { groupsOf, type Window, windowOf } from '../../ir/ops/window.js';
import type { Access } from './kernel.js';
import { panelWidth, type View } from './view.js';

/** An index along one axis of a value: at + Σ coefficient·loop. */
interface Index {
  readonly at?: number;
  /** Coefficients by the number of the loop; reduced loops are numbered behind the others. */
  readonly terms: Readonly<Record<number, number>>;
}

/** result[…loops] = Σ over `reduced` of left · right, for a part of the result. */
export interface Nest {
  readonly loops: readonly number[];
  readonly reduced: readonly number[];
  readonly left: readonly Index[];
  readonly right: readonly Index[];
  readonly result: readonly Index[];
}

/** Elements that must stand around an operand so that all indices of its nests lie within it, axis by axis. */
export interface Margins {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Where a nest touches a value that `view` shows, with a stride for each of the first `depth` loops. */
export function access(view: View, indices: readonly Index[], depth: number): Access {
  let { offset } = view;
  const strides = new Array<number>(depth).fill(0);
  for (const [axis, { at = 0, terms }] of indices.entries()) {
    const stride = view.strides[axis]!;
    const isCut = view.panels !== undefined && axis === indices.length - 1;
    offset += at * stride;
    for (const [loop, coefficient] of Object.entries(terms)) {
      const overPanels = isCut && coefficient % panelWidth === 0;
      strides[Number(loop)]! += overPanels ? (coefficient / panelWidth) * view.panels! : coefficient * stride;
    }
  }
  return { buffer: view.buffer, offset, strides };
}

/** A loop over columns as two where they lie in panels: over the panels, and within one. */
const cut = (extent: number, isCut: boolean): number[] =>
  isCut ? [extent / panelWidth, panelWidth] : [extent];

/** The index of a column by its loop, or its two. */
const columnAt = (loop: number, isCut: boolean): Index['terms'] =>
  isCut ? { [loop]: panelWidth, [loop + 1]: 1 } : { [loop]: 1 };

/** The nest of an einsum: its equation, read as loops. */
export function einsumNest(
  node: Node,
  left: readonly number[],
  right: readonly number[],
  inPanels: boolean,
): Nest {
  const equation = parseEquation(node.attrs.eq as string);
  const extent = (index: string) =>
    equation.left.includes(index)
      ? left[equation.left.indexOf(index)]!
      : right[equation.right.indexOf(index)]!;
  const isCut = (letter: string) => inPanels && letter === equation.right.at(-1);
  const order = [...equation.out, ...equation.contracted].flatMap((letter) =>
    isCut(letter) ? [letter, ''] : [letter],
  );
  const indices = (letters: string): Index[] =>
    [...letters].map((letter) => ({ terms: columnAt(order.indexOf(letter), isCut(letter)) }));
  const loops = (letters: string) => [...letters].flatMap((letter) => cut(extent(letter), isCut(letter)));
  return {
    loops: loops(equation.out),
    reduced: loops(equation.contracted),
    left: indices(equation.left),
    right: indices(equation.right),
    result: indices(equation.out),
  };
}

/** Geometry that a convolution and its transpose share. */
interface Geometry {
  readonly window: Window;
  readonly groups: number;
  /** Input channels and outputs of one group. */
  readonly inputs: number;
  readonly outputs: number;
}

function geometryOf(node: Node, kernel: readonly number[]): Geometry {
  const groups = groupsOf(node.attrs);
  const [inputs, outputs] = kernel.slice(-2) as [number, number];
  return { window: windowOf(node.attrs, kernel.slice(0, -2)), groups, inputs, outputs: outputs / groups };
}

/**
 * Numbers of the loops: sample, places, then group and channel, then taps and the reduced channel.
 * @param channelLoops  2 where the channels of the result are cut into panels
 * @param tapsOutside  whether taps are not summed over, but loops of the result: they come behind the places
 */
function loopNumbers({ window, groups }: Geometry, channelLoops: number, tapsOutside = false) {
  const rank = window.size.length;
  const behind = tapsOutside ? 2 * rank + 1 : rank + 1;
  const group = groups > 1 ? behind : undefined;
  const channel = groups > 1 ? behind + 1 : behind;
  const reduced = channel + channelLoops;
  return {
    place: (axis: number) => 1 + axis,
    channel,
    tap: (axis: number) => (tapsOutside ? rank + 1 : reduced) + axis,
    inner: tapsOutside ? reduced : reduced + rank,
    /** The channel `loop` of the group, each of `width`. */
    within: (loop: number, width: number, isCut = false): Index => ({
      terms: { ...(group === undefined ? {} : { [group]: width }), ...columnAt(loop, isCut) },
    }),
  };
}

const sample: Index = { terms: { 0: 1 } };

const spatial = <T>(window: Window, each: (axis: number) => T): T[] =>
  window.size.map((_, axis) => each(axis));

/** The margins of a convolution's operand: its padding. */
export function convolutionMargins(node: Node): Margins {
  const padding = pairsOf(node.attrs, 'padding');
  return {
    low: [0, ...padding.map(([low]) => low), 0],
    high: [0, ...padding.map(([, high]) => high), 0],
  };
}

/** A convolution over an operand that has its margins. */
export function convolutionNest(node: Node, kernel: readonly number[], inPanels: boolean): Nest {
  const geometry = geometryOf(node, kernel);
  const { window, groups, inputs, outputs } = geometry;
  const { place, tap, channel, inner, within } = loopNumbers(geometry, inPanels ? 2 : 1);
  const result = node.type.shape as readonly number[];
  return {
    loops: [...result.slice(0, -1), ...(groups > 1 ? [groups] : []), ...cut(outputs, inPanels)],
    reduced: [...window.size, inputs],
    left: [
      sample,
      ...spatial(window, (axis) => ({
        terms: { [place(axis)]: window.strides[axis]!, [tap(axis)]: window.dilations[axis]! },
      })),
      within(inner, inputs),
    ],
    right: [
      ...spatial(window, (axis) => ({ terms: { [tap(axis)]: 1 } })),
      { terms: { [inner]: 1 } },
      within(channel, outputs, inPanels),
    ],
    result: [
      sample,
      ...spatial(window, (axis) => ({ terms: { [place(axis)]: 1 } })),
      within(channel, outputs, inPanels),
    ],
  };
}

/**
 * The places y = phase + stride·i of one axis of a transposed convolution. What reaches y came from output o through
 * tap k with o·stride + k·dilation − low = y, so o and k run in steps: k falls by `tapStep` where o grows by `step`.
 */
interface Phase {
  readonly phase: number;
  readonly count: number;
  readonly taps: number;
  readonly lastTap: number;
  readonly tapStep: number;
  /** The output that meets `lastTap` at i = 0. */
  readonly first: number;
  readonly step: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function phasesOf(window: Window, axis: number, extent: number): Phase[] {
  const stride = window.strides[axis]!;
  const dilation = window.dilations[axis]!;
  const [low] = window.padding[axis]!;
  const tapStep = stride / gcd(stride, dilation);
  return Array.from({ length: Math.min(stride, extent) }, (_, phase) => {
    const meets = (tap: number) => (phase + low - tap * dilation) % stride === 0;
    const taps = Array.from({ length: window.size[axis]! }, (_none, tap) => tap).filter(meets);
    const lastTap = taps.at(-1) ?? 0;
    return {
      phase,
      count: Math.ceil((extent - phase) / stride),
      taps: taps.length,
      lastTap,
      tapStep,
      first: Math.floor((phase + low - lastTap * dilation) / stride),
      step: (tapStep * dilation) / stride,
    };
  });
}

/** All choices of one item from each list. */
function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((head) => list.map((item) => [...head, item])), [[]]);
}

const phaseLists = (node: Node, { window }: Geometry): Phase[][] =>
  spatial(window, (axis) => phasesOf(window, axis, node.type.shape[axis + 1] as number));

/** The margins of a transposed convolution's operand, whose spatial extents are `places`. */
export function transposeMargins(node: Node, kernel: readonly number[], operand: readonly number[]): Margins {
  const reaching = phaseLists(node, geometryOf(node, kernel)).map((phases) =>
    phases.filter(({ taps }) => taps > 0),
  );
  const margin = (of: (phase: Phase, extent: number) => number) =>
    reaching.map((phases, axis) => Math.max(0, ...phases.map((phase) => of(phase, operand[axis + 1]!))));
  const low = margin(({ first }) => -first);
  const high = margin(({ first, step, taps, count }, extent) => first + step * (taps - 1) + count - extent);
  return { low: [0, ...low, 0], high: [0, ...high, 0] };
}

/** Whether windows lie side by side and fill the picture: each element of it is in one window, as one tap. */
function isTiled({ size, strides, dilations, padding }: Window, extents: readonly number[]): boolean {
  return size.every(
    (count, axis) =>
      strides[axis] === count &&
      dilations[axis] === 1 &&
      padding[axis]!.every((margin) => margin === 0) &&
      extents[axis]! % count === 0,
  );
}

/** A transposed convolution whose windows do not overlap, such as that of patches: each element has one term a channel. */
function tiledTranspose(node: Node, geometry: Geometry, inPanels: boolean): Nest {
  const { window, groups, inputs, outputs } = geometry;
  const { place, tap, channel, inner, within } = loopNumbers(geometry, 1, true);
  const [batch, ...extents] = node.type.shape.slice(0, -1) as [number, ...number[]];
  const along = (each: (axis: number) => Index['terms']) =>
    spatial(window, (axis) => ({ terms: each(axis) }));
  return {
    loops: [
      ...[batch, ...spatial(window, (axis) => extents[axis]! / window.size[axis]!)],
      ...[...window.size, ...(groups > 1 ? [groups] : []), inputs],
    ],
    reduced: cut(outputs, inPanels),
    left: [sample, ...along((axis) => ({ [place(axis)]: 1 })), within(inner, outputs, inPanels)],
    right: [
      ...along((axis) => ({ [tap(axis)]: 1 })),
      { terms: { [channel]: 1 } },
      within(inner, outputs, inPanels),
    ],
    result: [
      sample,
      ...along((axis) => ({ [place(axis)]: window.size[axis]!, [tap(axis)]: 1 })),
      within(channel, inputs),
    ],
  };
}

/**
 * A transposed convolution over an operand that has its margins: one nest for each phase of its strides, or one for all
 * where windows do not overlap. A nest whose reduced loops are empty gives zeros.
 */
export function transposeNests(
  node: Node,
  kernel: readonly number[],
  margins: Margins,
  inPanels: boolean,
): Nest[] {
  const geometry = geometryOf(node, kernel);
  const extents = node.type.shape.slice(1, -1) as readonly number[];
  if (isTiled(geometry.window, extents)) return [tiledTranspose(node, geometry, inPanels)];
  const { window, groups, inputs, outputs } = geometry;
  const { place, tap, channel, inner, within } = loopNumbers(geometry, 1);
  const batch = node.type.shape[0] as number;
  return product(phaseLists(node, geometry)).map((phases) => ({
    loops: [batch, ...phases.map(({ count }) => count), ...(groups > 1 ? [groups] : []), inputs],
    reduced: [...phases.map(({ taps }) => taps), ...cut(outputs, inPanels)],
    left: [
      sample,
      ...phases.map(({ first, step }, axis) => ({
        at: first + margins.low[axis + 1]!,
        terms: { [place(axis)]: 1, [tap(axis)]: step },
      })),
      within(inner, outputs, inPanels),
    ],
    right: [
      ...phases.map(({ lastTap, tapStep }, axis) => ({ at: lastTap, terms: { [tap(axis)]: -tapStep } })),
      { terms: { [channel]: 1 } },
      within(inner, outputs, inPanels),
    ],
    result: [
      sample,
      ...phases.map(({ phase }, axis) => ({
        at: phase,
        terms: { [place(axis)]: window.strides[axis]! },
      })),
      within(channel, inputs),
    ],
  }));
}

/** The nest of a pool over an operand that has its margins: no right factor. */
export function poolNest(node: Node): Omit<Nest, 'right'> {
  const window = windowOf(node.attrs, numbersOf(node.attrs, 'window'));
  const rank = window.size.length;
  const loops = node.type.shape as readonly number[];
  return {
    loops,
    reduced: window.size,
    left: [
      sample,
      ...spatial(window, (axis) => ({ terms: { [1 + axis]: window.strides[axis]!, [rank + 2 + axis]: 1 } })),
      { terms: { [rank + 1]: 1 } },
    ],
    result: loops.map((_, axis) => ({ terms: { [axis]: 1 } })),
  };
}

/** The nest of a reduction over axes, which disappear. */
export function reductionNest(shape: readonly number[], axes: readonly number[]): Omit<Nest, 'right'> {
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  return {
    loops: kept.map((axis) => shape[axis]!),
    reduced: axes.map((axis) => shape[axis]!),
    left: shape.map((_, axis) => ({ terms: { [order.indexOf(axis)]: 1 } })),
    result: kept.map((_, loop) => ({ terms: { [loop]: 1 } })),
  };
}
