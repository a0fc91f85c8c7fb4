// The command: help, exit codes, compile, dump, inspect, rules, and models of every kind.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  dialect,
  encodeSafetensors,
  type Preset,
  parse,
  parseManifest,
  presets,
  stageNames,
} from '../../src/index.js';
import { tensor } from '../../src/ir/tensor.js';
import { ruleTable } from '../../src/rules/rules.js';
import { relc, scratch, writeModel, writePicture } from './support.js';
import { writeVit } from './vit.js';

const folder = scratch();
const commands = ['explain', 'check', 'compile', 'dump', 'inspect', 'rules'];
let [model, vit] = ['', ''];

beforeAll(async () => {
  vit = writeVit(join(folder, 'vit'));
  model = await writeModel(join(folder, 'model'));
  writePicture(join(folder, 'picture.png'), 6);
});

describe('help', () => {
  it('lists the commands', async () => {
    const { code, out } = await relc('--help');
    expect(code).toBe(0);
    for (const name of commands) expect(out).toContain(`  ${name}`);
  });

  it.each(commands)('%s --help teaches with usage, options and examples', async (name) => {
    const { code, out } = await relc(name, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`Usage: relc ${name}`);
    expect(out).toContain('Options:');
    expect(out).toMatch(new RegExp(`Examples:\\n {2}relc ${name}`));
  });

  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect((await relc('--version')).out).toBe(version);
  });
});

describe('usage errors end with 2', () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['explode']],
    ['an unknown option', ['explain', 'a', 'b', '--colour']],
    ['too few arguments', ['explain', 'a']],
    ['too many arguments', ['rules', 'x', 'y']],
    ['a preset that is named twice', ['rules', 'epsilon', '--preset', 'epsilon']],
    ['a missing model', ['inspect', 'nowhere/model.json']],
    ['a model of no known kind', ['inspect', 'README.md']],
    ['a missing value', ['dump', 'x.json', '--after']],
  ])('%s', async (_what, args) => {
    const { code, err, out } = await relc(...args);
    expect(code).toBe(2);
    expect(`${err}${out}`).toMatch(/RELC500[12]|Usage/);
  });

  it('a wrong stage, scale, seed, shape or target names what there is', async () => {
    expect((await relc('dump', model, '--after', 'nothing')).err).toContain('stages: trace');
    expect((await relc('explain', model, join(folder, 'picture.png'), '--scale', '1')).err).toContain(
      '1/255,0',
    );
    expect((await relc('explain', model, join(folder, 'picture.png'), '--seed', 'two')).err).toContain(
      'logit, one',
    );
    expect((await relc('inspect', model, '--shape', '1,x')).err).toContain('1,224,224,3');
    expect((await relc('compile', model, '--target', 'fortran')).err).toContain('targets: wasm, typescript');
  });
});

describe('model errors end with 1', () => {
  it('names an unknown preset and those there are', async () => {
    const { code, err } = await relc('dump', model, '--rules', 'omega');
    expect(code).toBe(1);
    expect(err).toContain('RELC3003');
    expect(err).toContain('epsilon-plus-flat');
  });

  it('names the kernel, the layer and the place that cannot be traced', async () => {
    const path = join(folder, 'cumsum.mjs');
    const source = 'export const input = [1, 4];\nexport default (x) => x.cumsum(1);\n';
    writeFileSync(path, source);
    const { code, err } = await relc('inspect', path);
    expect(code).toBe(1);
    expect(err).toContain('RELC2001');
    expect(err).toContain('Cumsum');
    expect(err).toContain('cumsum.mjs:2');
  });

  it('says of an error of the model’s own that it is the model’s', async () => {
    const path = join(folder, 'broken.mjs');
    writeFileSync(
      path,
      'export const input = [1, 4];\nexport default () => { throw new TypeError("no weights"); };\n',
    );
    const { code, err } = await relc('inspect', path);
    expect(code).toBe(1);
    expect(err).toContain('RELC2011');
    expect(err).toContain('[5,4]: no weights');
  });

  it('refuses a wrong manifest by its field', async () => {
    const other = await writeModel(join(folder, 'bad'));
    writeFileSync(join(folder, 'bad/relc.json'), '{"scale": "big"}');
    const { code, err } = await relc('inspect', other);
    expect(code).toBe(2);
    expect(err).toContain('scale');
  });
});

