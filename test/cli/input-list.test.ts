// Lists of inputs: folders, files that list others, and a name of its own for each input.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Arguments } from '../../src/cli/arguments.js';
import { inputListOf, namesFor } from '../../src/cli/input-list.js';
import { relc, scratch } from './support.js';

function folderWith(...names: string[]): string {
  const folder = scratch();
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
  return folder;
}

const listOf = (inputs: string[], list?: string) =>
  inputListOf(new Arguments(list === undefined ? {} : { list }, ['model.json', ...inputs]));

describe('a folder', () => {
  it('stands for its pictures and arrays, by name', async () => {
    const names = ['b.PNG', 'a.jpg', 'c.jpeg', 'd.npy', 'e.json'];
    const others = [
      '.hidden.png',
      'notes.txt',
      'relc.json',
      'results.jsonl',
      'within/x.png',
      'odd.png/x.png',
    ];
    const folder = folderWith(...names, ...others);
    symlinkSync(join(folder, 'a.jpg'), join(folder, 'link.jpg'));
    const { paths, isOne } = await listOf([folder]);
    const wanted = ['a.jpg', 'b.PNG', 'c.jpeg', 'd.npy', 'e.json', 'link.jpg'];
    expect(paths).toEqual(wanted.map((name) => join(folder, name)));
    expect(isOne).toBe(false);
  });

  it('is many inputs, also with one in it, and refused with none', async () => {
    const folder = folderWith('a.png', 'none/notes.txt');
    expect(await listOf([folder])).toEqual({ paths: [join(folder, 'a.png')], isOne: false });
    await expect(listOf([join(folder, 'none')])).rejects.toThrow(
      /RELC5002: .*none holds no inputs\n.*hidden/,
    );
  });
});

describe('files', () => {
  it('may be one, that need not be there', async () => {
    expect(await listOf(['nowhere.png'])).toEqual({ paths: ['nowhere.png'], isOne: true });
  });

  it('are taken in order, once each', async () => {
    const folder = folderWith('a.png', 'b.png');
    const [a, b] = [join(folder, 'a.png'), join(folder, 'b.png')];
    const { paths, isOne } = await listOf([b, folder, `${folder}/./b.png`]);
    expect(paths.map((path) => resolve(path))).toEqual([b, a]);
    expect(isOne).toBe(false);
  });
});

describe('a list', () => {
  it('names files and folders from where it is, but for comments and blank lines', async () => {
    const folder = folderWith('lists/own.png', 'more/a.png', 'more/b.png');
    const list = join(folder, 'lists/list.txt');
    const absolute = join(folder, 'absolute.png');
    writeFileSync(list, `# mine\r\n\r\nown.png\r\n   \n../more\n#other.png\n${absolute}`);
    const { paths, isOne } = await listOf(['first.png'], list);
    const own = ['lists/own.png', 'more/a.png', 'more/b.png'].map((name) => join(folder, name));
    expect(paths).toEqual(['first.png', ...own, absolute]);
    expect(isOne).toBe(false);
  });

  it('of one file is a list all the same', async () => {
    const list = join(scratch(), 'list.txt');
    writeFileSync(list, 'x.png\n');
    expect((await listOf([], list)).isOne).toBe(false);
  });

  it.each([
    ['has no file', 'nowhere.txt', 'RELC5002: nowhere.txt could not be read'],
    ['names nothing', '', 'names no inputs'],
  ])('that %s is refused', async (_what, name, message) => {
    const empty = join(folderWith('list.txt'), 'list.txt');
    const { code, err } = await relc('explain', 'model.json', '--list', name === '' ? empty : name);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});

describe('names', () => {
  it.each([
    ['are those of files without their endings', ['p/a.jpg', 'p/b.png'], ['a', 'b']],
    ['keep dots', ['p/a.b.jpg', 'noending'], ['a.b', 'noending']],
    ['keep the endings of neighbours', ['p/a.jpg', 'p/a.png', 'p/b.png'], ['a.jpg', 'a.png', 'b']],
    ['take the folder where it tells apart', ['p/a.jpg', 'q/a.jpg', 'q/b.jpg'], ['p/a', 'q/a', 'b']],
    ['take as many folders as it needs', ['x/p/a.jpg', 'y/p/a.jpg', 'z/a.jpg'], ['x/p/a', 'y/p/a', 'z/a']],
    ['do both', ['p/a.jpg', 'p/a.png', 'q/a.jpg'], ['a.jpg', 'a.png', 'a']],
    ['are apart where letters differ in size alone', ['p/a.png', 'q/A.png'], ['p/a', 'q/A']],
    ['are counted where nothing else helps', ['p/a.png', 'p/A.png'], ['a.png', 'A.png~2']],
    ['are counted from the first that is free', ['p/x.a', 'p/X.a', 'p/x.a~2.b'], ['x.a', 'X.a~3', 'x.a~2']],
  ])('%s', (_what, paths, names) => {
    expect(namesFor(paths)).toEqual(names.map((name) => join(name)));
  });

  it('do not depend on the order of files that are told apart', () => {
    const paths = ['p/a.jpg', 'q/a.jpg', 'q/a.png', 'r/b.png', 'r/s/b.png'];
    const forward = new Map(namesFor(paths).map((name, index) => [paths[index], name]));
    const backward = [...paths].reverse();
    expect(namesFor(backward)).toEqual(backward.map((path) => forward.get(path)));
    expect(new Set(forward.values()).size).toBe(paths.length);
  });
});
