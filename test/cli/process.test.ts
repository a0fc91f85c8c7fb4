// The command as a process: exit codes, colours, readers that stop early, and what is loaded for what.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const command = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const hooks = `export function resolve(specifier, context, next) {
  if (!specifier.startsWith('@tensorflow/')) return next(specifier, context);
  throw Object.assign(new Error("Cannot find package '" + specifier + "'"), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
/** To be imported first: tfjs then is as if it were not installed. */
const withoutTfjs = dataUrl(
  `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`,
);

interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  readonly imports?: readonly string[];
  /** Called once the process runs. */
  readonly meanwhile?: (child: ChildProcess) => void;
}

function run(args: readonly string[], { env = {}, imports = [], meanwhile }: Setting = {}) {
  const loaders = ['tsx', ...imports].flatMap((name) => ['--import', name]);
  const { NO_COLOR: _none, FORCE_COLOR: _forced, ...rest } = process.env;
  const child = spawn(process.execPath, [...loaders, command, ...args], { env: { ...rest, ...env } });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (text.out += String(chunk)));
  child.stderr.on('data', (chunk) => (text.err += String(chunk)));
  meanwhile?.(child);
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, ...text }));
  });
}

describe('what is loaded', () => {
  it.each([[['--help']], [['--version']], [['rules', '--preset', 'epsilon']], [['bogus']]])(
    '%j needs no tfjs',
    async (args) => {
      const { code, err } = await run(args, { imports: [withoutTfjs] });
      expect(err.replace(/^error RELC5001: there is no command.*\n.*\n/, '')).toBe('');
      expect(code).toBe(args[0] === 'bogus' ? 2 : 0);
    },
  );

  it('says that tfjs is missing where it is needed', async () => {
    const { code, err } = await run(['inspect', 'model.json'], { imports: [withoutTfjs] });
    expect(err).toContain(
      'RELC5005: @tensorflow/tfjs is not installed\n  help: npm install @tensorflow/tfjs',
    );
    expect(code).toBe(2);
  });
});

describe('colours', () => {
  const start = '\u001b[';

  it('are off where the output is no terminal, on where they are forced, and off with NO_COLOR', async () => {
    const settings = [{}, { FORCE_COLOR: '1' }, { FORCE_COLOR: '0' }, { FORCE_COLOR: '1', NO_COLOR: '1' }];
    const runs = settings.map((env) =>
      run(['rules', '--preset', 'epsilon'], { env: env as Record<string, string> }),
    );
    const coloured = (await Promise.all(runs)).map(({ out }) => out.includes(start));
    expect(coloured).toEqual([false, true, false, false]);
  });
});

it('ends quietly when the reader stops', async () => {
  const { code, err } = await run(['rules'], { meanwhile: (child) => child.stdout!.destroy() });
  expect([code, err]).toEqual([0, '']);
});
