// The conservation report in a terminal: where the start goes, and which nodes lose what.
import { causesBySize, endingAmounts, leastNamed, roundingText, shareText } from '../api/balance.js';
import type { Agreement, ConservationReport, NodeBalance } from '../api/conservation.js';
import type { Cause } from '../rules/cause-names.js';
import { styled, type Terminal, table } from './terminal.js';

/** `███`, or `▒▒▒` for what is negative, by the share of the largest amount. */
function bar(amount: number, largest: number, width: number): string {
  if (!Number.isFinite(amount) || largest === 0) return '';
  return (amount < 0 ? '▒' : '█').repeat(Math.round((Math.abs(amount) / largest) * width));
}

/** What is at the inputs, each cause, and what is unexplained: a line each, with a bar. */
export function printTotals(terminal: Terminal, report: ConservationReport): void {
  const { start, unit, causes, unexplained, ok } = report;
  const arrived = endingAmounts(report.arrived).map(({ value, amount }): [string, number] => [
    `arrives at %${value}`,
    amount,
  ]);
  const lines: [string, number][] = [...arrived, ...causesBySize(causes, start, 0)];
  const largest = Math.max(...lines.map(([, amount]) => Math.abs(amount)));
  const rows = lines.map(([name, amount]) => [name, shareText(amount, start), bar(amount, largest, 40)]);
  const left = ok ? roundingText(unexplained, start) : shareText(unexplained, start);
  const text = table([['', `of ${unit}`, ''], ...rows, ['unexplained', left, ok ? 'rounding' : '']]).split(
    '\n',
  );
  terminal.out(styled(terminal, 'dim', text[0]!));
  for (const line of text.slice(1, -1)) terminal.out(line);
  terminal.out(styled(terminal, ok ? 'green' : 'red', text.at(-1)!));
}

/** The end of a long name says more than its beginning. */
function shortened(name: string, width: number): string {
  return name.length <= width ? name : `…${name.slice(name.length - width + 1)}`;
}

/** The least width of the names in the table. */
const leastNameWidth = 34;

/** A share of the start in percent, with two decimals so that points stand below each other. */
const cellOf = (amount: number, start: number) =>
  start === 0 ? amount.toPrecision(3) : ((100 * amount) / start).toFixed(2);

const isShown = (amount: number, start: number) =>
  amount !== 0 && !(Math.abs(amount) < leastNamed * Math.abs(start));

/** Whether a node loses enough to be listed. */
function losesMuch({ leaks, ok }: NodeBalance, start: number): boolean {
  return !ok || Object.values(leaks).some((amount) => isShown(amount, start));
}

/** Causes in order of their totals, those that a node of the list shows. */
function columnsOf(nodes: readonly NodeBalance[], { causes, start }: ConservationReport): Cause[] {
  const size = (cause: Cause) => Math.abs(causes[cause] ?? 0);
  return (Object.keys(causes) as Cause[])
    .filter((cause) => nodes.some(({ leaks }) => isShown(leaks[cause] ?? 0, start)))
    .sort((a, b) => size(b) - size(a));
}

function rowOf(node: NodeBalance, start: number, columns: readonly Cause[]): string[] {
  const lost = columns.map((cause) => {
    const amount = node.leaks[cause] ?? 0;
    return amount === 0 ? '' : cellOf(amount, start);
  });
  return [node.rule, cellOf(node.arriving, start), cellOf(node.leaving, start), ...lost];
}

/**
 * Nodes from the output to the inputs, with what arrives, leaves and is lost.
 * @param all  also those that lose next to nothing
 */
export function printNodes(terminal: Terminal, report: ConservationReport, all: boolean): void {
  const { start, nodes, unit } = report;
  const shown = nodes.filter((node) => all || losesMuch(node, start));
  const columns = columnsOf(shown, report);
  const isExplained = shown.every(({ ok }) => ok);
  const header = ['rule', 'ΣR in', 'ΣR out', ...columns, ...(isExplained ? [] : ['UNEXPLAINED'])];
  const rows = shown.map((node) => [
    ...rowOf(node, start, columns),
    ...(isExplained ? [] : [node.ok ? '' : cellOf(node.unexplained, start)]),
  ]);
  const numbers = table([header, ...rows]).split('\n');
  const rest = Math.max(...numbers.map((line) => line.length)) + 3;
  const width = Math.max(leastNameWidth, terminal.columns - rest);
  const names = ['value', ...shown.map(({ name }) => `%${shortened(name, width)}`)];
  const longest = Math.max(...names.map((name) => name.length));
  const lines = names.map((name, index) => `${name.padEnd(longest)}  ${numbers[index]}`);
  if (shown.length > 0) {
    const what = start === 0 ? 'amounts' : `in % of ${unit}`;
    terminal.out(
      `${what}, from the output to the inputs; what a node loses is positive, what it adds negative`,
    );
    terminal.out(styled(terminal, 'dim', lines[0]!));
    for (const [index, line] of lines.slice(1).entries()) {
      terminal.out(shown[index]!.ok ? line : styled(terminal, 'red', line));
    }
  }
  const hidden = nodes.length - shown.length;
  if (hidden > 0) {
    const what = `${hidden} ${shown.length > 0 ? 'more ' : ''}${hidden === 1 ? 'node loses' : 'nodes lose'}`;
    terminal.out(styled(terminal, 'dim', `${what} less than 0.05 % by any cause: --all lists them`));
  }
}

/** What else to know of a report. */
export function printRemarks(terminal: Terminal, report: ConservationReport, backend: string): void {
  const { accountedAs, agreement, leftConstants, nodes } = report;
  if (accountedAs === 'value × gradient') {
    terminal.out('amounts are value × gradient: what a linear model would have as relevance');
  }
  const plain = nodes.filter(({ hasFormula }) => !hasFormula).map(({ name, op }) => `%${name} (${op})`);
  if (plain.length > 0) terminal.out(`without a formula of what is lost: ${plain.join(', ')}`);
  if (leftConstants.length > 0) {
    const names = leftConstants.map((name) => `%${name}`).join(', ');
    terminal.out(`constants that no layer took, with rules of their own: ${names}`);
  }
  terminal.out(agreementText(terminal, agreement, backend));
}

function agreementText(terminal: Terminal, { difference, rounding, ok }: Agreement, backend: string): string {
  const share = (amount: number) => roundingText(amount, 1);
  const text = `the compiled explainer (${backend}) is within ${share(difference)} of max|R| of the account in f64`;
  const told = rounding === undefined ? text : `${text}; rounding in f32 alone makes ${share(rounding)}`;
  return ok ? told : styled(terminal, 'red', told);
}
