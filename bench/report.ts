// Reports: aligned tables for the terminal and for Markdown, and the line that says where and when it was measured.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const isNumber = (cell: string) => /^[-–\d]/.test(cell) || cell === '';

/** Whether each column has numbers, which stand right. */
function numeric({ head, rows }: Table): boolean[] {
  return head.map((_, column) => rows.every((row) => isNumber(row[column]!)));
}

function padded(rows: readonly (readonly string[])[], right: readonly boolean[]): string[][] {
  const widths = right.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    ),
  );
}

export function forTerminal(table: Table): string {
  const lines = padded([table.head, ...table.rows], numeric(table));
  return [table.title, ...lines.map((cells) => `  ${cells.join('  ').trimEnd()}`)].join('\n');
}

export function asMarkdown(table: Table): string {
  const right = numeric(table);
  const rule = right.map((isRight) => (isRight ? '--:' : ':--'));
  const lines = padded([table.head, rule, ...table.rows], right).map((cells) => `| ${cells.join(' | ')} |`);
  return [`### ${table.title}`, '', ...lines].join('\n');
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return `commit ${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with changes'}`;
  } catch {
    return 'no commit known';
  }
}

/** `2 × AMD EPYC …, 23 GB, node v20.20.2, tfjs 4.22.0, 2026-11-25, commit 1234567` */
export function machineLine(): string {
  const all = cpus();
  return [
    `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `node ${process.version}`,
    `tfjs ${tf.version_core}`,
    new Date().toISOString().slice(0, 10),
    commit(),
  ].join(', ');
}

/** Three significant digits or whole numbers. */
export function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
