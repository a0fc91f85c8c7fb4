// The plan of a kernel program: in what order it runs, and where in memory every buffer lives, decided beforehand.
import type { Name } from '../../ir/graph.js';
import { type Buffer, type Kernel, type KernelProgram, reads, writes } from './kernel.js';

/** Every buffer begins at a multiple of so many bytes: a cache line. */
const alignment = 64;

/** Where a buffer lives, and in the arena also while which kernels run. */
export interface Placement {
  readonly region: 'weights' | 'arena';
  /** Bytes from the region's start. */
  readonly offset: number;
  readonly bytes: number;
  /** Numbers of the kernels of its phase that first write and last read it; −1 for what is given before. */
  readonly from: number;
  readonly until: number;
}

export interface KernelPlan {
  readonly program: KernelProgram;
  /** Run once, when weights are there. */
  readonly load: readonly Kernel[];
  /** Run for every input; of these the last ones again for every value of the varied inputs. */
  readonly run: readonly Kernel[];
  /** The first kernel of `run` that depends on varied inputs. */
  readonly firstVaried: number;
  readonly placements: ReadonlyMap<Name, Placement>;
  /** Bytes of weights, constants, and what is computed from them once. */
  readonly weightBytes: number;
  /** Bytes that everything else shares. */
  readonly arenaBytes: number;
  /** The largest sum of bytes of buffers that live at the same time: the arena cannot be smaller. */
  readonly liveBytes: number;
}

interface Life {
  readonly name: Name;
  readonly bytes: number;
  readonly from: number;
  readonly until: number;
}

const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

export const byteSize = ({ shape }: Buffer): number =>
  4 * shape.reduce((product, extent) => product * extent, 1);

/** When each buffer is first written and last read, counted in kernels. */
function livesOf(
  kernels: readonly Kernel[],
  bytes: (name: Name) => number,
  given: ReadonlySet<Name>,
  kept: ReadonlySet<Name>,
): Life[] {
  const spans = new Map<Name, { from: number; until: number }>();
  for (const name of given) spans.set(name, { from: -1, until: kept.has(name) ? kernels.length : -1 });
  for (const [index, kernel] of kernels.entries()) {
    for (const name of [...writes(kernel), ...reads(kernel)]) {
      const span = spans.get(name) ?? { from: index, until: index };
      span.until = Math.max(span.until, index);
      if (kept.has(name)) span.until = kernels.length;
      spans.set(name, span);
    }
  }
  return [...spans].map(([name, span]) => ({ name, bytes: aligned(bytes(name)), ...span }));
}

/** Places the largest first, each at the lowest place that is free all its life. */
function arrange(lives: readonly Life[]): { offsets: Map<Name, number>; bytes: number } {
  const placed: (Life & { offset: number })[] = [];
  let total = 0;
  const bySize = [...lives].sort((a, b) => b.bytes - a.bytes || a.from - b.from);
  for (const life of bySize) {
    const neighbours = placed
      .filter((other) => other.from <= life.until && life.from <= other.until)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of neighbours) {
      if (offset + life.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    placed.push({ ...life, offset });
    total = Math.max(total, offset + life.bytes);
  }
  return { offsets: new Map(placed.map(({ name, offset }) => [name, offset])), bytes: total };
}

/** The largest sum of bytes that live at once. */
function peakOf(lives: readonly Life[]): number {
  const changes = new Map<number, number>();
  const change = (at: number, bytes: number) => changes.set(at, (changes.get(at) ?? 0) + bytes);
  for (const { bytes, from, until } of lives) {
    change(from, bytes);
    change(until + 1, -bytes);
  }
  let [now, peak] = [0, 0];
  for (const [, bytes] of [...changes].sort(([a], [b]) => a - b)) {
    now += bytes;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** The kernels in two parts: what does not depend on some inputs, then what does. */
function divided(kernels: readonly Kernel[], varied: ReadonlySet<Name>): [Kernel[], Kernel[]] {
  const depends = new Set(varied);
  const [once, each]: [Kernel[], Kernel[]] = [[], []];
  for (const kernel of kernels) {
    if (reads(kernel).some((name) => depends.has(name))) {
      for (const name of writes(kernel)) depends.add(name);
      each.push(kernel);
    } else once.push(kernel);
  }
  return [once, each];
}

export interface PlanOptions {
  /**
   * Inputs that are given several values for each value of the others. What depends on them stands last and can be run
   * again: what it reads of the rest is kept.
   */
  readonly varied?: ReadonlySet<Name>;
}

/** Lays out memory: nothing is allocated while a program runs. */
export function planKernels(program: KernelProgram, { varied }: PlanOptions = {}): KernelPlan {
  const { buffers, load } = program;
  const bytesOf = (name: Name) => byteSize(buffers.get(name)!);
  const [once, each] = varied === undefined ? [program.run, []] : divided(program.run, varied);
  const run = [...once, ...each];
  const outputs = new Set(Object.values(program.outputs));
  const inputs = [...buffers.values()].filter(({ origin }) => origin === 'input').map(({ name }) => name);
  const stored = [...buffers.values()]
    .filter(({ origin }) => origin === 'weight' || origin === 'constant')
    .map(({ name }) => name);
  const loaded = new Set(load.flatMap(writes));
  const readByRun = new Set(run.flatMap(reads));
  const persistent = new Set([
    ...stored,
    ...[...loaded].filter((name) => readByRun.has(name) || outputs.has(name)),
  ]);
  const placements = new Map<Name, Placement>();
  let weightBytes = 0;
  for (const name of persistent) {
    const bytes = aligned(bytesOf(name));
    placements.set(name, { region: 'weights', offset: weightBytes, bytes, from: -1, until: run.length });
    weightBytes += bytes;
  }
  const readAgain = new Set(each.flatMap(reads));
  const writtenOnce = new Set([...inputs, ...once.flatMap(writes)]);
  // What is written again between the parts is kept too, read or not: nothing else may lie there
  const kept = new Set([
    ...outputs,
    ...[...readAgain].filter((name) => writtenOnce.has(name)),
    ...inputs.filter((name) => varied?.has(name)),
  ]);
  const phases = [
    livesOf(load, bytesOf, new Set(), new Set()),
    livesOf(run, bytesOf, new Set(inputs), kept),
  ].map((lives) => lives.filter(({ name }) => !persistent.has(name)));
  let arenaBytes = 0;
  for (const lives of phases) {
    const { offsets, bytes } = arrange(lives);
    arenaBytes = Math.max(arenaBytes, bytes);
    for (const { name, bytes: size, from, until } of lives) {
      placements.set(name, { region: 'arena', offset: offsets.get(name)!, bytes: size, from, until });
    }
  }
  const liveBytes = Math.max(...phases.map(peakOf));
  return { program, load, run, firstVaried: once.length, placements, weightBytes, arenaBytes, liveBytes };
}
