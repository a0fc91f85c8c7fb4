// Composites as data: presets round-trip through their files, and what is wrong is refused by line and field.
import { describe, expect, it } from 'vitest';
import type { RelcError } from '../../src/ir/error.js';
import {
  type CompositeFile,
  parseComposite,
  presetOf,
  printComposite,
} from '../../src/rules/composite-file.js';
import { base, presets } from '../../src/rules/presets.js';

const epsilon = { rule: 'epsilon' };

describe('a file of rules', () => {
  it.each([...presets.values()])('of $name round-trips', (preset) => {
    const text = printComposite(preset);
    expect(parseComposite(text, 'x.json')).toEqual(preset);
    expect(printComposite(parseComposite(text, 'x.json'))).toBe(text);
  });

  it('has a line of text for each line of the composite', () => {
    const text = printComposite(presets.get('epsilon-plus')!);
    expect(text).toContain('\n    ["convolution", { "kind": "conv" }, { "rule": "zPlus", "params": {');
  });

  it('may leave out all but the composite, and is called as its file is', () => {
    const composite = [['all', { layers: [0, -1] }, epsilon]];
    expect(parseComposite(JSON.stringify({ composite }), 'rules/mine.json')).toEqual({
      name: 'mine',
      summary: 'rules of your own',
      source: 'rules/mine.json',
      composite,
      seed: 'logit',
      quantity: 'relevance',
      result: 'as it is',
    });
    expect(parseComposite(JSON.stringify(composite), 'mine.json').composite).toEqual(composite);
  });

  it('may be an attention method, whole or by what it extends', () => {
    const attention = {
      of: 'relevance',
      timesGradient: true,
      combine: 'row',
      block: 1,
      normalizeRows: false,
    };
    const own = { composite: base, result: 'attention', attention };
    expect(parseComposite(JSON.stringify(own), 'x.json')).toMatchObject({ result: 'attention', attention });
    const extended = parseComposite('{ "extends": "rollout", "composite": [] }', 'x.json');
    expect(extended).toMatchObject({ result: 'attention', attention: presets.get('rollout')!.attention });
    const instead = parseComposite(
      '{ "extends": "rollout", "composite": [], "result": "as it is" }',
      'x.json',
    );
    expect(instead).not.toHaveProperty('attention');
  });

  it('puts its lines before those of what it extends', () => {
    const line = ['last', { last: true }, epsilon] as const;
    expect(presetOf({ extends: 'base', composite: [line] }).composite).toEqual([line, ...base]);
    const gradient = presets.get('gradientTimesInput') ?? presets.get('gradient-times-input')!;
    const own = presetOf({ extends: 'GradientTimesInput', composite: [line], seed: 'logit' });
    expect(own).toMatchObject({ seed: 'logit', quantity: 'gradient', result: 'times input' });
    expect(own.composite).toEqual([line, ...gradient.composite]);
  });
});

describe('rules', () => {
  it('are a name, a preset, or a composite', () => {
    const preset = presets.get('epsilon')!;
    expect(presetOf('Epsilon')).toBe(preset);
    expect(presetOf(preset)).toEqual(preset);
    expect(presetOf(base)).toMatchObject({ name: 'custom', composite: base });
  });
});

describe('is refused:', () => {
  const refused = (value: unknown) => {
    try {
      parseComposite(typeof value === 'string' ? value : JSON.stringify(value), 'my.json');
    } catch (error) {
      const { code, detail, hint = '' } = error as RelcError;
      return `${code} ${detail} | ${hint}`;
    }
    return 'nothing';
  };
  const row = { of: 'attention', timesGradient: false, combine: 'row', block: -1, normalizeRows: false };
  const method = (more: object) => ({ composite: [], result: 'attention', attention: { ...row, ...more } });
  const withLine = (line: unknown) => ({ composite: [['a', {}, epsilon], line] });

  it.each([
    ['no JSON', '{', /RELC3007 my.json is not JSON/],
    ['a text', '"epsilon"', /RELC3007 my.json is a text/],
    ['a number', '3', /RELC3007 my.json is 3, expected an object/],
    ['an unknown field', { composite: [], sead: 'one' }, /unknown field 'sead' \| fields: seed$/],
    ['no composite', { seed: 'one' }, /my.json has no composite/],
    ['a composite that is no list', { composite: {} }, /composite is {}, expected a list of lines/],
    ['an unknown seed', { composite: [], seed: 'lodgit' }, /seed is "lodgit".* \| names: logit$/],
    ['an unknown result', { composite: [], result: 'x' }, /names: as it is, times input, grad-cam/],
    ['an unknown quantity', { composite: [], quantity: 'relevanze' }, /names: relevance$/],
    ['an unknown preset', { composite: [], extends: 'omega' }, /RELC3003 no preset is called 'omega'/],
    ['a line that is no list', withLine({}), /line 2 of the composite is {}, expected \[name, match/],
    ['a line without a rule', withLine(['b', {}]), /line 2 of the composite is \["b",{}\]/],
    ['a match that is no object', withLine(['b', 'conv', epsilon]), /line 2 'b' .* match is "conv"/],
    [
      'an unknown field of a match',
      withLine(['b', { kinds: 'conv' }, epsilon]),
      /line 2 'b' .*'kinds' \| fields: kind$/,
    ],
    ['an unknown kind', withLine(['b', { kind: ['conv', 'denze'] }, epsilon]), /kind is \["conv","denze"\]/],
    ['no kind at all', withLine(['b', { kind: [] }, epsilon]), /kind is \[\]/],
    ['an unknown op', withLine(['b', { op: 'convv' }, epsilon]), /op is "convv".* \| names: conv/],
    [
      'first: false',
      withLine(['b', { first: false }, epsilon]),
      /first is false, expected true, or to be left out/,
    ],
    [
      'half a range of layers',
      withLine(['b', { layers: [1] }, epsilon]),
      /layers is \[1\], expected \[from, to\]/,
    ],
    [
      'a rule that is a text',
      withLine(['b', {}, 'epsilon']),
      /line 2 'b' of the composite, rule is "epsilon"/,
    ],
    ['no rule', withLine(['b', {}, {}]), /line 2 'b' of the composite names no rule/],
    [
      'an unknown field of a rule',
      withLine(['b', {}, { ...epsilon, parms: {} }]),
      /'parms' \| fields: params$/,
    ],
    [
      'an attention method without its result',
      { composite: [], attention: row },
      /result is "as it is", and attention is stated/,
    ],
    [
      'the result of an attention method without it',
      { composite: [], result: 'attention' },
      /and attention is not stated \| state both/,
    ],
    ['half an attention method', method({ block: undefined }), /my.json, attention: block is missing/],
    [
      'an unknown field of an attention method',
      method({ blocks: 1 }),
      /unknown field 'blocks' \| fields: block$/,
    ],
    ['an unknown way to combine blocks', method({ combine: 'product' }), /combine is "product"/],
    ['half a block', method({ block: 0.5 }), /block is 0.5, expected a whole number/],
    ['a flag that is none', method({ timesGradient: 1 }), /timesGradient is 1, expected true or false/],
    [
      'Grad-CAM without a gradient',
      method({ combine: 'grad-cam' }),
      /grad-cam weighs heads by their gradient/,
    ],
  ])('%s', (_what, value, message) => expect(refused(value)).toMatch(message));

  it('fields of an object that is passed', () => {
    const rules = { composite: base, sed: 'one' } as unknown as CompositeFile;
    expect(() => presetOf(rules)).toThrow(/RELC3007: rules has an unknown field 'sed'\n.*fields: seed/);
  });
});
