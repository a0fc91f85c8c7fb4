// What relc explain says of the relevance of tokens: maps and sums in a terminal, and numbers for machines.
import type { Values } from '../../api/explainer.js';
import { patchTokens } from '../../api/token-heatmap.js';
import type { TokenLayout } from '../../ir/analyses/tokens.js';
import { formatValue } from '../picture/heat.js';
import { renderTerminal } from '../picture/terminal.js';
import { styled, type Terminal } from '../terminal.js';
import { blockRows, extentOf, heatOfRow, layoutOf, patchRead, sumsOf, type TokenView } from './maps.js';

/** `class token`, `2 special tokens`; undefined where there are none. */
function specialName({ special }: TokenLayout): string | undefined {
  if (special.length === 0) return undefined;
  return special.length === 1 && special[0] === 0 ? 'class token' : `${special.length} special tokens`;
}

/** Lines of a map that is so many characters wide. */
function mapText(
  view: TokenView,
  row: Values,
  { columns, terminal }: { columns: number; terminal: Terminal },
) {
  const { explainer, drawing } = view;
  const layout = layoutOf(view);
  const [height, width] = extentOf(explainer, layout);
  const size = [Math.max(1, Math.round((columns * height) / width)), columns] as const;
  return renderTerminal(heatOfRow(row, layout, { size, drawing }), { columns, colour: terminal.colour });
}

const wholeWidth = 48;
const gap = '  ';

/** Characters of a block's map: two a patch, and enough for its name. */
const blockWidth = ({ grid }: TokenLayout) => Math.max(10, Math.min(2 * grid![1], 16));

/** Maps of blocks beside each other, each under its number and the largest of its values. */
function blocksText(view: TokenView, terminal: Terminal): string[] {
  const layout = layoutOf(view);
  const [columns, patches] = [blockWidth(layout), patchTokens(layout)];
  const inLine = Math.max(1, Math.floor((terminal.columns + gap.length) / (columns + gap.length)));
  const maps = blockRows(view.explanation).map(([block, row]) => {
    const largest = Math.max(...patches.map((patch) => Math.abs(row.data[patch]!)));
    // The legend is left out: each map has a scale of its own
    const lines = mapText(view, row, { columns, terminal }).split('\n').slice(0, -1);
    return [`block ${block}`.padEnd(columns), `to ${formatValue(largest)}`.padEnd(columns), ...lines];
  });
  const rows = Array.from({ length: Math.ceil(maps.length / inLine) }, (_, row) =>
    maps.slice(row * inLine, (row + 1) * inLine),
  );
  return rows.map((row) => row[0]!.map((_, line) => row.map((map) => map[line]).join(gap)).join('\n'));
}

/** The map of the whole, and small ones of the blocks. */
export function drawInTerminal(view: TokenView, terminal: Terminal): string {
  const columns = Math.min(wholeWidth, terminal.columns - 2);
  const whole = mapText(view, view.explanation.relevance, { columns, terminal });
  const blocks = blocksText(view, terminal);
  return [whole, ...blocks.map((text) => `\n${text}`)].join('\n');
}

/** `transformer-attribution for cat: f(x) 5.1 · patches 1.30 · class token 0.12 · read at patch 3,5` */
export function tokenLine(
  view: TokenView,
  terminal: Terminal,
  { method, name }: { method: string; name: string },
) {
  const { explainer, explanation } = view;
  const layout = layoutOf(view);
  const { all, special } = sumsOf(explanation.relevance, layout);
  const [named, patch] = [specialName(layout), patchRead(explainer, layout)];
  const parts = [
    `f(x) ${explanation.logit.toPrecision(5)}`,
    `sum over ${layout.grid === undefined ? 'tokens' : 'patches'} ${(all - special).toPrecision(5)}`,
    ...(named === undefined ? [] : [`${named} ${special.toPrecision(5)}`]),
    ...(patch === undefined ? [] : [`the row of patch ${patch.join(',')}`]),
  ];
  return `${method} for ${styled(terminal, 'bold', name)}: ${parts.join(' · ')}`;
}

/** What a row says, for machines: every token, all of it, and what is at special tokens. */
function rowJson(row: Values, layout: TokenLayout) {
  const { all, special } = sumsOf(row, layout);
  return { sum: all, special, relevance: [...row.data] };
}

/** Fields of an explanation's report. */
export function tokenJson(view: TokenView) {
  const layout = layoutOf(view);
  const { explainer, explanation } = view;
  const { count, special, grid } = layout;
  const patch = patchRead(explainer, layout);
  const blocks = blockRows(explanation).map(([block, row]) => ({ block, ...rowJson(row, layout) }));
  return {
    attention: {
      ...{ tokens: count, special, ...(grid === undefined ? {} : { grid }) },
      ...(patch === undefined ? {} : { patch }),
      ...{ row: rowJson(explanation.relevance, layout) },
      ...(blocks.length === 0 ? {} : { blocks }),
    },
  };
}
