// How the relevance of patches is drawn: the grid they lie on, how maps are enlarged, and whose attention flows.
import type { ExplanationOptions } from '../../api/compile.js';
import type { Explainer } from '../../api/explainer.js';
import { canonical } from '../../api/pipeline.js';
import { patchTokens, type UpsampleMode, upsampleModes } from '../../api/token-heatmap.js';
import type { Manifest } from '../../codegen/manifest.js';
import { type TokenLayout, tokensOf } from '../../ir/analyses/tokens.js';
import { RelcError } from '../../ir/error.js';
import type { Program } from '../../ir/passes/pass.js';
import { stated } from '../../ir/stated.js';
import { presetOf } from '../../rules/composite-file.js';
import { defaultRules } from '../../rules/presets.js';
import type { Arguments, Option } from '../arguments.js';
import { refuseWithout } from '../attention-options.js';

/** Declared by relc explain; {@link patchDrawingOf} reads the first two, {@link atPatch} the last. */
export const patchOptions = {
  grid: {
    type: 'string',
    value: 'HxW',
    help: 'rows and columns of patches, where the model does not say how its tokens lie: 14x14',
  },
  upsample: {
    type: 'string',
    value: 'MODE',
    help: `how relevance of patches is drawn over the picture: ${upsampleModes.join(' or ')} (default ${upsampleModes[0]})`,
  },
  flow: {
    type: 'string',
    value: 'ROW,COL',
    help: 'of attention methods: read the row of this patch, from 0,0 at the top left:\nwhere what it holds in the end came from (best with attention-rollout)',
  },
} as const satisfies Record<string, Option>;

/** What the command line and the manifest say of how relevance of tokens is drawn. */
export interface PatchDrawing {
  readonly mode: UpsampleMode;
  readonly grid?: readonly [rows: number, columns: number];
  /** What the manifest says that tokens are. */
  readonly tokens?: TokenLayout;
}

const wrong = (detail: string, hint?: string) => new RelcError('RELC5001', detail, hint);

/** Two whole numbers with something between them. @throws RelcError RELC5001 */
function pairOf(
  given: Arguments,
  name: 'grid' | 'flow',
  { pattern, hint }: { readonly pattern: RegExp; readonly hint: string },
): readonly [number, number] | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  const [, first, second] = pattern.exec(text) ?? [];
  if (first !== undefined) return [Number(first), Number(second)];
  throw wrong(`--${name} ${text} is not ${name === 'grid' ? 'a grid of patches' : 'a patch'}`, hint);
}

/**
 * @param asked  what is explained by each of the rules
 * @throws RelcError RELC5001 (wrong values, options of drawing patches with rules that give none)
 */
export function patchDrawingOf(
  given: Arguments,
  { tokens }: Manifest,
  asked: readonly ExplanationOptions[],
): PatchDrawing {
  const presets = asked.map(({ rules = defaultRules }) => presetOf(rules));
  if (presets.every(({ attention }) => attention === undefined)) {
    const names = presets.map(({ name }) => name).join(', ');
    refuseWithout(given, Object.keys(patchOptions), `and the rules are ${names}`);
  }
  const mode = given.text('upsample') ?? upsampleModes[0];
  if (!upsampleModes.includes(mode as UpsampleMode)) {
    throw wrong(`--upsample ${mode} is unknown`, `modes: ${upsampleModes.join(', ')}`);
  }
  const hint = 'write it like --grid 14x14 : rows and columns of patches';
  const grid = pairOf(given, 'grid', { pattern: /^([1-9]\d*)x([1-9]\d*)$/, hint });
  return { mode: mode as UpsampleMode, ...stated({ grid, tokens }) };
}

/**
 * What tokens are: as the manifest says, else as the model shows, on the grid of the command line, else on theirs.
 * @throws RelcError RELC5001 (a grid of another number of patches), RELC5004 (the manifest says what cannot be)
 */
export function layoutWith(found: TokenLayout, { grid, tokens }: PatchDrawing): TokenLayout {
  if (tokens !== undefined && tokens.count !== found.count) {
    throw new RelcError(
      'RELC5004',
      `relc.json beside the model says ${tokens.count} tokens, but its attention runs along ${found.count}`,
    );
  }
  const layout = { ...(tokens ?? found), ...stated({ grid }) };
  const patches = patchTokens(layout).length;
  if (layout.grid === undefined || layout.grid[0] * layout.grid[1] === patches) return layout;
  const [rows, columns] = layout.grid;
  throw new RelcError(
    grid === undefined ? 'RELC5004' : 'RELC5001',
    `a grid of ${rows}x${columns} has ${rows * columns} patches, but ${patches} of the model's ${layout.count} tokens are patches`,
    grid === undefined ? undefined : 'special tokens lie nowhere: relc inspect lists them',
  );
}

/** @throws RelcError RELC5001 (a grid that does not fit), RELC5004 (the manifest says what cannot be) */
export function expectDrawing({ request, tokens }: Explainer, drawing: PatchDrawing): void {
  if (request.preset.attention !== undefined) layoutWith(tokens!, drawing);
}

/** The token that a patch is. @throws RelcError RELC5001 */
function tokenAt([row, column]: readonly [number, number], layout: TokenLayout): number {
  const { grid } = layout;
  if (grid === undefined) {
    throw wrong(
      '--flow names a patch, and nothing says how the tokens lie',
      'state --grid HxW, or use --query N',
    );
  }
  if (row < grid[0] && column < grid[1]) return patchTokens(layout)[row * grid[1] + column]!;
  throw wrong(
    `--flow ${row},${column} is no patch of ${grid[0]}x${grid[1]}`,
    'rows and columns count from 0',
  );
}

/**
 * Options, of each of the rules, with the query that --flow asks for, where it is given.
 * @param program  as it was traced
 * @throws RelcError RELC5001 (no such patch, --query beside it), RELC5004
 */
export function atPatch(
  given: Arguments,
  program: Program,
  { asked, drawing }: { readonly asked: readonly ExplanationOptions[]; readonly drawing: PatchDrawing },
): readonly ExplanationOptions[] {
  const hint = 'write it like --flow 3,5 : row and column of a patch, from 0,0 at the top left';
  const patch = pairOf(given, 'flow', { pattern: /^(\d+),(\d+)$/, hint });
  if (patch === undefined) return asked;
  if (given.text('query') !== undefined) throw wrong('--flow and --query both name the row that is read');
  const { graph } = canonical(program).program;
  const tokens = tokensOf(graph);
  // A model without attention is refused by its rules
  if (tokens === undefined) return asked;
  const query = tokenAt(patch, layoutWith(tokens, drawing));
  return asked.map((options) => ({ ...options, attention: { ...options.attention, query } }));
}
