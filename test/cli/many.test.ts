// relc explain over many inputs: what it writes and prints, inputs that fail, going on, and what it refuses.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Arguments, usageError } from '../../src/cli/arguments.js';
import { explainCommand } from '../../src/cli/commands/explain.js';
import { inputListOf } from '../../src/cli/input-list.js';
import { main } from '../../src/cli/main.js';
import { explainMany } from '../../src/cli/many.js';
import { decodeNpy, encodeNpy } from '../../src/cli/picture/npy.js';
import { decodePicture } from '../../src/cli/picture/picture.js';
import { relc, scratch, writeModel, writePicture, writtenHere } from './support.js';

const folder = scratch();
const at = (...names: string[]) => join(folder, ...names);
let model = '';

beforeAll(async () => {
  model = await writeModel(at('model'));
  mkdirSync(at('pictures'));
  for (const name of ['a.png', 'b.png']) writePicture(at('pictures', name), 6);
  writeFileSync(at('pictures/broken.png'), 'no picture');
  const values = Float32Array.from({ length: 108 }, (_, i) => (i % 3 === 2 ? 1 : 0));
  writeFileSync(at('pictures/z.npy'), encodeNpy(values, [1, 6, 6, 3]));
});

interface Line {
  input: string;
  label: string;
  logit: number;
  files: string[];
  explanations: unknown[];
  error?: { code: string; message: string };
  milliseconds: Record<string, number>;
}

const parsed = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const linesIn = (out: string) => parsed(readFileSync(join(out, 'results.jsonl'), 'utf8'));

/** Files under a folder that are not hidden, and those that are. */
const filesIn = (path: string) => readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();

/** A folder of two good pictures, for one test to spoil. */
function ownPictures(): string {
  const own = scratch();
  for (const name of ['a.png', 'b.png']) copyFileSync(at('pictures', name), join(own, name));
  return own;
}

