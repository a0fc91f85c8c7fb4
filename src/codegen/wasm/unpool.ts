// Code for the routing of a maximum pool: each window's relevance goes to the place that won.
import { rowMajorStrides } from '../../ir/type.js';
import type { SpecialKernel } from '../kernels/kernel.js';
import { divide } from './chunks.js';
import type { FunctionBuilder } from './encoder/function.js';
import {
  f32,
  f32x4,
  type I32,
  i32,
  i32x4,
  type Local,
  statement,
  type V128,
  v128,
} from './encoder/instructions.js';
import { type Addresses, elementAt } from './indexing.js';
import { bytesOf, type Turns, turnsOf } from './nest.js';
import { addFloat } from './words.js';

/** Taps of a window up to which the code names each; larger windows are loops. */
const mostTaps = 16;

/** One spatial axis. */
interface Axis {
  readonly extent: number;
  readonly places: number;
  readonly window: number;
  readonly step: number;
  readonly low: number;
  /** Elements from one place of x to the next, and of r. */
  readonly stride: number;
  readonly pooledStride: number;
}

/** Where the taps of a window lie along an axis. */
interface Taps {
  readonly from: Local<'i32'>;
  readonly until: Local<'i32'>;
}

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);

function axesOf({ shapes, attrs }: SpecialKernel): Axis[] {
  const [x, pooled] = shapes as [readonly number[], readonly number[]];
  const [window, steps, low] = [attrs.window, attrs.strides, attrs.padding] as (readonly number[])[];
  const [strides, pooledStrides] = [rowMajorStrides(x), rowMajorStrides(pooled)];
  return window!.map((size, axis) => ({
    extent: x[axis + 1]!,
    places: pooled[axis + 1]!,
    window: size,
    step: steps![axis]!,
    low: low![axis]!,
    stride: strides[axis + 1]!,
    pooledStride: pooledStrides[axis + 1]!,
  }));
}

/** local = max(local, bound), or min. */
const raise = (f: FunctionBuilder, local: Local<'i32'>, bound: I32) =>
  f.when(i32.lessThan(local, bound), () => f.set(local, bound));
const lower = (f: FunctionBuilder, local: Local<'i32'>, bound: I32) =>
  f.when(i32.greaterThan(local, bound), () => f.set(local, bound));

/** Whether every window lies inside of the picture along an axis. */
const alwaysInside = ({ places, step, low, window, extent }: Axis) =>
  low === 0 && (places - 1) * step + window <= extent;

/**
 * A chunk owns rows of the result: it looks at all windows that reach into them, and adds what goes there. No two chunks
 * write to one place, and every sum has one order, that of the windows.
 */
class UnpoolCode {
  private readonly axes: readonly Axis[];
  private readonly channels: number;
  private readonly taps: number;
  private readonly divided: boolean;

  constructor(
    private readonly kernel: SpecialKernel,
    private readonly f: FunctionBuilder,
    private readonly division: { readonly size: number; readonly chunks: number },
  ) {
    this.axes = axesOf(kernel);
    this.channels = kernel.shapes[0]!.at(-1)!;
    this.taps = product(this.axes.map(({ window }) => window));
    this.divided = division.chunks > 1;
  }

  generate(chunk: Local<'i32'>, [x, r, result]: Addresses): void {
    const { f } = this;
    const [rows] = this.axes as [Axis, ...Axis[]];
    const [sample, pooledSample] = this.kernel.shapes.map((shape) => product(shape.slice(1)));
    const turns = turnsOf(f, chunk, this.division.size, rows.extent);
    const windows = this.windowsOf(rows, turns);
    const toResult = f.hold(i32.sub(result!, x!));
    f.loop({ from: i32.const(0), until: i32.const(this.kernel.shapes[0]![0]!) }, (n) => {
      const picture = f.hold(elementAt(x!, n, sample));
      const pooled = f.hold(elementAt(r!, n, pooledSample));
      const own = f.hold(elementAt(i32.add(picture, toResult), turns.begin, rows.stride));
      const ownBytes = f.hold(i32.mul(i32.sub(turns.end, turns.begin), i32.const(bytesOf(rows.stride))));
      f.emit(statement.fillMemory(own, i32.const(0), ownBytes));
      this.windows({ picture, toResult, own, ownBytes }, pooled, windows, []);
    });
  }

  /** Windows that reach into rows: ⌈(begin + low − window + 1) / step⌉ to ⌊(end − 1 + low) / step⌋. */
  private windowsOf({ places, step, low, window }: Axis, { begin, end }: Turns): Turns {
    if (!this.divided) return { begin: i32.const(0), end: i32.const(places) };
    const { f } = this;
    const first = f.hold(i32.add(begin, i32.const(low - window + step)));
    raise(f, first, i32.const(0));
    f.set(first, i32.divide(first, i32.const(step)));
    const past = f.hold(i32.add(i32.divide(i32.add(end, i32.const(low - 1)), i32.const(step)), i32.const(1)));
    lower(f, past, i32.const(places));
    return { begin: first, end: past };
  }

  /** Runs over the windows along the axes that are left, in row-major order. */
  private windows(to: Target, pooled: I32, turns: Turns | undefined, chosen: readonly Taps[]): void {
    const { f } = this;
    const axis = this.axes[chosen.length];
    if (axis === undefined) {
      this.window(to, pooled, chosen);
      return;
    }
    const { begin, end } = turns ?? { begin: i32.const(0), end: i32.const(axis.places) };
    f.loop({ from: begin, until: end }, (place) => {
      f.scoped(() => {
        const from = f.hold(i32.sub(i32.mul(place, i32.const(axis.step)), i32.const(axis.low)));
        const until = f.hold(i32.add(from, i32.const(axis.window)));
        raise(f, from, i32.const(0));
        lower(f, until, i32.const(axis.extent));
        const at = f.hold(elementAt(pooled, place, axis.pooledStride));
        this.windows(to, at, undefined, [...chosen, { from, until }]);
      });
    });
  }

