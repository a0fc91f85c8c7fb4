// Convolution against a direct loop, and its transpose as the adjoint.
import { describe, expect, it } from 'vitest';
import type { Attrs } from '../../../src/ir/graph.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { apply, dot, exact, expectClose, expectValues, f32, failure, single, uniform } from '../support.js';

interface Geometry {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
  readonly strides: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilations: readonly [number, number];
  readonly groups: number;
}

const plain = {
  strides: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilations: [1, 1],
  groups: 1,
} as const;

const geometries: readonly Geometry[] = [
  { ...plain, name: 'valid', x: [2, 5, 4, 3], w: [3, 2, 3, 4] },
  { ...plain, name: 'strided', x: [2, 7, 6, 2], w: [3, 3, 2, 3], strides: [2, 3] },
  {
    ...plain,
    name: 'padded unevenly',
    x: [1, 4, 5, 2],
    w: [3, 3, 2, 2],
    padding: [
      [0, 1],
      [2, 1],
    ],
  },
  {
    ...plain,
    name: 'cropped by negative padding',
    x: [1, 6, 5, 1],
    w: [2, 2, 1, 2],
    padding: [
      [-1, 0],
      [0, -2],
    ],
  },
  { ...plain, name: 'dilated', x: [1, 7, 8, 2], w: [3, 2, 2, 2], dilations: [2, 3] },
  { ...plain, name: 'grouped', x: [2, 4, 4, 6], w: [2, 2, 2, 9], groups: 3 },
  {
    ...plain,
    name: 'depthwise',
    x: [1, 5, 5, 3],
    w: [3, 3, 1, 6],
    groups: 3,
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  {
    ...plain,
    name: 'with a kernel larger than the picture',
    x: [1, 2, 2, 1],
    w: [4, 4, 1, 1],
    padding: [
      [1, 1],
      [2, 1],
    ],
  },
  {
    name: 'all at once',
    x: [2, 9, 8, 4],
    w: [3, 2, 2, 6],
    strides: [2, 1],
    padding: [
      [1, 0],
      [0, 2],
    ],
    dilations: [1, 2],
    groups: 2,
  },
];

const attrsOf = ({ strides, padding, dilations, groups }: Geometry): Attrs => ({
  strides,
  padding,
  dilations,
  groups,
});

function outputExtent(g: Geometry, axis: 0 | 1): number {
  const reach = g.dilations[axis] * (g.w[axis] - 1) + 1;
  const padded = g.x[axis + 1]! + g.padding[axis][0] + g.padding[axis][1];
  return Math.floor((padded - reach) / g.strides[axis]) + 1;
}

/** z[n,p,q,o] = Σ x[n, p·s + i·d − pad, …, group·c + k] · w[i,j,k,o], as the definition says. */
function direct(x: TensorData, w: TensorData, g: Geometry): TensorData {
  const [batch, height, width, channels] = g.x;
  const [rows, columns, perGroup, outputs] = g.w;
  const [p, q] = [outputExtent(g, 0), outputExtent(g, 1)];
  const values: number[] = [];
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < p; row++)
      for (let column = 0; column < q; column++)
        for (let o = 0; o < outputs; o++) {
          const group = Math.floor(o / (outputs / g.groups));
          let sum = 0;
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < columns; j++)
              for (let k = 0; k < perGroup; k++) {
                const y = row * g.strides[0] + i * g.dilations[0] - g.padding[0][0];
                const z = column * g.strides[1] + j * g.dilations[1] - g.padding[1][0];
                if (y < 0 || z < 0 || y >= height || z >= width) continue;
                const c = group * perGroup + k;
                sum +=
                  x.data[((n * height + y) * width + z) * channels + c]! *
                  w.data[((i * columns + j) * perGroup + k) * outputs + o]!;
              }
          values.push(sum);
        }
  return exact([batch, p, q, outputs], values);
}

