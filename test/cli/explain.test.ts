// relc explain: inputs of every kind, classes, files it writes, and its report.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy } from '../../src/cli/picture/npy.js';
import { decodePicture } from '../../src/cli/picture/picture.js';
import { labels, relc, scratch, writeModel, writePicture, writtenHere } from './support.js';

const folder = scratch();
const picture = join(folder, 'picture.png');
let model = '';

beforeAll(async () => {
  model = await writeModel(join(folder, 'model'));
  writePicture(picture, 6);
});

interface Report extends Told {
  explanations: Told[];
  rules: string;
  method: string;
  seed: string;
  scores: number[];
  files: string[];
  milliseconds: Record<string, number>;
}

interface Told {
  label: string;
  target: number;
  logit: number;
  start: number;
  against?: number;
  gap?: number;
  relevance: { shape: number[]; sum: number; share: number | null };
  relevances?: Record<string, { shape: number[]; sum: number; share: number | null }>;
}

async function report(...args: string[]): Promise<Report> {
  const run = await relc('explain', model, ...args, '--json');
  expect(run.err.replace(/^note: .*$/gm, '').trim()).toBe('');
  expect(run.code).toBe(0);
  return JSON.parse(run.out) as Report;
}

describe('the report', () => {
  it('takes size, scale, labels and rules from the manifest', async () => {
    const { label, rules, logit, scores, relevance } = await report(picture);
    expect(label).toBe('red above');
    expect(rules).toBe('epsilon');
    expect(logit).toBeCloseTo(1, 5);
    expect(scores[0]! + scores[1]!).toBeCloseTo(1, 5);
    expect(relevance.shape).toEqual([1, 6, 6, 3]);
    expect(relevance.share).toBeCloseTo(1, 4);
  });

  it('explains a class by label and by number', async () => {
    const byLabel = await report(picture, '--class', labels[1]!);
    const byNumber = await report(picture, '-c', '1');
    expect([byLabel.target, byNumber.target]).toEqual([1, 1]);
    expect(byLabel.logit).toBeCloseTo(-1, 5);
    expect(byNumber.relevance.sum).toBeCloseTo(byLabel.relevance.sum, 6);
  });

  it('scales pixels as it is told, with fractions and negative numbers', async () => {
    const { logit } = await report(picture, '--scale', '-2/255,0.5');
    // red: 255·(−2/255) + ½ = −1½ is off; blue above: ½
    expect(logit).toBeCloseTo(0.5, 5);
    expect((await report(picture, '--scale', '-1/255,1')).logit).toBeCloseTo(1, 5);
  });

  it('starts from one when asked', async () => {
    const { seed, relevance } = await report(picture, '--seed', 'one');
    expect(seed).toBe('one');
    expect(relevance.sum).toBeCloseTo(1, 4);
  });

  it('takes labels from a file, one a line or JSON', async () => {
    writeFileSync(join(folder, 'lines.txt'), 'up\ndown\n');
    writeFileSync(join(folder, 'list.json'), '["oben", "unten"]');
    expect((await report(picture, '--labels', join(folder, 'lines.txt'))).label).toBe('up');
    expect((await report(picture, '--labels', join(folder, 'list.json'))).label).toBe('oben');
  });
});

describe('inputs', () => {
  const values = Float32Array.from({ length: 108 }, (_, i) => (i % 3 === 0 ? 1 : 0));

  it('reads .npy and JSON as they are', async () => {
    writeFileSync(join(folder, 'x.npy'), encodeNpy(values, [1, 6, 6, 3]));
    writeFileSync(join(folder, 'x.json'), JSON.stringify([...values]));
    const [fromNpy, fromJson] = [await report(join(folder, 'x.npy')), await report(join(folder, 'x.json'))];
    expect(fromNpy.logit).toBeCloseTo(1, 5);
    expect(fromJson.logit).toBe(fromNpy.logit);
  });

  it('resizes pictures', async () => {
    const large = join(folder, 'large.png');
    writePicture(large, 48);
    expect((await report(large)).logit).toBeGreaterThan(0.9);
  });

  it.each([
    ['a wrong number of elements', 'short.json', '[1, 2, 3]', 'holds 3 numbers'],
    ['words', 'words.json', '["a"]', 'expected numbers'],
    ['not JSON', 'broken.json', '[1,', 'is not JSON'],
    ['no picture', 'text.png', 'hello', 'PNG or JPEG'],
  ])('refuses %s', async (_what, name, content, message) => {
    writeFileSync(join(folder, name), content);
    const run = await relc('explain', model, join(folder, name));
    expect(run.err).toContain(message);
    expect(run.err).toContain('RELC5003');
    expect(run.code).toBe(2);
  });
});

