// relc rules: the presets with their tables, and what is to know of each rule they use.
import { type CompositeLine, printChoice, printMatch } from '../../rules/composite.js';
import { describeLosses, describeNames, describeParameters, describeResult } from '../../rules/describe.js';
import { base, type Preset, presetNamed, presets } from '../../rules/presets.js';
import { type RuleDefinition, ruleTable } from '../../rules/rules.js';
import type { Command } from '../arguments.js';
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

function printPreset(terminal: Terminal, preset: Preset): void {
  const baseLines = new Set(base);
  const own = preset.composite.filter((line) => !baseLines.has(line));
  terminal.out(styled(terminal, 'bold', preset.name));
  terminal.out(paragraph('  ', `${preset.summary} (${preset.source}); seed ${preset.seed}`));
  for (const note of describeResult(preset)) terminal.out(paragraph('  ', note));
  terminal.out(printLines(own));
  if (own.length < preset.composite.length) terminal.out('  then the base');
  terminal.out('');
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

export const rulesCommand: Command = {
  name: 'rules',
  positionals: [],
  summary: 'list the presets with their tables, and the rules they use',
  description:
    'A composite is a list of lines; the first line that matches an op chooses its rule. An op that no line\nmatches is refused by name.',
  options: {
    preset: { type: 'string', short: 'p', value: 'NAME', help: 'only this preset and its rules' },
    json: { type: 'boolean', help: 'print presets as JSON data' },
  },
  examples: ['relc rules', 'relc rules --preset epsilon-plus'],
  async run(given, terminal) {
    const only = given.text('preset');
    const shown = only === undefined ? [...presets.values()] : [presetNamed(only)];
    if (given.flag('json')) {
      terminal.out(JSON.stringify(shown, undefined, 2));
      return;
    }
    for (const preset of shown) printPreset(terminal, preset);
    const lines = shown.flatMap((preset) => preset.composite);
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