describe.each(geometries)('a convolution $name', (geometry) => {
  const attrs = attrsOf(geometry);
  const x = uniform(geometry.x, 1);
  const w = uniform(geometry.w, 2);

  it('equals the direct loop', () => {
    expectClose(apply('conv', [x, w], { attrs }), direct(x, w, geometry), 1e-14);
  });

  it('has its transpose as adjoint: ⟨conv x, y⟩ = ⟨x, transpose y⟩', () => {
    const z = apply('conv', [x, w], { attrs });
    const y = uniform(z.shape, 3);
    const back = apply('conv_transpose', [y, w], { attrs, type: f32(...geometry.x) });
    expect(back.shape).toEqual(geometry.x);
    expect(dot(x, back)).toBeCloseTo(dot(z, y), 12);
  });

  it('adds its bias to each channel, forward and transposed', () => {
    const [outputs, inputs] = [geometry.w[3], geometry.x[3]];
    const z = apply('conv', [x, w], { attrs });
    const bias = uniform([outputs], 4);
    const shifted = z.data.map((value, index) => value + bias.data[index % outputs]!);
    expectClose(apply('conv', [x, w, bias], { attrs }), { ...z, data: shifted }, 1e-15);
    const type = f32(...geometry.x);
    const back = apply('conv_transpose', [z, w], { attrs, type });
    const offset = uniform([inputs], 5);
    const moved = back.data.map((value, index) => value + offset.data[index % inputs]!);
    expectClose(apply('conv_transpose', [z, w, offset], { attrs, type }), { ...back, data: moved }, 1e-15);
  });
});

describe('convolution', () => {
  it('works along one axis and along three', () => {
    const line = apply('conv', [exact([1, 4, 1], [1, 2, 3, 4]), exact([2, 1, 1], [10, 1])], {
      attrs: { strides: [1], padding: [[0, 1]] },
    });
    expectValues(line, [1, 4, 1], [12, 23, 34, 40]);
    const volume = apply(
      'conv',
      [exact([1, 2, 2, 2, 1], [1, 2, 3, 4, 5, 6, 7, 8]), exact([2, 2, 2, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1])],
      {
        attrs: {
          strides: [1, 1, 1],
          padding: [
            [0, 0],
            [0, 0],
            [0, 0],
          ],
        },
      },
    );
    expectValues(volume, [1, 1, 1, 1, 1], [36]);
  });

  it('spreads one element over its window when it is transposed', () => {
    const spread = apply('conv_transpose', [exact([1, 2, 1], [1, 10]), exact([3, 1, 1], [1, 2, 3])], {
      attrs: { strides: [2], padding: [[0, 0]] },
      type: f32(1, 6, 1),
    });
    expectValues(spread, [1, 6, 1], [1, 2, 13, 20, 30, 0]);
  });

  it('in single precision rounds each product and each sum, in index order', () => {
    // 1 is lost beside 2^24 when the sums run from left to right.
    const x = single([1, 3, 1], [2 ** 24, 1, -(2 ** 24)]);
    const w = single([3, 1, 1], [1, 1, 1]);
    const attrs = { strides: [1], padding: [[0, 0]] };
    expectValues(apply('conv', [x, w], { attrs, precision: 'f32' }), [1, 1, 1], [0]);
    expectValues(apply('conv', [x, w], { attrs, precision: 'f64' }), [1, 1, 1], [1]);
    const third = Math.fround(1 / 3);
    const product = apply('conv_transpose', [single([1, 1, 1], [third]), single([1, 1, 1], [third])], {
      attrs,
      type: f32(1, 1, 1),
      precision: 'f32',
    });
    expectValues(product, [1, 1, 1], [Math.fround(third * third)]);
  });

  it.each([
    ['groups: 0', { groups: 0 }, 'groups is 0, expected a positive integer'],
    ['groups: 1.5', { groups: 1.5 }, 'groups is 1.5, expected a positive integer'],
    ['a stride of 0', { strides: [0] }, 'window sizes, strides and dilations are positive integers'],
    ['two strides on one axis', { strides: [1, 1] }, 'strides has 2 entries, expected 1'],
    ['half a padding', { padding: [[0.5, 0]] }, 'attribute padding is [[0.5,0]], expected pairs'],
  ])('refuses %s', (_, wrong, message) => {
    const attrs = { strides: [1], padding: [[0, 0]], ...wrong };
    const [x, w] = [uniform([1, 3, 2], 1), uniform([1, 2, 3], 2)];
    const error = failure(() => apply('conv', [x, w], { attrs }));
    expect([error.code, error.detail]).toEqual(['RELC1005', `%z = conv: ${message}`]);
  });
});
