// Files on the command line: models, inputs, labels and manifests that are missing, wrong, or of another kind.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'jpeg-js';
import { beforeAll, describe, expect, it } from 'vitest';
import { kernelStageNames } from '../../src/api/kernels.js';
import { stageNames } from '../../src/api/pipeline.js';
import { writeWhole } from '../../src/cli/files.js';
import { parseManifest } from '../../src/codegen/manifest.js';
import { decodeSafetensors } from '../../src/ir/safetensors.js';
import { relc, scratch, writeModel, writePicture } from './support.js';

const folder = scratch();
const picture = join(folder, 'picture.png');
let model = '';

beforeAll(async () => {
  model = await writeModel(join(folder, 'model'));
  writePicture(picture, 6);
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('a model', () => {
  it('that is a directory is pointed to the file in it', async () => {
    const { code, err } = await relc('inspect', join(folder, 'model'));
    expect(code).toBe(2);
    expect(err).toContain(`it is a directory\n  help: name the model in it: ${model}`);
  });

  it.each([
    ['exports nothing of use', 'export const other = 1;', /RELC2010: .* exports no model\n.*as default/],
    ['exports no function', 'export default 5;', /RELC2008: a number is not a model/],
    ['does not say its input', 'export default (x) => x.relu();', /RELC2008: .*\n.*\n.*--shape 1,224,224,3/],
    ['is no JavaScript', 'export default (', /RELC2010: .* could not be imported: /],
  ])('that is a module and %s', async (_what, source, message) => {
    const { code, err } = await relc('inspect', file(`module-${source.length}.mjs`, source));
    expect(err).toMatch(message);
    expect(code).toBe(1);
  });

  it('that is a module may be told its shape, and may be without a batch', async () => {
    const told = file('told.mjs', 'export default (x) => x.relu();');
    expect((await relc('inspect', told, '--shape', '1,4')).out).toContain('input   %x : f32[N,4]');
    const whole = file(
      'whole.mjs',
      'export const input = [4];\nexport const batch = null;\nexport const model = (x) => x.relu();',
    );
    expect((await relc('inspect', whole)).out).toContain('input   %x : f32[4]');
  });
});

describe('an input', () => {
  it('that is missing is told before the model is compiled', async () => {
    const cumsum = file('cumsum.mjs', 'export const input = [1, 4];\nexport default (x) => x.cumsum(1);');
    const { code, err } = await relc('explain', cumsum, 'nowhere.json');
    expect([code, err]).toEqual([
      2,
      'error RELC5002: nowhere.json could not be read: there is no such file\n  help: check the path',
    ]);
  });

  it('may be a JPEG', async () => {
    const data = new Uint8Array(6 * 6 * 4).map((_, i) => (i % 4 === 0 ? 255 : 0));
    const path = file('red.jpg', encode({ width: 6, height: 6, data }, 95).data);
    const { code, out } = await relc('explain', model, path, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).logit).toBeGreaterThan(0.95);
  });

  it('that is a picture needs a model of pictures of the size that the manifest says', async () => {
    const vector = file('vector.mjs', 'export const input = [1, 4];\nexport default (x) => x.relu();');
    expect((await relc('explain', vector, picture)).err).toMatch(
      /RELC5003: .* is a picture, but input x is \[N,4\]/,
    );
    const other = await writeModel(join(folder, 'other'));
    writeFileSync(join(folder, 'other/relc.json'), '{ "size": [8, 6] }');
    const { code, err } = await relc('explain', other, picture);
    expect((await relc('explain', other, picture, '--shape', '1,6,6,3', '--json')).code).toBe(0);
    expect(err).toMatch(/RELC5004: relc\.json .* size \[8,6\], but input colours_input is \[N,6,6,3\]/);
    expect(code).toBe(2);
  });

  it('that is no picture gives no heatmap', async () => {
    const vector = file('pair.mjs', 'export const input = [1, 2];\nexport default (x) => x.mul([2, 3]);');
    const values = file('values.json', '[[1, 2]]');
    const { code, out } = await relc('explain', vector, values);
    expect(code).toBe(0);
    expect(out).not.toContain('wrote');
    expect(out).toMatch(/›\s+class 1\s+6\.0000\n\s+class 0\s+2\.0000\n/);
    const refused = await relc('explain', vector, values, '-o', join(folder, 'none.png'));
    expect(refused.err).toMatch(/RELC5001: relevance of shape \[1,2\] is no picture\n.*--save-relevance/);
  });
});

describe('labels', () => {
  it.each([
    ['broken JSON', '["a", "b"', /RELC5003: .* is not JSON/],
    ['JSON of something else', '[1, 2]', /RELC5003: .* is not a list of names/],
  ])('that are %s', async (_what, content, message) => {
    const { code, err } = await relc('explain', model, picture, '--labels', file('labels.json', content));
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  it('decide the class, which is told before the model is compiled', async () => {
    const { code, err } = await relc('explain', model, picture, '--class', 'green');
    expect(err).toMatch(/RELC4003: no class is called 'green'\n.*red above, blue above/);
    expect(code).toBe(1);
    expect((await relc('explain', model, picture, '--class', '2')).err).toMatch(
      /RELC4003: target 2 is no class\n.*0 to 1/,
    );
  });
});

describe('compile', () => {
  it('takes rules, seed, labels and scale for the manifest, and keeps weights by name', async () => {
    const directory = join(folder, 'deep/er');
    const labels = file('names.txt', 'up\ndown\n');
    const options = ['--rules', 'epsilon-plus', '--seed', 'one', '--labels', labels, '--scale', '1/127.5,-1'];
    const { code, err } = await relc('compile', model, '-o', directory, ...options);
    expect(code).toBe(0);
    expect(err).toContain('note: the softmax');
    const manifest = parseManifest(readFileSync(join(directory, 'relc.json'), 'utf8'), 'relc.json');
    const wanted = { rules: 'epsilon-plus', seed: 'one', labels: ['up', 'down'], scale: [1 / 127.5, -1] };
    expect(manifest).toMatchObject(wanted);
    const weights = decodeSafetensors(readFileSync(join(directory, 'weights.safetensors')));
    expect([...weights.keys()]).toContain('scores/kernel');
  });

  it('says which file cannot be written', async () => {
    mkdirSync(join(folder, 'taken/relc.json'), { recursive: true });
    const { code, err } = await relc('dump', model, '--dir', join(picture, 'dumps'));
    expect(err).toMatch(/RELC5002: .*dumps.* could not be written/);
    expect(code).toBe(2);
  });
});

it('dump prints every stage that changed something, and says which did not', async () => {
  const { out, err } = await relc('dump', model, '--rules', 'epsilon', '--after', 'all');
  const stages = [...out.matchAll(/^\/\/ after (.*)$/gm)].map(([, name]) => name);
  const still = [...err.matchAll(/^(.*) changed nothing$/gm)].map(([, name]) => name);
  expect(stages.slice(0, 3)).toEqual(['trace', 'canonicalize', 'relevance']);
  expect(stages.length + still.length).toBe(stageNames.length + kernelStageNames.length);
});

describe('a file that is written whole', () => {
  it('takes the place of the old one, and of what a killed run left', async () => {
    const path = join(folder, 'deep/whole/heat.png');
    await writeWhole(path, 'old');
    writeFileSync(join(folder, 'deep/whole/.heat.png.part'), 'ne');
    await writeWhole(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(join(folder, 'deep/whole'))).toEqual(['heat.png']);
  });

  it('leaves nothing where it cannot be written', async () => {
    mkdirSync(join(folder, 'blocked/heat.png/x'), { recursive: true });
    await expect(writeWhole(join(folder, 'blocked/heat.png'), 'new')).rejects.toThrow(
      /RELC5002: .*heat\.png could not be written/,
    );
    expect(readdirSync(join(folder, 'blocked'))).toEqual(['heat.png']);
  });
});
