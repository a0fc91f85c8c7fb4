// The balance: numbers of an evaluated account as a conservation report, with its verdict in one line.
import type { Graph, Name } from '../ir/graph.js';
import type { Account, AccountEntry } from '../rules/account.js';
import type { Cause } from '../rules/cause-names.js';
import type { Preset, Seed } from '../rules/presets.js';
import type { Agreement, ArrivedAmount, ConservationReport, Leaks, NodeBalance } from './conservation.js';
import { percent } from './percent.js';

/**
 * What rounding in f64 may leave at a node, as a share of all amounts that its balance adds up. Sums of 10⁶ terms
 * come to some 10⁻¹³ of it; a formula that is wrong where anything flows, to far more.
 */
const rounding = 1e-11;

/** What the report is made of, besides the numbers. */
export interface Checked {
  readonly rules: string;
  readonly seed: Seed;
  readonly target: number;
  readonly quantity: Preset['quantity'];
  readonly agreement: Agreement;
  readonly leftConstants: readonly Name[];
}

/** The number that an output of the account holds. */
type Reader = (key: string) => number;

const sumOf = (numbers: Iterable<number>) => [...numbers].reduce((sum, value) => sum + value, 0);

function balanceOf(entry: AccountEntry, at: Reader): NodeBalance {
  const { node, rule } = entry;
  const leaks = new Map([...(entry.leaks ?? [])].map(([cause, key]) => [cause, at(key)]));
  const [arriving, leaving] = [at(entry.arriving), at(entry.leaving)];
  const unexplained = arriving - leaving - sumOf(leaks.values());
  return {
    name: node.name,
    op: node.op,
    rule,
    loc: node.loc,
    arriving,
    leaving,
    mass: at(entry.mass),
    leaks: Object.fromEntries(leaks),
    hasFormula: entry.leaks !== undefined,
    unexplained,
    ok: Math.abs(unexplained) <= rounding * at(entry.turnover),
  };
}

function totals(nodes: readonly NodeBalance[]): Leaks {
  const sums = new Map<Cause, number>();
  for (const { leaks } of nodes) {
    for (const [cause, amount] of Object.entries(leaks) as [Cause, number][]) {
      sums.set(cause, (sums.get(cause) ?? 0) + amount);
    }
  }
  return Object.fromEntries(sums);
}

/** What the start of a seed is called. */
function unitOf(seed: Seed, quantity: Preset['quantity']): string {
  if (seed === 'contrast') return 'f(x) − f(x′)';
  if (quantity === 'gradient') return seed === 'one' ? 'f(x)' : 'value × seed';
  return seed === 'logit' ? 'f(x)' : 'the seed';
}

/** Not a number counts as more than any number. */
const sizeOf = ({ unexplained }: NodeBalance) =>
  Number.isNaN(unexplained) ? Number.POSITIVE_INFINITY : Math.abs(unexplained);

function worstOf(nodes: readonly NodeBalance[]): Name | undefined {
  const [worst] = [...nodes].sort((a, b) => sizeOf(b) - sizeOf(a));
  return worst === undefined || worst.unexplained === 0 ? undefined : worst.name;
}

/** Amounts of explained values where relevance ends, each value once. */
export function endingAmounts(arrived: readonly ArrivedAmount[]): readonly ArrivedAmount[] {
  const ends = arrived.filter(({ ends }) => ends);
  return ends.filter(({ value }, index) => ends.findIndex((other) => other.value === value) === index);
}

/** The total of what arrives where relevance ends. */
export const totalArrived = (arrived: readonly ArrivedAmount[]): number =>
  sumOf(endingAmounts(arrived).map(({ amount }) => amount));

/**
 * The report from an account that was evaluated on one sample.
 * @param at  reads an output of the account
 */
export function reportOf(account: Account, at: Reader, { quantity, ...told }: Checked): ConservationReport {
  const start = at(account.start);
  const nodes = account.entries.map((entry) => balanceOf(entry, at));
  const arrived = account.arrivals.map(({ amount, ...rest }) => ({ ...rest, amount: at(amount) }));
  const numbers = [start, told.agreement.difference, ...arrived.map(({ amount }) => amount)];
  const report = {
    ...told,
    accountedAs: quantity === 'gradient' ? ('value × gradient' as const) : ('relevance' as const),
    start,
    unit: unitOf(told.seed, quantity),
    arrived,
    nodes,
    causes: totals(nodes),
    unexplained: sumOf(nodes.map(({ unexplained }) => Math.abs(unexplained))),
    worst: worstOf(nodes),
    ok: nodes.every(({ ok }) => ok) && numbers.every(Number.isFinite),
  };
  return { ...report, verdict: verdictOf(report, placeOf(arrived, account.graph)) };
}

/** A share of the start; the amount itself where nothing starts. */
export function shareText(amount: number, start: number): string {
  if (!Number.isFinite(amount)) return String(amount);
  return start === 0 ? amount.toPrecision(3) : percent(amount / start);
}

/** `3e-8` of the start; the amount itself where nothing starts. */
export function roundingText(amount: number, start: number): string {
  if (!Number.isFinite(amount)) return String(amount);
  const share = start === 0 ? amount : amount / Math.abs(start);
  return share === 0 ? '0' : Number(share.toPrecision(1)).toExponential();
}

/** Causes from the largest to the smallest; those that no decimal would show are left out. */
export function causesBySize(causes: Leaks, start: number, least: number): [Cause, number][] {
  const entries = Object.entries(causes) as [Cause, number][];
  const smallest = start === 0 ? 0 : least * Math.abs(start);
  return entries
    .filter(([, amount]) => amount !== 0 && !(Math.abs(amount) < smallest))
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
}

/** `the input`, `%h`, `3 values`: where relevance ends. */
function placeOf(arrived: readonly ArrivedAmount[], { nodes }: Pick<Graph, 'nodes'>): string {
  const ends = endingAmounts(arrived);
  const areInputs = ends.every(({ value }) => nodes.get(value)?.op === 'input');
  if (ends.length > 1) return `${ends.length} ${areInputs ? 'inputs' : 'values'}`;
  return areInputs ? 'the input' : `%${ends[0]!.value}`;
}

/** A cause is named in a verdict, and a node in a table, where one decimal of a percentage shows it. */
export const leastNamed = 0.0005;

function verdictOf(report: Omit<ConservationReport, 'verdict'>, place: string): string {
  const { rules, accountedAs, start, unit, arrived, causes, unexplained, nodes, worst, ok } = report;
  const name = accountedAs === 'relevance' ? rules : `${rules} (${accountedAs})`;
  const parts = [
    `${name}: ${shareText(totalArrived(arrived), start)} of ${unit} at ${place}`,
    ...causesBySize(causes, start, leastNamed).map(
      ([cause, amount]) => `${shareText(amount, start)} ${cause}`,
    ),
  ];
  const balances = nodes.every((node) => node.ok);
  if (balances) {
    const end = ok ? [] : ['NOT A NUMBER'];
    return [...parts, `unexplained ${roundingText(unexplained, start)}`, ...end].join(' · ');
  }
  const most = nodes.find((node) => node.name === worst);
  const where = most === undefined ? '' : `, most of it at %${most.name} (${most.rule})`;
  return [...parts, `UNEXPLAINED ${shareText(unexplained, Math.abs(start))} of ${unit}${where}`].join(' · ');
}
