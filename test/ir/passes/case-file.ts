// Case files: the pass to run, the input graphs and the expected graphs, in one text.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Dialect } from '../../../src/ir/dialect.js';
import type { Graph } from '../../../src/ir/graph.js';
import { parseAll } from '../../../src/ir/parse.js';
import { type Pass, type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { print } from '../../../src/ir/print.js';
import { weightsFor } from '../support.js';

const divider = '// expect\n';

export interface CaseFile {
  readonly pass: Pass;
  /** The graphs above the divider, with weights made up from their keys. */
  readonly programs: readonly Program[];
  /** The text below the divider. */
  readonly expected: string;
  /** Puts `text` below the divider. */
  bless(text: string): void;
}

/** `// pass: <name>`, the input graphs, `// expect`, the expected graphs. */
export function readCase(file: URL, passes: readonly Pass[], dialect: Dialect): CaseFile {
  const text = readFileSync(file, 'utf8');
  const name = /^\/\/ pass: (.+)$/m.exec(text)?.[1];
  const pass = passes.find((known) => known.name === name);
  if (pass === undefined) {
    throw new Error(
      `${file.pathname}: no pass '${name}'; there are ${passes.map((known) => known.name).join(', ')}`,
    );
  }
  const [given, expected = ''] = text.split(divider) as [string, string?];
  const programs = parseAll(given, dialect, file.pathname).map((graph) => ({
    graph,
    weights: weightsFor(graph, 1),
  }));
  return { pass, programs, expected, bless: (result) => writeFileSync(file, `${given}${divider}${result}`) };
}

/** What the pass makes of each graph. */
export function runCase({ pass, programs }: CaseFile, dialect: Dialect): Program[] {
  return programs.map((program) => runPasses(program, [pass], dialect));
}

export function printAll(graphs: readonly Graph[]): string {
  return graphs.map((graph) => print(graph)).join('\n');
}
