// Measuring: actions of several contestants in turn, so that all see the same weather; medians and ratios by round.

export interface Action {
  readonly name: string;
  run(): Promise<unknown>;
}

/** Milliseconds of each action by round, by the action's name. */
export type Times = ReadonlyMap<string, readonly number[]>;

export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/**
 * Rounds in which every action runs once, in order.
 * @param onRound  told after each round, for such work is long
 */
export async function interleaved(
  actions: readonly Action[],
  rounds: number,
  onRound: (round: number) => void = () => undefined,
): Promise<Times> {
  const times = new Map(actions.map(({ name }): [string, number[]] => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run } of actions) times.get(name)!.push(await timed(run));
    onRound(round);
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  return (sorted[Math.floor(last / 2)]! + sorted[Math.ceil(last / 2)]!) / 2;
}

/** The median over the rounds of how many times as long one action took as another in the same round. */
export function medianRatio(times: Times, action: string, base: string): number {
  const bases = times.get(base)!;
  return median(times.get(action)!.map((time, round) => time / bases[round]!));
}

/** max|a − b| / max|b| */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let largest = 0;
  for (let index = 0; index < b.length; index++) {
    difference = Math.max(difference, Math.abs(a[index]! - b[index]!));
    largest = Math.max(largest, Math.abs(b[index]!));
  }
  return a.length === b.length ? difference / largest : Number.NaN;
}

/** The most memory that the process has had, in MB. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS / 1024;
}
