// The journal of many inputs: what counts as done, what is refused, and what a killed run may leave.
import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DoneLine, type FailedLine, Journal, stampOf } from '../../src/cli/journal.js';
import { scratch } from './support.js';

const fingerprint = { model: 'm', request: 'r' };

/** A journal with one input that is done and one that failed, and their files. */
async function written() {
  const folder = scratch();
  const at = (name: string) => join(folder, name);
  for (const name of ['a.png', 'b.png', 'heat.png']) writeFileSync(at(name), name);
  const done: DoneLine = {
    ...(await stampOf(at('a.png')))!,
    ...{ input: at('a.png'), files: [at('heat.png')], fingerprint },
  };
  const failed: FailedLine = { input: at('b.png'), error: { code: 'RELC5003', message: 'broken' } };
  const path = at('results.jsonl');
  const journal = await Journal.open(path, undefined);
  await journal.begin([]);
  for (const line of [done, failed]) await journal.add(line);
  return { folder, at, path, done, failed };
}

const linesIn = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n');

describe('an input', () => {
  it('is done where its line, its file and what was written for it are as they were', async () => {
    const { path, at, folder } = await written();
    const journal = await Journal.open(path, fingerprint);
    expect(await journal.isDone(at('a.png'), [])).toBe(true);
    expect(await journal.isDone(at('a.png'), [folder])).toBe(true);
    expect(await journal.isDone(at('b.png'), [])).toBe(false);
    expect(await journal.isDone(at('heat.png'), [])).toBe(false);
  });

  it('is not done where files of another folder are asked for as well', async () => {
    const { path, at, folder } = await written();
    const journal = await Journal.open(path, fingerprint);
    for (const other of [join(folder, 'arrays'), folder.slice(0, -1)]) {
      expect(await journal.isDone(at('a.png'), [folder, other])).toBe(false);
    }
  });

  it.each([
    ['has another size', (at: (name: string) => string) => writeFileSync(at('a.png'), 'longer than it was')],
    ['was touched', (at: (name: string) => string) => utimesSync(at('a.png'), 5, 5)],
    ['lost what was written', (at: (name: string) => string) => rmSync(at('heat.png'))],
  ])('is not done where it %s', async (_what, change) => {
    const { path, at } = await written();
    change(at);
    expect(await (await Journal.open(path, fingerprint)).isDone(at('a.png'), [])).toBe(false);
  });

  it('that is not there has no stamp', async () => expect(await stampOf('nowhere.png')).toBeUndefined());
});

describe('going on', () => {
  it('keeps a line an input: all but those that are to come', async () => {
    const { path, at, done } = await written();
    const journal = await Journal.open(path, fingerprint);
    expect(journal.inputs).toEqual([at('a.png'), at('b.png')]);
    await journal.begin([at('b.png')]);
    expect(linesIn(path)).toEqual([JSON.stringify(done)]);
    await journal.add({ ...done, input: at('b.png') });
    expect(linesIn(path)).toHaveLength(2);
  });

  it('takes the last line of an input, and bears one that was being written', async () => {
    const { path, at, done } = await written();
    const whole = readFileSync(path, 'utf8');
    const later = JSON.stringify({ ...done, input: at('b.png') });
    writeFileSync(path, `${whole}${later}\n${later.slice(0, 40)}`);
    const journal = await Journal.open(path, fingerprint);
    expect(journal.inputs).toEqual([at('a.png'), at('b.png')]);
    await journal.begin([]);
    expect(linesIn(path)[1]).toBe(later);
  });

  it('begins where there is no journal yet', async () => {
    const path = join(scratch(), 'deep/results.jsonl');
    const journal = await Journal.open(path, fingerprint);
    await journal.begin([]);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it.each([
    [{ model: 'other', request: 'other' }, /RELC5001: .* are of another model\n.*leave out --resume/],
    [{ model: 'm', request: 'other' }, /RELC5001: .* were made with other rules or options/],
  ])('is refused for the fingerprint %j', async (other, message) => {
    const { path } = await written();
    const before = readFileSync(path, 'utf8');
    await expect(Journal.open(path, other)).rejects.toThrow(message);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('does not mind failures of another run', async () => {
    const { path, failed } = await written();
    writeFileSync(path, `${JSON.stringify(failed)}\n`);
    expect((await Journal.open(path, { model: 'other', request: 'other' })).inputs).toHaveLength(1);
  });

  it.each(['{"input": "a.png"', '5', '{"input":"a.png","files":[]}', '{"error":{}}'])(
    'is refused where a whole line is %s',
    async (text) => {
      const { path } = await written();
      writeFileSync(path, `${readFileSync(path, 'utf8')}${text}\n`);
      await expect(Journal.open(path, fingerprint)).rejects.toThrow(/RELC5003: line 3 of .*results\.jsonl/);
    },
  );
});

it('without --resume begins anew, but not before its first line is due', async () => {
  const { path } = await written();
  const journal = await Journal.open(path, undefined);
  expect(linesIn(path)).toHaveLength(2);
  await journal.begin([]);
  expect(readFileSync(path, 'utf8')).toBe('');
});
