// The account: what arrives at a node is what leaves it and what its rule says it loses, each by a formula of its own.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Attrs } from '../../src/ir/graph.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { type Account, addAccount } from '../../src/rules/account.js';
import { rulePrefix } from '../../src/rules/dialect.js';
import { type Preset, prefixes } from '../../src/rules/presets.js';
import type { RuleName } from '../../src/rules/rules.js';
import { dataFor, flavours, type SingleOp, type SingleOpData } from './single-ops.js';
import { dialect, lower, total } from './support.js';
import { activeOperands, printed, promised, type Trial, trials } from './trials.js';

/** The account of one rule on one op, relevance handed to some of its operands. */
function accountOf(
  { graph, node }: SingleOp,
  { rule, params }: { rule: RuleName; params: Attrs },
  live: readonly number[],
  quantity: Preset['quantity'],
): Account {
  const builder = GraphBuilder.extending(graph, dialect);
  const seed = builder.add('input', [], { name: 'R', type: node.type });
  const lines = live.map((operand) =>
    builder.add(`${rulePrefix}${rule}`, [...node.args, node.name, seed], {
      attrs: { ...params, of: node.op, to: operand },
      name: `${prefixes[quantity]}${operand}`,
    }),
  );
  const ruled = builder.finish(Object.fromEntries(lines.map((line) => [line, line])));
  const position = { value: node.name, relevance: seed };
  return addAccount(ruled, dialect, { seed: position, quantity, explained: new Map() });
}

/** What is left over, as a share of what was there; every sample's, or that of all together. */
function unexplained(
  { graph, entries }: Account,
  { inputs, weights }: SingleOpData,
  together: boolean,
): number[] {
  const values = evaluate(lower(graph), dialect, inputs, weights);
  const [entry] = entries;
  const of = (key: string) => {
    const { data } = values[key] as TensorData;
    return together ? [total(data)] : [...data];
  };
  return of(entry!.mass).map((mass, sample) => {
    const at = (key: string) => of(key)[sample]!;
    const lost = [...entry!.leaks!.values()].reduce((sum, key) => sum + at(key), 0);
    const scale = [...entry!.leaks!.values()].reduce((sum, key) => sum + Math.abs(at(key)), mass);
    const rest = at(entry!.arriving) - at(entry!.leaving) - lost;
    return scale === 0 ? rest : rest / scale;
  });
}

/** Ops for which shares by contributions, and a derivative among rules, have no formula. */
const withoutFormula = new Set(['softmax', 'log_softmax', 'layer_norm', 'rms_norm']);

const once = trials.filter(({ single, operand }) => activeOperands(single)[0] === operand);
const accounted = once.filter(
  ({ rule, single }) => !(withoutFormula.has(single.node.op) && (rule === 'norm' || rule === 'gradient')),
);

const title = ({ rule, params, single }: Trial) => `${rule} ${printed(params)}: ${single.name}`;

function balances(trial: Trial, live: readonly number[], quantity: Preset['quantity']): void {
  const account = accountOf(trial.single, trial, live, quantity);
  for (const [seed, flavour] of flavours.entries()) {
    const data = promised(trial, dataFor(trial.single, flavour, seed + 1));
    // Sums over the whole batch balance over the whole batch alone
    const shares = unexplained(account, data, trial.rule === 'chefer.addBatch');
    for (const share of shares) expect(Math.abs(share)).toBeLessThan(1e-8);
  }
}

describe('every rule balances, relevance handed to all operands', () => {
  it.each(accounted.map((trial) => [title(trial), trial] as const))('%s', (_title, trial) => {
    balances(trial, activeOperands(trial.single), 'relevance');
  });
});

describe('every rule balances, relevance handed to the first operand of several', () => {
  const several = accounted.filter(({ single }) => activeOperands(single).length > 1);

  it.each(several.map((trial) => [title(trial), trial] as const))('%s', (_title, trial) => {
    balances(trial, activeOperands(trial.single).slice(0, 1), 'relevance');
  });
});

describe('gradients balance as value times gradient', () => {
  const derivatives = new Set(['gradient', 'guided', 'deconv']);

  it.each(once.filter(({ rule }) => derivatives.has(rule)).map((trial) => [title(trial), trial] as const))(
    '%s',
    (_title, trial) => {
      balances(trial, activeOperands(trial.single), 'gradient');
    },
  );
});
