// docs/custom-rules.md: its code is run as one program, and prints what the page says it prints.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/custom-rules.md`, 'utf8');

/** The blocks of a language, one after another. */
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text!).join('');

it('the code of docs/custom-rules.md runs, and prints what the page says', async () => {
  // The first block is a signature, no statement to run.
  const code = blocks('js')
    .replace('const rule = (inputs, output, relevance, node) => relevances;\n', '')
    .replace("from 'relc'", "from './src/index.ts'");
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  const greeting = /^(?:\s*|=+\s*|Hi, looks like .*|.*tfjs-node.*|.*speed things up.*)$/;
  const printed = stdout.split('\n').filter((line) => !greeting.test(line));
  expect(`${printed.join('\n')}\n`).toBe(blocks('text'));
}, 60_000);