describe('files and printing', () => {
  it('writes an overlay and the numbers, and shows classes, sums and times', async () => {
    const [heat, array] = [join(folder, 'heat.png'), join(folder, 'r.npy')];
    const run = await relc('explain', model, picture, '-o', heat, '--save-relevance', array);
    expect(run.code).toBe(0);
    const overlay = decodePicture(readFileSync(heat), heat);
    expect(overlay.height).toBeGreaterThan(400);
    const { shape, data } = decodeNpy(readFileSync(array), array);
    expect(shape).toEqual([1, 6, 6, 3]);
    // All relevance lies on the red channel of the upper half.
    data.forEach((value, index) => {
      const upperRed = index % 3 === 0 && index < 54;
      expect(value).toBeCloseTo(upperRed ? 1 / 18 : 0, 5);
    });
    expect(run.out).toMatch(/› +red above/);
    expect(run.out).toContain('f(x) 1.0000');
    expect(run.out).toMatch(/100(\.0+)? % arrived/);
    expect(run.out).toMatch(/compile \d+/);
    expect(run.out).toContain(`wrote ${heat}`);
    expect(run.err).toContain('note: the softmax');
    expect(run.out).not.toContain('\u001b[');
  });

  it('writes no picture with --json unless asked', async () => {
    const before = writtenHere('heat.png');
    const { files } = await report(picture);
    expect(files).toEqual([]);
    expect(writtenHere('heat.png')).toEqual(before);
  });
});

describe('classes and seeds', () => {
  it('explains several classes side by side, a row of numbers each', async () => {
    const [heat, array] = [join(folder, 'both.png'), join(folder, 'both.npy')];
    const run = await relc(
      ...['explain', model, picture, '--class', `${labels[0]},1`, '-o', heat, '--save-relevance', array],
    );
    expect(run.code).toBe(0);
    for (const label of labels) expect(run.out).toContain(`epsilon for ${label}: f(x)`);
    expect(run.out.match(/^› /gm)).toHaveLength(2);
    const { width, height } = decodePicture(readFileSync(heat), heat);
    expect(width / height).toBeGreaterThan(2);
    const { shape, data } = decodeNpy(readFileSync(array), array);
    expect(shape).toEqual([2, 6, 6, 3]);
    expect(data[108]).toBeCloseTo(-data[0]!, 5);
    const { explanations, label } = await report(picture, '--class', '0,1');
    expect(explanations.map((each) => each.label)).toEqual(labels);
    expect(label).toBe(labels[0]);
  });

  it('takes a label with a comma for one class', async () => {
    writeFileSync(join(folder, 'commas.json'), '["cat, tabby", "dog"]');
    const { explanations } = await report(
      ...[picture, '--labels', join(folder, 'commas.json'), '-c', 'cat, tabby'],
    );
    expect(explanations.map(({ target }) => target)).toEqual([0]);
  });

  it('compares with another class', async () => {
    const [named, strongest] = [
      await report(picture, '--against', labels[1]!),
      await report(picture, '--seed', 'contrast'),
    ];
    expect(named).toMatchObject({ seed: 'contrast', target: 0, against: 1, againstLabel: labels[1] });
    expect(named.start).toBeCloseTo(2, 5);
    expect(named.relevance).toEqual(strongest.relevance);
    const { out } = await relc('explain', model, picture, '--against', '1', '-o', join(folder, 'c.png'));
    expect(out).toContain(`for ${labels[0]} against ${labels[1]}: difference of scores 2.0000`);
  });

  it('starts at numbers in a file, and at all scores', async () => {
    const path = join(folder, 'seed.json');
    writeFileSync(path, '[0.5, 0]');
    expect(await report(picture, '--seed', path)).toMatchObject({ seed: 'tensor', start: 0.5 });
    expect((await report(picture, '--seed', 'outputs')).start).toBeCloseTo(0, 5);
  });

  it.each([
    ['--against 1 --seed one', 'RELC3004'],
    ['--against 0', 'RELC4003: class 0 is compared with itself'],
    ['--seed outputs --class 1', 'RELC3004'],
    ['--seed tensor', 'RELC3004: the seed is a tensor'],
    ['--class 1,2', 'RELC4003'],
  ])('refuses %s', async (options, message) => {
    const { code, err } = await relc('explain', model, picture, ...options.split(' '));
    expect(code).toBe(1);
    expect(err).toContain(message);
  });
});

