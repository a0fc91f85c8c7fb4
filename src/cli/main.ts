#!/usr/bin/env node
// The relc command: finds the subcommand, runs it, and turns errors into messages and exit codes.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, RelcError } from '../ir/error.js';
import { type Command, helpOf, parseCommandLine } from './arguments.js';
import { processTerminal, styled, type Terminal } from './terminal.js';

/** Commands by name; each is loaded when it is used, so that help costs nothing. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  explain: {
    summary: 'explain predictions, as heatmaps or coloured texts',
    load: async () => (await import('./commands/explain.js')).explainCommand,
  },
  check: {
    summary: 'account for relevance: what each node loses, and to what',
    load: async () => (await import('./commands/check.js')).checkCommand,
  },
  compile: {
    summary: 'write an explainer that runs without relc',
    load: async () => (await import('./commands/compile.js')).compileCommand,
  },
  dump: {
    summary: 'print the graph at any stage, its kernels, or their plan',
    load: async () => (await import('./commands/dump.js')).dumpCommand,
  },
  inspect: {
    summary: 'list ops, shapes, weights, and the rule each op gets',
    load: async () => (await import('./commands/inspect.js')).inspectCommand,
  },
  rules: {
    summary: 'list presets and rules',
    load: async () => (await import('./commands/rules.js')).rulesCommand,
  },
};

const overview = `relc: a compiler for relevance programs. From a TensorFlow.js model to one function that says why.

Usage: relc COMMAND [options]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(8)}  ${summary}`)
  .join('\n')}

relc COMMAND --help explains a command.
Exit codes: 0 ok, 1 model or compile error, 2 usage or files, 3 unexplained relevance,
4 some of many inputs failed, 70 internal, 130 interrupted.`;

/**
 * 0 ok · 1 model or compile error · 2 usage or files · 3 unexplained relevance · 4 some of many inputs failed ·
 * 70 internal · 130 interrupted.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 70 | 130;

const internal: ReadonlySet<ErrorCode> = new Set(['RELC1010', 'RELC4005']);

/** Errors that a script should be able to tell from all others. */
const ownExitCodes: Partial<Readonly<Record<ErrorCode, ExitCode>>> = {
  RELC4008: 3,
  RELC5006: 4,
  RELC5007: 130,
};

function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof RelcError) || internal.has(error.code)) return 70;
  return ownExitCodes[error.code] ?? (error.code.startsWith('RELC5') ? 2 : 1);
}

function report(error: unknown, terminal: Terminal): ExitCode {
  const code = exitCodeOf(error);
  if (error instanceof RelcError) {
    terminal.err(`${styled(terminal, 'red', 'error')} ${error.message}`);
    if (error.hint?.includes('input: [') === true)
      terminal.err('        on the command line: --shape 1,224,224,3');
  } else {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.err(
      `${styled(terminal, 'red', 'internal error')} ${trace}\n  help: this is a defect of relc; please report it with the command line`,
    );
  }
  return code;
}

/** A command with all it imports. @throws RelcError RELC5005 where tfjs, which users bring, is missing */
async function loaded(load: () => Promise<Command>): Promise<Command> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@tensorflow/tfjs')) throw error;
    throw new RelcError('RELC5005', '@tensorflow/tfjs is not installed', 'npm install @tensorflow/tfjs', {
      cause: error,
    });
  }
}

/** Runs one command line. */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = args;
  try {
    if (name === undefined) {
      terminal.err(overview);
      return 2;
    }
    if (name === 'help' && rest.length > 0) return await main([rest[0]!, '--help'], terminal);
    if (name === '--help' || name === '-h' || name === 'help') {
      terminal.out(overview);
      return 0;
    }
    if (name === '--version' || name === '-V') {
      terminal.out((await import('../api/version.js')).toolVersion());
      return 0;
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) {
      throw new RelcError(
        'RELC5001',
        `there is no command '${name}'`,
        `commands: ${Object.keys(commands).join(', ')}`,
      );
    }
    const command = await loaded(entry.load);
    const given = parseCommandLine(command, rest);
    if (given.flag('help')) terminal.out(helpOf(command));
    else await command.run(given, terminal);
    return 0;
  } catch (error) {
    return report(error, terminal);
  }
}

const invoked = process.argv[1];
if (invoked !== undefined && realpathSync(invoked) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2), processTerminal());
}
