// Pictures of the relevance of patches: the whole over what was explained, and beside it each block by itself.
import type { Values } from '../../api/explainer.js';
import type { TokenLayout } from '../../ir/analyses/tokens.js';
import { type Box, renderHeatmap, scaleTo, shorterSide } from '../picture/heatmap.js';
import type { Picture } from '../picture/picture.js';
import { sideBySide } from '../picture/side-by-side.js';
import { blockRows, extentOf, heatOfRow, layoutOf, patchRead, type TokenView } from './maps.js';

/** What is drawn over what. */
interface Drawn extends TokenView {
  readonly picture: Picture | undefined;
  readonly layout: TokenLayout;
}

/** The patch whose row is read, in shares of the picture. */
function markedPart({ explainer, layout }: Drawn): { marked?: Box } {
  const patch = patchRead(explainer, layout);
  if (patch === undefined) return {};
  const [rows, columns] = layout.grid!;
  const [row, column] = patch;
  return { marked: { left: column / columns, top: row / rows, width: 1 / columns, height: 1 / rows } };
}

/** One map, its shorter side so many pixels or just above: at that size, so that it is smooth, or edges are sharp. */
function drawRow(drawn: Drawn, row: Values, { title, shorter }: { title: string; shorter: number }): Picture {
  const { explainer, layout, drawing, picture } = drawn;
  const [height, width] = extentOf(explainer, layout);
  const scale = scaleTo(shorter, { width, height });
  const heat = heatOfRow(row, layout, { size: [height * scale, width * scale], drawing });
  const beneath = picture === undefined ? {} : { picture };
  return renderHeatmap(heat, { ...beneath, ...markedPart(drawn), title, scale: 1 });
}

/** Blocks in one row, and in more of them where there are many. */
const columnsFor = (count: number) => (count <= 4 ? count : Math.min(6, Math.ceil(count / 2)));

/** Draws the relevance of patches, with a map for each block in half the size where blocks were asked for. */
export function drawPatches(view: TokenView, picture: Picture | undefined, title: string): Picture {
  const layout = layoutOf(view);
  const drawn = { ...view, picture, layout };
  const patch = patchRead(view.explainer, layout);
  const read = patch === undefined ? '' : `  patch ${patch.join(',')}`;
  const whole = drawRow(drawn, view.explanation.relevance, {
    title: `${title}${read}`,
    shorter: shorterSide,
  });
  const blocks = blockRows(view.explanation).map(([block, row]) =>
    drawRow(drawn, row, { title: `block ${block}`, shorter: shorterSide / 2 }),
  );
  if (blocks.length === 0) return whole;
  return sideBySide([whole, sideBySide(blocks, columnsFor(blocks.length))], 2);
}
