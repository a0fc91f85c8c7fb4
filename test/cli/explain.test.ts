// relc explain: inputs of every kind, classes, files it writes, and its report.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy } from '../../src/cli/picture/npy.js';
import { decodePicture } from '../../src/cli/picture/picture.js';
import { labels, relc, scratch, writeModel, writePicture } from './support.js';

const folder = scratch();
const picture = join(folder, 'picture.png');
let model = '';

beforeAll(async () => {
  model = await writeModel(join(folder, 'model'));
  writePicture(picture, 6);
});

interface Report {
  label: string;
  target: number;
  logit: number;
  rules: string;
  seed: string;
  scores: number[];
  relevance: { shape: number[]; sum: number; share: number };
  files: string[];
  milliseconds: Record<string, number>;
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
    const { files } = await report(picture);
    expect(files).toEqual([]);
    expect(existsSync('heat.png')).toBe(false);
  });
});
