// A tiny vision transformer on disk for tests of the command: patches of 8 × 8 of 32 × 32 pixels, two blocks.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface VitOptions {
  /** Whether a class token is joined to the patches, and the scores are read from it; else from the mean of all. */
  readonly classToken?: boolean;
  /** Whether the model takes pixels; else the patches as a list, [N, 16, 12], which says nothing of their places. */
  readonly pixels?: boolean;
  readonly manifest?: object;
}

const width = 8;
const heads = 2;

/** The source of a module whose weights are normal numbers, the same every time. */
function sourceOf({ classToken = true, pixels = true }: VitOptions): string {
  const tokens = classToken ? 17 : 16;
  return `import * as tf from '${import.meta.resolve('@tensorflow/tfjs')}';
let key = 0;
const normal = (...shape) => tf.randomNormal(shape, 0, 0.5, 'float32', ++key);
const dense = (a, b) => ({ w: normal(a, b), b: normal(b) });
const of = (x, { w, b }) => {
  const [, t, d] = x.shape;
  return tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, d]), w), [-1, t, w.shape[1]]), b);
};
const split = (x) => tf.transpose(tf.reshape(x, [-1, ${tokens}, ${heads}, ${width / heads}]), [0, 2, 1, 3]);
const attend = (x, { q, k, v, o }) => {
  const scores = tf.matMul(split(of(x, q)), split(of(x, k)), false, true);
  const mixed = tf.matMul(tf.softmax(tf.mul(scores, 0.5)), split(of(x, v)));
  return of(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, ${tokens}, ${width}]), o);
};
const blocks = [0, 1].map(() => ({
  q: dense(${width}, ${width}), k: dense(${width}, ${width}), v: dense(${width}, ${width}), o: dense(${width}, ${width}),
  up: dense(${width}, 16), down: dense(16, ${width}),
}));
const patch = ${pixels ? `normal(8, 8, 3, ${width})` : `dense(12, ${width})`};
const place = normal(1, ${tokens}, ${width});
const first = normal(1, 1, ${width});
const scores = { w: normal(${width}, 3), b: normal(3) };
export const input = ${pixels ? '[1, 32, 32, 3]' : '[1, 16, 12]'};
export default (input) => {
  const embedded = ${pixels ? `tf.reshape(tf.conv2d(input, patch, 8, 'valid'), [-1, 16, ${width}])` : 'of(input, patch)'};
  let x = tf.add(${classToken ? 'tf.concat([tf.tile(first, [input.shape[0], 1, 1]), embedded], 1)' : 'embedded'}, place);
  for (const block of blocks) {
    x = tf.add(x, attend(x, block));
    x = tf.add(x, of(tf.relu(of(x, block.up)), block.down));
  }
  const read = ${classToken ? `tf.reshape(tf.slice(x, [0, 0, 0], [-1, 1, ${width}]), [-1, ${width}])` : 'tf.mean(x, 1)'};
  return tf.add(tf.matMul(read, scores.w), scores.b);
};
`;
}

/** Writes the model and its manifest. @returns the path of the module */
export function writeVit(folder: string, options: VitOptions = {}): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'vit.mjs'), sourceOf(options));
  const manifest = { labels: ['sky', 'sea', 'sand'], rules: 'attention-rollout', ...options.manifest };
  writeFileSync(join(folder, 'relc.json'), JSON.stringify(manifest));
  return join(folder, 'vit.mjs');
}
