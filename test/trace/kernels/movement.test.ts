// Kernels that move data: the traced graph puts every element where tfjs puts it.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodesWithOp } from '../../../src/ir/graph.js';
import { type ModelFunction, traceFunction } from '../../../src/trace/function.js';
import { expectTraced, type Probe, refusal, startTensorflow } from '../support.js';

beforeAll(startTensorflow);

interface Movement extends Partial<Probe> {
  readonly name: string;
  readonly run: ModelFunction;
}

const rows: Movement['input'] = [null, 4];
const cube: Movement['input'] = [null, 5, 4, 3];
const integers: Movement['input'] = { shape: [null, 3], dtype: 'i32' };
type Pair = { a: tf.Tensor2D; b: tf.Tensor2D };
const pair: Movement['input'] = { a: [null, 3], b: [null, 3] };
type Weight<Shape extends tf.Tensor> = { w: Shape };

const shapes: readonly Movement[] = [
  { name: 'reshape', run: (x: tf.Tensor) => x.reshape([x.shape[0]!, 6, 10]) },
  { name: 'reshape with -1', run: (x: tf.Tensor) => x.reshape([-1, 60]) },
  {
    name: 'flattened batch and back',
    run: (x: tf.Tensor) => x.reshape([-1, 3]).relu().reshape([-1, 5, 4, 3]),
  },
  { name: 'flatten', run: (x: tf.Tensor4D) => tf.layers.flatten().apply(x) as tf.Tensor },
  {
    name: 'expandDims and squeeze',
    run: (x: tf.Tensor) => x.expandDims(2).tanh().squeeze([2]).expandDims(-1),
  },
  { name: 'transpose', run: (x: tf.Tensor) => tf.transpose(x, [0, 3, 1, 2]) },
  { name: 'space to depth, by reshapes and a transpose', run: spaceToDepth, input: [null, 4, 6, 2] },
];

function spaceToDepth(x: tf.Tensor): tf.Tensor {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const blocks = x.reshape([n, h / 2, 2, w / 2, 2, c]).transpose([0, 1, 3, 2, 4, 5]);
  return blocks.reshape([n, h / 2, w / 2, 4 * c]);
}

const slices: readonly Movement[] = [
  { name: 'slice', run: (x: tf.Tensor) => tf.slice(x, [0, 1, 0, 1], [x.shape[0]!, 3, 4, 2]) },
  { name: 'slice to the end', run: (x: tf.Tensor) => tf.slice(x, [0, 2], [-1, 2]) },
  {
    name: 'strided',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 0, 1, 0], [9, 5, 4, 3], [1, 2, 2, 1], 1, 1),
  },
  {
    name: 'strided backwards',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 4, -1, 0], [0, 0, -4, 3], [1, -2, -1, 2], 1, 1),
  },
  {
    name: 'strided backwards, both ends open',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 0, 0, 0], [0, 0, 0, 0], [1, -1, 1, -2], 15, 15),
  },
  {
    name: 'strided, an ellipsis and an axis that shrinks',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 1], [0, 2], [1, 1], 0, 0, 1, 0, 2),
  },
  {
    name: 'strided, a new axis and a negative index that shrinks',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 0, -2], [0, 0, -1], [1, 1, 1], 1, 1, 0, 2, 4),
  },
  {
    name: 'strided, an open beginning that does not count where the axis shrinks',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 2], [0, 3], [1, 1], 3, 1, 0, 0, 2),
  },
  {
    name: 'strided, an ellipsis between two axes',
    run: (x: tf.Tensor) => tf.stridedSlice(x, [0, 0, 2], [0, 0, 0], [1, 1, -1], 1, 1, 2, 0, 0),
  },
  { name: 'split in equal parts', run: (x: tf.Tensor) => tf.split(x, 2, 2).map((part) => part.relu()) },
  { name: 'split in stated parts, one open', run: (x: tf.Tensor) => tf.split(x, [1, -1, 2], 1) },
  { name: 'unstack', run: (x: tf.Tensor) => tf.unstack(x, 3) },
  { name: 'reverse', run: (x: tf.Tensor) => tf.reverse(x, [1, -1]) },
];

