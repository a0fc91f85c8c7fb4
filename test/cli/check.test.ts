// relc check: the report as a page and as JSON, all presets at once, exit codes, progress; and dump --leaks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { type ConservationReport, dialect, parse, print } from '../../src/index.js';
import { valuePresets } from '../presets.js';
import { relc, scratch, writeModel, writePicture } from './support.js';

const folder = scratch();
const picture = join(folder, 'picture.png');
const [net, mixed, silent, numbers] = ['net.relc', 'mixed.relc', 'silent.mjs', 'x.json'].map((name) =>
  join(folder, name),
) as [string, string, string, string];
let model = '';

beforeAll(async () => {
  model = await writeModel(join(folder, 'model'));
  writePicture(picture, 6);
  writeFileSync(numbers, '[1, 2]');
  writeFileSync(
    net,
    `graph @net {
  %x = input() : f32[N,2]
  %w = constant() {value=[1,2,-1,3]} : f32[2,2]
  %b = constant() {value=[1,-1]} : f32[2]
  %y = einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[N,2]
  return %y
}`,
  );
  // A softmax in the middle, which many rules refuse; and a rule for it that says nothing of what it loses
  writeFileSync(
    silent,
    `export const customRules = { half: ([p], z, r) => r.mul(0.5) };
export default { extends: 'gradient', composite: [['mine', { kind: 'softmax' }, { rule: 'half' }]] };`,
  );
  writeFileSync(
    mixed,
    `graph @mixed {
  %x = input() : f32[N,2]
  %p = softmax(%x) {axis=1} : f32[N,2]
  %w = constant() {value=[1,3]} : f32[2,1]
  %y = einsum(%p, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y
}`,
  );
});

describe('relc check', () => {
  it('prints the verdict, totals with bars and the nodes that lose something', async () => {
    const { code, out, err } = await relc('check', net, numbers, '--rules', 'epsilon');
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toBe('class 1: f(x) = 7, seed logit');
    expect(lines[1]).toMatch(/^✓ epsilon: 114\.3 % of f\(x\) at the input · -14\.3 % biases · unexplained /);
    expect(out).toMatch(/^arrives at %x +114\.3 % {2}█{40}$/m);
    expect(out).toMatch(/^biases +-14\.3 % {2}▒{5}$/m);
    expect(out).toMatch(/^value +rule +ΣR in +ΣR out +biases$/m);
    expect(out).toMatch(/^%y +epsilon +100\.00 +114\.29 +-14\.29$/m);
    expect(out).toMatch(/^the compiled explainer \(wasm\) is within \S+ of max\|R\|/m);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('takes size, scale, labels and rules from the manifest, and lists every node with --all', async () => {
    const few = await relc('check', model, picture);
    const all = await relc('check', model, picture, '--all', '--class', 'blue above');
    expect(few.out).toMatch(/^red above: f\(x\) = 1, seed logit$/m);
    expect(few.out).toMatch(/nodes lose less than 0\.05 % by any cause: --all lists them/);
    expect(all.out).toMatch(/^blue above: f\(x\) = -1/m);
    expect(all.out).toContain('%mean');
    expect(all.out).not.toContain('--all lists them');
    expect(few.err).toContain('note: the softmax');
  });

  it('says of gradients what is accounted for', async () => {
    const { out } = await relc('check', net, numbers, '--rules', 'gradient');
    expect(out).toContain('✓ gradient (value × gradient): 114.3 % of f(x) at the input');
    expect(out).toContain('amounts are value × gradient');
  });

  it('checks a contrast, and a seed of numbers', async () => {
    const contrast = await relc('check', model, picture, '--class', '0', '--against', '1');
    expect([contrast.code, contrast.out.split('\n')[0]]).toEqual([
      0,
      'red above: f(x) − f(x′) = 2, seed contrast',
    ]);
    const given = await relc('check', net, numbers, '--rules', 'epsilon', '--seed', numbers);
    expect([given.code, given.out.split('\n')[0]]).toEqual([0, 'class 1: the seed = 3, seed tensor']);
  });

  it('accounts for one class', async () => {
    const { code, err } = await relc('check', net, numbers, '--rules', 'epsilon', '--class', '0,1');
    expect(code).toBe(2);
    expect(err).toContain('RELC5001: --class names 2 classes, and a check accounts for one');
  });

  it('prints the whole report as JSON', async () => {
    const { code, out } = await relc('check', model, picture, '--json');
    expect(code).toBe(0);
    const report = JSON.parse(out) as ConservationReport & { label: string };
    expect(report).toMatchObject({ rules: 'epsilon', target: 0, label: 'red above', ok: true });
    expect(report.nodes.length).toBeGreaterThan(3);
    expect(report.nodes[0]).toMatchObject({ op: 'einsum', rule: 'epsilon', hasFormula: true });
  });

  it('fails with 3 where something is unexplained, the report first', async () => {
    const { code, out, err } = await relc('check', mixed, numbers, '--rules', silent);
    expect(code).toBe(3);
    expect(out).toMatch(/^✗ custom \(value × gradient\): .*UNEXPLAINED .*most of it at %p \(half\)$/m);
    expect(out).toMatch(/^%p +half .*UNEXPLAINED|UNEXPLAINED$/m);
    expect(out).toContain('without a formula of what is lost: %p (softmax)');
    expect(err).toMatch(/^error RELC4008: relevance is lost that no formula explains: custom at %p\n/);
  });
});

it('finds what a rule of one’s own loses and does not state', async () => {
  const rules = join(folder, 'rules.mjs');
  writeFileSync(
    rules,
    `export const customRules = { lossy: ([x], z, r) => x.mul(r.sum(1, true).mul(0.5)).div(x.sum(1, true)) };
export default [['mine', { kind: 'dense' }, { rule: 'lossy' }]];`,
  );
  const { code, out, err } = await relc('check', net, numbers, '--rules', rules);
  expect(code).toBe(3);
  expect(out).toMatch(
    /^✗ custom: 50\.0 % of f\(x\) at the input · UNEXPLAINED 50\.0 % of f\(x\), .* %y \(lossy\)$/m,
  );
  expect(err).toContain('custom at %y');
});

describe('relc check --rules all', () => {
  it('prints a line for each preset that needs no attention', async () => {
    const { code, out } = await relc('check', model, picture, '--rules', 'all');
    expect(code).toBe(0);
    const lines = out.split('\n').filter((line) => line.startsWith('✓'));
    expect(lines.map((line) => line.split(/\s+/)[1])).toEqual(valuePresets);
    expect(lines.find((line) => line.includes(' epsilon '))).toMatch(/100\.0 %/);
  });

  it('says which presets have no rule for an op', async () => {
    const { code, out } = await relc('check', mixed, numbers, '--rules', 'all');
    expect(code).toBe(0);
    expect(out).toMatch(/^- +epsilon +RELC3001: /m);
    expect(out).toMatch(/^✓ +gradient /m);
    const { out: json } = await relc('check', mixed, numbers, '--rules', 'all', '--json');
    const { reports, refused } = JSON.parse(json) as { reports: ConservationReport[]; refused: object };
    expect(reports.map(({ rules }) => rules)).toContain('chefer');
    expect(refused).toMatchObject({ epsilon: expect.stringContaining('RELC3001') });
  });

  it('takes the range of the input for zB from --range, else from the scale of pixels', async () => {
    const rules = ['--rules', 'epsilon-gamma-box'];
    expect((await relc('check', model, picture, ...rules)).code).toBe(0);
    expect((await relc('check', model, picture, ...rules, '--range', '-1,1')).code).toBe(0);
    const wrong = await relc('check', model, picture, ...rules, '--range', '1');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('write it like --range')]);
  });
});

