// The account of relevance: for every rule applied in a graph, what arrives, what leaves, and each leak's amount.
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import type { Dialect } from '../ir/dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../ir/graph.js';
import type { Cause } from './cause-names.js';
import { isRuleLine, ruleLineOf, ruleParams, rulePrefix } from './dialect.js';
import type { Leak, Loss } from './leaks.js';
import { type Preset, prefixes } from './preset.js';
import { type RuleTable, ruleTable } from './rules.js';

/** A value and its relevance. */
export interface Position {
  readonly value: Name;
  readonly relevance: Name;
}

/** What flows through a graph of rule lines: from where, and to where it is read. */
export interface Flow {
  readonly quantity: Preset['quantity'];
  readonly seed: Position;
  /** By what was asked for; what relevance does not reach is left out. */
  readonly explained: ReadonlyMap<string, Position>;
}

/** A rule on one node, gathered from its lines: one for each operand that relevance is handed to. */
export interface RuledNode {
  /** The ruled value. */
  readonly node: Node;
  readonly rule: string;
  readonly lines: readonly Node[];
  /** R at the value. */
  readonly relevance: Name;
}

/**
 * The rules applied in a graph, in order of their lines.
 * @param quantity  of what flows, where a graph holds passes of both kinds; all if left out
 */
export function ruledNodes(graph: Graph, quantity?: Preset['quantity']): readonly RuledNode[] {
  const found = new Map<string, { node: Node; rule: string; lines: Node[]; relevance: Name }>();
  for (const line of graph.nodes.values()) {
    if (!isRuleLine(line)) continue;
    if (quantity !== undefined && !line.name.startsWith(prefixes[quantity])) continue;
    const { z, relevance } = ruleLineOf(line);
    // One value may be ruled in several passes over one graph, each with its own R but for the seed, which they share
    const pass = Object.values(prefixes).find((prefix) => line.name.startsWith(prefix)) ?? '';
    const key = `${pass}${relevance}`;
    const known = found.get(key);
    if (known !== undefined) known.lines.push(line);
    else {
      const rule = line.op.slice(rulePrefix.length);
      found.set(key, { node: nodeOf(graph, z), rule, lines: [line], relevance });
    }
  }
  return [...found.values()];
}

function lossOf(
  builder: GraphBuilder,
  { node, lines, relevance }: RuledNode,
  active: ReadonlySet<Name>,
  quantity: Preset['quantity'],
): Loss {
  return {
    builder,
    k: new Arithmetic(builder),
    node,
    relevance,
    attrs: ruleParams(lines[0]!.attrs),
    live: lines.map((line) => ruleLineOf(line).operand).sort((a, b) => a - b),
    active: node.args.flatMap((arg, slot) => (active.has(arg) ? [slot] : [])),
    quantity,
  };
}

/**
 * The causes for which a rule may lose relevance at each value, known without running anything; `undefined` where
 * there is no formula.
 * @param graph  with rule lines
 */
export function expectedCauses(
  graph: Graph,
  dialect: Dialect,
  { quantity }: Pick<Flow, 'quantity'>,
  rules: RuleTable = ruleTable,
): ReadonlyMap<Name, readonly Cause[] | undefined> {
  const builder = GraphBuilder.extending(graph, dialect);
  const active = activeValues(graph);
  const entries = ruledNodes(graph, quantity).flatMap((ruled) => {
    const leaks = rules[ruled.rule]!.leaks(lossOf(builder, ruled, active, quantity));
    const causes = leaks === undefined ? undefined : [...new Set(leaks.map(({ cause }) => cause))];
    return ruled.lines.map((line) => [line.name, causes] as const);
  });
  return new Map(entries);
}

/** How the outputs that an account adds begin. */
export const accountKey = 'account.';

/** The names of outputs that an account adds for one ruled value, each [N]. */
export interface AccountEntry extends RuledNode {
  /** ΣR at the value, and Σ|R|. */
  readonly arriving: string;
  readonly mass: string;
  /** ΣR that all operands receive together. */
  readonly leaving: string;
  /** Σ of each cause's amounts; undefined where there is no formula. */
  readonly leaks: ReadonlyMap<Cause, string> | undefined;
  /** Σ|·| of all that the balance adds up: what its rounding is measured by. */
  readonly turnover: string;
}

