// Programs of convolutions, large enough that their steps have several chunks, and a small one.
import { dialect } from '../../../src/api/pipeline.js';
import { parse } from '../../../src/ir/parse.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import { sizeOf, type TensorData, tensor } from '../../../src/ir/tensor.js';
import { sequence } from '../support.js';

const same = 'padding=[[1,1],[1,1]], strides=[1,1]';

/** Numbers in [−1, 1) of a shape. */
export function drawn(shape: readonly number[], seed: number): TensorData {
  const random = sequence(seed);
  return tensor(
    shape,
    Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1),
  );
}

/** Two convolutions of pictures of some size, and the sums of their channels. */
export function convolutions(size: number, channels: number): Program {
  const graph = parse(
    `graph @convolutions {
  %x = input() : f32[N,${size},${size},3]
  %w1 = param() {key="w1"} : f32[3,3,3,${channels}]
  %w2 = param() {key="w2"} : f32[3,3,${channels},${channels}]
  %z1 = conv(%x, %w1) {${same}} : f32[N,${size},${size},${channels}]
  %h = relu(%z1) : f32[N,${size},${size},${channels}]
  %z2 = conv(%h, %w2) {${same}} : f32[N,${size},${size},${channels}]
  %s = sum(%z2) {axes=[1,2]} : f32[N,${channels}]
  return z=%z2, sums=%s
}`,
    dialect,
  );
  const weights = new Map([
    ['w1', drawn([3, 3, 3, channels], 1)],
    ['w2', drawn([3, 3, channels, channels], 2)],
  ]);
  return { graph, weights };
}

/** One short step that has several chunks, and one that has one. */
export function waves(): Program {
  const graph = parse(
    `graph @waves {
  %x = input() : f32[N,65536]
  %z = relu(%x) : f32[N,65536]
  %rows = reshape(%z) : f32[N,1024,64]
  %s = sum(%rows) {axes=[1]} : f32[N,64]
  return z=%z, sums=%s
}`,
    dialect,
  );
  return { graph, weights: new Map() };
}
