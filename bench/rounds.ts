// One network on one number of threads: its presets on every target of relc, then those that are compared with them.
import { type Program, trace } from '../src/index.js';
import { type CompileMeasured, measureCompiling } from './compiling.js';
import { type Compiled, type Contestant, type Target, targets, tfjs } from './contestants.js';
import { type EmittedMeasured, measureEmitted } from './emitted.js';
import type { Network } from './line-up.js';
import { interleaved, largestDifference, median, medianRatio, type Times, timed } from './measure.js';
import type { Subject } from './networks/network.js';
import { peakAction, peakWork } from './peak.js';
import { startTfjs } from './tfjs-threads.js';

export interface Setting {
  readonly network: Network;
  readonly threads: number;
  readonly rounds: number;
  /** Told what is being done. */
  say(line: string): void;
}

/** What was measured of a contestant; times are milliseconds, medians over the rounds. */
export interface Measured {
  readonly network: string;
  readonly threads: number;
  readonly rules: string;
  readonly name: string;
  readonly forward: number;
  readonly explain: number;
  /** Of one explanation to one forward in the same round. */
  readonly multiple: number;
  /** Of its explanation to that of the first contestant in the same round. */
  readonly versus: number;
  /**
   * From the relevance of relc on tfjs, of max|R|; undefined where that did not run. Where only the compared preset runs
   * there, from that of relc.
   */
  readonly difference: number | undefined;
}

export interface PresetMeasured extends Measured {
  /** 10⁹ operations a second, two for each multiply–add. */
  readonly forwardRate: number;
  readonly explainRate: number;
  /** The explanation's rate as a share of the peak of 128-bit lanes in the same round, times the threads. */
  readonly ofPeak: number;
  /** Multiply–adds of the program in units of the forward, and the fewest that its rules need. */
  readonly work: number;
  readonly floor: number | undefined;
  /** The first explanation, which may load weights and compile. */
  readonly first: number;
}

/** What does not run at all. */
export interface Failure {
  readonly network: string;
  readonly threads: number;
  readonly name: string;
  readonly message: string;
}

/** What an explainer takes as files. */
export interface MemoryMeasured extends EmittedMeasured {
  readonly network: string;
  readonly rules: string;
}

/** What compiling takes. */
export interface NetworkCompiled extends CompileMeasured {
  readonly network: string;
  /** Milliseconds of tracing the model, which reads its weights. */
  readonly trace: number;
}

export interface Results {
  readonly compiling: NetworkCompiled[];
  readonly memory: MemoryMeasured[];
  readonly presets: PresetMeasured[];
  readonly compared: Measured[];
  readonly failures: Failure[];
}

const peakName = 'peak';
const forwardOf = (name: string) => `${name} forward`;

/** Every contestant's forward and explanation in turn, after a first forward that nobody times. */
async function race(contestants: readonly Contestant[], setting: Setting): Promise<Times> {
  for (const { forward } of contestants) await forward();
  const actions = contestants.flatMap(({ name, forward, explain }) => [
    { name: forwardOf(name), run: forward },
    { name, run: explain },
  ]);
  const peak = { name: peakName, run: await peakAction() };
  return interleaved([peak, ...actions], setting.rounds, (round) =>
    setting.say(`round ${round} of ${setting.rounds}`),
  );
}

interface Ready<Kind extends Contestant> {
  readonly contestant: Kind;
  readonly relevance: Float32Array;
}

function measured(
  times: Times,
  { contestant: { name }, relevance }: Ready<Contestant>,
  leader: Ready<Contestant> | undefined,
  reference: Float32Array | undefined,
) {
  return {
    name,
    forward: median(times.get(forwardOf(name))!),
    explain: median(times.get(name)!),
    multiple: medianRatio(times, name, forwardOf(name)),
    versus: leader === undefined ? Number.NaN : medianRatio(times, name, leader.contestant.name),
    difference: reference && largestDifference(relevance, reference),
  };
}

interface PresetEntry extends Ready<Compiled> {
  readonly first: number;
}

/** What compiles and explains; the message of the rest is recorded. */
async function attempt<Value>(
  { network, threads, say }: Setting,
  name: string,
  results: Results,
  action: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say(`${name} fails: ${message}`);
    results.failures.push({ network: network.key, threads, name, message });
    return undefined;
  }
}

interface Built {
  readonly subject: Subject;
  readonly program: Program;
  readonly trace: number;
}

async function tracedIn({ model, options }: Subject): Promise<Omit<Built, 'subject'>> {
  const start = performance.now();
  const program = await trace(model, options);
  return { program, trace: performance.now() - start };
}

async function enter(target: Target, built: Built, rules: string, threads: number): Promise<PresetEntry> {
  const { subject, program } = built;
  const contestant = await target.compile({ subject, program, rules, threads });
  let relevance = new Float32Array();
  const first = await timed(async () => {
    relevance = Float32Array.from(await contestant.explain());
  });
  return { contestant, relevance, first };
}

