// Emitted explainers on disk, loaded here or in a process of their own.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import type { Explainer, LoadOptions } from '../../../src/codegen/wasm/runtime/explainer.js';

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** What an emitted module exports. */
export interface EmittedModule {
  load(options?: LoadOptions): Promise<Explainer>;
}

const outer: string[] = [];
afterAll(() => {
  for (const folder of outer.splice(0)) rmSync(folder, { recursive: true });
});

/** Writes files to a folder of their own, far from all packages; it is removed after the tests of the file. */
export function written(files: Files): string {
  outer.push(mkdtempSync(join(tmpdir(), 'relc-emitted-')));
  const folder = join(outer.at(-1)!, 'explainer');
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

/** The module in a folder. */
export const importFrom = async (folder: string): Promise<EmittedModule> =>
  (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'explainer.js')).href)) as EmittedModule;

/**
 * What a script prints that is run beside the folder of an explainer, with nothing installed and no code from strings.
 * @param kilobytes  of address space that the process may have, where it is limited
 */
export async function printedBeside(folder: string, script: string, kilobytes?: number): Promise<string> {
  const path = join(folder, '..', 'script.mjs');
  writeFileSync(path, script);
  const command = [process.execPath, '--disallow-code-generation-from-strings', path];
  const limited = ['sh', '-c', `ulimit -v ${kilobytes} && exec "$0" "$@"`, ...command];
  const [program, ...args] = kilobytes === undefined ? command : limited;
  const { stdout, stderr } = await promisify(execFile)(program!, args, {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH },
    maxBuffer: 2 ** 28,
    timeout: 30_000,
  });
  if (stderr !== '') throw new Error(stderr);
  return stdout;
}
