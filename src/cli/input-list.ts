// The inputs of relc explain: files, folders and lists of files, and a name of its own for each.
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, parse, relative, resolve, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { RelcError } from '../ir/error.js';
import type { Arguments } from './arguments.js';
import { namesIn, readText } from './files.js';
import type { Source } from './input.js';

export interface InputList {
  /** Each file once, in order. */
  readonly paths: readonly string[];
  /** The text that was given in place of files. */
  readonly text?: string;
  /** Whether one file or a text was given, and neither a folder nor a list. */
  readonly isOne: boolean;
}

/** What a folder's files end in to be taken for inputs: of models that read texts, and of others. */
const endings = {
  text: ['.txt', '.npy', '.json'],
  picture: ['.png', '.jpg', '.jpeg', '.npy', '.json'],
} as const;
type Kind = keyof typeof endings;

/** What stands beside inputs and is none. */
const others = ['relc.json', 'tokenizer.json', 'tokenizer_config.json'];

const isInputName = (name: string, kind: Kind) =>
  !name.startsWith('.') &&
  !others.includes(name) &&
  endings[kind].some((ending) => ending === extname(name).toLowerCase());

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    // What is not there is told where it is read
    () => false,
  );

/** The inputs in a folder, by name. @throws RelcError RELC5002 where there are none */
async function inputsIn(folder: string, kind: Kind): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => isInputName(name, kind));
  const paths = names.map((name) => join(folder, name));
  const folders = await Promise.all(paths.map(isFolder));
  const files = paths.filter((_, index) => !folders[index]);
  if (files.length > 0) return files;
  throw new RelcError(
    'RELC5002',
    `${folder} holds no inputs`,
    `of a folder, ${endings[kind].join(', ')} files are taken, but none that are hidden or in folders within`,
  );
}

const standardInput = async () => new TextDecoder().decode(await buffer(process.stdin));

/** Paths in a list, one a line, from the folder that the list is in. `-` is standard input. @throws RelcError RELC5002 */
async function listed(list: string): Promise<string[]> {
  const isStandardInput = list === '-';
  const text = isStandardInput ? await standardInput() : await readText(list);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const folder = isStandardInput ? '.' : dirname(list);
  return lines.map((line) => (resolve(line) === line ? line : join(folder, line)));
}

/** The text of --text, in place of files. @throws RelcError RELC5001 where files are named, too */
async function givenText(text: string, files: readonly string[]): Promise<InputList> {
  if (files.length > 0) {
    throw new RelcError('RELC5001', `--text is given, and ${files.join(' ')}`, 'name files, or give a text');
  }
  return { paths: [], text: text === '-' ? await standardInput() : text, isOne: true };
}

/**
 * What the command line names.
 * @param kind  what the files of a folder are
 * @throws RelcError RELC5001 (a text and files), RELC5002 (a list that cannot be read, a folder without inputs)
 */
export async function inputListOf(given: Arguments, kind: Kind = 'picture'): Promise<InputList> {
  const [named, list, text] = [given.rest(1), given.text('list'), given.text('text')];
  if (text !== undefined) return givenText(text, [named, list ?? []].flat());
  const all = [...named, ...(list === undefined ? [] : await listed(list))];
  const expanded: string[] = [];
  let hasFolder = false;
  for (const path of all) {
    const expands = await isFolder(path);
    hasFolder ||= expands;
    expanded.push(...(expands ? await inputsIn(path, kind) : [path]));
  }
  const paths = [...new Map(expanded.map((path) => [resolve(path), path])).values()];
  return { paths, isOne: list === undefined && named.length === 1 && !hasFolder };
}

/** The single input, if it is one. */
export const sourceOf = ({ text, paths, isOne }: InputList): Source | undefined =>
  text === undefined ? (isOne ? paths[0] : undefined) : { text };

/** Folders that a file is in, the nearest first. */
function foldersOf(path: string): string[] {
  const { root } = parse(path);
  return relative(root, dirname(path)).split(sep).reverse();
}

/** Groups of indices that have the same key; file systems may take large letters for small ones. */
function groupsOf(keys: readonly string[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, key] of keys.entries()) {
    const known = key.toLowerCase();
    groups.set(known, [...(groups.get(known) ?? []), index]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/**
 * A name for each of different files, to be used as a path: `photo`; with its ending where a neighbour has the same,
 * `photo.jpg`; in as many of its folders as it takes to tell it from others, `holiday/photo`.
 */
export function namesFor(paths: readonly string[]): string[] {
  const files = paths.map((path) => resolve(path));
  const stems = files.map((file) => file.slice(0, file.length - extname(file).length));
  const alike = new Set(groupsOf(stems).flat());
  const leaves = files.map((file, index) => (alike.has(index) ? basename(file) : basename(stems[index]!)));
  const depths = files.map(() => 0);
  const nameOf = (index: number) =>
    join(...foldersOf(files[index]!).slice(0, depths[index]!).reverse(), leaves[index]!);
  for (;;) {
    const names = files.map((_, index) => nameOf(index));
    const unclear = groupsOf(names)
      .filter((group) => new Set(group.map((index) => dirname(files[index]!))).size > 1)
      .flat()
      .filter((index) => depths[index]! < foldersOf(files[index]!).length);
    if (unclear.length === 0) return numbered(names);
    for (const index of unclear) depths[index]!++;
  }
}

/** Neighbours that are still called the same, `a.png` and `A.png`, are counted. */
function numbered(names: readonly string[]): string[] {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  const result = [...names];
  for (const group of groupsOf(names)) {
    for (const index of group.slice(1)) {
      let count = 2;
      while (taken.has(`${names[index]}~${count}`.toLowerCase())) count++;
      result[index] = `${names[index]}~${count}`;
      taken.add(result[index].toLowerCase());
    }
  }
  return result;
}
