// The shape of the source tree: imports run one way, files are short and say what they are about.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../src/', import.meta.url));

interface SourceFile {
  /** Under src, with slashes: `ir/graph.ts`. */
  readonly path: string;
  readonly text: string;
}

const files: readonly SourceFile[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));

/** What each folder may import of ours besides itself; `*` is all of it. */
const mayImport: Readonly<Record<string, readonly string[] | '*'>> = {
  ir: [],
  trace: ['ir'],
  rules: ['ir'],
  codegen: ['ir'],
  api: ['ir', 'trace', 'rules', 'codegen'],
  cli: '*',
  'index.ts': '*',
};

/** The folder under src, or the file itself where it stands in none. */
const partOf = (path: string) => path.split('/')[0]!;

/** Modules named by import and export statements and by import() in expressions and types. */
function importsOf(text: string): string[] {
  const statement = /(?:^|[;\n])\s*(?:import|export)\b[^;'"]*?\bfrom\s*(['"])(.+?)\1/g;
  const bare = /(?:^|[;\n])\s*import\s*(['"])(.+?)\1/g;
  const call = /\bimport\(\s*(['"])(.+?)\1/g;
  return [statement, bare, call].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[2]!));
}

/** Imports of other parts that the table does not allow, as `from → to`. */
function forbidden({ path, text }: SourceFile): string[] {
  const part = partOf(path);
  const allowed = mayImport[part] ?? [];
  return importsOf(text)
    .filter((module) => module.startsWith('.'))
    .map((module) => posix.join(posix.dirname(path), module))
    .filter((target) => partOf(target) !== part)
    .filter((target) => target.startsWith('..') || (allowed !== '*' && !allowed.includes(partOf(target))))
    .map((target) => `${path} → ${target}`);
}

describe('imports', () => {
  it('are found in every form', () => {
    const text = [
      "import { a } from './a.js';",
      "import type {\n  B,\n} from './b.js';",
      "import './c.js';",
      "export * from './d.js';",
      "export { type E, e } from './e.js';",
      "const f = await import('./f.js');",
      "type G = import('./g.js').G;",
      'import h from "./h.js";',
      'const none = "from \'./i.js\'";',
    ].join('\n');
    expect(importsOf(text).sort()).toEqual(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => `./${name}.js`),
    );
  });

  it('run one way', () => {
    expect(files.flatMap(forbidden)).toEqual([]);
  });

  it('would be told if they ran another way', () => {
    const wrong = [
      { path: 'ir/print.ts', text: "import { a } from '../rules/rules.js';" },
      { path: 'trace/kernels/kernel.ts', text: "import { a } from '../../codegen/lower.js';" },
      { path: 'codegen/lower.ts', text: "import { a } from '../../test/support.js';" },
      { path: 'other/new.ts', text: "import { a } from '../ir/graph.js';" },
    ];
    const right = {
      path: 'rules/rules.ts',
      text: "import { a } from '../ir/graph.js';\nimport './plain.js';",
    };
    expect([...wrong, right].flatMap(forbidden)).toEqual([
      'ir/print.ts → rules/rules.js',
      'trace/kernels/kernel.ts → codegen/lower.js',
      'codegen/lower.ts → ../test/support.js',
      'other/new.ts → ir/graph.js',
    ]);
  });

  it('are made in folders that the table knows', () => {
    expect(Object.keys(mayImport)).toEqual(
      expect.arrayContaining([...new Set(files.map(({ path }) => partOf(path)))]),
    );
  });
});

describe('every source file', () => {
  it('is there to be looked at', () => {
    expect(files.length).toBeGreaterThan(50);
  });

  it('has at most 400 lines', () => {
    const long = files.filter(({ text }) => text.trimEnd().split('\n').length > 400);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('begins with a comment that says what it is about', () => {
    const silent = files.filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it.each([
    ['any as a type', /:\s*any(?=\[\]|\s*(?:[;,)=\]}>|&]|$))/m],
    ['a cast to any', /\bas any(?=\[\]|\s*(?:[;,)\]}.]|$))/m],
    ['@ts-ignore', /@ts-ignore/],
    ['@ts-nocheck', /@ts-nocheck/],
    ['eval', /\beval\(/],
    ['new Function', /\bnew Function\(/],
  ])('does without %s', (_, pattern) => {
    expect(files.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