  /** All channels of one window. */
  private window(to: Target, pooled: I32, ranges: readonly Taps[]): void {
    const { f } = this;
    const first = f.hold(
      ranges.reduce<I32>(
        (address, { from }, axis) => elementAt(address, from, this.axes[axis]!.stride),
        to.picture,
      ),
    );
    const named = () => this.channelsOf(to, pooled, first, (source) => this.namedWinner(source));
    const looped = () => this.channelsOf(to, pooled, first, (source) => this.loopedWinner(source, ranges));
    if (this.taps > mostTaps) looped();
    else if (this.axes.every(alwaysInside)) named();
    else {
      const whole = ranges
        .map(({ from, until }, axis) => i32.eq(i32.sub(until, from), i32.const(this.axes[axis]!.window)))
        .reduce((all, each) => i32.and(all, each));
      f.when(whole, named, looped);
    }
  }

  /** Runs over the channels of a window by fours; `winner` gives addresses of the lanes' first winners, less the lane. */
  private channelsOf(to: Target, pooled: I32, first: I32, winner: (source: Local<'i32'>) => V128): void {
    const { f, channels } = this;
    f.scoped(() => {
      const source = f.hold(first);
      const value = f.hold(pooled);
      const lanes = (count: number) =>
        f.scoped(() => this.deliver(to, f.hold(winner(source)), f.hold(v128.load(value)), count));
      f.times(Math.floor(channels / 4), () => {
        lanes(4);
        f.increase(source, 16);
        f.increase(value, 16);
      });
      if (channels % 4 > 0) lanes(channels % 4);
    });
  }

  /** A later tap wins where it is larger: of equals the first stays, and a NaN where it stands first. */
  private challenge(best: Local<'v128'>, winner: Local<'v128'>, value: V128, place: V128): void {
    const { f } = this;
    const held = f.hold(value);
    const wins = f.hold(f32x4.greaterThan(held, best));
    f.set(best, v128.select(held, best, wins));
    f.set(winner, v128.select(place, winner, wins));
  }

  /**
   * Taps of a window that lies inside of the picture: the maximum, then from the last to the first which tap it is. A NaN
   * that stands first is equal to none, which leaves the first.
   */
  private namedWinner(source: Local<'i32'>): V128 {
    const { f } = this;
    const offsets = this.axes.reduce<number[]>(
      (all, { window, stride }) =>
        all.flatMap((offset) => Array.from({ length: window }, (_, tap) => offset + bytesOf(tap * stride))),
      [0],
    );
    const best = f.hold(v128.load(source));
    for (const offset of offsets.slice(1)) f.set(best, f32x4.pseudoMax(best, v128.load(source, offset)));
    const winner = f.hold(i32x4.const(0));
    for (const offset of offsets.slice(1).reverse()) {
      const wins = f32x4.equal(v128.load(source, offset), best);
      f.set(winner, v128.select(i32x4.const(offset), winner, wins));
    }
    const first = f32x4.equal(v128.load(source), best);
    f.set(winner, v128.andNot(winner, first));
    return i32x4.add(winner, i32x4.splat(source));
  }

  /** Taps of a window that may be cut off by the picture's edge. */
  private loopedWinner(source: Local<'i32'>, ranges: readonly Taps[]): V128 {
    const { f } = this;
    const best = f.hold(v128.load(source));
    const winner = f.hold(i32x4.splat(source));
    const along = (at: I32, axis: number): void => {
      const range = ranges[axis];
      if (range === undefined) {
        this.challenge(best, winner, v128.load(at), i32x4.splat(at));
        return;
      }
      f.scoped(() => {
        const moving = f.hold(at);
        f.loop(range, () => {
          along(moving, axis + 1);
          f.increase(moving, bytesOf(this.axes[axis]!.stride));
        });
      });
    };
    along(source, 0);
    return winner;
  }

  /** Adds each lane where it goes, if the chunk owns that place. */
  private deliver(to: Target, winner: Local<'v128'>, values: Local<'v128'>, count: number): void {
    const { f } = this;
    for (let lane = 0; lane < count; lane++) {
      const address = f.hold(i32.add(i32.ofLane(winner, lane), to.toResult));
      const add = () => addFloat(f, { base: address, bytes: bytesOf(lane) }, f32.ofLane(values, lane));
      if (this.divided) f.when(i32.lessThanUnsigned(i32.sub(address, to.own), to.ownBytes), add);
      else add();
    }
  }
}

/** Where relevance is taken from and goes to. */
interface Target {
  /** A sample of x. */
  readonly picture: Local<'i32'>;
  /** From a place of x to that of the result. */
  readonly toResult: Local<'i32'>;
  /** The rows of the result that the chunk owns. */
  readonly own: Local<'i32'>;
  readonly ownBytes: Local<'i32'>;
}

/** result = 0; result[the first largest x of a window] += r[that window]. */
export function unpoolCode(
  kernel: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  addresses: Addresses,
): number {
  const [samples, rows, ...rest] = kernel.shapes[0] as [number, number, ...number[]];
  // Chunks compute the windows between them twice: rows enough make that few
  const [{ window, step }] = axesOf(kernel) as [Axis, ...Axis[]];
  const division = divide(rows, 2 * samples * product(rest), step < window ? 2 * window : step);
  new UnpoolCode(kernel, f, division).generate(chunk, addresses);
  return division.chunks;
}
