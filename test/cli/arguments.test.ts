// Command lines: options, values that begin with a minus sign, and errors that teach.
import { describe, expect, it } from 'vitest';
import { type Command, helpOf, parseCommandLine } from '../../src/cli/arguments.js';
import { parseScale } from '../../src/cli/input.js';
import { classNamed, labelOf } from '../../src/cli/labels.js';
import { parseShape } from '../../src/cli/model.js';
import { relc } from './support.js';

const command: Command = {
  name: 'try',
  positionals: ['ONE', 'TWO'],
  summary: 'try it',
  description: 'Tries.',
  options: {
    scale: { type: 'string', short: 's', value: 'A,B', help: 'a pair\nof numbers' },
    json: { type: 'boolean', help: 'as JSON' },
  },
  examples: ['relc try a b'],
  run: async () => {},
};

describe('a command line', () => {
  it('has positional arguments and options anywhere', () => {
    const given = parseCommandLine(command, ['a', '--json', '-s', '1,2', 'b']);
    expect([given.positional(0), given.positional(1)]).toEqual(['a', 'b']);
    expect([given.text('scale'), given.text('json'), given.flag('json'), given.flag('help')]).toEqual([
      '1,2',
      undefined,
      true,
      false,
    ]);
  });

  it.each([['--scale', '-1,0'], ['--scale', '-.5,1'], ['--scale=-1/127.5,2']])(
    'takes %s %s as a value',
    (...args) => {
      const given = parseCommandLine(command, ['a', ...args, 'b']);
      expect(given.text('scale')).toMatch(/^-/);
      expect(given.positional(1)).toBe('b');
    },
  );

  it.each([
    [
      ['a'],
      /RELC5001: the arguments are a, expected ONE TWO\n.*usage: relc try ONE TWO \[options\]\n.*--help/,
    ],
    [[], /RELC5001: no arguments were given, expected ONE TWO/],
    [['a', 'b', '--colour'], /RELC5001: Unknown option '--colour'/],
    [['a', 'b', '--scale'], /RELC5001: Option '-s, --scale <value>' argument missing/],
    [['a', 'b', '--json=yes'], /RELC5001: Option '--json' does not take an argument/],
  ])('%j is refused', (args, message) => {
    expect(() => parseCommandLine(command, args)).toThrow(message);
  });

  it('may end in any number of arguments', () => {
    const many = { ...command, positionals: ['ONE', 'MORE...'] };
    expect(parseCommandLine(many, ['a', 'b', '--json', 'c']).rest(1)).toEqual(['b', 'c']);
    expect(parseCommandLine(many, ['a']).rest(1)).toEqual([]);
    expect(() => parseCommandLine(many, [])).toThrow('no arguments were given, expected ONE MORE...');
  });

  it('may lack its arguments where help is wanted', () => {
    expect(parseCommandLine(command, ['--help']).flag('help')).toBe(true);
  });
});

it('the help page has usage, options in columns, and examples', () => {
  expect(helpOf(command)).toBe(
    [
      'Try it.',
      '',
      'Usage: relc try ONE TWO [options]',
      '',
      'Tries.',
      '',
      'Options:',
      '  -s, --scale A,B  a pair',
      '                   of numbers',
      '  --json           as JSON',
      '',
      'Examples:',
      '  relc try a b',
    ].join('\n'),
  );
});

it('help and help COMMAND print pages; no command at all is an error', async () => {
  expect((await relc('help')).out).toMatch(/^relc: a compiler/);
  expect((await relc('help', 'dump')).out).toMatch(/^Print the graph/);
  const { code, out, err } = await relc();
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^relc: a compiler/);
});

describe('--scale', () => {
  it.each([
    ['1/255,0', [1 / 255, 0]],
    ['1/127.5,-1', [1 / 127.5, -1]],
    [' -2 , 1/4', [-2, 0.25]],
    ['1e-3,.5', [0.001, 0.5]],
  ])('%s', (text, pair) => expect(parseScale(text)).toEqual(pair));

  it.each(['1', '1,2,3', 'a,b', '1/0,0', '1/2/3,0', ',1', ''])('refuses %j', (text) =>
    expect(() => parseScale(text)).toThrow(/RELC5001: --scale .* is not a pair/),
  );
});

describe('--shape', () => {
  it.each([
    ['1,224,224,3', [1, 224, 224, 3]],
    ['N,4', [null, 4]],
    ['null,4', [null, 4]],
  ])('%s', (text, input) => expect(parseShape(text)).toEqual({ input }));

  it.each(['1,x', '1,0', '1,2.5', ''])('refuses %j', (text) =>
    expect(() => parseShape(text)).toThrow(/RELC5001: --shape/),
  );
});

describe('--class', () => {
  const labels = ['cat', '7', 'dog'];

  it('is a label first, then a number', () => {
    expect(['dog', '7', '0'].map((wanted) => classNamed(wanted, labels))).toEqual([2, 1, 0]);
    expect([labelOf(0, labels), labelOf(5, labels)]).toEqual(['cat', 'class 5']);
  });

  it('is refused with the labels there are', () => {
    expect(() => classNamed('cow', labels)).toThrow(/RELC4003: no class is called 'cow'\n.*cat, 7, dog/);
    expect(() => classNamed('cow', [])).toThrow(/RELC4003: .*\n.*pass --labels FILE/);
  });
});
