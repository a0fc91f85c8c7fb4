// Command lines: what commands declare, parsed strictly, with errors that teach.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { RelcError } from '../ir/error.js';
import type { Terminal } from './terminal.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** What stands for the value in help: `NAME`. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  /** Names of the positional arguments, in order; the last one may stand for any number, `INPUT...`, or for none or one, `[NAME]`. */
  readonly positionals: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  run(given: Arguments, terminal: Terminal): Promise<void>;
}

/** The parsed command line of one command. */
export class Arguments {
  constructor(
    private readonly values: Readonly<Record<string, string | boolean | undefined>>,
    private readonly positionals: readonly string[],
  ) {}

  /** One that has to be given. */
  positional(index: number): string {
    return this.positionals[index]!;
  }

  /** All from one on. */
  rest(index: number): readonly string[] {
    return this.positionals.slice(index);
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** A number above 0. @throws RelcError RELC5001 */
  positive(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || Number(text) > 0) return text === undefined ? undefined : Number(text);
    throw new RelcError('RELC5001', `--${name} ${text} is not a number above 0`);
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }
}

export function usageOf(command: Command): string {
  return `relc ${[command.name, ...command.positionals].join(' ')} [options]`;
}

export function usageError(message: string, command: Command): RelcError {
  return new RelcError(
    'RELC5001',
    message,
    `usage: ${usageOf(command)}\n        relc ${command.name} --help says more`,
  );
}

/** Whether so many arguments fit the names of those that are wanted. */
function isCount(count: number, wanted: readonly string[]): boolean {
  const last = wanted.at(-1);
  if (last?.endsWith('...')) return count >= wanted.length - 1;
  return count === wanted.length || (last?.startsWith('[') === true && count === wanted.length - 1);
}

/** @throws RelcError RELC5001 for unknown options, missing values and wrong numbers of arguments */
export function parseCommandLine(command: Command, args: readonly string[]): Arguments {
  const options = { ...command.options, help: { type: 'boolean', help: '' } as Option };
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  ) as NonNullable<ParseArgsConfig['options']>;
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: protectNegative(args),
      options: config,
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw usageError((error as Error).message.split('. ')[0]!, command);
  }
  const { positionals, values } = parsed;
  if (values.help !== true && !isCount(positionals.length, command.positionals)) {
    const wanted = command.positionals.length === 0 ? 'none' : command.positionals.join(' ');
    const got =
      positionals.length === 0 ? 'no arguments were given' : `the arguments are ${positionals.join(' ')}`;
    throw usageError(`${got}, expected ${wanted}`, command);
  }
  return new Arguments(values as Record<string, string | boolean>, positionals);
}

/** `--scale -1,0` as `--scale=-1,0`: a value may begin with a minus sign. */
function protectNegative(args: readonly string[]): string[] {
  const result: string[] = [];
  for (const argument of args) {
    const previous = result.at(-1);
    if (/^-[\d.]/.test(argument) && previous !== undefined && /^--[a-z-]+$/.test(previous)) {
      result[result.length - 1] = `${previous}=${argument}`;
    } else result.push(argument);
  }
  return result;
}

/** The help page of a command. */
export function helpOf(command: Command): string {
  const entries = Object.entries(command.options).map(([name, { short, value, help }]): [string, string] => [
    `  ${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ]);
  const width = Math.max(...entries.map(([left]) => left.length));
  const options = entries.map(
    ([left, help]) => `${left.padEnd(width)}  ${help.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`,
  );
  return [
    `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
    '',
    `Usage: ${usageOf(command)}`,
    '',
    command.description,
    '',
    ...(options.length > 0 ? ['Options:', ...options, ''] : []),
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n');
}