const joins: readonly Movement[] = [
  { name: 'concat', input: pair, run: ({ a, b }: Pair) => tf.concat([a, b, a], 1) },
  { name: 'concat with a constant', run: withClassToken, input: [null, 3, 4], weights: { w: [1, 1, 4] } },
  {
    name: 'concat with an empty constant',
    input: rows,
    run: (x: tf.Tensor2D) => tf.concat([x, tf.zeros<tf.Rank.R2>([x.shape[0], 0])], 1),
  },
  { name: 'stack', input: pair, run: ({ a, b }: Pair) => tf.stack([a, b], 1) },
  { name: 'stack last', input: pair, run: ({ a, b }: Pair) => tf.stack([a, b], -1) },
];

function withClassToken(x: tf.Tensor3D, { w }: Weight<tf.Tensor3D>): tf.Tensor {
  return tf.concat([tf.tile(w, [x.shape[0], 1, 1]), x], 1);
}

const pads: readonly Movement[] = [
  {
    name: 'pad',
    run: (x: tf.Tensor4D) =>
      x.pad([
        [0, 0],
        [1, 2],
        [0, 3],
        [0, 0],
      ]),
  },
  {
    name: 'pad with a value',
    run: (x: tf.Tensor4D) =>
      x.pad(
        [
          [0, 0],
          [1, 0],
          [0, 1],
          [2, 1],
        ],
        -1.5,
      ),
  },
  {
    name: 'pad with what no maximum takes',
    run: (x: tf.Tensor4D) =>
      x
        .pad(
          [
            [0, 0],
            [1, 0],
            [0, 0],
            [0, 0],
          ],
          -Infinity,
        )
        .max(1),
  },
  {
    name: 'pad by nothing',
    run: (x: tf.Tensor4D) =>
      x.pad([
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
      ]),
  },
  {
    name: 'mirror',
    run: (x: tf.Tensor4D) =>
      tf.mirrorPad(
        x,
        [
          [0, 0],
          [2, 1],
          [3, 0],
          [0, 2],
        ],
        'reflect',
      ),
  },
  {
    name: 'mirror with the edge',
    run: (x: tf.Tensor4D) =>
      tf.mirrorPad(
        x,
        [
          [0, 0],
          [2, 3],
          [1, 0],
          [0, 3],
        ],
        'symmetric',
      ),
  },
];

const repeats: readonly Movement[] = [
  { name: 'tile', run: (x: tf.Tensor) => tf.tile(x, [1, 2, 1, 3]) },
  {
    name: 'broadcastTo',
    input: rows,
    run: (x: tf.Tensor) => tf.broadcastTo(x.expandDims(1), [x.shape[0]!, 3, 4]),
  },
  { name: 'depthToSpace', input: [null, 2, 3, 8], run: (x: tf.Tensor4D) => tf.depthToSpace(x, 2, 'NHWC') },
];

const lookups: readonly Movement[] = [
  {
    name: 'gather at constant places',
    run: (x: tf.Tensor) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32'), 2),
  },
  {
    name: 'gather at places in rows',
    run: (x: tf.Tensor) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [1, 0],
            [2, 2],
          ],
          [2, 2],
          'int32',
        ),
        3,
      ),
  },
  {
    name: 'an embedding',
    input: integers,
    weights: { w: [4, 5] },
    run: (x: tf.Tensor, { w }: Weight<tf.Tensor2D>) => tf.gather(w, x as tf.Tensor2D),
  },
  {
    name: 'an embedding with positions',
    input: integers,
    weights: { w: [4, 5], places: [3, 5] },
    run: (x: tf.Tensor2D, { w, places }: { w: tf.Tensor2D; places: tf.Tensor2D }) =>
      tf.gather(w, x).add(places),
  },
  {
    name: 'an embedding of ids laid out flat',
    input: integers,
    weights: { w: [4, 5] },
    run: (x: tf.Tensor2D, { w }: Weight<tf.Tensor2D>) => tf.gather(w, x.reshape([-1])).reshape([-1, 3, 5]),
  },
  { name: 'oneHot', input: integers, run: (x: tf.Tensor2D) => tf.oneHot(x, 4) },
  {
    name: 'oneHot with values',
    input: integers,
    run: (x: tf.Tensor2D) => tf.oneHot(x, 3, 0.5, -2, 'float32'),
  },
  { name: 'oneHot times a weight', input: integers, weights: { w: [4, 5] }, run: oneHotProduct },
  { name: 'argMax', run: (x: tf.Tensor) => tf.argMax(x, 2) },
];

