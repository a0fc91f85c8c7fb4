// The command as a process: exit codes, colours, readers that stop early, and what is loaded for what.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scratch, writeModel, writePicture } from './support.js';
import { writeTextModel } from './text/support.js';

const command = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const hooksAgainst = (scope: string) => `export function resolve(specifier, context, next) {
  if (!specifier.startsWith('${scope}/')) return next(specifier, context);
  throw Object.assign(new Error("Cannot find package '" + specifier + "'"), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
/** To be imported first: the packages of a scope then are as if they were not installed. */
const without = (scope: string) =>
  dataUrl(
    `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooksAgainst(scope)))});`,
  );
const withoutTfjs = without('@tensorflow');

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

it('says that what cuts texts into tokens is missing where a text is given', async () => {
  const model = writeTextModel(join(scratch(), 'model'));
  const imports = [without('@huggingface')];
  const { code, err } = await run(['explain', model, '--text', 'a film'], { imports });
  expect(err).toContain('RELC5005: @huggingface/tokenizers, which cuts texts into tokens, is not installed');
  expect(err).toContain('help: npm install @huggingface/tokenizers');
  expect(code).toBe(2);
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

describe('explain over many inputs', () => {
  const count = 12;

  async function manyPictures() {
    const folder = scratch();
    const model = await writeModel(join(folder, 'model'));
    mkdirSync(join(folder, 'pictures'));
    for (let index = 0; index < count; index++) writePicture(join(folder, `pictures/${index}.png`), 6);
    const out = join(folder, 'heat');
    return { folder, out, args: ['explain', model, join(folder, 'pictures'), '-o', out] };
  }

  /** Sends a signal, once, as soon as standard error has a text. */
  const signalAt = (text: string, signal: NodeJS.Signals) => (child: ChildProcess) => {
    let [all, isSent] = ['', false];
    child.stderr!.on('data', (chunk) => {
      all += String(chunk);
      if (all.includes(text) && !isSent) isSent = child.kill(signal);
    });
  };

  const filesOf = (out: string) =>
    readFileSync(join(out, 'results.jsonl'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => (JSON.parse(line) as { files: string[] }).files);

  it('is interrupted, is killed, and goes on', async () => {
    const { out, args } = await manyPictures();
    const interrupted = await run(args, { meanwhile: signalAt(`2/${count}`, 'SIGINT') });
    expect(interrupted.code).toBe(130);
    expect(interrupted.err).toMatch(/stopped after \d+ of 12 inputs\n.*--resume goes on/);
    const first = filesOf(out);
    expect(first.length).toBeGreaterThanOrEqual(2);
    expect(first.length).toBeLessThan(count);
    const begun = `${first.length + 1}/${count}`;
    const killed = await run([...args, '--resume'], { meanwhile: signalAt(begun, 'SIGKILL') });
    expect(killed.code).toBeNull();
    const second = filesOf(out);
    expect(second.slice(0, first.length)).toEqual(first);
    expect(second.length).toBeGreaterThan(first.length);
    expect(second.every(existsSync)).toBe(true);
    const { code, out: printed } = await run([...args, '--resume']);
    expect(code).toBe(0);
    expect(printed).toContain(`${count - second.length} explained, ${second.length} done before`);
    expect(new Set(filesOf(out)).size).toBe(count);
  });

  it('takes a list from standard input', async () => {
    const { folder, out, args } = await manyPictures();
    const list = ['pictures/3.png', '# none', '', 'pictures/5.png'].map((line) =>
      line.startsWith('p') ? join(folder, line) : line,
    );
    const { code, out: printed } = await run([...args.toSpliced(2, 1), '--list', '-'], {
      meanwhile: (child) => child.stdin!.end(list.join('\n')),
    });
    expect([code, printed.split('\n')[0]]).toEqual([0, '2 inputs: 2 explained']);
    expect(filesOf(out)).toEqual(['3.png', '5.png'].map((name) => join(out, name)));
  });
});
