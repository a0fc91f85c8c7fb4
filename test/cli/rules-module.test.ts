// Rules in a module: a composite and the custom rules that it names, for every command that takes --rules.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { relc, scratch, writeModel, writePicture } from './support.js';

const folder = scratch();
const rules = join(folder, 'mine.mjs');
const picture = join(folder, 'picture.png');
let model = '';

const lines = [
  ['dense', { kind: 'dense' }, { rule: 'mine' }],
  ['convolution', { kind: 'conv' }, { rule: 'epsilon' }],
  ['structure', { kind: 'route' }, { rule: 'route' }],
  ['activation', { kind: 'activation' }, { rule: 'pass' }],
  ['sum', { kind: ['add', 'mean'] }, { rule: 'norm' }],
];

beforeAll(async () => {
  model = await writeModel(join(folder, 'model'));
  writePicture(picture, 6);
  writeFileSync(
    rules,
    `export const customRules = {
      mine: ([x, w], z, relevance) => relevance.div(z.add(1e-6)).matMul(w, false, true).mul(x),
    };
    export default ${JSON.stringify(lines)};`,
  );
});

describe('a module of rules', () => {
  it('explains', async () => {
    const { code, out } = await relc('explain', model, picture, '--rules', rules, '--json');
    expect(code).toBe(0);
    const { relevance } = JSON.parse(out) as { relevance: { share: number } };
    expect(relevance.share).toBeCloseTo(1, 3);
  });

  it('is dumped with the graphs of its rules', async () => {
    const { code, out } = await relc('dump', model, '--rules', rules, '--after', 'relevance');
    expect(code).toBe(0);
    expect(out).toContain('= rule.mine(');
    expect(out).toContain('graph @rule.mine {');
  });

  it('is what inspect lists', async () => {
    const { out } = await relc('inspect', model, '--rules', rules);
    expect(out).toMatch(/%scores\/add .* mine +dense/);
  });

  it('is compiled into files that need it no more', async () => {
    const directory = join(folder, 'explainer');
    expect(
      (await relc('compile', model, '--rules', rules, '--target', 'typescript', '--out', directory)).code,
    ).toBe(0);
    expect(readFileSync(join(directory, 'explainer.ts'), 'utf8')).toContain('mine.mjs');
  });

  it.each([
    ['that is not there', undefined, 2, /RELC5002: .*missing\.mjs could not be read/],
    ['that does not load', 'export default [', 2, /RELC5002: .*could not be imported/],
    ['without rules', 'export const customRules = {};', 1, /RELC3007: .*exports no rules\n.*as default/],
    [
      'with a rule that does not fit',
      `export const customRules = { mine: () => 1 }; export default ${JSON.stringify(lines)};`,
      1,
      /RELC3009: custom rule 'mine' on %\S+ = einsum \(scores\): it returned 1/,
    ],
  ])('%s is refused', async (what, text, code, message) => {
    const path = join(folder, text === undefined ? 'missing.mjs' : `${what.replaceAll(' ', '-')}.mjs`);
    if (text !== undefined) writeFileSync(path, text);
    const ran = await relc('dump', model, '--rules', path);
    expect(ran.err).toMatch(message);
    expect(ran.code).toBe(code);
  });
});