describe('a folder of inputs', () => {
  it('becomes a folder of heatmaps and arrays, and a line each; what fails does not stop the rest', async () => {
    const [out, arrays] = [at('heat'), at('arrays')];
    const run = await relc('explain', model, at('pictures'), '-o', out, '--save-relevance', arrays);
    expect(run.code).toBe(4);
    expect(filesIn(out)).toEqual(['a.png', 'b.png', 'results.jsonl', 'z.png']);
    expect(filesIn(arrays)).toEqual(['a.npy', 'b.npy', 'z.npy']);
    const lines = linesIn(out);
    expect(lines.map(({ input }) => input)).toEqual(
      ['a.png', 'b.png', 'broken.png', 'z.npy'].map((name) => at('pictures', name)),
    );
    expect(lines[2]).toEqual({
      input: at('pictures/broken.png'),
      error: { code: 'RELC5003', message: expect.stringContaining('a PNG or JPEG picture is wanted') },
    });
    expect(lines.map(({ label }) => label)).toEqual(['red above', 'red above', undefined, 'blue above']);
    expect(run.err).toContain(`1/4 ${at('pictures/a.png')}: red above\n2/4`);
    expect(run.err).toMatch(/^failed RELC5003: .*broken\.png/m);
    expect(run.err).toContain('error RELC5006: 1 of 4 inputs could not be explained');
    expect(run.out).toMatch(/^4 inputs: 3 explained, 1 failed\nwrote .*results\.jsonl/);
  });

  it('has for each input what it has alone', async () => {
    const [out, picture, array] = [at('as-one'), at('one.png'), at('one.npy')];
    await relc('explain', model, at('pictures'), '-o', out, '--save-relevance', out);
    const input = at('pictures/a.png');
    const alone = await relc('explain', model, input, '-o', picture, '--save-relevance', array, '--json');
    const {
      milliseconds: _own,
      files: _files,
      bytes,
      modified,
      fingerprint,
      ...line
    } = linesIn(out)[0]! as Line & Record<'bytes' | 'modified' | 'fingerprint', unknown>;
    const { milliseconds: _times, files: _saved, ...report } = JSON.parse(alone.out) as Line;
    expect(line).toEqual(report);
    expect(bytes).toBe(readFileSync(input).length);
    expect(modified).toMatch(/^\d{4}-.*Z$/);
    expect(fingerprint).toEqual({ model: expect.stringMatching(/^\w{64}$/), request: expect.any(String) });
    expect(readFileSync(join(out, 'a.png'))).toEqual(readFileSync(picture));
    expect(readFileSync(join(out, 'a.npy'))).toEqual(readFileSync(array));
  });

  it('leaves nothing on the backend', async () => {
    await relc('explain', model, at('pictures'), '-o', at('memory'));
    const before = tf.memory().numTensors;
    await relc('explain', model, at('pictures'), '-o', at('memory'));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('many inputs', () => {
  it('of the same name go into the folders they came from', async () => {
    const [one, other, out] = [ownPictures(), ownPictures(), at('clash')];
    const run = await relc('explain', model, join(one, 'a.png'), join(other, 'a.png'), '-o', out);
    expect(run.code).toBe(0);
    for (const { files } of linesIn(out)) expect(existsSync(files[0]!)).toBe(true);
    expect(new Set(linesIn(out).flatMap(({ files }) => files)).size).toBe(2);
  });

  it('are printed as lines of JSON with --json, and nothing else on standard output', async () => {
    const out = at('json');
    const run = await relc('explain', model, at('pictures'), '-o', out, '--json', '--class', '0,1');
    expect(run.code).toBe(4);
    expect(parsed(run.out)).toEqual(linesIn(out));
    expect(linesIn(out)[0]!.explanations).toHaveLength(2);
    expect(run.err).not.toContain('1/4');
    expect(decodePicture(readFileSync(join(out, 'a.png')), 'a.png').width).toBeGreaterThan(700);
  });

  it('go through a method', async () => {
    const out = at('smooth');
    const options = ['--method', 'smooth-grad', '--samples', '2', '-o', out];
    expect((await relc('explain', model, ownPictures(), ...options)).code).toBe(0);
    expect(linesIn(out)[0]).toMatchObject({ method: 'smooth-grad (gradient)', rules: 'gradient' });
  });

  it('without pictures in them leave their numbers', async () => {
    const [vector, out] = [at('pair.mjs'), at('vectors')];
    writeFileSync(vector, 'export const input = [1, 2];\nexport default (x) => x.mul([2, 3]);');
    for (const name of ['v.json', 'w.json']) writeFileSync(at(name), '[1, 2]');
    const run = await relc(
      ...['explain', vector, at('v.json'), at('w.json'), '-o', out, '--save-relevance', out],
    );
    expect(run.code).toBe(0);
    expect(filesIn(out)).toEqual(['results.jsonl', 'v.npy', 'w.npy']);
    const { data } = decodeNpy(readFileSync(join(out, 'v.npy')), 'v.npy');
    expect([...data]).toEqual([0, 6]);
  });

  it('that are not there are failures, too', async () => {
    const run = await relc('explain', model, at('nowhere.png'), at('pictures/a.png'), '-o', at('absent'));
    expect(run.code).toBe(4);
    expect(linesIn(at('absent')).map(({ error }) => error?.code)).toEqual(['RELC5002', undefined]);
  });

  it('are told on a screen by a bar, that is gone in the end', async () => {
    const [shown, printed]: [string[], string[]] = [[], []];
    const terminal = {
      out: () => {},
      err: (text: string) => void printed.push(text),
      status: (text: string) => void shown.push(text),
      ...{ colour: false, columns: 200 },
    };
    const own = ownPictures();
    const method = ['--method', 'smooth-grad', '--samples', '20'];
    expect(await main(['explain', model, own, '-o', at('screen'), ...method], terminal)).toBe(0);
    expect(shown[0]).toBe(`explain ${'░'.repeat(24)} 0/2 · ${join(own, 'a.png')}`);
    expect(shown).toContain(`${shown[0]} 8/20`);
    expect(shown.find((text) => text.includes('1/2'))).toMatch(/ 1\/2 · \d+ s left · .*b\.png$/);
    expect(shown.at(-1)).toBe('');
    expect(printed.filter((text) => !text.startsWith('note'))).toEqual([]);
  });
});

describe('--resume', () => {
  it('skips what is done, tries again what failed, and leaves a line an input', async () => {
    const [own, out] = [ownPictures(), scratch()];
    writeFileSync(join(own, 'c.png'), 'no picture');
    const args = ['explain', model, own, '-o', out, '--resume'];
    expect((await relc(...args)).code).toBe(4);
    const before = linesIn(out);
    writePicture(join(own, 'c.png'), 6);
    writePicture(join(own, 'd.png'), 12);
    const run = await relc(...args);
    expect(run.code).toBe(0);
    expect(run.out).toContain('4 inputs: 2 explained, 2 done before');
    expect(run.err).not.toContain('a.png');
    const after = linesIn(out);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(after.map(({ input, error }) => [input, error])).toEqual(
      ['a', 'b', 'c', 'd'].map((name) => [join(own, `${name}.png`), undefined]),
    );
  });

  it('explains again what changed, what lost its files, and what lacks files that are asked for', async () => {
    const [own, out] = [ownPictures(), scratch()];
    const args = ['explain', model, own, '-o', out, '--resume'];
    const explainedBy = async (...more: string[]) => {
      const { out: text } = await relc(...args, ...more);
      return Number(/(\d+) explained/.exec(text)?.[1]);
    };
    expect(await explainedBy()).toBe(2);
    expect(await explainedBy()).toBe(0);
    writePicture(join(own, 'a.png'), 18);
    expect(await explainedBy()).toBe(1);
    rmSync(join(out, 'b.png'));
    expect(await explainedBy()).toBe(1);
    expect(await explainedBy('--save-relevance', join(out, 'arrays'))).toBe(2);
    expect(await explainedBy('--save-relevance', join(out, 'arrays'))).toBe(0);
  });

  it('keeps the results of inputs that are left out, and gives their names to no other', async () => {
    const [one, other, out] = [ownPictures(), ownPictures(), scratch()];
    await relc('explain', model, one, '-o', out);
    const before = readFileSync(join(out, 'a.png'));
    writePicture(join(other, 'a.png'), 24);
    const run = await relc('explain', model, other, '-o', out, '--resume', '--scale', '1/255,0');
    expect(run.code).toBe(0);
    expect(linesIn(out)).toHaveLength(4);
    expect(new Set(linesIn(out).flatMap(({ files }) => files)).size).toBe(4);
    expect(readFileSync(join(out, 'a.png'))).toEqual(before);
  });

  it.each([
    ['rules', ['-r', 'epsilon-plus'], 'other rules or options'],
    ['a parameter of rules', ['-r', 'RULES'], 'other rules or options'],
    ['another class', ['-c', '1'], 'other rules or options'],
    ['a seed', ['--seed', 'one'], 'other rules or options'],
    ['a scale', ['--scale', '1/255,-1'], 'other rules or options'],
    ['a method', ['--method', 'smooth-grad'], 'other rules or options'],
    ['a model', [], 'another model'],
  ])('is refused with %s, and touches nothing', async (what, options, message) => {
    const [own, out] = [ownPictures(), scratch()];
    const rules = (eps: number) => {
      const path = join(out, `rules.json`);
      const composite = [['all', { kind: ['conv', 'dense'] }, { rule: 'epsilon', params: { eps } }]];
      writeFileSync(path, JSON.stringify({ extends: 'base', composite }));
      return path;
    };
    const first = options.includes('RULES') ? ['-r', rules(1e-6)] : [];
    expect((await relc('explain', model, own, '-o', out, ...first)).code).toBe(0);
    const before = readFileSync(join(out, 'results.jsonl'));
    const second = options.map((option) => (option === 'RULES' ? rules(0.5) : option));
    const other = what === 'a model' ? await otherModel() : model;
    const run = await relc('explain', other, own, '-o', out, '--resume', ...second);
    expect(run.code).toBe(2);
    expect(run.err).toContain(message);
    expect(readFileSync(join(out, 'results.jsonl'))).toEqual(before);
  });

  it('is there for many inputs only', async () => {
    const run = await relc('explain', model, at('pictures/a.png'), '--resume');
    expect([run.code, run.err.includes('--resume goes on with many inputs')]).toEqual([2, true]);
  });
});

/** The same model but for one weight. */
async function otherModel(): Promise<string> {
  const path = await writeModel(at('other-model'));
  const weights = new Float32Array(new Uint8Array(readFileSync(at('other-model/weights.bin'))).buffer);
  weights[0] = 0.5;
  writeFileSync(at('other-model/weights.bin'), new Uint8Array(weights.buffer));
  return path;
}

describe('an abort', () => {
  const terminal = { out: () => {}, err: () => {}, colour: false, columns: 80 };
  const refuse = (detail: string) => usageError(detail, explainCommand);

  /** Runs over pictures until a signal that aborts once the bar shows a text. */
  async function until(text: string, own: string, values: Record<string, string>) {
    const controller = new AbortController();
    const status = (shown: string) => {
      if (shown.includes(text)) controller.abort();
    };
    const given = new Arguments(values, [model, own]);
    const list = await inputListOf(given);
    return explainMany(given, list, {
      refuse,
      terminal: { ...terminal, status },
      signal: controller.signal,
    });
  }

  it('finishes the input at work, and says how to go on', async () => {
    const [own, out] = [ownPictures(), scratch()];
    await expect(until('0/2', own, { out })).rejects.toThrow(
      /RELC5007: stopped after 1 of 2 inputs\n.*--resume goes on/,
    );
    expect(linesIn(out).map(({ input }) => input)).toEqual([join(own, 'a.png')]);
    expect(filesIn(out)).toEqual(['a.png', 'results.jsonl']);
    const run = await relc('explain', model, own, '-o', out, '--resume');
    expect(run.out).toContain('2 inputs: 1 explained, 1 done before');
  });

  it('abandons a method in the middle', async () => {
    const [own, out] = [ownPictures(), scratch()];
    const values = { out, method: 'smooth-grad', samples: '40' };
    await expect(until('0/2 · ', own, values)).rejects.toThrow('stopped after 0 of 2 inputs');
    expect(filesIn(out)).toEqual(['results.jsonl']);
  });

  it('that comes too late is none', async () => {
    const [own, out] = [ownPictures(), scratch()];
    await until('1/2', own, { out });
    expect(linesIn(out)).toHaveLength(2);
  });
});

describe('refused before anything is written', () => {
  it.each([
    ['a file for a folder', ['-o', 'heat.png'], 2, '--out heat.png names a file'],
    [
      'a file for a folder of arrays',
      ['--save-relevance', 'r.npy'],
      2,
      '--save-relevance r.npy names a file',
    ],
    ['no such class', ['-c', '0,2'], 1, 'RELC4003: 2 is no class'],
    ['options that do not go together', ['--seed', 'one', '--against', '1'], 1, 'RELC3004'],
  ])('%s', async (_what, options, code, message) => {
    const out = join(scratch(), 'heat');
    const before = writtenHere('heat', 'heat.png');
    const place = options.includes('-o') ? [] : ['-o', out];
    const run = await relc('explain', model, at('pictures'), ...place, ...options);
    expect(run.err).toContain(message);
    expect(run.code).toBe(code);
    expect(existsSync(out)).toBe(false);
    expect(writtenHere('heat', 'heat.png')).toEqual(before);
  });

  it('what would be written over an input', async () => {
    const own = ownPictures();
    const before = readFileSync(join(own, 'a.png'));
    const run = await relc('explain', model, own, '-o', own);
    expect([run.code, run.err.includes('a.png would be written over an input')]).toEqual([2, true]);
    expect(filesIn(own)).toEqual(['a.png', 'b.png']);
    expect(readFileSync(join(own, 'a.png'))).toEqual(before);
    writeFileSync(join(own, 'a.mean.npy'), encodeNpy(new Float32Array(108), [1, 6, 6, 3]));
    const arrays = ['-o', at('apart'), '--at', 'colours,mean', '--save-relevance', own];
    expect((await relc('explain', model, own, ...arrays)).err).toContain('a.mean.npy would be written over');
  });

  it('no inputs at all', async () => {
    const run = await relc('explain', model);
    expect([run.code, run.err.includes('expected MODEL INPUT...')]).toEqual([2, true]);
  });
});

it('an error that is no input’s own ends the run', async () => {
  const method = ['--method', 'integrated-gradients', '-r', 'epsilon'];
  const run = await relc('explain', model, at('pictures'), '-o', at('ended'), ...method);
  expect([run.code, run.err.includes('RELC4007')]).toEqual([1, true]);
  expect(filesIn(at('ended'))).toEqual(['results.jsonl']);
  expect(readFileSync(at('ended/results.jsonl'), 'utf8')).toBe('');
});

it('a folder that cannot be written ends the run', async () => {
  writeFileSync(at('taken'), '');
  const run = await relc('explain', model, at('pictures'), '-o', at('taken'));
  expect([run.code, run.err.includes('RELC5002')]).toEqual([2, true]);
});
