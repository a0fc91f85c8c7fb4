// Reading and writing files, with errors that say which file and what to do.
import { access, appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RelcError } from '../ir/error.js';

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'EACCES') return 'permission was denied';
  return message;
}

const unreadable = (path: string, error: unknown) =>
  new RelcError('RELC5002', `${path} could not be read: ${reasonOf(error)}`, 'check the path', {
    cause: error,
  });

/** @throws RelcError RELC5002 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** @throws RelcError RELC5002 */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

/** What a folder holds, by name. @throws RelcError RELC5002 */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** A JSON value. @throws RelcError RELC5003 */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RelcError('RELC5003', `${path} is not JSON: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}

/** @throws RelcError RELC5002 where there is no such file */
export async function expectFile(path: string): Promise<void> {
  try {
    await access(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The text of a file, or undefined where there is none. */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

const unwritable = (path: string, error: unknown) =>
  new RelcError('RELC5002', `${path} could not be written: ${reasonOf(error)}`, undefined, { cause: error });

/** Writes a file, with its folders. @throws RelcError RELC5002 */
export async function write(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Writes a file, with its folders, whole or not at all: whoever is killed meanwhile leaves a hidden file behind, which
 * the next one to write there takes over. Not for devices and links, whose place the file would take.
 * @throws RelcError RELC5002
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const unfinished = join(dirname(path), `.${basename(path)}.part`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(unfinished, content);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw unwritable(path, error);
  }
}

/** Writes at the end of a file. @throws RelcError RELC5002 */
export async function append(path: string, content: string): Promise<void> {
  try {
    await appendFile(path, content);
  } catch (error) {
    throw unwritable(path, error);
  }
}
