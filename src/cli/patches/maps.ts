// Relevance of tokens as maps: which values are rows of tokens, what they sum to, and how patches become pixels.
import type { Explainer, Explanation, Values } from '../../api/explainer.js';
import { patchTokens, tokenHeatmap } from '../../api/token-heatmap.js';
import type { TokenLayout } from '../../ir/analyses/tokens.js';
import type { Heat } from '../picture/heat.js';
import { layoutWith, type PatchDrawing } from './options.js';

/** What maps are made of. */
export interface TokenView {
  readonly explainer: Explainer;
  readonly explanation: Explanation;
  readonly drawing: PatchDrawing;
}

/** Whether an explainer gives a number a token, and not a number an element. */
export const explainsTokens = ({ request }: Explainer): boolean => request.preset.attention !== undefined;

/** What the tokens of an attention method are. */
export const layoutOf = ({ explainer, drawing }: Pick<TokenView, 'explainer' | 'drawing'>): TokenLayout =>
  layoutWith(explainer.tokens!, drawing);

/** Whether relevance is that of patches whose places are known. */
export const hasPatches = (view: Pick<TokenView, 'explainer' | 'drawing'>): boolean =>
  explainsTokens(view.explainer) && layoutOf(view).grid !== undefined;

/** What to know where tokens could be patches of a picture, and nothing says where. */
export function notesOnPatches(view: Pick<TokenView, 'explainer' | 'drawing'>): string[] {
  const { explainer } = view;
  // Tokens of a text are a row of numbers
  const isText = (explainer.inputs[0]?.type.shape ?? []).length < 3;
  if (!explainsTokens(explainer) || isText || hasPatches(view)) return [];
  const patches = patchTokens(layoutOf(view)).length;
  return [`no heatmap: nothing says how ${patches} patches lie on the picture; --grid HxW does`];
}

/** The relevance of a row: all of it, and that of special tokens. */
export function sumsOf({ data }: Values, { special }: TokenLayout) {
  const all = data.reduce((total, value) => total + value, 0);
  return { all, special: special.reduce((total, token) => total + data[token]!, 0) };
}

/** The rows of single blocks, by the number of the block; none where they were not asked for. */
export function blockRows({ relevances }: Explanation): [block: number, row: Values][] {
  return Object.entries(relevances).flatMap(([name, row]): [number, Values][] => {
    const [, block] = /^block(\d+)$/.exec(name) ?? [];
    return block === undefined ? [] : [[Number(block), row]];
  });
}

/** Height and width of what patches lie on: of a picture, else of the grid. */
export function extentOf({ inputs }: Explainer, layout: TokenLayout): readonly [number, number] {
  const shape = (inputs[0]?.type.shape ?? []) as number[];
  return shape.length === 4 ? [shape[1]!, shape[2]!] : layout.grid!;
}

/** A row of tokens as a map of so many pixels. */
export function heatOfRow(
  row: Values,
  layout: TokenLayout,
  { size, drawing }: { readonly size: readonly [number, number]; readonly drawing: PatchDrawing },
): Heat {
  const { data } = tokenHeatmap(row, layout, { size, mode: drawing.mode });
  return { height: size[0], width: size[1], data };
}

/** The patch whose row is read, where one was named. */
export function patchRead(
  { request }: Explainer,
  layout: TokenLayout,
): [row: number, column: number] | undefined {
  const query = request.attention?.query;
  if (typeof query !== 'number' || layout.grid === undefined) return undefined;
  const patch = patchTokens(layout).indexOf(query < 0 ? layout.count + query : query);
  const columns = layout.grid[1];
  return patch < 0 ? undefined : [Math.floor(patch / columns), patch % columns];
}