function oneHotProduct(x: tf.Tensor2D, { w }: Weight<tf.Tensor2D>): tf.Tensor {
  return tf.matMul(tf.oneHot(x, 4).reshape([-1, 4]), w).reshape([-1, 3, 5]);
}

const sizes = [
  [10, 8],
  [7, 9],
  [3, 2],
  [1, 1],
  [5, 4],
] as const;
const conventions = [
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: true, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
];

const resizes: readonly Movement[] = conventions.flatMap(({ alignCorners, halfPixelCenters }) => {
  const convention = alignCorners ? 'corners aligned' : halfPixelCenters ? 'half-pixel centres' : 'plain';
  return sizes.flatMap((size): Movement[] => [
    {
      name: `bilinear to ${size}, ${convention}`,
      run: (x: tf.Tensor4D) => tf.image.resizeBilinear(x, [...size], alignCorners, halfPixelCenters),
    },
    {
      name: `nearest to ${size}, ${convention}`,
      run: (x: tf.Tensor4D) => tf.image.resizeNearestNeighbor(x, [...size], alignCorners, halfPixelCenters),
    },
  ]);
});

describe.each([
  ['shapes', shapes],
  ['slices', slices],
  ['joins', joins],
  ['pads', pads],
  ['repeats', repeats],
  ['lookups', lookups],
  ['resizes', resizes],
])('%s', (_group, cases) => {
  it.each(cases)('$name', ({ run, name: _name, ...probe }) => {
    expectTraced(run, { input: cube, ...probe });
  });
});

describe('what moves nothing', () => {
  it('leaves no node behind', () => {
    const model = (x: tf.Tensor4D) =>
      x.reshape([-1, 60]).reshape(x.shape).transpose([0, 1, 2, 3]).slice([0, 0], [-1, 5]).clone();
    const { graph } = traceFunction(model, { input: cube });
    expect([...graph.nodes.values()].map((node) => node.op)).toEqual(['input']);
  });

  it('a constant tiled along the batch stays one row', () => {
    const { graph, weights } = expectTraced(withClassToken, {
      input: [null, 3, 40],
      weights: { w: [1, 1, 40] },
    });
    expect(nodesWithOp(graph, 'broadcast')[0]!.type.shape).toEqual(['N', 1, 40]);
    expect([...weights.values()].map((weight) => weight.data.length)).toEqual([40]);
  });
});

const refused: readonly (Movement & { readonly message: RegExp })[] = [
  {
    name: 'a slice of the batch',
    run: (x: tf.Tensor) => x.slice([1], [1]),
    message: /a slice of the batch axis/,
  },
  { name: 'a reversed batch', run: (x: tf.Tensor) => tf.reverse(x), message: /reversing the batch axis/ },
  {
    name: 'a stack of batches',
    run: (x: tf.Tensor) => tf.stack([x, x]),
    message: /would move to an axis other than 0/,
  },
  {
    name: 'batches one after another',
    run: (x: tf.Tensor) => tf.concat([x, x]),
    message: /concatenation of batches/,
  },
  {
    name: 'a batch moved back',
    run: (x: tf.Tensor) => tf.transpose(x),
    message: /would move to an axis other than 0/,
  },
];

describe('a strided slice', () => {
  it('is refused where tfjs takes the wrong elements', () => {
    const model = (x: tf.Tensor) => tf.stridedSlice(x, [0, 1, 0], [0, 2, 4], [1, 1, 2], 1, 1, 0, 0, 2);
    const { message } = refusal(() => traceFunction(model, { input: cube }), 'RELC2001');
    expect(message).toMatch(/StridedSlice \(at .*: tfjs takes the wrong elements where an axis shrinks/);
  });
});

describe('what mixes samples is refused', () => {
  it.each(refused)('$name', ({ run, message }) => {
    const error = refusal(() => traceFunction(run, { input: [null, 5, 4, 3] }), 'RELC1007');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/\(at test\/trace\/kernels\/movement\.test\.ts:\d+:\d+\)/);
  });
});
