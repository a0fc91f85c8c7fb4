// The check: relevance accounted for node by node on one sample, in f64, beside what the compiled explainer says.
import { leftConstants } from '../ir/analyses/left-constants.js';
import type { Dialect } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { evaluatePaced, type Inputs, type PacedOptions } from '../ir/evaluate.js';
import type { Name } from '../ir/graph.js';
import { commonSubexpressions } from '../ir/passes/common-subexpressions.js';
import { deadCode, removeDeadCode } from '../ir/passes/dead-code.js';
import { type Program, runPasses } from '../ir/passes/pass.js';
import { simplify } from '../ir/passes/simplify.js';
import { stated } from '../ir/stated.js';
import type { TensorData } from '../ir/tensor.js';
import { type Account, accountKey, addAccount, type Flow } from '../rules/account.js';
import { expandBy } from '../rules/expand.js';
import { relevanceKey } from '../rules/explanation.js';
import type { Seed } from '../rules/presets.js';
import { againstInput, targetInput } from '../rules/seed.js';
import { reportOf } from './balance.js';
import type { Agreement, ConservationReport } from './conservation.js';
import { type Compiled, dialectWith } from './pipeline.js';

/** One sample that was explained by the compiled program. */
export interface Run {
  /** What the inputs were given. */
  readonly inputs: Inputs;
  /** What the outputs are. */
  readonly outputs: Readonly<Record<string, TensorData>>;
}

interface AccountProgram {
  readonly account: Account;
  readonly program: Program;
}

/** Made once for a compiled program, however many samples are checked. */
const accountPrograms = new WeakMap<Compiled, AccountProgram>();

/** A compiled program in which relevance flows. */
type Accountable = Compiled & { readonly flow: Flow };

/** @throws RelcError RELC3005 where nothing flows */
function expectFlow(compiled: Compiled): asserts compiled is Accountable {
  if (compiled.flow !== undefined) return;
  throw new RelcError(
    'RELC3005',
    'attention as it is propagates no relevance: there is nothing to account for',
    'check rules that do, such as attnlrp or transformer-attribution',
  );
}

function accountProgramOf(compiled: Accountable): AccountProgram {
  const known = accountPrograms.get(compiled) ?? accountProgram(compiled);
  accountPrograms.set(compiled, known);
  return known;
}

/** The graph of the rule lines with its account, down to ops, and no more than the check reads. */
function accountProgram({ stages, flow, rules, weights }: Accountable): AccountProgram {
  const ops: Dialect = dialectWith(rules);
  const account = addAccount(stages.get('specialize')!, ops, flow, rules);
  const wanted = (key: string) => key.startsWith(accountKey) || key.startsWith(relevanceKey(''));
  const outputs = Object.fromEntries(Object.entries(account.graph.outputs).filter(([key]) => wanted(key)));
  const passes = [expandBy(rules), simplify, commonSubexpressions, deadCode];
  return { account, program: runPasses({ graph: { ...account.graph, outputs }, weights }, passes, ops) };
}

/** max|a − b| over all relevances, as a share of max|b|; not a number where one of them is none. */
function largestDifference(given: Run['outputs'], exact: Run['outputs'], keys: readonly string[]): number {
  let [difference, largest] = [0, 0];
  for (const key of keys) {
    const [a, b] = [given[key]!.data, exact[key]!.data];
    for (let i = 0; i < b.length; i++) {
      const own = Math.abs(a[i]! - b[i]!);
      if (Number.isNaN(own)) return own;
      difference = Math.max(difference, own);
      largest = Math.max(largest, Math.abs(b[i]!));
    }
  }
  return difference === 0 ? 0 : difference / largest;
}

/** Differences up to this share of max|R| may be rounding in f32 on any deep network, and no picture shows them. */
const negligible = 1e-3;

/** Compares a run with relevance in f64; where it differs, also with what the evaluator makes of it in f32. */
async function agreementOf(
  run: Run['outputs'],
  exact: Run['outputs'],
  inF32: (outputs: readonly string[]) => Promise<Run['outputs']>,
): Promise<Agreement> {
  const keys = Object.keys(exact).filter((key) => !key.startsWith(accountKey));
  const difference = largestDifference(run, exact, keys);
  if (difference <= negligible) return { difference, ok: true };
  const rounding = largestDifference(await inF32(keys), exact, keys);
  return { difference, rounding, ok: difference <= Math.max(negligible, 10 * rounding) };
}

/** Constants that canonicalization left as ops of their own, where relevance passes. */
function ruledConstants({ stages, chosen }: Compiled): readonly Name[] {
  const ruled = new Set(chosen.map(({ node }) => node));
  return leftConstants(stages.get('canonicalize')!).flatMap(({ name }) => (ruled.has(name) ? [name] : []));
}

/** @throws RelcError RELC4002 where there are several samples */
export function expectOneSample(samples: number): void {
  if (samples === 1) return;
  throw new RelcError(
    'RELC4002',
    `a check takes one sample, but ${samples} were given`,
    'check the samples of a batch one by one: each has an account of its own',
  );
}

/** The classes that were explained: on a tie f64 might choose others. */
function chosenClasses({ target, against }: Run['outputs']): Inputs {
  const input = ({ data }: TensorData) =>
    ({ dtype: 'i32', shape: [1], data: Int32Array.from(data) }) as const;
  return {
    ...(target === undefined ? {} : { [targetInput]: input(target) }),
    ...(against === undefined ? {} : { [againstInput]: input(against) }),
  };
}

/** Accounts for the relevance of one sample. @throws the signal's reason where it aborts */
export async function checkConservation(
  compiled: Compiled,
  run: Run,
  { rules, seed, ...paced }: { rules: string; seed: Seed } & PacedOptions,
): Promise<ConservationReport> {
  expectFlow(compiled);
  const { account, program } = accountProgramOf(compiled);
  const inputs = { ...run.inputs, ...chosenClasses(run.outputs) };
  const ops = dialectWith(compiled.rules);
  const { graph, weights } = program;
  const values = await evaluatePaced(graph, ops, inputs, weights, 'f64', paced);
  const agreement = await agreementOf(run.outputs, values, (keys) => {
    const outputs = Object.fromEntries(keys.map((key) => [key, graph.outputs[key]!]));
    const alone = removeDeadCode({ ...graph, outputs });
    const { signal } = paced;
    return evaluatePaced(alone, ops, inputs, weights, 'f32', stated({ signal }));
  });
  return reportOf(account, (key) => values[key]!.data[0]!, {
    rules,
    seed,
    target: run.outputs.target!.data[0]!,
    quantity: compiled.flow.quantity,
    agreement,
    leftConstants: ruledConstants(compiled),
  });
}
