// The command: help, exit codes, compile, dump, and models of every kind.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { dialect, encodeSafetensors, parse, parseManifest, stageNames } from '../../src/index.js';
import { tensor } from '../../src/ir/tensor.js';
import { relc, scratch, writeModel, writePicture } from './support.js';

const folder = scratch();
const commands = ['explain', 'check', 'compile', 'dump', 'inspect', 'rules'];
let model = '';

beforeAll(async () => {
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
