// relc rules: the presets with their tables, and what is to know of each rule they use.
import { type CompositeLine, kinds, printChoice, printMatch } from '../../rules/composite.js';
import { presetOf, printComposite } from '../../rules/composite-file.js';
import { describeLosses, describeNames, describeParameters, describeResult } from '../../rules/describe.js';
import { base, type Preset, presets } from '../../rules/presets.js';
import { resolved } from '../../rules/resolve.js';
import { type RuleDefinition, ruleTable } from '../../rules/rules.js';
import { type Arguments, type Command, usageError } from '../arguments.js';
import { openRules } from '../rules-module.js';
import { styled, type Terminal } from '../terminal.js';

const width = 100;

/** Words in lines that end before column `width`; the first begins after `head`, the others below it. */
function hanging(head: string, words: readonly string[]): string {
  const indent = ' '.repeat(head.length);
  const lines = [head];
  for (const word of words) {
    const last = lines.at(-1)!;
    if (last.length + word.length + 1 <= width || last.trim() === '') lines.push(`${lines.pop()}${word} `);
    else lines.push(`${indent}${word} `);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}

const paragraph = (head: string, text: string) => hanging(head, text.split(' '));

/** A line of a composite: its name, what it matches, and its rule with all parameters. */
function printLines(lines: readonly CompositeLine[]): string {
  const rows = lines.map(([name, match, choice]) => [name, printMatch(match), printChoice(choice)] as const);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(([name, match, choice]) =>
      paragraph(`  ${name.padEnd(widths[0]!)}  ${match.padEnd(widths[1]!)}  `, choice),
    )
    .join('\n');
}

/** Whether anything flows back under a preset: methods of attention as it is have no use for rules. */
const hasFlow = ({ attention }: Preset) =>
  attention === undefined || attention.of === 'relevance' || attention.timesGradient;

/** The lines of a preset. @param same  another preset that has been listed with the same lines */
function linesText(preset: Preset, same: Preset | undefined): string[] {
  if (!hasFlow(preset)) return [];
  if (same !== undefined) return [`  rules as of ${same.name}`];
  const baseLines = new Set(base);
  const own = preset.composite.filter((line) => !baseLines.has(line));
  return [
    ...(own.length > 0 ? [printLines(own)] : []),
    ...(own.length < preset.composite.length ? ['  then the base'] : []),
  ];
}

function printPreset(terminal: Terminal, preset: Preset, same?: Preset): void {
  terminal.out(styled(terminal, 'bold', preset.name));
  terminal.out(paragraph('  ', `${preset.summary} (${preset.source}); seed ${preset.seed}`));
  for (const note of describeResult(preset)) terminal.out(paragraph('  ', note));
  for (const line of linesText(preset, same)) terminal.out(line);
  terminal.out('');
}

/** Presets by what they explain: elements of values by rules, or tokens by attention matrices, whose rules are listed once. */
function printAll(terminal: Terminal, all: readonly Preset[]): void {
  const methods = all.filter(({ attention }) => attention !== undefined);
  for (const preset of all) if (!methods.includes(preset)) printPreset(terminal, preset);
  terminal.out(styled(terminal, 'bold', 'attention methods: a number for each token of a transformer'));
  terminal.out('');
  for (const [index, preset] of methods.entries()) {
    const alike = methods
      .slice(0, index)
      .filter(hasFlow)
      .find(({ composite }) => JSON.stringify(composite) === JSON.stringify(preset.composite));
    printPreset(terminal, preset, alike);
  }
}

/** The preset that is asked for, by its name or by --preset. @throws RelcError RELC5001 where both are given */
function presetAsked(given: Arguments): string | undefined {
  const [named] = given.rest(0);
  const option = given.text('preset');
  if (named === undefined || option === undefined) return named ?? option;
  throw usageError(`--preset ${option} and ${named} both name a preset`, rulesCommand);
}

function printRule(terminal: Terminal, name: string, rule: RuleDefinition): void {
  terminal.out(styled(terminal, 'bold', name));
  terminal.out(paragraph('  ', rule.summary));
  const facts: readonly (readonly [string, readonly string[]])[] = [
    ['relevance of x', [rule.equation]],
    ['source', [rule.source]],
    ['also called', [describeNames(rule).join(', ')]],
    ['parameters', [describeParameters(rule).join(', ')]],
    ['may lose', describeLosses(rule)],
  ];
  for (const [label, texts] of facts) {
    for (const [index, text] of texts.entries()) {
      if (text !== '') terminal.out(paragraph(`  ${(index === 0 ? label : '').padEnd(14)}  `, text));
    }
  }
  terminal.out('');
}

/** A preset by its name, or in a file: with every rule and parameter stated, unless it has rules of its own. */
async function openPreset(named: string): Promise<Preset> {
  const { rules, customRules } = await openRules(named);
  const preset = presetOf(rules!);
  return customRules === undefined ? { ...preset, composite: resolved(preset.composite, ruleTable) } : preset;
}

export const rulesCommand: Command = {
  name: 'rules',
  positionals: ['[PRESET]'],
  summary: 'list the presets with their tables, and the rules they use',
  description: `A composite is a list of lines; the first line that matches an op chooses its rule. An op that no line
matches is refused by name. A line may ask for a kind or an op, a name with * for any letters, the first or the last
layer, layers by number. relc rules PRESET --json prints a file to change and use as --rules my.json:
  { "extends": "base", "composite": [["dense", { "kind": "dense", "last": true }, { "rule": "epsilon" }], …] }
An object may state name, summary, source, extends ("base" or a preset), composite, seed, quantity, result and attention.
Kinds: ${Object.keys(kinds).join(', ')}.`,
  options: {
    preset: {
      type: 'string',
      short: 'p',
      value: 'NAME|FILE',
      help: 'only this preset, or file of rules, and its rules: as the argument',
    },
    json: { type: 'boolean', help: 'print the preset as a file of rules; without --preset a list of all' },
  },
  examples: [
    'relc rules',
    'relc rules epsilon-plus',
    'relc rules transformer-attribution',
    'relc rules --preset epsilon --json > my.json',
  ],
  async run(given, terminal) {
    const only = presetAsked(given);
    const shown = only === undefined ? [...presets.values()] : [await openPreset(only)];
    if (given.flag('json')) {
      const files = shown.map(printComposite);
      terminal.out(only === undefined ? `[\n${files.join(',\n')}\n]` : files[0]!);
      return;
    }
    if (only === undefined) printAll(terminal, shown);
    else printPreset(terminal, shown[0]!);
    const lines = shown.filter(hasFlow).flatMap((preset) => preset.composite);
    if (base.some((line) => lines.includes(line))) {
      terminal.out(styled(terminal, 'bold', 'the base'));
      terminal.out(`${printLines(base)}\n`);
    }
    const used = new Set(lines.map(([, , choice]) => choice.rule));
    for (const [name, rule] of Object.entries(ruleTable)) {
      if (only === undefined || used.has(name)) printRule(terminal, name, rule);
    }
  },
};