/** The targets of relc on one preset. @returns the relevance on tfjs, or else that of the first */
async function measurePreset(
  setting: Setting,
  built: Built,
  rules: string,
  results: Results,
): Promise<Float32Array | undefined> {
  const { network, threads, say } = setting;
  say(`${network.key}, ${threads} threads, ${rules}`);
  const entries: PresetEntry[] = [];
  const runs = network.onTfjs === 'every preset' ? targets : targets.filter(({ ownMemory }) => ownMemory);
  for (const target of runs) {
    const name = `${target.name}, ${rules}`;
    const entry = await attempt(setting, name, results, () => enter(target, built, rules, threads));
    if (entry !== undefined) entries.push(entry);
  }
  const [leader] = entries;
  if (leader === undefined) return undefined;
  const reference = entries.find(({ contestant }) => contestant.name === tfjs.name)?.relevance;
  const times = await race(
    entries.map(({ contestant }) => contestant),
    setting,
  );
  for (const entry of entries) {
    const { forward, total, floor } = entry.contestant.costs;
    const row = measured(times, entry, leader, reference);
    const peaks = medianRatio(times, peakName, row.name) / peakWork;
    results.presets.push({
      ...{ network: network.key, threads, rules, ...row },
      forwardRate: (2 * forward) / row.forward / 1e6,
      explainRate: (2 * total) / row.explain / 1e6,
      ofPeak: (peaks * 2 * total) / 1e9 / threads,
      work: total / forward,
      floor: floor === undefined ? undefined : floor / forward,
      first: entry.first,
    });
    if (rules === network.compared && threads === 1 && entry === leader) {
      say(`${network.key}, ${rules} as files`);
      const files = await measureEmitted(entry.contestant.explainer);
      results.memory.push({ network: network.key, rules, ...files });
    }
    entry.contestant.dispose();
  }
  return reference ?? leader.relevance;
}

/** A first explanation. @throws Error where it is not what it is compared with */
async function checked(contestant: Contestant, reference: Float32Array): Promise<Float32Array> {
  const relevance = Float32Array.from(await contestant.explain());
  const difference = largestDifference(relevance, reference);
  const { tolerance = Number.POSITIVE_INFINITY } = contestant;
  // Not `difference > tolerance`: NaN is no agreement
  if (tolerance < Number.POSITIVE_INFINITY && !(difference <= tolerance)) {
    throw new Error(`its relevance differs by ${difference.toExponential(1)} of the largest`);
  }
  return relevance;
}

/** Those that are compared, in one run: relc's targets as far as they fit beside the others, and the others. */
async function compare(
  setting: Setting,
  built: Built,
  reference: Float32Array,
  results: Results,
): Promise<void> {
  const { network, threads, say } = setting;
  const { subject, program } = built;
  const rules = network.compared;
  say(`${network.key}, ${threads} threads, ${rules} beside what else there is`);
  const beside = targets.filter(({ ownMemory }) => ownMemory || !network.large);
  const makers: (() => Promise<Contestant>)[] = beside.map(
    (target) => () => target.compile({ subject, program, rules, threads }),
  );
  const others = network.others(subject).map((other) => async () => other);
  const entries: Ready<Contestant>[] = [];
  for (const make of [...makers, ...others]) {
    const contestant = await make();
    const explain = () => checked(contestant, reference);
    const relevance = await attempt(setting, contestant.name, results, explain);
    if (relevance !== undefined) entries.push({ contestant, relevance });
  }
  const times = await race(
    entries.map(({ contestant }) => contestant),
    setting,
  );
  for (const entry of entries) {
    const row = measured(times, entry, entries[0], reference);
    results.compared.push({ network: network.key, threads, rules, ...row });
    entry.contestant.dispose();
  }
}

/** Runs `action` on the network alone in a fresh memory of tfjs: its 4 GB hold few programs with 138 million weights. */
async function afresh(
  { network, threads, say }: Setting,
  action: (subject: Subject) => Promise<void>,
): Promise<void> {
  await startTfjs(threads);
  say(`building ${network.title}`);
  const subject = network.build();
  await action(subject);
  subject.dispose();
}

/** Everything about one network on one number of threads. */
export async function measureNetwork(setting: Setting, results: Results): Promise<void> {
  const { network } = setting;
  let traced: Pick<Built, 'program' | 'trace'> | undefined;
  const build = async (subject: Subject): Promise<Built> => {
    traced ??= await tracedIn(subject);
    return { subject, ...traced };
  };
  let reference: Float32Array | undefined;
  // What needs no memory of tfjs goes on with the weights that are there
  const groups = network.onTfjs === 'compared' ? [network.presets] : network.presets.map((rules) => [rules]);
  for (const group of groups) {
    await afresh(setting, async (subject) => {
      const built = await build(subject);
      for (const rules of group) {
        if (setting.threads === 1) {
          const measured = measureCompiling(built.program, rules);
          results.compiling.push({ network: network.key, trace: built.trace, ...measured });
        }
        const relevance = await measurePreset(setting, built, rules, results);
        if (rules === network.compared) reference = relevance;
      }
    });
  }
  await afresh(setting, async (subject) => {
    if (reference !== undefined) await compare(setting, await build(subject), reference, results);
  });
}
