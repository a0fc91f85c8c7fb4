// The public API as declarations: every change to it shows in the snapshot.
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** Declarations of src/index.ts and of what it exports from, by path. */
function declarations(): Map<string, string> {
  const config = ts.readConfigFile(join(root, 'tsconfig.build.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const files = new Map<string, string>();
  const outDir = join(root, 'dist');
  const program = ts.createProgram([join(root, 'src/index.ts')], {
    ...options,
    emitDeclarationOnly: true,
    sourceMap: false,
  });
  program.emit(undefined, (name, text) => files.set(relative(outDir, name), text));
  return files;
}

/** The modules that a declaration file exports from. */
function exportedFrom(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/^export .* from '(\..*)\.js';$/gm)];
  return specifiers.map(([, specifier]) => join(dirname(path), `${specifier}.d.ts`));
}

it('the public API is what the snapshot says', async () => {
  const files = declarations();
  const index = files.get('index.d.ts')!;
  const modules = ['index.d.ts', ...new Set(exportedFrom('index.d.ts', index))];
  expect(modules.length).toBeGreaterThan(10);
  const text = modules.map((path) => `// ${path}\n${files.get(path)!.trim()}\n`).join('\n');
  await expect(text).toMatchFileSnapshot('public-api.snapshot.txt');
});
