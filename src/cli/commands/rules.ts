// relc rules: the presets, their tables, and what each rule computes.
import { kinds, printChoice, printMatch } from '../../rules/composite.js';
import { presetOf, printComposite } from '../../rules/composite-file.js';
import { base, type Preset, presets } from '../../rules/presets.js';
import { resolved } from '../../rules/resolve.js';
import { ruleTable } from '../../rules/rules.js';
import type { Command } from '../arguments.js';
import { openRules } from '../explanation-options.js';
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

/** The preset with every rule and parameter stated. @throws RelcError RELC3004, RELC3006 */
const checked = (preset: Preset): Preset => ({
  ...preset,
  composite: resolved(preset.composite, ruleTable),
});

export const rulesCommand: Command = {
  name: 'rules',
  positionals: [],
  summary: 'list the presets with their tables, and the rules they use',
  description: `A composite is a list of lines; the first line that matches an op chooses its rule. An op that no line
matches is refused by name. A line may ask for a kind or an op, a name with * for any letters, the first or the last
layer, layers by number. --preset NAME --json prints a file to change and use as --rules my.json:
  { "extends": "base", "composite": [["dense", { "kind": "dense", "last": true }, { "rule": "epsilon" }], …] }
An object may state name, summary, source, extends ("base" or a preset), composite, seed, quantity and result.
Kinds: ${Object.keys(kinds).join(', ')}.`,
  options: {
    preset: {
      type: 'string',
      short: 'p',
      value: 'NAME|FILE',
      help: 'only this preset, or what a file of rules says',
    },
    json: { type: 'boolean', help: 'print the preset as a file of rules; without --preset a list of all' },
  },
  examples: [
    'relc rules',
    'relc rules --preset epsilon-plus',
    'relc rules --preset epsilon --json > my.json',
  ],
  async run(given, terminal) {
    const only = given.text('preset');
    const shown = only === undefined ? [...presets.values()] : [checked(presetOf(await openRules(only)))];
    if (given.flag('json')) {
      const files = shown.map(printComposite);
      terminal.out(only === undefined ? `[\n${files.join(',\n')}\n]` : files[0]!);
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
