// Reference against expansion: each rule, on each op and operand it suits, computed by two independent routes.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { isBatched } from '../../src/ir/type.js';
import { type RuleName, ruleTable } from '../../src/rules/rules.js';
import { dataFor, flavours, type SingleOpData, singleOps } from './single-ops.js';
import { dialect, lower, relativeError, row, withRule } from './support.js';
import { printed, promised, ruleNames, trials, variants } from './trials.js';

function run(graph: Graph, { inputs, weights }: SingleOpData): ArrayLike<number> {
  return evaluate(graph, dialect, inputs, weights).r!.data;
}

/** The same data, one sample alone. */
function alone({ inputs, weights }: SingleOpData, sample: number): SingleOpData {
  const rows = Object.entries(inputs).map(([name, data]) => [name, row(data, sample)]);
  return { inputs: Object.fromEntries(rows), weights };
}

/** Rules whose samples change each other, as published. */
const mixing: ReadonlySet<RuleName> = new Set(['chefer.addBatch']);

/** Both graphs agree on a batch, and each gives a sample what it gives to that sample alone. */
function compare(reference: Graph, expanded: Graph, data: SingleOpData, mixesSamples: boolean): void {
  const wanted = run(reference, data);
  const got = run(expanded, data);
  expect(relativeError(got, wanted)).toBeLessThan(1e-12);
  if (mixesSamples || !isBatched(reference.nodes.get('z')!.type)) return;
  const size = wanted.length / 3;
  for (let sample = 0; sample < 3; sample++) {
    const part = (values: ArrayLike<number>) => Array.from(values).slice(sample * size, (sample + 1) * size);
    expect(Array.from(run(expanded, alone(data, sample)))).toEqual(part(got));
    expect(Array.from(run(reference, alone(data, sample)))).toEqual(part(wanted));
  }
}

describe('each rule, by its reference and by its expansion', () => {
  it.each(
    trials.map(
      (trial) =>
        [
          `${trial.rule} ${printed(trial.params)}: ${trial.single.name}, operand ${trial.operand}`,
          trial,
        ] as const,
    ),
  )('%s', (_title, trial) => {
    const { single, rule, params, operand } = trial;
    const reference = withRule(single.graph, rule, params, operand);
    const expanded = lower(reference);
    for (const [seed, flavour] of flavours.entries()) {
      compare(reference, expanded, promised(trial, dataFor(single, flavour, seed + 1)), mixing.has(rule));
    }
  });
});

describe('what is tried', () => {
  it.each(ruleNames)('%s is tried, with every parameter it has', (rule) => {
    expect(trials.some((trial) => trial.rule === rule)).toBe(true);
    const tried = new Set(variants[rule].flatMap((params) => Object.keys(params)));
    expect(Object.keys(ruleTable[rule].attrs).filter((name) => !tried.has(name))).toEqual([]);
  });

  it('every op with a derivative, but for functions that no composite names', () => {
    const tried = new Set(singleOps.map(({ node }) => node.op));
    const untried = Object.entries(forward).filter(([op, { vjp }]) => vjp !== undefined && !tried.has(op));
    expect(untried.map(([op]) => op).sort()).toEqual(
      [
        'abs',
        'batch_total',
        'cos',
        'erf',
        'log',
        'negative_part',
        'pow',
        'reciprocal',
        'rsqrt',
        'sin',
        'sqrt',
      ].sort(),
    );
  });

  it('data with zeros has exact zeros in x and in z', () => {
    for (const single of singleOps.filter(({ node }) =>
      ['einsum', 'conv', 'conv_transpose', 'add'].includes(node.op),
    )) {
      const { inputs, weights } = dataFor(single, 'with exact zeros', 3);
      const values = evaluate(single.graph, dialect, inputs, weights).z!.data;
      expect(inputs.x!.data.includes(0), single.name).toBe(true);
      expect(values.includes(0), single.name).toBe(true);
    }
  });
});
