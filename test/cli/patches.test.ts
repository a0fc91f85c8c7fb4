// Relevance of a vision transformer's tokens on the command line: maps of patches, blocks, flow, numbers, refusals.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { colourOf } from '../../src/cli/picture/colours.js';
import { limitOf } from '../../src/cli/picture/heat.js';
import { decodeNpy, encodeNpy } from '../../src/cli/picture/npy.js';
import { decodePicture } from '../../src/cli/picture/picture.js';
import { type TokenLayout, tokenHeatmap } from '../../src/index.js';
import { relc, scratch, writePicture, writtenHere } from './support.js';
import { writeVit } from './vit.js';

const folder = scratch();
const picture = join(folder, 'picture.png');
const numbers = join(folder, 'numbers.npy');
const patches = join(folder, 'patches.npy');
const layout: TokenLayout = { count: 17, special: [0], grid: [4, 4] };
let [vit, mean, list] = ['', '', ''];

beforeAll(() => {
  vit = writeVit(join(folder, 'vit'));
  mean = writeVit(join(folder, 'mean'), { classToken: false });
  list = writeVit(join(folder, 'list'), { pixels: false });
  writePicture(picture, 32);
  const value = (_: unknown, i: number) => Math.sin(i) / 2;
  writeFileSync(numbers, encodeNpy(Float32Array.from({ length: 3072 }, value), [1, 32, 32, 3]));
  writeFileSync(patches, encodeNpy(Float32Array.from({ length: 192 }, value), [1, 16, 12]));
});

interface Row {
  sum: number;
  special: number;
  relevance: number[];
}

interface Report {
  relevance: { shape: number[]; share: number | null };
  attention: {
    tokens: number;
    special: number[];
    grid?: number[];
    patch?: number[];
    row: Row;
    blocks?: (Row & { block: number })[];
  };
  notes: string[];
  files: string[];
}

async function report(model: string, input: string, ...args: string[]): Promise<Report> {
  const { out, err, code } = await relc('explain', model, input, ...args, '--json');
  expect([err, code]).toEqual(['', 0]);
  return JSON.parse(out) as Report;
}

/** Where a map begins in a heatmap with a title, of 448 pixels. */
const [left, top, side] = [20, 48, 448];

async function drawn(...args: string[]) {
  const path = join(folder, 'drawn.png');
  const { err, code } = await relc('explain', vit, numbers, '-o', path, ...args);
  expect([err, code]).toEqual(['', 0]);
  const { data, width, height } = decodePicture(readFileSync(path), path);
  const pixel = (x: number, y: number) => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
  return { width, height, pixel };
}

