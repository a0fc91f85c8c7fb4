// Affine ops of every kind at small sizes, and seeded weights for them.
import type { Attrs } from '../../../src/ir/graph.js';
import type { Weights } from '../../../src/ir/tensor.js';
import type { Shape, TensorType } from '../../../src/ir/type.js';
import { f32, seedOf, uniform } from '../support.js';

/** An affine op f(x; w, b) and the shapes of its operands. */
export interface Affine {
  readonly op: string;
  readonly attrs: Attrs;
  readonly x: Shape;
  readonly w: readonly number[];
  readonly b: readonly number[];
  readonly type?: TensorType;
}

const window = {
  padding: [
    [1, 1],
    [0, 1],
  ],
  strides: [2, 1],
} as const;

export const affineOps: readonly Affine[] = [
  { op: 'einsum', attrs: { eq: 'bi,ij->bj' }, x: ['N', 5], w: [5, 4], b: [4] },
  { op: 'einsum', attrs: { eq: 'bti,hij->bhtj' }, x: ['N', 2, 5], w: [3, 5, 4], b: [3, 4] },
  { op: 'conv', attrs: window, x: ['N', 5, 4, 2], w: [3, 2, 2, 4], b: [4] },
  { op: 'conv', attrs: { ...window, groups: 2 }, x: ['N', 5, 4, 4], w: [3, 2, 2, 6], b: [6] },
  {
    op: 'conv_transpose',
    attrs: window,
    x: ['N', 3, 4, 4],
    w: [3, 2, 2, 4],
    b: [2],
    type: f32('N', 5, 4, 2),
  },
];

/** Weights of both signs. */
export const weightsOf = ({ w, b }: Affine): Weights =>
  new Map([
    ['w', uniform(w, seedOf('w'))],
    ['b', uniform(b, seedOf('b'))],
  ]);