describe('values and ranges', () => {
  it('explains layers in place of the input, with a table where one is no picture', async () => {
    const [heat, array] = [join(folder, 'at.png'), join(folder, 'at.npy')];
    const args = ['explain', model, picture, '--at', 'colours,mean', '-o', heat, '--save-relevance', array];
    const { code, out } = await relc(...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^mean +relevance\n\[0\] +1\.00\n\[1\] +0$/m);
    expect(out).toContain('100.0 % arrived at colours');
    for (const name of ['colours', 'mean']) expect(out).toContain(join(folder, `at.${name}.npy`));
    const { relevances } = await report(picture, '--at', 'colours,mean');
    expect(relevances!.mean).toEqual({
      shape: [1, 2],
      sum: expect.closeTo(1, 4),
      share: expect.closeTo(1, 4),
    });
    const none = await relc('explain', model, picture, '--at', 'mean', '-o', heat);
    expect(none.err).toContain('RELC5001: relevance of shape [1,2] is no picture');
    expect((await relc('explain', model, picture, '--at', 'coulours')).err).toMatch(
      /RELC3008: .*\n.*colours/,
    );
  });

  it('takes the range of zB from the scale of pixels, the manifest or the option', async () => {
    const of = async (...args: string[]) =>
      (await report(picture, '-r', 'epsilon-gamma-box', ...args)).relevance;
    const usual = await of();
    expect(usual).toEqual(await of('--range', '0,1'));
    expect(usual).not.toEqual(await of('--range', '-1,1'));
    expect((await relc('explain', model, picture, '--range', '1')).err).toContain('--range 1 is not a pair');
    const path = join(folder, 'plain.mjs');
    writeFileSync(
      path,
      'export const input = [1, 4, 4, 1];\nexport default (x) => x.conv2d(x.ones ?? x, 1, 1);\n',
    );
    const other = await writeModel(join(folder, 'wide'));
    const manifest = JSON.parse(readFileSync(join(folder, 'wide/relc.json'), 'utf8')) as object;
    writeFileSync(join(folder, 'wide/relc.json'), JSON.stringify({ ...manifest, range: [-1, 1] }));
    const wide = await relc('explain', other, picture, '-r', 'epsilon-gamma-box', '--json');
    expect((JSON.parse(wide.out) as Report).relevance).toEqual(await of('--range', '-1,1'));
  });

  it('prints the tokens of an integer input with their relevance, as ids where there is no tokenizer', async () => {
    const path = join(folder, 'tokens.mjs');
    writeFileSync(
      path,
      `import * as tf from '${import.meta.resolve('@tensorflow/tfjs')}';
const table = tf.tensor2d([[0, 0], [1, 2], [-3, 0]]);
export const input = { shape: [1, 3], dtype: 'i32' };
export default (ids) => tf.sum(tf.gather(table, ids), 1);
`,
    );
    writeFileSync(join(folder, 'ids.json'), '[2, 0, 1]');
    const page = join(folder, 'ids.html');
    const { out, code } = await relc('explain', path, join(folder, 'ids.json'), '-c', '0', '-o', page);
    expect(code).toBe(0);
    expect(out).toMatch(/^word +relevance +share\n +2 +-3\.00 +150\.0 %\n +1 +1\.00 +-50\.0 %\n\n/);
    expect(out).toContain(`wrote ${page}`);
  });
});

describe('methods', () => {
  it('runs the explainer many times under the rules gradient', async () => {
    const smooth = await report(picture, '--method', 'smooth-grad', '--samples', '3');
    expect(smooth).toMatchObject({ rules: 'gradient', method: 'smooth-grad (gradient)' });
    expect(smooth.relevance.share).toBeNull();
    const own = await report(
      picture,
      '--method',
      'smooth-grad',
      '--samples',
      '2',
      '-r',
      'epsilon',
      '-c',
      '0,1',
    );
    expect(own.explanations).toHaveLength(2);
    expect(own.rules).toBe('epsilon');
    const integrated = await report(picture, '--method', 'integrated-gradients', '--samples', '4');
    expect(integrated.relevance.share).toBeCloseTo(1, 4);
    expect(integrated.gap).toBeCloseTo(0, 4);
  });

  it.each([
    ['--samples 3', '--samples needs --method'],
    ['--method sg', 'methods: smooth-grad, integrated-gradients'],
    ['--method integrated-gradients --seed one', 'leave out --seed'],
    ['--method smooth-grad --samples none', '--samples none is not a number above 0'],
  ])('refuses %s', async (options, message) => {
    const { code, err } = await relc('explain', model, picture, ...options.split(' '));
    expect([code, err.includes(message)]).toEqual([2, true]);
  });
});
