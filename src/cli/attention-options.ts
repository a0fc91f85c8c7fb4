// Options of attention methods, on the command line and in manifests: blocks, rows, and the token that is read.
import type { ExplanationOptions } from '../api/compile.js';
import type { Manifest } from '../codegen/manifest.js';
import { RelcError } from '../ir/error.js';
import { stated } from '../ir/stated.js';
import type { AttentionOptions } from '../rules/attention/method.js';
import { presetOf } from '../rules/composite-file.js';
import { defaultRules, type Preset, presets } from '../rules/presets.js';
import type { Arguments, Option } from './arguments.js';
import type { OpenedRules } from './rules-module.js';

/** Declared by every command that compiles an explainer; {@link attentionOptionsOf} reads them. */
export const attentionOptions = {
  block: {
    type: 'string',
    value: 'N',
    help: 'of attention methods: the block that a rollout starts at, or that is looked at,\nfrom 0, or from -1 at the last',
  },
  'normalize-rows': {
    type: 'boolean',
    help: 'of rollouts: divide the rows of matrices by their sums;\n--no-normalize-rows does not, where the method else would',
  },
  'no-normalize-rows': { type: 'boolean', help: 'of rollouts: take the rows of matrices as they are' },
  query: {
    type: 'string',
    value: 'N|mean',
    help: 'of attention methods: the token whose row is read, or the mean of all rows\n(default: the tokens that the scores are read from)',
  },
  'per-block': {
    type: 'boolean',
    help: "of attention methods: also the row of each block's matrix by itself",
  },
  position: {
    type: 'string',
    value: 'N',
    help: 'the token whose scores are explained, where each token has scores of its own,\nfrom 0, or from -1 at the last',
  },
} as const satisfies Record<string, Option>;

/** A whole number, also a negative one. @throws RelcError RELC5001 */
function wholeNumber(given: Arguments, name: string, wanted: string): number | undefined {
  const text = given.text(name);
  if (text === undefined || /^-?\d+$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new RelcError('RELC5001', `--${name} ${text} is no ${wanted}`, `write it like --${name} 3`);
}

/** @throws RelcError RELC5001 where both are asked for */
function rowsAsked(given: Arguments): boolean | undefined {
  const [yes, no] = [given.flag('normalize-rows'), given.flag('no-normalize-rows')];
  if (yes && no)
    throw new RelcError('RELC5001', '--normalize-rows and --no-normalize-rows exclude each other');
  return yes || no ? yes : undefined;
}

/** What the command line alone asks for. @throws RelcError RELC5001 */
function asked(given: Arguments): AttentionOptions {
  const query = given.text('query');
  return stated({
    block: wholeNumber(given, 'block', 'number of a block'),
    normalizeRows: rowsAsked(given),
    query: query === 'mean' ? query : wholeNumber(given, 'query', "token's number, and not mean"),
    perBlock: given.flag('per-block') ? true : undefined,
  });
}

/** Names of the attention methods. */
export const attentionMethods = (): string[] =>
  [...presets.values()].flatMap(({ name, attention }) => (attention === undefined ? [] : [name]));

/** @throws RelcError RELC5001 naming the first of some options that is given */
export function refuseWithout(given: Arguments, options: readonly string[], why: string): void {
  const name = options.find((option) => given.flag(option) || given.text(option) !== undefined);
  if (name === undefined) return;
  const hint = `attention methods: ${attentionMethods().join(', ')}`;
  throw new RelcError('RELC5001', `--${name} is for attention methods, ${why}`, hint);
}

const ofMethods = Object.keys(attentionOptions).filter((name) => name !== 'position');

/**
 * What a manifest says of the model's attention: all of it to the rules it names, to others the token only.
 * @param isNamed  whether the command line names rules
 */
function toldBy({ attention }: Manifest, isNamed: boolean): AttentionOptions {
  return isNamed ? stated({ query: attention?.query }) : (attention ?? {});
}

/** Options less those of attention methods, where a preset is none. */
export function optionsFor(preset: Preset, { attention, ...rest }: ExplanationOptions): ExplanationOptions {
  return preset.attention === undefined || attention === undefined ? rest : { ...rest, attention };
}

/**
 * The options of attention methods and the position; `rules` is what both go with, `all` every preset.
 * @throws RelcError RELC5001 (wrong values, options of attention methods with other rules), RELC3003, RELC3007 (rules)
 */
export function attentionOptionsOf(
  given: Arguments,
  manifest: Manifest,
  { rules = defaultRules }: OpenedRules,
): Pick<ExplanationOptions, 'attention' | 'position'> {
  const position = wholeNumber(given, 'position', 'number of a token') ?? manifest.position;
  if (rules === 'all') refuseWithout(given, ofMethods, 'and --rules all checks every preset');
  const attention = { ...toldBy(manifest, given.text('rules') !== undefined), ...asked(given) };
  const isStated = Object.keys(attention).length > 0;
  const told = stated({ position, attention: isStated ? attention : undefined });
  if (rules === 'all') return told;
  const preset = presetOf(rules);
  if (preset.attention === undefined) refuseWithout(given, ofMethods, `and the rules are ${preset.name}`);
  return optionsFor(preset, told);
}
