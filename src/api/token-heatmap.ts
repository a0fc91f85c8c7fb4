// Maps of token relevance: a number a patch, laid out on the grid of patches and brought to the size of a picture.
import { notFinite, type Values } from '../codegen/wasm/runtime/explanation.js';
import type { TokenLayout } from '../ir/analyses/tokens.js';
import { RelcError } from '../ir/error.js';

/** How a map of patches becomes one of pixels: see {@link tokenHeatmap}. */
export const upsampleModes = ['bilinear', 'nearest'] as const;
export type UpsampleMode = (typeof upsampleModes)[number];

export interface TokenHeatmapOptions {
  /** Height and width of the map, positive integers: those of the picture that the model is given, or of any other. */
  readonly size: readonly [height: number, width: number];
  /** Defaults to `bilinear`. */
  readonly mode?: UpsampleMode;
}

const wrongUse = (detail: string, hint?: string) => new RelcError('RELC4007', detail, hint);

/** The tokens that stand for patches, row by row. */
export function patchTokens({ count, special }: TokenLayout): number[] {
  const isSpecial = new Set(special);
  return Array.from({ length: count }, (_, token) => token).filter((token) => !isSpecial.has(token));
}

/** @throws RelcError RELC4007 where patches do not lie on a grid */
function gridOf(tokens: TokenLayout): readonly [rows: number, columns: number] {
  const patches = patchTokens(tokens).length;
  const { count, special, grid } = tokens;
  if (grid === undefined) {
    throw wrongUse(
      `nothing says how ${patches} patches lie on the picture`,
      'state grid: [rows, columns] of the tokens',
    );
  }
  const [rows, columns] = grid;
  if (rows * columns === patches) return grid;
  throw wrongUse(
    `a grid of ${rows} x ${columns} has ${rows * columns} patches, but of ${count} tokens with ${special.length} special ones ${patches} are patches`,
  );
}

/** @throws RelcError RELC4007, RELC4006 */
function expectFitting({ data, shape }: Values, { count }: TokenLayout, size: readonly number[]): void {
  if (shape.length !== 2 || shape[1] !== count) {
    throw wrongUse(`relevance is [${shape}], expected a number a token, [N,${count}]`);
  }
  if (size.length !== 2 || !size.every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw wrongUse(`the size of a map is [${size}], expected [height, width], two positive integers`);
  }
  const bad = notFinite(data);
  if (bad >= 0) throw new RelcError('RELC4006', `relevance is ${data[bad]} at element ${bad}`);
}

/** Where a pixel lies: `share` of the way from the centre of one patch to that of another. */
interface Place {
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

/** The centre of pixel o is at (o + ½)·patches/pixels, that of patch i at i + ½. */
function placesAlong(patches: number, pixels: number, mode: UpsampleMode): Place[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = ((pixel + 0.5) * patches) / pixels;
    if (mode === 'nearest') return { low: Math.floor(at), high: Math.floor(at), share: 0 };
    const between = Math.max(0, Math.min(at - 0.5, patches - 1));
    const low = Math.floor(between);
    return { low, high: Math.min(low + 1, patches - 1), share: between - low };
  });
}

const mix = (a: number, b: number, share: number) => a + share * (b - a);

/** The rows of patches at the width of the picture. */
function linesOf(values: readonly number[], rows: number, across: readonly Place[]): Float64Array[] {
  const columns = values.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from(across, ({ low, high, share }) =>
      mix(values[row * columns + low]!, values[row * columns + high]!, share),
    ),
  );
}

/** @throws RelcError RELC4007 */
function expectMode(mode: UpsampleMode): UpsampleMode {
  if (upsampleModes.includes(mode)) return mode;
  throw wrongUse(`there is no way '${String(mode)}' to enlarge a map`, `modes: ${upsampleModes.join(', ')}`);
}

/**
 * Relevance of tokens as maps over pictures. Special tokens, such as a class token, stand nowhere and are left out. A
 * pixel has the relevance of its whole patch: under `nearest` the patch that its centre lies in, under `bilinear` what
 * lies between the centres of the four patches around it, and beyond the outermost centres their values. No value lies
 * beyond those of the patches, and their mean is that of the patches where a patch covers a whole number of pixels.
 * @param relevance  [N, tokens], as attention methods give it
 * @param tokens  of the explainer: `explainer.tokens`
 * @returns [N, height, width, 1]
 * @throws RelcError RELC4007 (no grid, or one that does not fit; another shape; a wrong size or mode), RELC4006 (relevance is
 *   not finite)
 * @see Chefer et al., CVPR 2021, whose maps are bilinear
 * @example
 * const { relevance } = await explainer.explain(pixels);
 * const map = tokenHeatmap(relevance, explainer.tokens!, { size: [224, 224] });
 */
export function tokenHeatmap(
  relevance: Values,
  tokens: TokenLayout,
  { size, mode = 'bilinear' }: TokenHeatmapOptions,
): Values {
  const [rows, columns] = gridOf(tokens);
  expectFitting(relevance, tokens, size);
  const [height, width] = size;
  const patches = patchTokens(tokens);
  const down = placesAlong(rows, height, expectMode(mode));
  const across = placesAlong(columns, width, mode);
  const samples = relevance.shape[0]!;
  const data = new Float32Array(samples * height * width);
  for (let sample = 0; sample < samples; sample++) {
    const values = patches.map((patch) => relevance.data[sample * tokens.count + patch]!);
    const lines = linesOf(values, rows, across);
    for (const [y, { low, high, share }] of down.entries()) {
      const [above, below] = [lines[low]!, lines[high]!];
      const start = (sample * height + y) * width;
      for (let x = 0; x < width; x++) data[start + x] = mix(above[x]!, below[x]!, share);
    }
  }
  return { data, shape: [samples, height, width, 1] };
}
