// docs/conformance.md: how many recorded runs pass, how close they are, and what differs on purpose.
import type { Difference } from './differences.js';
import { type Comparison, outcomeOf, passes, type Run, type Suite, shareOf } from './suite.js';

interface Located extends Comparison {
  readonly run: Run;
}

function comparisonsOf(run: Run): Located[] {
  return outcomeOf(run).comparisons.map((comparison) => ({ ...comparison, run }));
}

export function hasPassed(run: Run): boolean {
  const { comparisons } = outcomeOf(run);
  return comparisons.length > 0 && comparisons.every(passes);
}

/** One significant digit: the same on every machine. */
function printShare(share: number): string {
  if (share < 0.01) return '< 0.01';
  return share < 1 ? share.toPrecision(1) : share.toPrecision(2);
}

interface Row {
  readonly suite: Suite;
  readonly passed: number;
  readonly compared: readonly Located[];
}

function rowOf(suite: Suite): Row {
  const judged = suite.runs.filter((run) => !suite.different.includes(run.id));
  return { suite, passed: judged.filter(hasPassed).length, compared: judged.flatMap(comparisonsOf) };
}

function printRow({ suite, passed, compared }: Row): string {
  const { peer, name, precision, runs, different } = suite;
  const worst = compared.reduce((far, next) => (shareOf(next) > shareOf(far) ? next : far));
  const where = worst.error === 0 ? '' : `\`${worst.run.id}\` at \`${worst.at}\``;
  const cells = [
    peer,
    name,
    precision,
    `${passed} of ${runs.length}`,
    String(different.length),
    String(compared.length),
    worst.error === 0 ? '0' : printShare(shareOf(worst)),
    where,
  ];
  return `| ${cells.join(' | ')} |`;
}

const head = `# Conformance

What other implementations computed on random, seeded models and inputs, and whether relc computes the same. The
recordings are in [test/fixtures](../test/fixtures/README.md); \`test/rules/conformance.test.ts\` compares every
recorded tensor and writes this page.

A tensor passes when its largest error is at most max(1e-5, 10 × the peer's own rounding error) of the largest
recorded value. The peer's rounding error is that of its run in 32 bits against its run in 64; the relevance of the
input is compared with the latter where it was recorded. What is not a number never passes.

Whole models are computed by the graph of a compiled explainer, after all passes; single layers by the expansion of
their rule and by its formula on a dense Jacobian, and the larger error counts. The reference evaluator computes in 64
bits, or in 32 where the peer's arithmetic has to be followed: Chefer et al.'s 1e-9 lies below what 32 bits resolve.
`;

/** The page. */
export function printPage(suites: readonly Suite[], differences: readonly Difference[]): string {
  const rows = suites.map(rowOf);
  const sum = (count: (row: Row) => number) => rows.reduce((so, row) => so + count(row), 0);
  const recorded = sum(({ suite }) => suite.runs.length);
  return [
    head,
    `${sum(({ passed }) => passed)} of ${recorded} recorded runs pass, in ` +
      `${sum(({ compared }) => compared.length)} tensors; ` +
      `${sum(({ suite }) => suite.different.length)} differ deliberately.\n`,
    '| peer | recording | ours in | runs that pass | deliberately different | tensors | largest error / tolerance | where |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(printRow),
    '\n## Deliberate differences\n',
    ...differences.map(({ name, sentence }) => `- **${name}.** ${sentence}`),
    '',
  ].join('\n');
}