it('shows how far it is where somebody is watching, and clears that line', async () => {
  const shown: string[] = [];
  const out: string[] = [];
  const code = await main(['check', net, numbers, '--rules', 'epsilon'], {
    out: (text) => void out.push(text),
    err: () => undefined,
    status: (line) => void shown.push(line),
    colour: false,
    columns: 100,
  });
  expect(code).toBe(0);
  expect(shown.at(-1)).toBe('');
  expect(out.join('\n')).not.toContain('░');
});

describe('relc dump --leaks', () => {
  const options = ['--rules', 'epsilon', '--after', 'relevance', '--leaks'];

  it('says for each rule line what it may lose relevance to, running nothing', async () => {
    const { code, out } = await relc('dump', net, ...options);
    expect(code).toBe(0);
    expect(out).toMatch(/%r\.x = rule\.epsilon\(.* {2}\/\/ leaks: ε, zero denominators, biases$/m);
    expect(out.match(/leaks:/g)).toHaveLength(1);
    const unknown = await relc('dump', mixed, '--rules', silent, '--after', 'relevance', '--leaks');
    expect(unknown.out).toMatch(/rule\.half\(.*of="softmax".* {2}\/\/ leaks: no formula$/m);
  });

  it('prints what is read again, places too', async () => {
    const noted = await relc('dump', model, ...options, '--locs');
    const plain = await relc('dump', model, ...options.slice(0, -1), '--locs');
    expect(noted.out).toMatch(/ {2}\/\/ scores.* {2}\/\/ leaks: /);
    expect(print(parse(noted.out, dialect), { locs: true }).trimEnd()).toBe(plain.out);
  });

  it('is for stages with rule lines', async () => {
    const { code, err } = await relc('dump', net, '--leaks');
    expect(code).toBe(2);
    expect(err).toContain('--after relevance');
  });
});
