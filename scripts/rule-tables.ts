// The parts of docs/rules.md that are data: written from the tables of rules, presets, kinds and causes.

import { causes } from '../src/rules/cause-names.js';
import { kinds, printChoice, printMatch } from '../src/rules/composite.js';
import {
  describeLosses,
  describeMethod,
  describeNames,
  describeParameters,
  describeResult,
} from '../src/rules/describe.js';
import { base, type Preset, presetNamed } from '../src/rules/presets.js';
import { type RuleDefinition, ruleTable } from '../src/rules/rules.js';
import { families } from './families.js';

const cell = (text: string) => text.replaceAll('|', '\\|');
const code = (text: string) => `\`${text}\``;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

/** All presets, one a row: what each is, and where it is from. */
function presetList(): string {
  const rows = families.flatMap(({ presets }) =>
    presets.map((name) => {
      const { summary, seed, source } = presetNamed(name);
      return [code(name), summary, code(seed), source];
    }),
  );
  return table(['preset', 'what it does', 'seed', 'source'], rows);
}

/** The lines of one preset, the base left out. */
function presetTable(preset: Preset): string {
  const baseLines = new Set(base);
  const own = preset.composite.filter((line) => !baseLines.has(line));
  const rows = own.map(([name, match, choice]) => [name, printMatch(match), code(printChoice(choice))]);
  if (own.length < preset.composite.length) rows.push(['then the base', '', '']);
  const notes = describeResult(preset).map((note) => `Result: ${note}.`);
  return [table(['line', 'matches', 'rule'], rows), ...notes].join('\n\n');
}

function baseTable(): string {
  const rows = base.map(([name, match, choice]) => [name, printMatch(match), code(printChoice(choice))]);
  return table(['line', 'matches', 'rule'], rows);
}

/** What each attention method makes of the matrices. */
function methodTable(): string {
  const rows = families
    .flatMap((family) => (family.ofTokens ? family.presets : []))
    .map(presetNamed)
    .flatMap(({ name, attention, source }) =>
      attention === undefined ? [] : [[code(name), ...describeMethod(attention), source]],
    );
  return table(['method', 'of each matrix', 'of all blocks', 'source'], rows);
}

/** Presets with a table of their own: of attention methods with relevance one stands for all. */
const tabled = (name: string) => {
  const { attention } = presetNamed(name);
  return attention === undefined || name === 'transformer-attribution';
};

const kindTable = () =>
  table(
    ['kind', 'what is of it'],
    Object.entries(kinds).map(([name, text]) => [code(name), text]),
  );

const causeTable = () => table(['cause', 'what is lost'], Object.entries(causes));

/** What the table says of one rule. */
function ruleCard(rule: RuleDefinition): string {
  const names = describeNames(rule);
  const parameters = describeParameters(rule).map(code);
  const facts = [
    `- Source: ${rule.source}`,
    ...(names.length === 0 ? [] : [`- Also called: ${names.join(', ')}`]),
    ...(parameters.length === 0 ? [] : [`- Parameters: ${parameters.join(', ')}`]),
    ...describeLosses(rule).map((losses) => `- May lose${losses.includes(': ') ? '' : ':'} ${losses}`),
  ];
  return ['```', rule.equation, '```', '', ...facts].join('\n');
}

/** The text of every generated block, by the name in its markers. */
export function generatedBlocks(): ReadonlyMap<string, string> {
  const presets = families.flatMap((family) => family.presets).filter(tabled);
  return new Map([
    ['presets', presetList()],
    ['attention methods', methodTable()],
    ['kinds', kindTable()],
    ['base', baseTable()],
    ['causes', causeTable()],
    ...presets.map((name) => [`preset ${name}`, presetTable(presetNamed(name))] as const),
    ...Object.entries(ruleTable).map(([name, rule]) => [`rule ${name}`, ruleCard(rule)] as const),
  ]);
}

const begin = (name: string) => `<!-- ${name}:begin -->\n`;
const end = (name: string) => `\n<!-- ${name}:end -->`;

/** Names of blocks for which a page has no place. */
export function missingBlocks(page: string): string[] {
  return [...generatedBlocks().keys()].filter(
    (name) => !page.includes(begin(name)) || !page.includes(end(name)),
  );
}

/** The page with every block as the tables have it. */
export function regenerated(page: string): string {
  let text = page;
  for (const [name, block] of generatedBlocks()) {
    const [start, stop] = [text.indexOf(begin(name)), text.indexOf(end(name))];
    if (start < 0 || stop < 0) continue;
    text = `${text.slice(0, start)}${begin(name)}${block}${text.slice(stop)}`;
  }
  return text;
}
