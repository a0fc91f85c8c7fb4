// Views of transposes that move the batch away: what is taken from them is taken before, so that the batch stays in front.

import { numbersOf } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import type { Recorder } from '../recorder.js';

/** A value with its axes in another order: axis a of it is axis perm[a] of the source. */
interface Permuted {
  readonly source: Name;
  readonly perm: readonly number[];
}

/** What `x` permutes, if another axis than the first comes first; undefined of any other value. */
function withFirstMoved(r: Recorder, x: Name): Permuted | undefined {
  const { op, args, attrs } = r.builder.node(x);
  const perm = numbersOf(attrs, 'perm');
  return op === 'transpose' && perm[0] !== 0 ? { source: args[0]!, perm } : undefined;
}

/** Lists along the axes of a permuted value, along those of its source. */
const atSource = (perm: readonly number[], list: readonly number[]): number[] =>
  perm.map((_, axis) => list[perm.indexOf(axis)]!);

export interface Cut {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly stride: readonly number[];
}

/** slice(transpose(x)) = transpose(slice(x)); undefined where `x` is no transpose that moves the first axis. */
export function cutBefore(
  r: Recorder,
  x: Name,
  { begin, size, stride }: Cut,
  cut: (source: Name, cut: Cut) => Name,
): Name | undefined {
  const moved = withFirstMoved(r, x);
  if (moved === undefined) return undefined;
  const [from, extent, step] = [begin, size, stride].map((list) => atSource(moved.perm, list));
  return r.k.transpose(cut(moved.source, { begin: from!, size: extent!, stride: step! }), moved.perm);
}

/** The axes of `own` that `shape` keeps, where it only drops extents of 1; undefined where it does anything else. */
function keptAxes(own: readonly number[], shape: readonly number[]): readonly number[] | undefined {
  const kept: number[] = [];
  for (const [axis, extent] of own.entries()) {
    if (extent === shape[kept.length]) kept.push(axis);
    else if (extent !== 1) return undefined;
  }
  return kept.length === shape.length ? kept : undefined;
}

/**
 * Axes of extent 1 dropped from a transpose are dropped from its source; undefined where `x` is no transpose that
 * moves the first axis, or `shape` does more than drop such axes.
 */
export function squeezedBefore(r: Recorder, x: Name, shape: readonly number[]): Name | undefined {
  const moved = withFirstMoved(r, x);
  const kept = moved === undefined ? undefined : keptAxes(r.shapeOf(x), shape);
  if (moved === undefined || kept === undefined) return undefined;
  const axes = kept.map((axis) => moved.perm[axis]!);
  const left = [...axes].sort((a, b) => a - b);
  const own = r.shapeOf(moved.source);
  const squeezed = r.k.reshape(
    moved.source,
    left.map((axis) => own[axis]!),
  );
  return r.k.transpose(
    squeezed,
    axes.map((axis) => left.indexOf(axis)),
  );
}