/** A value that is explained, and the output that holds what arrives there. */
export interface Arrival {
  readonly asked: string;
  readonly value: Name;
  readonly amount: string;
  /** Nothing goes on from there. */
  readonly ends: boolean;
}

export interface Account {
  readonly graph: Graph;
  /** The output that holds what relevance starts with: Σ of the seed, of value ⊙ seed for gradients. */
  readonly start: string;
  /** In order from the seed to the inputs. */
  readonly entries: readonly AccountEntry[];
  readonly arrivals: readonly Arrival[];
}

class Bookkeeper {
  readonly outputs: Record<string, Name> = {};
  private readonly k: Arithmetic;

  constructor(
    builder: GraphBuilder,
    private readonly quantity: Preset['quantity'],
  ) {
    this.k = new Arithmetic(builder);
  }

  /** R, or value ⊙ gradient. */
  weighed({ value, relevance }: Position): Name {
    return this.quantity === 'gradient' ? this.k.mul(value, relevance) : relevance;
  }

  /** Σ of several amounts over each sample, as the output `key`. */
  total(key: string, amounts: readonly Name[]): string {
    const totals = amounts.map((amount) => this.k.reducePerSample('sum', amount));
    this.outputs[key] = totals.reduce((total, amount) => this.k.add(total, amount));
    return key;
  }

  private sizes(key: string, amounts: readonly Name[]): string {
    return this.total(
      key,
      amounts.map((amount) => this.k.unary('abs', amount)),
    );
  }

  entry(ruled: RuledNode, leaks: readonly Leak[] | undefined, index: number): AccountEntry {
    const { node, lines, relevance } = ruled;
    const key = `${accountKey}${index}`;
    const arrived = this.weighed({ value: node.name, relevance });
    const parts = lines.map((line) =>
      this.weighed({ value: node.args[ruleLineOf(line).operand]!, relevance: line.name }),
    );
    const byCause = leaks === undefined ? undefined : amountsByCause(leaks);
    const lost = [...(byCause?.values() ?? [])].flat();
    return {
      ...ruled,
      arriving: this.total(`${key}.arriving`, [arrived]),
      mass: this.sizes(`${key}.mass`, [arrived]),
      leaving: this.total(`${key}.leaving`, parts),
      leaks: byCause && this.leaks(key, byCause),
      turnover: this.sizes(`${key}.turnover`, [arrived, ...parts, ...lost]),
    };
  }

  private leaks(key: string, byCause: ReadonlyMap<Cause, readonly Name[]>): ReadonlyMap<Cause, string> {
    return new Map(
      [...byCause].map(([cause, amounts], index) => [cause, this.total(`${key}.leak${index}`, amounts)]),
    );
  }
}

function amountsByCause(leaks: readonly Leak[]): ReadonlyMap<Cause, readonly Name[]> {
  const byCause = new Map<Cause, Name[]>();
  for (const { cause, amount } of leaks) byCause.set(cause, [...(byCause.get(cause) ?? []), amount()]);
  return byCause;
}

/** Appends the account of all rules to a graph of rule lines: outputs beside those it has. */
export function addAccount(
  graph: Graph,
  dialect: Dialect,
  { quantity, seed, explained }: Flow,
  rules: RuleTable = ruleTable,
): Account {
  const builder = GraphBuilder.extending(graph, dialect);
  builder.scope = 't.account.';
  const active = activeValues(graph);
  const books = new Bookkeeper(builder, quantity);
  const start = books.total(`${accountKey}start`, [books.weighed(seed)]);
  const ruled = ruledNodes(graph, quantity);
  const entries = ruled.map((each, index) => {
    builder.loc = each.node.loc;
    const leaks = rules[each.rule]!.leaks(lossOf(builder, each, active, quantity));
    return books.entry(each, leaks, index);
  });
  const goingOn = new Set(ruled.map(({ relevance }) => relevance));
  const arrivals = [...explained].map(([asked, position], index) => ({
    asked,
    value: position.value,
    amount: books.total(`${accountKey}explained${index}`, [books.weighed(position)]),
    ends: !goingOn.has(position.relevance),
  }));
  return { graph: builder.finish({ ...graph.outputs, ...books.outputs }), start, entries, arrivals };
}
