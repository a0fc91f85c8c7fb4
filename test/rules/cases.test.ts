// Case files: a graph, the preset to explain it with, and the graph after the relevance pass, or after specialization
// (`// after: specialize`). BLESS=1 rewrites them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { parse } from '../../src/ir/parse.js';
import { print } from '../../src/ir/print.js';
import { verify } from '../../src/ir/verify.js';
import { explain } from '../../src/rules/explanation.js';
import type { Seed } from '../../src/rules/presets.js';
import { presetNamed } from '../../src/rules/presets.js';
import { specializeRules } from '../../src/rules/specialize.js';
import { dialect, lower } from './support.js';

const folder = new URL('cases/', import.meta.url);
const expected = '// expect\n';

/** `// name: value` in a case's head. */
const option = (text: string, name: string) => new RegExp(`^// ${name}: (.+)$`, 'm').exec(text)?.[1];

describe('the relevance pass', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.relc')))('%s', (name) => {
    const file = new URL(name, folder);
    const [input, wanted = ''] = readFileSync(file, 'utf8').split(expected) as [string, string?];
    const seed = option(input, 'seed') as Seed | undefined;
    const { graph: ruled, notes } = explain(parse(input, forward, name), dialect, {
      preset: presetNamed(option(input, 'preset')!),
      range: [-1, 1],
      ...(seed === undefined ? {} : { seed }),
    });
    const graph = option(input, 'after') === 'specialize' ? specializeRules(ruled, dialect) : ruled;
    verify(graph, dialect);
    verify(lower(graph), dialect);
    const got = [...notes.map((note) => `// note: ${note}\n`), print(graph)].join('');
    if (process.env.BLESS) writeFileSync(file, `${input.trimEnd()}\n${expected}${got}`);
    else expect(got).toBe(wanted);
    expect(print(parse(got, dialect))).toBe(print(graph));
  });
});
