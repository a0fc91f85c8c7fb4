// What commands print: tables, styles, times, shares.
import { describe, expect, it } from 'vitest';
import { percent } from '../../src/api/percent.js';
import { main } from '../../src/cli/main.js';
import {
  duration,
  progressBar,
  Stopwatch,
  styled,
  type Terminal,
  table,
  timeText,
} from '../../src/cli/terminal.js';

const terminal = (colour: boolean): Terminal => ({ out: () => {}, err: () => {}, colour, columns: 80 });

describe('a table', () => {
  it('has columns of equal width, numbers to the right, and no trailing spaces', () => {
    const rows = [
      ['op', 'weights', 'score'],
      ['conv', '1,234', '0.5000'],
      ['relu', '', '1.2e-9'],
      ['a long one', '7', '-12.0000'],
    ];
    expect(table(rows)).toBe(
      [
        'op          weights     score',
        'conv          1,234    0.5000',
        'relu                   1.2e-9',
        'a long one        7  -12.0000',
      ].join('\n'),
    );
  });

  it('takes words that begin like numbers for words', () => {
    expect(table([['x'], ['1 of 2'], ['longer than that']])).toBe('x\n1 of 2\nlonger than that');
  });
});

it('styles text only where there is colour', () => {
  expect(styled(terminal(true), 'bold', 'x')).toBe('\u001b[1mx\u001b[0m');
  expect(styled(terminal(false), 'bold', 'x')).toBe('x');
});

it.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [1234, '1.2 s'],
])('%d milliseconds are %s', (milliseconds, text) => expect(duration(milliseconds)).toBe(text));

it.each([
  [1, '100.0 %'],
  [0.97349, '97.3 %'],
  [0.001, '0.1 %'],
  [0.000158, '0.016 %'],
  [-2.34e-7, '-0.000023 %'],
  [0, '0.0 %'],
  [Number.NaN, '–'],
  [Number.POSITIVE_INFINITY, '–'],
])('the share %d is %s', (share, text) => expect(percent(share)).toBe(text));

it('times phases in order, and gives back their results', async () => {
  const watch = new Stopwatch();
  expect(await watch.time('first', () => 1)).toBe(1);
  expect(await watch.time('second', async () => 2)).toBe(2);
  expect(watch.print()).toMatch(/^first \d+ ms · second \d+ ms$/);
});

it('an error that is no RelcError is internal: 70, with its trace', async () => {
  const lines: string[] = [];
  const broken = { ...terminal(false), err: (text: string) => void lines.push(text) };
  const out = () => {
    throw new TypeError('the terminal is broken');
  };
  expect(await main(['rules'], { ...broken, out })).toBe(70);
  expect(lines.join('\n')).toMatch(
    /^internal error TypeError: the terminal is broken\n {4}at [\s\S]*please report it/,
  );
});

describe('a progress bar', () => {
  it('shows how far a task is, and is gone when all is done', () => {
    const shown: string[] = [];
    const onProgress = progressBar({ ...terminal(false), status: (text) => void shown.push(text) }, 'task');
    for (const done of [0, 3, 6]) onProgress(done, 6);
    expect(shown).toEqual([`task ${'░'.repeat(24)} 0/6`, `task ${'█'.repeat(12)}${'░'.repeat(12)} 3/6`, '']);
  });

  it('says nothing where there is no screen', () => progressBar(terminal(false), 'task')(1, 2));
});

describe('a note beside the bar', () => {
  it('is cut where the line would be broken', () => {
    const shown: string[] = [];
    const screen = { ...terminal(false), columns: 50, status: (text: string) => void shown.push(text) };
    const onProgress = progressBar(screen, 'task');
    onProgress(1, 4, 'short');
    onProgress(1, 4, 'a note that is much too long');
    expect(shown[0]).toMatch(/ 1\/4 · short$/);
    expect(shown[1]).toHaveLength(49);
    expect(shown[1]).toMatch(/ 1\/4 · a note that i$/);
  });

  it.each([
    [400, '0 s'],
    [99_400, '99 s'],
    [100_000, '2 min'],
    [59.4 * 60_000, '59 min'],
    [60 * 60_000, '1 h 0 min'],
    [125 * 60_000, '2 h 5 min'],
  ])('%d milliseconds are about %s', (milliseconds, text) => expect(timeText(milliseconds)).toBe(text));
});
