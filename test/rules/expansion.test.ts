// Reference against expansion: each rule, on each op and operand it suits, computed by two independent routes.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph } from '../../src/ir/graph.js';
import { isBatched } from '../../src/ir/type.js';
import { type RuleName, ruleTable } from '../../src/rules/rules.js';
import { dataFor, flavours, type SingleOp, type SingleOpData, singleOps } from './single-ops.js';
import { dialect, lower, relativeError, row, withRule } from './support.js';

const signed = { denominator: 'signed', eps: 1e-6 };
const clip = { denominator: 'clip', eps: 0.25 };
const plain = { denominator: 'plain', eps: 1e-6 };
const chefer = { denominator: 'chefer', eps: 1e-9 };
const zeroOnly = { denominator: 'zero-only', eps: 1e-7 };
const scaled = { denominator: 'signed', eps: 0.1, normScale: true };
const zeroBias = { zeroBias: true };

/** The parameters that each rule is tried with. */
const variants: Readonly<Record<RuleName, readonly Attrs[]>> = {
  zero: [{ denominator: 'exact' }, { denominator: 'exact', ...zeroBias }],
  epsilon: [
    signed,
    clip,
    plain,
    chefer,
    zeroOnly,
    scaled,
    { ...signed, ...zeroBias },
    { ...scaled, ...zeroBias },
  ],
  alphaBeta: [
    { alpha: 2, beta: 1, ...signed },
    { alpha: 1.5, beta: 0.5, ...clip, ...zeroBias },
    { alpha: 1, beta: 0, ...chefer, ...zeroBias },
    { alpha: 2, beta: 1, ...scaled },
    { alpha: 2, beta: 1, ...signed, nonnegative: true },
  ],
  zPlus: [signed, { ...signed, ...zeroBias }, scaled, { ...signed, nonnegative: true }],
  flat: [signed, scaled],
  pass: [{}],
  route: [{}],
  winner: [{}],
  gradient: [{}],
  norm: [signed, { ...chefer, share: 0.5 }, scaled],
  cheferAdd: [chefer, signed],
};

interface Trial {
  readonly rule: RuleName;
  readonly params: Attrs;
  readonly single: SingleOp;
  readonly operand: number;
}

/** Operands that relevance can reach: inputs in 32-bit floating point. */
function activeOperands({ graph, node }: SingleOp): number[] {
  return node.args.flatMap((arg, slot) => {
    const { op, type } = graph.nodes.get(arg)!;
    return op === 'input' && type.dtype === 'f32' ? [slot] : [];
  });
}

/** The relevance pass gives all operands of a node one rule: it must suit every one that relevance can reach. */
const suits = (rule: RuleName, single: SingleOp) =>
  activeOperands(single).every((operand) => ruleTable[rule].unsuited(single.node, operand) === undefined);

const ruleNames = Object.keys(ruleTable) as RuleName[];

const trials: readonly Trial[] = ruleNames.flatMap((rule) =>
  singleOps
    .filter((single) => suits(rule, single))
    .flatMap((single) => activeOperands(single).map((operand) => ({ single, operand })))
    .flatMap((where) => (variants[rule] ?? []).map((params) => ({ rule, params, ...where }))),
);

function run(graph: Graph, { inputs, weights }: SingleOpData): ArrayLike<number> {
  return evaluate(graph, dialect, inputs, weights).r!.data;
}

/** The same data, one sample alone. */
function alone({ inputs, weights }: SingleOpData, sample: number): SingleOpData {
  const rows = Object.entries(inputs).map(([name, data]) => [name, row(data, sample)]);
  return { inputs: Object.fromEntries(rows), weights };
}

/** The data with what its parameters promise: |x| where x is said never to be negative. */
function promised({ params }: Trial, { inputs, weights }: SingleOpData): SingleOpData {
  if (params.nonnegative !== true) return { inputs, weights };
  const x = { ...inputs.x!, data: inputs.x!.data.map(Math.abs) };
  return { inputs: { ...inputs, x }, weights };
}

/** Both graphs agree on a batch, and each gives a sample what it gives to that sample alone. */
function compare(reference: Graph, expanded: Graph, data: SingleOpData): void {
  const wanted = run(reference, data);
  const got = run(expanded, data);
  expect(relativeError(got, wanted)).toBeLessThan(1e-12);
  if (!isBatched(reference.nodes.get('z')!.type)) return;
  const size = wanted.length / 3;
  for (let sample = 0; sample < 3; sample++) {
    const part = (values: ArrayLike<number>) => Array.from(values).slice(sample * size, (sample + 1) * size);
    expect(Array.from(run(expanded, alone(data, sample)))).toEqual(part(got));
    expect(Array.from(run(reference, alone(data, sample)))).toEqual(part(wanted));
  }
}

const printed = (params: Attrs) =>
  Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

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
      compare(reference, expanded, promised(trial, dataFor(single, flavour, seed + 1)));
    }
  });
});

describe('what is tried', () => {
  it.each(ruleNames)('%s is tried, with every parameter it has', (rule) => {
    expect(trials.some((trial) => trial.rule === rule)).toBe(true);
    const tried = new Set(variants[rule].flatMap((params) => Object.keys(params)));
    expect(Object.keys(ruleTable[rule].attrs).filter((name) => !tried.has(name))).toEqual([]);
  });

  it('every op with a derivative, but for elementary functions that no composite names', () => {
    const tried = new Set(singleOps.map(({ node }) => node.op));
    const untried = Object.entries(forward).filter(([op, { vjp }]) => vjp !== undefined && !tried.has(op));
    expect(untried.map(([op]) => op).sort()).toEqual(
      ['abs', 'cos', 'erf', 'log', 'negative_part', 'pow', 'reciprocal', 'rsqrt', 'sin', 'sqrt'].sort(),
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
