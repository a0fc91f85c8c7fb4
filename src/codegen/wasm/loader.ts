// The loader of emitted explainers as one module: the files of the run-time joined, and compiled to JavaScript.
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Project, SourceFile, Statement } from 'ts-morph';

const sources = new URL('../../../src/codegen/wasm/', import.meta.url);

/** The file that exports what a loader does; what it imports is found from there. */
const entry = 'runtime/explainer.ts';

/** What the loader exports. */
const exported: ReadonlySet<string> = new Set([
  ...['ExplainOptions', 'Explainer', 'ExplainerError', 'Explanation', 'InputValue'],
  ...['LoadOptions', 'Manifest', 'Values', 'load'],
]);

/** Files that are the same for every explainer. */
export type LoaderFiles = Readonly<Record<'explainer.js' | 'explainer.d.ts' | 'worker.js', string>>;

/** A file and all that it imports, each after those that it imports itself. */
async function filesFrom(project: Project, path: string): Promise<SourceFile[]> {
  const file = project.createSourceFile(path, await readFile(new URL(path, sources), 'utf8'));
  const files: SourceFile[] = [];
  for (const declaration of file.getImportDeclarations()) {
    const imported = posix.join(posix.dirname(path), declaration.getModuleSpecifierValue());
    const source = imported.replace(/\.js$/, '.ts');
    if (project.getSourceFile(source) === undefined) files.push(...(await filesFrom(project, source)));
  }
  return [...files, file];
}

/** The text of a file without its imports, exporting only what the loader exports. */
function joined(file: SourceFile, { Node }: typeof import('ts-morph')): string {
  const namesOf = (statement: Statement): (string | undefined)[] => {
    if (Node.isVariableStatement(statement)) return statement.getDeclarations().map((one) => one.getName());
    return Node.hasName(statement) ? [statement.getName()] : [];
  };
  const [heading] = file.getFullText().split('\n', 1);
  for (const declaration of file.getImportDeclarations()) declaration.remove();
  for (const statement of file.getStatements()) {
    const isInner = !namesOf(statement).some((name) => exported.has(name ?? ''));
    if (isInner && Node.isExportable(statement)) statement.setIsExported(false);
  }
  const text = file.getFullText();
  // The first line goes with the import that it stands before
  return text.startsWith(heading!) ? text : `${heading}\n\n${text}`;
}

async function makeLoader(): Promise<LoaderFiles> {
  const morph = await import('ts-morph');
  const project = new morph.Project({
    // Types are checked where the files stand, and all that declarations need is written out there
    compilerOptions: {
      target: morph.ScriptTarget.ES2022,
      module: morph.ModuleKind.ES2022,
      declaration: true,
      noLib: true,
    },
    skipLoadingLibFiles: true,
    useInMemoryFileSystem: true,
  });
  const files = await filesFrom(project, entry);
  const text = files.map((file) => joined(file, morph)).join('\n');
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
