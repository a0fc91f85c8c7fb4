// relc inspect and relc rules: what is said of models, presets and rules; presets as files.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Preset, presets } from '../../src/index.js';
import { ruleTable } from '../../src/rules/rules.js';
import { relc, scratch, writeModel, writePicture } from './support.js';
import { writeVit } from './vit.js';

const folder = scratch();
let [model, vit] = ['', ''];

beforeAll(async () => {
  vit = writeVit(join(folder, 'vit'));
  model = await writeModel(join(folder, 'model'));
  writePicture(join(folder, 'picture.png'), 6);
});

describe('inspect and rules', () => {
  it('inspect says what is almost a composite, with its name and place', async () => {
    const path = join(scratch(), 'quick.relc');
    const lines = [
      '%x = input() : f32[N,4]',
      '%c = constant() {value=1.702} : f32[N,4]',
      '%u = mul(%x, %c) : f32[N,4]',
      '%s = sigmoid(%u) : f32[N,4] // act at net.ts:3:9',
      '%y = mul(%x, %s) : f32[N,4]',
      'return %y',
    ];
    writeFileSync(path, `graph @quick {\n${lines.join('\n')}\n}\n`);
    const { err } = await relc('inspect', path);
    expect(err).toContain(
      'note: %s = sigmoid (act at net.ts:3:9) is almost swish: sigmoid is of 1.702 x with x = %x, expected 1 x',
    );
  });

  it('says which line chose each rule', async () => {
    const { out } = await relc('inspect', model, '--rules', 'epsilon-plus');
    expect(out).toMatch(/%colours\/conv +conv .*zPlus\(.*\) +convolution/);
    expect(out).toMatch(/%mean +mean .*norm\(.*\) +sum/);
    expect(out).toMatch(/^memory: [\d.]+ k?B for weights, an arena of [\d.]+ kB for one sample/m);
  });

  it('lists every preset with its table and its base', async () => {
    const { out } = await relc('rules');
    for (const name of presets.keys()) expect(out).toContain(name);
    expect(out).toMatch(/then the base\n[\s\S]*\nthe base\n[\s\S]*\n {2}activation +activation +pass\n/);
    const { out: json } = await relc('rules', '--json');
    expect((JSON.parse(json) as Preset[]).map(({ name }) => name)).toEqual([...presets.keys()]);
  });

  it.each([...presets.keys()])('prints %s as a file of rules that every command takes', async (name) => {
    const path = join(folder, 'preset.json');
    const { out } = await relc('rules', '--preset', name, '--json');
    writeFileSync(path, out);
    expect((await relc('rules', '--preset', path, '--json')).out).toBe(out);
    const subject = presets.get(name)!.attention === undefined ? model : vit;
    const dumps = await Promise.all([name, path].map((rules) => relc('dump', subject, '--rules', rules)));
    expect(dumps[0]!.code).toBe(0);
    expect(dumps[1]).toEqual(dumps[0]);
  });

  it('lists attention methods in a group of their own, each with its source, rules that they have in common once', async () => {
    const { out } = await relc('rules');
    const [before, group] = out.split('attention methods: a number for each token of a transformer\n');
    const end = group!.indexOf('the base\n');
    for (const { name, attention } of presets.values()) {
      const isListed = (text: string) => text.split('\n').includes(name);
      expect([isListed(before!), isListed(group!.slice(0, end))]).toEqual([
        attention === undefined,
        attention !== undefined,
      ]);
    }
    expect(group).toMatch(/^attention-rollout\n.*Abnar and Zuidema/m);
    expect(group!.match(/chefer\.add\(/g)).toHaveLength(1);
    expect(group).toMatch(/^rollout\n[\s\S]*?\n {2}rules as of transformer-attribution$/m);
  });

  it('prints one attention method by its name, with the rules that it uses', async () => {
    const { out, code } = await relc('rules', 'transformer-attribution');
    expect(code).toBe(0);
    expect(out).toMatch(/^transformer-attribution\n.*\(Chefer et al\./);
    expect(out).toContain('rolled out from block 0');
    expect(out).toMatch(/^chefer\.add$/m);
    expect((await relc('rules', '--preset', 'transformer-attribution')).out).toBe(out);
    expect((await relc('rules', 'attention-rollout')).out).not.toContain('derivative');
    expect((await relc('rules', 'rolout')).err).toContain('RELC3003');
  });

  it('takes rules of one’s own, named after their file, and of the manifest', async () => {
    const path = join(folder, 'mine.json');
    const lines = [
      ['late', { last: true }, { rule: 'zero' }],
      ['early', { layers: [0, 0], name: 'col*' }, { rule: 'flat' }],
    ];
    writeFileSync(path, JSON.stringify({ extends: 'base', composite: lines }));
    const { out } = await relc('inspect', model, '--rules', path);
    expect(out).toContain('under mine');
    expect(out).toMatch(/%colours\/conv .*flat\(.*early$/m);
    expect(out).toMatch(/zero\(.*late$/m);
    expect((await relc('rules', '-p', path)).out).toMatch(/early +name col\* · layers 0 to 0 +flat/);
    const other = await writeModel(join(folder, 'own'));
    writeFileSync(join(folder, 'own/mine.json'), JSON.stringify({ extends: 'base', composite: lines }));
    writeFileSync(join(folder, 'own/relc.json'), '{"rules": "mine.json"}');
    expect((await relc('inspect', other)).out).toContain('under mine');
  });

  it('refuses wrong rules by line and field', async () => {
    const path = join(folder, 'wrong.json');
    writeFileSync(path, '[["all", {"kind": "denze"}, {"rule": "epsilon"}]]');
    const run = await relc('inspect', model, '--rules', path);
    expect([run.code, run.err]).toEqual([1, expect.stringContaining("wrong.json, line 1 'all'")]);
    writeFileSync(path, '[["all", {}, {"rule": "epsilom"}]]');
    for (const command of [
      ['rules', '-p', path],
      ['inspect', model, '-r', path],
    ]) {
      expect((await relc(...command)).err).toContain("RELC3006: line 'all'");
    }
    expect((await relc('inspect', model, '-r', join(folder, 'none.json'))).code).toBe(2);
  });

  it('says of each rule what it is called, takes and loses, in 100 columns', async () => {
    const { out } = await relc('rules');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    for (const name of Object.keys(ruleTable)) expect(out).toContain(`\n${name}\n`);
    const { out: one } = await relc('rules', '--preset', 'epsilon-plus');
    expect(one).toMatch(/also called +zennit ZPlus, iNNvestigate ZPlusRule/);
    expect(one).toMatch(/parameters +denominator="signed", eps=1e-6, normScale, zeroBias/);
    expect(one).toMatch(/may lose +biases, ε, one-signed neurons/);
    expect(one).not.toContain('\nflat\n');
  });

  it('says what is no relevance', async () => {
    expect((await relc('rules', '--preset', 'gradient')).out).toContain('a derivative');
    expect((await relc('rules', '--preset', 'grad-cam')).out).toContain('no share of f(x)');
  });
});
