// Small heatmaps for a terminal: half blocks of colour, or characters where there is none.
import { type Colour, colourOf } from './colours.js';
import { checkHeat, formatValue, type Heat, type Limit, limitOf } from './heat.js';
import { resizeMap } from './resize.js';

/** How to draw in a terminal. */
export interface TerminalOptions {
  /** The picture's width in characters, a positive integer. */
  readonly columns: number;
  /** Whether the terminal shows 24-bit colours. */
  readonly colour: boolean;
}

/** Relevance averaged over cells and divided by the limit of those averages: -1..1, and beyond for outliers. */
interface Grid {
  readonly width: number;
  readonly height: number;
  readonly strengths: Float32Array;
  readonly limit: Limit;
}

const positiveShades = ' .:-=+*#%@';
const negativeShades = ' 123456789';
const reset = '\x1b[0m';

/**
 * Draws a heatmap as lines of text, with a last line that says what the marks stand for.
 *
 * With colour, each character is the upper half block: two rows of the map a line. Without, positive values are
 * ` .:-=+*#%@` and negative ones the digits 1 to 9, both rising with magnitude. The limits the last line
 * states are those of `limitOf` for the values averaged over each cell.
 *
 * @returns lines separated (not ended) by newlines
 * @throws RelcError RELC5003 for a map that is empty, of a wrong count of values, or not finite
 */
export function renderTerminal(heat: Heat, options: TerminalOptions): string {
  checkHeat(heat);
  return options.colour ? colourLines(heat, options.columns) : shadeLines(heat, options.columns);
}

/** A cell is a square of the map `cellAspect` high for each unit of its width. */
function gridOf(heat: Heat, columns: number, cellAspect: number): Grid {
  const height = Math.max(1, Math.round((columns * heat.height) / heat.width / cellAspect));
  const values = resizeMap(heat.data, heat.width, heat.height, columns, height);
  const limit = limitOf(values);
  const strengths = limit.value === 0 ? values : values.map((value) => value / limit.value);
  return { width: columns, height, strengths, limit };
}

function shadeOf(strength: number): string {
  const shades = strength < 0 ? negativeShades : positiveShades;
  return shades[Math.round(Math.min(Math.abs(strength), 1) * (shades.length - 1))]!;
}

function shadeLines(heat: Heat, columns: number): string {
  // A character is about twice as high as it is wide.
  const grid = gridOf(heat, columns, 2);
  const lines = Array.from({ length: grid.height }, (_, y) =>
    Array.from(grid.strengths.subarray(y * grid.width, (y + 1) * grid.width), shadeOf).join(''),
  );
  const limit = formatValue(grid.limit.value);
  const legend = `positive '${positiveShades}' to +${limit}, negative '${negativeShades}' to -${limit}`;
  lines.push(legend + beyond(grid.limit));
  return lines.join('\n');
}

function foreground(colour: Colour): string {
  return `\x1b[38;2;${colour.join(';')}m`;
}

function background(colour: Colour): string {
  return `\x1b[48;2;${colour.join(';')}m`;
}

/** A line of half blocks; escape codes only where a colour changes. The last line of an odd height has no lower row. */
function blockLine(upper: readonly Colour[], lower: readonly Colour[]): string {
  let line = '';
  let last = ['', ''];
  for (const [x, colour] of upper.entries()) {
    const below = lower[x];
    const codes = [foreground(colour), below === undefined ? '' : background(below)];
    if (codes[0] !== last[0]) line += codes[0];
    if (codes[1] !== last[1]) line += codes[1];
    line += '▀';
    last = codes;
  }
  return line + reset;
}

function colourLines(heat: Heat, columns: number): string {
  // Half a character is about square.
  const grid = gridOf(heat, columns, 1);
  const rows = Array.from({ length: grid.height }, (_, y) =>
    Array.from(grid.strengths.subarray(y * grid.width, (y + 1) * grid.width), colourOf),
  );
  const lines: string[] = [];
  for (let y = 0; y < grid.height; y += 2) lines.push(blockLine(rows[y]!, rows[y + 1] ?? []));
  lines.push(colourLegend(grid.limit));
  return lines.join('\n');
}

/** What a legend adds where some values lie beyond the limit. */
function beyond(limit: Limit): string {
  return limit.exceeded ? ' and beyond' : '';
}

function colourLegend(limit: Limit): string {
  const text = formatValue(limit.value);
  const steps = Array.from({ length: 17 }, (_, step) => background(colourOf((step - 8) / 8)));
  return `-${text} ${steps.map((step) => `${step} `).join('')}${reset} +${text}${beyond(limit)}`;
}
