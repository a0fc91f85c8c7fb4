// The loader of emitted explainers as one module: the files of the run-time joined, and compiled to JavaScript.
import { readFile } from 'node:fs/promises';
import type { SourceFile, Statement } from 'ts-morph';

const sources = new URL('../../../src/codegen/wasm/', import.meta.url);

/** Files of the loader, each after those that it imports. */
const parts = [
  'layout.ts',
  'runtime/error.ts',
  'runtime/surroundings.ts',
  'runtime/threads.ts',
  'runtime/machine.ts',
  'runtime/program.ts',
  'runtime/weights.ts',
  'runtime/explanation.ts',
  'runtime/checks.ts',
  'runtime/explainer.ts',
];

/** What the loader exports. */
const exported: ReadonlySet<string> = new Set([
  ...['ExplainOptions', 'Explainer', 'ExplainerError', 'Explanation', 'InputValue'],
  ...['LoadOptions', 'Manifest', 'Values', 'load'],
]);

/** Files that are the same for every explainer. */
export type LoaderFiles = Readonly<Record<'explainer.js' | 'explainer.d.ts' | 'worker.js', string>>;

async function makeLoader(): Promise<LoaderFiles> {
  const { ModuleKind, Node, Project, ScriptTarget } = await import('ts-morph');
  const project = new Project({
    // Types are checked where the parts stand; here all that declarations need is written out
    compilerOptions: {
      target: ScriptTarget.ES2022,
      module: ModuleKind.ES2022,
      declaration: true,
      noLib: true,
    },
    skipLoadingLibFiles: true,
    useInMemoryFileSystem: true,
  });
  const namesOf = (statement: Statement): (string | undefined)[] => {
    if (Node.isVariableStatement(statement)) return statement.getDeclarations().map((one) => one.getName());
    return Node.hasName(statement) ? [statement.getName()] : [];
  };
  /** A part without its imports, exporting only what the loader exports. */
  const joined = (file: SourceFile): string => {
    for (const declaration of file.getImportDeclarations()) declaration.remove();
    for (const statement of file.getStatements()) {
      const isInner = !namesOf(statement).some((name) => exported.has(name ?? ''));
      if (isInner && Node.isExportable(statement)) statement.setIsExported(false);
    }
    return file.getFullText();
  };
  const texts = await Promise.all(parts.map((path) => readFile(new URL(path, sources), 'utf8')));
  const files = texts.map((text, index) => project.createSourceFile(`part${index}.ts`, text));
  const text = files.map(joined).join('\n');
  for (const file of files) project.removeSourceFile(file);
  project.createSourceFile('explainer.ts', text);
  const emitted = project.emitToMemory().getFiles();
  const ending = (end: string) => emitted.find(({ filePath }) => filePath.endsWith(end))!.text;
  return {
    'explainer.js': ending('explainer.js'),
    'explainer.d.ts': ending('explainer.d.ts'),
    'worker.js': await readFile(new URL('runtime/worker.js', sources), 'utf8'),
  };
}

let loader: Promise<LoaderFiles> | undefined;

/** The loader, which is made once. */
export function loaderFiles(): Promise<LoaderFiles> {
  loader ??= makeLoader();
  return loader;
}
