// Heatmaps in a terminal: half blocks of colour, and characters without it.
import { describe, expect, it } from 'vitest';
import { colourOf } from '../../../src/cli/picture/colours.js';
import { renderTerminal } from '../../../src/cli/picture/terminal.js';
import { messageOf } from './failure.js';

interface Cell {
  upper: string;
  lower: string;
}

const codePattern = new RegExp(`${String.fromCharCode(27)}\\[([\\d;]*)m|(.)`, 'gsu');

/** What a terminal would show: for each line its half blocks' colours, '' where none is set. */
function screenOf(text: string): Cell[][] {
  return text.split('\n').map((line) => {
    const cells: Cell[] = [];
    let [upper, lower] = ['', ''];
    for (const [, code, character] of line.matchAll(codePattern)) {
      if (code === '0') [upper, lower] = ['', ''];
      else if (code?.startsWith('38;2;')) upper = code.slice(5);
      else if (code?.startsWith('48;2;')) lower = code.slice(5);
      else if (character === '▀') cells.push({ upper, lower });
    }
    expect([upper, lower]).toEqual(['', '']);
    return cells;
  });
}

function shade(strength: number): string {
  return colourOf(strength).join(';');
}

const signs = { width: 3, height: 2, data: Float32Array.of(4, 0, -4, -2, 2, 0) };

describe('with colour', () => {
  it('shows two rows a line, in their colours and places', () => {
    const screen = screenOf(renderTerminal(signs, { columns: 3, colour: true }));
    expect(screen[0]).toEqual([
      { upper: shade(1), lower: shade(-0.5) },
      { upper: shade(0), lower: shade(0.5) },
      { upper: shade(-1), lower: shade(0) },
    ]);
    expect(screen).toHaveLength(2);
    expect(screen[1]).toEqual([]);
  });

  it('leaves the lower half of an odd last line alone', () => {
    const heat = { width: 1, height: 3, data: Float32Array.of(1, -1, 1) };
    const screen = screenOf(renderTerminal(heat, { columns: 1, colour: true }));
    expect(screen.slice(0, 2)).toEqual([
      [{ upper: shade(1), lower: shade(-1) }],
      [{ upper: shade(1), lower: '' }],
    ]);
  });

  it('has half as many lines as a picture of square half blocks needs', () => {
    const heat = { width: 60, height: 40, data: new Float32Array(2400).fill(1) };
    const screen = screenOf(renderTerminal(heat, { columns: 30, colour: true }));
    expect(screen).toHaveLength(10 + 1);
    expect(screen.slice(0, 10).every((line) => line.length === 30)).toBe(true);
  });

  it('says what the ends of the colours stand for', () => {
    const legend = renderTerminal(signs, { columns: 3, colour: true }).split('\n').at(-1)!;
    expect(legend.split(' ')).toHaveLength(1 + 17 + 1 + 1);
    expect(legend.startsWith(`-4.00 \x1b[48;2;${shade(-1)}m `)).toBe(true);
    expect(legend.endsWith(`\x1b[48;2;${shade(1)}m \x1b[0m +4.00`)).toBe(true);
  });

  it('changes colours only where they change', () => {
    const heat = { width: 8, height: 2, data: new Float32Array(16).fill(1) };
    const line = renderTerminal(heat, { columns: 8, colour: true }).split('\n')[0]!;
    expect(line).toBe(`\x1b[38;2;${shade(1)}m\x1b[48;2;${shade(1)}m${'▀'.repeat(8)}\x1b[0m`);
  });
});

describe('without colour', () => {
  it('shades by sign and magnitude', () => {
    const data = Float32Array.from({ length: 19 * 2 }, (_, i) => (i % 19) - 9);
    const lines = renderTerminal({ width: 19, height: 2, data }, { columns: 19, colour: false }).split('\n');
    expect(lines).toEqual([
      '987654321 .:-=+*#%@',
      "positive ' .:-=+*#%@' to +9.00, negative ' 123456789' to -9.00",
    ]);
  });

  it('has half as many lines as columns for a square, and puts things in place', () => {
    const data = new Float32Array(400);
    data.fill(1, 0, 3);
    data[399] = -1;
    const lines = renderTerminal({ width: 20, height: 20, data }, { columns: 20, colour: false }).split('\n');
    expect(lines).toHaveLength(11);
    expect(lines.every((line, i) => i === 10 || line.length === 20)).toBe(true);
    expect(lines[0]!.startsWith('@@@ ')).toBe(true);
    expect(lines[9]).toBe(`${' '.repeat(19)}9`);
    expect(lines.slice(1, 9).every((line) => !/[@9]/.test(line))).toBe(true);
  });

  it('rounds to the nearest count of lines', () => {
    const heat = { width: 4, height: 3, data: new Float32Array(12) };
    expect(renderTerminal(heat, { columns: 4, colour: false }).split('\n')).toHaveLength(2 + 1);
    expect(
      renderTerminal({ ...heat, width: 3, height: 4 }, { columns: 3, colour: true }).split('\n'),
    ).toHaveLength(2 + 1);
  });

  it('says where values lie beyond the limit', () => {
    const data = new Float32Array(10_000).fill(1);
    data[5050] = 60;
    const heat = { width: 100, height: 100, data };
    const lines = renderTerminal(heat, { columns: 100, colour: false }).split('\n');
    expect(lines.at(-1)).toMatch(/ and beyond$/);
    expect(lines[25]).toBe('@'.repeat(100));
    expect(renderTerminal(heat, { columns: 100, colour: true })).toMatch(/ and beyond$/);
  });

  it('shows zeros as blanks, with limits of 0', () => {
    const heat = { width: 4, height: 4, data: new Float32Array(16) };
    const lines = renderTerminal(heat, { columns: 4, colour: false }).split('\n');
    expect(lines.slice(0, 2)).toEqual(['    ', '    ']);
    expect(lines[2]).toContain('to +0, negative');
  });

  it('has at least one line', () => {
    const heat = { width: 100, height: 1, data: new Float32Array(100).fill(1) };
    expect(renderTerminal(heat, { columns: 10, colour: false }).split('\n')[0]).toBe('@'.repeat(10));
  });
});

it('refuses a map that is not finite', () => {
  const heat = { width: 1, height: 1, data: Float32Array.of(Number.NaN) };
  expect(messageOf(() => renderTerminal(heat, { columns: 4, colour: true }))).toContain(
    'NaN at row 0, column 0',
  );
});
