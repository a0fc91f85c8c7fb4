// relc rules: the presets, their tables, and what each rule computes.
import { printChoice, printMatch } from '../../rules/composite.js';
import { base, type Preset, presetNamed, presets } from '../../rules/presets.js';
import { ruleTable } from '../../rules/rules.js';
import type { Command } from '../arguments.js';
import { styled, type Terminal, table } from '../terminal.js';

function printPreset(terminal: Terminal, preset: Preset): void {
  terminal.out(
    `${styled(terminal, 'bold', preset.name)}  ${preset.summary} (${preset.source}); seed ${preset.seed}`,
  );
  const baseLines = new Set(base);
  const rows = preset.composite.map((line) => {
    const [name, match, choice] = line;
    return [`  ${baseLines.has(line) ? 'base: ' : ''}${name}`, printMatch(match), printChoice(choice)];
  });
  terminal.out(table([['  line', 'matches', 'rule'], ...rows]));
  if (preset.result === 'times input') terminal.out('  the result is multiplied by the input');
  terminal.out('');
}

export const rulesCommand: Command = {
  name: 'rules',
  positionals: [],
  summary: 'list the presets with their tables, and the rules they use',
  description:
    'A composite is a list of lines; the first line that matches an op chooses its rule. An op that no line\nmatches is refused by name.',
  options: {
    preset: { type: 'string', short: 'p', value: 'NAME', help: 'only this preset' },
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
    const used = new Set<string>(
      shown.flatMap((preset) => preset.composite.map(([, , choice]) => choice.rule)),
    );
    const rows = Object.entries(ruleTable)
      .filter(([name]) => used.has(name))
      .map(([name, rule]) => [name, rule.equation, rule.source]);
    terminal.out(table([['rule', 'relevance of x', 'source'], ...rows]));
  },
};
