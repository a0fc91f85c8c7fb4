// Reports: aligned tables for the terminal and for Markdown, and the line that says where and when it was measured.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The first column is text; numbers stand right. */
function padded(rows: readonly (readonly string[])[], texts: number): string[][] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      column < texts ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    ),
  );
}

const isNumber = (cell: string) => /^[-–\d]/.test(cell) || cell === '';

/** Columns before the first with numbers. */
function textColumns({ head, rows }: Table): number {
  const first = head.findIndex((_, column) => rows.every((row) => isNumber(row[column]!)));
  return first === -1 ? head.length : first;
}

export function forTerminal(table: Table): string {
  const lines = padded([table.head, ...table.rows], textColumns(table));
  return [table.title, ...lines.map((cells) => `  ${cells.join('  ').trimEnd()}`)].join('\n');
}

export function asMarkdown(table: Table): string {
  const texts = textColumns(table);
  const rule = table.head.map((_, column) => (column < texts ? ':--' : '--:'));
  const lines = padded([table.head, rule, ...table.rows], texts).map((cells) => `| ${cells.join(' | ')} |`);
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