describe('maps', () => {
  it.each(['nearest', 'bilinear'] as const)('are drawn over the picture: %s', async (mode) => {
    const { attention } = await report(vit, numbers);
    const row = { shape: [1, 17], data: Float32Array.from(attention.row.relevance) };
    const { data } = tokenHeatmap(row, layout, { size: [side, side], mode });
    const limit = limitOf(data).value;
    const { pixel } = await drawn('--upsample', mode);
    for (const [x, y] of [
      [0, 0],
      [111, 111],
      [112, 111],
      [112, 112],
      [200, 300],
      [447, 447],
      [330, 50],
    ]) {
      const wanted = colourOf(Math.min(data[y! * side + x!]! / limit, 1));
      expect(pixel(left + x!, top + y!)).toEqual(wanted);
    }
  });

  it('have sharp edges where patches are drawn as they are', async () => {
    const { pixel } = await drawn('--upsample', 'nearest');
    for (let patch = 0; patch < 4; patch++) {
      const colours = [0, 1, 55, 111].map((x) => pixel(left + 112 * patch + x, top + 5));
      expect(colours).toEqual(colours.map(() => colours[0]));
    }
    expect(pixel(left + 111, top + 5)).not.toEqual(pixel(left + 112, top + 5));
  });

  it('stand in the terminal, with what is at the class token', async () => {
    const { out } = await relc('explain', vit, picture, '-o', join(folder, 'p.png'));
    expect(out).toMatch(/^[ .:\-=+*#%@]{48}$/m);
    const { attention } = await report(vit, picture);
    const { sum, special } = attention.row;
    expect(sum).toBeCloseTo(1, 5);
    const sums = `sum over patches ${(sum - special).toPrecision(5)} · class token ${special.toPrecision(5)}`;
    expect(out).toContain(sums);
    expect(out).not.toContain('arrived');
  });

  it('have no special tokens where none is joined', async () => {
    const { attention } = await report(mean, picture);
    expect(attention).toMatchObject({ tokens: 16, special: [], grid: [4, 4] });
    const { out } = await relc('explain', mean, picture, '-o', join(folder, 'm.png'));
    expect(out).toMatch(/sum over patches 1\.0000$/m);
  });

  it('of pixels are drawn as ever', async () => {
    const { err, code } = await relc('explain', vit, picture, '-r', 'gradient', '-o', join(folder, 'g.png'));
    expect([err, code]).toEqual(['', 0]);
  });
});

describe('numbers', () => {
  it('say tokens, special ones, the grid, and relevance by token', async () => {
    const path = join(folder, 'r.npy');
    const { attention, relevance } = await report(vit, picture, '--save-relevance', path);
    expect(attention).toMatchObject({ tokens: 17, special: [0], grid: [4, 4] });
    expect(relevance).toMatchObject({ shape: [1, 17], share: null });
    const { shape, data } = decodeNpy(readFileSync(path), path);
    expect(shape).toEqual([1, 17]);
    expect([...data]).toEqual(attention.row.relevance);
    expect(attention.row.special).toBe(data[0]);
  });

  it('of each block are rows by themselves', async () => {
    const path = join(folder, 'blocks.npy');
    const { attention, files } = await report(vit, picture, '--per-block', '--save-relevance', path);
    expect(attention.blocks!.map(({ block }) => block)).toEqual([0, 1]);
    for (const { sum } of attention.blocks!) expect(sum).toBeCloseTo(1, 5);
    expect(files).toEqual(['x', 'block0', 'block1'].map((name) => join(folder, `blocks.${name}.npy`)));
    // The rollout from the last block alone is half of that block, and half of the token itself
    const { attention: last } = await report(vit, picture, '--block', '-1');
    for (const [token, value] of attention.blocks![1]!.relevance.entries()) {
      expect(last.row.relevance[token]).toBeCloseTo((value + (token === 0 ? 1 : 0)) / 2, 5);
    }
  });

  it('follow the options of the method', async () => {
    const sumOf = async (...args: string[]) => (await report(vit, picture, ...args)).attention.row.sum;
    expect(await sumOf('--no-normalize-rows')).toBeCloseTo(4, 4);
    expect(await sumOf('-r', 'transformer-attribution')).not.toBeCloseTo(1, 2);
    const all = await Promise.all([0, 16, -1].map((query) => report(vit, picture, '--query', String(query))));
    const [, last, fromEnd] = all.map(({ attention }) => attention.row.relevance);
    expect(fromEnd).toEqual(last);
    expect(await sumOf('--query', 'mean')).toBeCloseTo(1, 5);
  });
});

describe('blocks and flow', () => {
  it('draw a map for each block beside the whole, and small ones in the terminal', async () => {
    const [one, all] = [await drawn(), await drawn('--per-block')];
    expect(all.height).toBe(one.height);
    expect(all.width).toBeGreaterThan(2 * one.width);
    const { out } = await relc('explain', vit, picture, '--per-block', '-o', join(folder, 'b.png'));
    expect(out).toMatch(/^block 0 {5}block 1 {3}\nto 0\.\d+ +to 0\.\d+ *\n/m);
  });

  it('show what a patch attends to, the patch in a frame', async () => {
    const [flow, query] = [
      await report(vit, picture, '--flow', '1,2'),
      await report(vit, picture, '--query', '7'),
    ];
    expect(flow.attention).toEqual(query.attention);
    expect(flow.attention.patch).toEqual([1, 2]);
    const { pixel } = await drawn('--flow', '1,2');
    // Row 1, column 2 begins at pixel (224, 112): a white line, two dark ones, a white one
    const line = [223, 224, 225, 226, 227].map((x) => pixel(left + x, top + 150));
    expect(line.slice(0, 4)).toEqual([
      [255, 255, 255],
      [51, 51, 51],
      [51, 51, 51],
      [255, 255, 255],
    ]);
    expect(pixel(left + 335, top + 150)).toEqual([51, 51, 51]);
    const { out } = await relc('explain', vit, picture, '--flow', '1,2', '-o', join(folder, 'f.png'));
    expect(out).toContain('the row of patch 1,2');
  });
});

describe('tokens of unknown places', () => {
  it('are not drawn, and said so, but their numbers are written', async () => {
    const path = join(folder, 'list.npy');
    const before = writtenHere('heat.png');
    const { out, err, code } = await relc('explain', list, patches, '--save-relevance', path);
    expect(code).toBe(0);
    expect(err).toContain('no heatmap: nothing says how 16 patches lie on the picture; --grid HxW does');
    expect(out).not.toContain('heat.png');
    expect(writtenHere('heat.png')).toEqual(before);
    expect(decodeNpy(readFileSync(path), path).shape).toEqual([1, 17]);
    const refused = await relc('explain', list, patches, '-o', join(folder, 'no.png'));
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('RELC5001: relevance of shape [1,17] is no picture');
    expect(refused.err).toContain('--grid HxW');
  });

  it('are drawn on the grid that the command line or the manifest states', async () => {
    const path = join(folder, 'grid.png');
    const { code, out } = await relc('explain', list, patches, '--grid', '2x8', '-o', path);
    expect([code, out.includes('sum over patches')]).toEqual([0, true]);
    const { width, height } = decodePicture(readFileSync(path), path);
    expect(width).toBeGreaterThan(3 * height);
    const told = writeVit(join(folder, 'told'), { pixels: false, manifest: { tokens: layout } });
    expect((await report(told, patches)).attention.grid).toEqual([4, 4]);
  });
});

describe('many inputs', () => {
  it('get a heatmap each', async () => {
    const [pictures, heat] = [join(folder, 'pictures'), join(folder, 'heat')];
    mkdirSync(pictures, { recursive: true });
    for (const name of ['a', 'b']) writePicture(join(pictures, `${name}.png`), 32);
    const run = async (...args: string[]) => relc('explain', vit, pictures, '-o', heat, ...args);
    const { code } = await run('--per-block', '--save-relevance', join(folder, 'arrays'));
    expect(code).toBe(0);
    expect(readdirSync(heat).sort()).toEqual(['a.png', 'b.png', 'results.jsonl']);
    expect(readdirSync(join(folder, 'arrays'))).toContain('b.block1.npy');
    const [line] = readFileSync(join(heat, 'results.jsonl'), 'utf8').split('\n');
    expect((JSON.parse(line!) as Report).attention.blocks).toHaveLength(2);
    const resumed = await run('--per-block', '--upsample', 'nearest', '--resume');
    expect(resumed.err).toContain('were made with other rules or options');
  });
});

describe('what is refused', () => {
  it.each([
    ['--rules epsilon --block 1', 2, '--block is for attention methods, and the rules are epsilon'],
    ['--rules gradient --per-block', 2, 'attention methods: transformer-attribution, rollout'],
    [
      '--rules gradient --upsample nearest',
      2,
      '--upsample is for attention methods, and the rules are gradient',
    ],
    ['--rules gradient --flow 0,0', 2, '--flow is for attention methods'],
    ['--normalize-rows --no-normalize-rows', 2, 'exclude each other'],
    ['--block first', 2, '--block first is no number of a block'],
    ['--query all', 2, "--query all is no token's number, and not mean"],
    ['--position 1.5', 2, '--position 1.5 is no number of a token'],
    ['--block 2', 1, 'the method looks at block 2, but the model has 2'],
    ['--query 17', 1, 'attention query is 17, but there are 17 tokens'],
    ['--position 0', 1, 'position is 0, but the scores'],
    ['--rules last-layer --normalize-rows', 1, 'normalizeRows is for rollouts'],
    ['--rules attention-grad-cam --per-block', 1, 'perBlock is for methods that average matrices'],
    ['--layer x', 1, 'the option layer is for grad-cam, not for attention-rollout'],
    ['--upsample cubic', 2, 'modes: bilinear, nearest'],
    ['--grid 4', 2, '--grid 4 is not a grid of patches'],
    ['--grid 3x5', 2, "a grid of 3x5 has 15 patches, but 16 of the model's 17 tokens are patches"],
    ['--flow 4,0', 2, '--flow 4,0 is no patch of 4x4'],
    ['--flow 1', 2, '--flow 1 is not a patch'],
    ['--flow 1,1 --query 3', 2, '--flow and --query both name the row that is read'],
  ])('%s', async (options, exit, message) => {
    const { code, err } = await relc('explain', vit, picture, '--json', ...options.split(' '));
    expect(err).toContain(message);
    expect(code).toBe(exit);
  });

  it('a patch of a model whose tokens lie nowhere known', async () => {
    const { err } = await relc('explain', list, patches, '--flow', '0,0', '--json');
    expect(err).toContain('--flow names a patch, and nothing says how the tokens lie');
  });

  it.each<[object, string]>([
    [{ attention: { blocks: 1 } }, 'expected { block, normalizeRows, query, perBlock }'],
    [{ attention: { query: 'all' } }, 'expected { block'],
    [{ position: 0.5 }, 'expected the number of a token'],
    [{ tokens: { count: 17 } }, 'expected { count, special: [tokens], grid: [rows, columns] }'],
    [{ tokens: { ...layout, count: 16 } }, 'says 16 tokens, but its attention runs along 17'],
    [{ tokens: { ...layout, grid: [3, 4] } }, 'a grid of 3x4 has 12 patches'],
  ])('a manifest with %j', async (manifest, message) => {
    const model = writeVit(join(folder, 'wrong'), { manifest });
    const { code, err } = await relc('explain', model, picture, '--json');
    expect([code, err.includes('RELC5004'), err.includes(message)]).toEqual([2, true, true]);
  });
});

describe('the manifest', () => {
  it('states what the method is told, all of it for its own rules and the token for others', async () => {
    const manifest = { attention: { block: 1, normalizeRows: false, query: 5 } };
    const model = writeVit(join(folder, 'states'), { manifest });
    const own = await report(vit, picture, '--block', '1', '--no-normalize-rows', '--query', '5');
    expect((await report(model, picture)).attention).toEqual(own.attention);
    const other = await report(model, picture, '-r', 'last-layer-attn');
    const wanted = await report(vit, picture, '-r', 'last-layer-attn', '--query', '5');
    expect(other.attention).toEqual(wanted.attention);
    expect((await report(model, picture, '--query', '0')).attention.patch).toBeUndefined();
    expect((await relc('explain', model, picture, '-r', 'gradient', '--json')).code).toBe(0);
  });

  it('of an emitted explainer says tokens, and its loader gives their relevance', async () => {
    const directory = join(folder, 'explainer');
    const rules = ['-r', 'transformer-attribution', '--block', '1', '--per-block'];
    expect((await relc('compile', vit, ...rules, '-o', directory)).code).toBe(0);
    const manifest = JSON.parse(readFileSync(join(directory, 'relc.json'), 'utf8')) as object;
    expect(manifest).toMatchObject({
      rules: 'transformer-attribution',
      attention: { block: 1, perBlock: true },
      tokens: layout,
    });
    const { load } = (await import(join(directory, 'explainer.js'))) as {
      load(options: object): Promise<{
        explain(
          input: Float32Array,
        ): Promise<{ relevance: { shape: number[]; data: Float32Array }; relevances: object }>;
        dispose(): void;
      }>;
    };
    const explainer = await load({ threads: 1 });
    const { data } = decodeNpy(readFileSync(numbers), numbers);
    const { relevance, relevances } = await explainer.explain(data as Float32Array);
    explainer.dispose();
    expect(relevance.shape).toEqual([1, 17]);
    expect(Object.keys(relevances)).toEqual(['x', 'block1']);
    const { attention } = await report(vit, numbers, ...rules);
    for (const [token, value] of attention.row.relevance.entries()) {
      expect(relevance.data[token]).toBeCloseTo(value, 5);
    }
  });

  it('of other emitted explainers says nothing of attention', async () => {
    const directory = join(folder, 'plain');
    const model = writeVit(join(folder, 'told-attention'), { manifest: { attention: { query: 3 } } });
    expect((await relc('compile', model, '-r', 'gradient', '-o', directory)).code).toBe(0);
    const manifest = JSON.parse(readFileSync(join(directory, 'relc.json'), 'utf8')) as object;
    expect(manifest).not.toHaveProperty('attention');
  });
});

describe('other commands', () => {
  it('check accounts for the relevance of matrices, and every preset under one manifest', async () => {
    const model = writeVit(join(folder, 'checked'), { manifest: { attention: { query: 0, block: 1 } } });
    const one = await relc('check', model, picture, '-r', 'transformer-attribution', '--block', '-1');
    expect([one.code, one.out.includes('✓')]).toEqual([0, true]);
    const all = await relc('check', model, picture, '-r', 'all', '--block', '1');
    expect(all.err).toContain('--block is for attention methods, and --rules all checks every preset');
  });

  it('dump and inspect take the options', async () => {
    const dumped = await relc('dump', vit, '-r', 'attention-rollout', '--block', '1', '--after', 'relevance');
    const whole = await relc('dump', vit, '-r', 'attention-rollout', '--after', 'relevance');
    expect(dumped.code).toBe(0);
    expect(dumped.out.length).toBeLessThan(whole.out.length);
    const { out } = await relc('inspect', vit, '-r', 'attention-rollout', '--query', 'mean');
    expect(out).toContain('tokens: 17, number 0 special, and 16 are patches, 4 × 4; 2 blocks of attention');
  });

  it('rules in a file may be an attention method', async () => {
    const path = join(folder, 'mine.json');
    const method = { of: 'attention', timesGradient: false, combine: 'row', block: -1, normalizeRows: false };
    const rules = { composite: [['all', {}, { rule: 'gradient' }]], result: 'attention', attention: method };
    writeFileSync(path, JSON.stringify(rules));
    const [mine, theirs] = [
      await report(vit, picture, '-r', path),
      await report(vit, picture, '-r', 'last-layer-attn'),
    ];
    expect(mine.attention).toEqual(theirs.attention);
  });
});