describe('dump', () => {
  it('prints text that parses back, and notes on the other stream', async () => {
    for (const stage of stageNames) {
      const { code, out, err } = await relc('dump', model, '--rules', 'epsilon-plus', '--after', stage);
      expect(code).toBe(0);
      expect(parse(out, dialect).outputs).not.toEqual({});
      expect(err).toContain('note: the softmax');
    }
  });

  it('writes one file a stage that changed something', async () => {
    const directory = join(folder, 'dumps');
    const { code } = await relc(
      'dump',
      model,
      '--rules',
      'epsilon',
      '--after',
      'all',
      '--dir',
      directory,
      '--locs',
    );
    expect(code).toBe(0);
    const names = readdirSync(directory);
    expect(names).toContain('00-trace.relc');
    expect(names).toContain('02-relevance.relc');
    expect(readFileSync(join(directory, '02-relevance.relc'), 'utf8')).toContain('rule.epsilon');
    expect(readFileSync(join(directory, '00-trace.relc'), 'utf8')).toContain('// colours');
    const stage = (name: string) => names.find((file) => file.endsWith(`-${name}.txt`))!;
    expect(readFileSync(join(directory, stage('fuse')), 'utf8')).toMatch(/^kernels @halves\n/);
    expect(readFileSync(join(directory, stage('plan')), 'utf8')).toMatch(/^plan @halves\n/);
  });

  it('prints kernels and their plan, of the model or of its explainer, for a number of samples', async () => {
    const forward = await relc('dump', model, '--after', 'fuse');
    expect(forward.code).toBe(0);
    expect(forward.out).toContain('output    scores = %scores/softmax : f32[1,2]');
    const explainer = await relc('dump', model, '--rules', 'epsilon', '--after', 'plan', '--batch', '3');
    expect(explainer.code).toBe(0);
    expect(explainer.out).toMatch(/^plan @halves\n/);
    expect(explainer.out).toMatch(/%r\.\S+ : f32\[3,6,6,3\]/);
  });

  it('refuses numbers of samples where they mean nothing', async () => {
    for (const more of [
      ['--after', 'trace', '--batch', '2'],
      ['--after', 'plan', '--batch', '0'],
    ]) {
      const { code, err } = await relc('dump', model, ...more);
      expect(code).toBe(2);
      expect(err).toContain('--batch');
    }
  });
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

describe('compile', () => {
  it('writes a module, its loader and its text, weights and manifest', async () => {
    const directory = join(folder, 'wasm');
    const { code, out } = await relc('compile', model, '--emit', 'wat', '-o', directory);
    expect(code).toBe(0);
    const names = ['explainer.js', 'explainer.d.ts', 'worker.js', 'explainer.wasm', 'explainer.wat'];
    for (const name of [...names, 'layout.json', 'weights.safetensors', 'relc.json']) {
      expect(out).toContain(join(directory, name));
    }
    expect(readFileSync(join(directory, 'explainer.wat'), 'utf8')).toMatch(/^\(module\n[\s\S]*f32x4\.mul/);
    const layout = JSON.parse(readFileSync(join(directory, 'layout.json'), 'utf8')) as { batch: number };
    expect(layout.batch).toBe(1);
    expect(WebAssembly.validate(new Uint8Array(readFileSync(join(directory, 'explainer.wasm'))))).toBe(true);
  });

  it('takes options that go with the target alone', async () => {
    const wrong = [
      ['--emit', 'text'],
      ['--batch', '1.5'],
      ['--batch', '0'],
      ['--target', 'typescript', '--emit', 'wat'],
      ['--target', 'typescript', '--batch', '2'],
    ];
    for (const args of wrong) {
      const { code, err } = await relc('compile', model, ...args, '-o', join(folder, 'none'));
      expect([code, err], args.join(' ')).toEqual([2, expect.stringContaining(args.at(-2)!)]);
    }
  });

  it('writes module, runtime, weights and manifest', async () => {
    const directory = join(folder, 'explainer');
    const { code, out } = await relc('compile', model, '--target', 'typescript', '-o', directory);
    expect(code).toBe(0);
    const names = ['explainer.ts', 'explainer.js', 'runtime.ts', 'weights.safetensors', 'relc.json'];
    for (const name of names) expect(out).toContain(join(directory, name));
    const manifest = parseManifest(readFileSync(join(directory, 'relc.json'), 'utf8'), 'relc.json');
    expect(manifest).toMatchObject({
      size: [6, 6],
      labels: ['red above', 'blue above'],
      rules: 'epsilon',
      seed: 'logit',
    });
    expect(manifest.model).toMatch(/^[0-9a-f]{64}$/);
  });
});

it('compile writes an explainer of a contrast, at a layer', async () => {
  const directory = join(folder, 'contrast');
  const args = [
    'compile',
    model,
    '--target',
    'typescript',
    '--seed',
    'contrast',
    '--at',
    'mean',
    '--scale',
    '1/127.5,-1',
    '-o',
    directory,
  ];
  expect((await relc(...args)).code).toBe(0);
  const text = readFileSync(join(directory, 'explainer.d.ts'), 'utf8');
  expect(text).toContain('inputs: Inputs, target?: tf.Tensor, against?: tf.Tensor): Explanation;');
  expect(text).toContain("'relevance.mean': tf.Tensor;");
  const manifest = parseManifest(readFileSync(join(directory, 'relc.json'), 'utf8'), 'relc.json');
  expect(manifest).toMatchObject({ seed: 'contrast', range: [-1, 1] });
});

describe('models', () => {
  it('takes a module that exports a function and its input', async () => {
    const path = join(folder, 'square.mjs');
    writeFileSync(
      path,
      'export const input = [1, 3];\nexport default function squares(x) { return x.mul(2).relu(); }\n',
    );
    writeFileSync(join(folder, 'three.json'), '[1, 2, -3]');
    const { code, out } = await relc('explain', path, join(folder, 'three.json'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ target: 1, logit: 4 });
  });

  it('takes the size of pictures from the manifest where the model leaves it open', async () => {
    const open = await writeModel(join(folder, 'open'), [null, null, 3]);
    const { code, out } = await relc('inspect', open);
    expect(code).toBe(0);
    expect(out).toContain('%colours_input : f32[N,6,6,3]');
    writeFileSync(join(folder, 'open/relc.json'), '{}');
    expect((await relc('inspect', open)).err).toContain('RELC2008');
    expect((await relc('inspect', open, '--shape', '1,8,8,3')).out).toContain('f32[N,8,8,3]');
  });

  it('takes a graph text with its weights beside it', async () => {
    const path = join(folder, 'net.relc');
    const text = `graph @net {
  %x = input() : f32[N,2]
  %w = param() {key="w"} : f32[2,2]
  %z = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,2]
  return %z
}
`;
    writeFileSync(path, text);
    expect((await relc('inspect', path)).code).toBe(2);
    writeFileSync(
      join(folder, 'net.safetensors'),
      encodeSafetensors(new Map([['w', tensor([2, 2], [1, 0, 0, 3])]])),
    );
    writeFileSync(join(folder, 'two.json'), '[1, 2]');
    const { code, out } = await relc(
      'explain',
      path,
      join(folder, 'two.json'),
      '--rules',
      'epsilon',
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ target: 1, logit: 6 });
  });

  it('names the line of a graph text that is wrong', async () => {
    const path = join(folder, 'bad.relc');
    writeFileSync(
      path,
      'graph @bad {\n  %x = input() : f32[N,2]\n  %y = relu(%z) : f32[N,2]\n  return %y\n}\n',
    );
    const { code, err } = await relc('inspect', path);
    expect(code).toBe(1);
    expect(err).toContain('bad.relc:3');
  });
});
