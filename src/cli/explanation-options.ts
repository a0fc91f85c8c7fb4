// Options that say what is explained and how: shared by every command that compiles an explainer.
import { dirname, join } from 'node:path';
import type { ExplanationOptions } from '../api/compile.js';
import type { Manifest } from '../codegen/manifest.js';
import type { Interval } from '../ir/analyses/interval.js';
import { RelcError } from '../ir/error.js';
import { stated } from '../ir/stated.js';
import { defaultRules, type Seed, seeds } from '../rules/presets.js';
import type { Arguments, Option } from './arguments.js';
import { attentionOptions, attentionOptionsOf } from './attention-options.js';
import { isArrayFile, parsePair, parseScale } from './input.js';
import { isRulesFile, type OpenedRules, openRules } from './rules-module.js';

const text = (value: string, help: string, more: Partial<Option> = {}): Option => ({
  type: 'string',
  value,
  help,
  ...more,
});

/** Declared by every command that compiles an explainer; {@link explanationOptionsOf} reads them. */
export const explanationOptions = {
  rules: text(
    'NAME|FILE',
    `a preset (relc rules lists them), or a file of rules: my.json, or a module my.mjs\n(default: the manifest's, else ${defaultRules})`,
    { short: 'r' },
  ),
  seed: text('SEED', `what relevance starts as: ${seeds.join(', ')}\n(default: as the preset says)`),
  at: text('NAMES', 'explain these values or layers in place of the inputs: block3/conv2,block1'),
  layer: text('NAME', 'the layer that grad-cam looks at (default: the last convolution)'),
  range: text('L,H', 'smallest and largest value of the input, for zB (default: from the scale of pixels)'),
  output: text('NAME', 'the output to explain, where the model has several'),
  shape: text('DIMS', 'the input shape, where the model leaves it open: 1,224,224,3'),
  ...attentionOptions,
} as const satisfies Record<string, Option>;

/** The rules that the command line names, else those of the manifest, whose files lie beside the model. */
async function rulesOf(
  given: Arguments,
  { rules }: Manifest,
  named: string | undefined,
): Promise<OpenedRules> {
  if (named !== undefined) return openRules(named);
  if (rules === undefined) return {};
  return openRules(isRulesFile(rules) ? join(dirname(given.positional(0)), rules) : rules);
}

/** The kind of seed that is compiled: numbers in a file are a tensor, a class to compare with makes a contrast. */
function seedOf(given: Arguments): Seed | undefined {
  const name = given.text('seed');
  if (name === undefined) return given.text('against') === undefined ? undefined : 'contrast';
  if (isArrayFile(name)) return 'tensor';
  if (seeds.includes(name as Seed)) return name as Seed;
  throw new RelcError('RELC5001', `--seed ${name} is unknown`, `seeds: ${seeds.join(', ')}`);
}

/** The values of pixels 0 and 255, the smaller first. */
function rangeOfPixels([factor, offset]: readonly [number, number]): Interval {
  const [black, white] = [offset, 255 * factor + offset];
  return [Math.min(black, white), Math.max(black, white)];
}

/**
 * What the command line and the manifest ask to explain. Ranges that neither states follow from how pixels enter.
 * @param scale  how pixels enter where neither says so
 * @param rules  the name of a preset, or a file: those of the command line if left out
 * @throws RelcError RELC5001 (wrong values), RELC5002, RELC3003, RELC3007 (rules)
 */
export async function explanationOptionsOf(
  given: Arguments,
  manifest: Manifest,
  { scale, rules = given.text('rules') }: { scale?: readonly [number, number]; rules?: string } = {},
): Promise<ExplanationOptions> {
  const pixels = parseScale(given.text('scale')) ?? manifest.scale ?? scale;
  const range =
    parsePair(
      given.text('range'),
      'range',
      'write it like --range -1,1 : the smallest and the largest value of the input',
    ) ??
    manifest.range ??
    (pixels && rangeOfPixels(pixels));
  const asked = stated({
    seed: seedOf(given),
    relevanceOf: given.text('at')?.split(','),
    layer: given.text('layer'),
    output: given.text('output'),
    range,
  });
  const opened = await rulesOf(given, manifest, rules);
  return { ...opened, ...asked, ...attentionOptionsOf(given, manifest, opened) };
}
