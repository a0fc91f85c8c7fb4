// Matrix products, einsum and dense layers: the traced graph computes what tfjs computes.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodesWithOp } from '../../../src/ir/graph.js';
import { type ModelFunction, traceFunction } from '../../../src/trace/function.js';
import {
  expectOwnValues,
  expectTraced,
  type Probe,
  randomTensor,
  refusal,
  startTensorflow,
} from '../support.js';

beforeAll(startTensorflow);

interface Product extends Probe {
  readonly name: string;
  readonly run: ModelFunction;
  /** The equation that the product becomes. */
  readonly eq: string;
}

type Pair = { a: tf.Tensor; b: tf.Tensor };
type Weight = { w: tf.Tensor };

const products: readonly Product[] = [
  {
    name: 'dense',
    input: [null, 4],
    weights: { w: [4, 3] },
    run: (x: tf.Tensor, { w }: Weight) => tf.matMul(x, w),
    eq: 'bi,ij->bj',
  },
  {
    name: 'a weight transposed',
    input: [null, 4],
    weights: { w: [3, 4] },
    run: (x: tf.Tensor, { w }: Weight) => tf.matMul(x, w, false, true),
    eq: 'bi,ji->bj',
  },
  {
    name: 'a weight on the left, which moves to the right',
    input: [null, 4, 2],
    weights: { w: [3, 4] },
    run: (x: tf.Tensor, { w }: Weight) => tf.matMul(w, x.relu()),
    eq: 'bij,ci->bcj',
  },
  {
    name: 'a weight for every position of a sequence',
    input: [null, 5, 4],
    weights: { w: [4, 3] },
    run: (x: tf.Tensor, { w }: Weight) => tf.matMul(x, w),
    eq: 'bci,ij->bcj',
  },
  {
    name: 'attention scores',
    input: { a: [null, 2, 5, 4], b: [null, 2, 6, 4] },
    run: ({ a, b }: Pair) => tf.matMul(a, b, false, true),
    eq: 'bcdi,bcji->bcdj',
  },
  {
    name: 'both factors transposed',
    input: { a: [null, 4, 5], b: [null, 6, 4] },
    run: ({ a, b }: Pair) => tf.matMul(a, b, true, true),
    eq: 'bic,bji->bcj',
  },
  {
    name: 'a weight for each head',
    input: [null, 2, 5, 4],
    weights: { w: [2, 4, 3] },
    run: (x: tf.Tensor, { w }: Weight) => tf.matMul(x, w),
    eq: 'bcdi,cij->bcdj',
  },
  {
    name: 'axes of extent 1 on both sides',
    input: { a: [null, 1, 5, 4], b: [null, 1, 4, 3] },
    run: ({ a, b }: Pair) => tf.matMul(a, b),
    eq: 'bcdi,bcij->bcdj',
  },
  {
    name: 'einsum of a value and a weight',
    input: [null, 5, 4],
    weights: { w: [2, 4, 3] },
    run: (x: tf.Tensor, { w }: Weight) => tf.einsum('btc, hcd -> bhtd', x, w),
    eq: 'btc,hcd->bhtd',
  },
  {
    name: 'einsum of a weight and a value, which change places',
    input: [null, 5, 4],
    weights: { w: [4, 3] },
    run: (x: tf.Tensor, { w }: Weight) => tf.einsum('cd,btc->btd', w, x),
    eq: 'btc,cd->btd',
  },
  {
    name: 'a product of one row',
    input: [null, 4],
    weights: { w: [4] },
    run: (x: tf.Tensor, { w }: Weight) => tf.dot(x, w as tf.Tensor1D),
    eq: 'bi,ij->bj',
  },
];

describe('a product', () => {
  it.each(products)('$name', ({ run, eq, ...probe }) => {
    const { graph } = expectTraced(run, probe);
    expect(nodesWithOp(graph, 'einsum').map((node) => node.attrs.eq)).toEqual([eq]);
  });

  it('einsum of one factor is sums and a transpose', () => {
    const { graph } = expectTraced((x: tf.Tensor) => tf.einsum('btcd->bdt', x), { input: [null, 3, 4, 2] });
    expect([...graph.nodes.values()].map((node) => node.op)).toEqual(['input', 'sum', 'transpose']);
  });

  it('keeps the leading axes of a function without a batch', () => {
    const x = tf.zeros([1, 1, 5, 4]);
    const model = (input: tf.Tensor4D) => tf.matMul(input, x, false, true);
    const { graph } = traceFunction(model, { input: [1, 1, 5, 4], batch: null });
    expect(graph.nodes.get(graph.outputs.output!)!.type.shape).toEqual([1, 1, 5, 5]);
    x.dispose();
  });

  it('is refused where tfjs pairs the wrong matrices', () => {
    const model = ({ a, b }: Pair) => tf.matMul(a, b);
    const input = { a: [null, 1, 5, 4], b: [null, 2, 4, 3] };
    const { message } = refusal(() => traceFunction(model, { input }), 'RELC2001');
    expect(message).toContain('tfjs pairs the matrices of [5,1,5,4] and [5,2,4,3] wrongly');
  });

  it('is refused where tfjs sums an index of one factor alone', () => {
    const model = ({ a, b }: Pair) => tf.einsum('btc,bc->bc', a, b);
    const input = { a: [null, 5, 4], b: [null, 4] };
    const { message } = refusal(() => traceFunction(model, { input }), 'RELC2001');
    expect(message).toContain('tfjs sums index t of einsum "btc,bc->bc"');
  });

  it('is refused where it sums over the batch', () => {
    const model = (x: tf.Tensor2D) => tf.matMul(x, x, true);
    const { message } = refusal(() => traceFunction(model, { input: [null, 4] }), 'RELC1007');
    expect(message).toMatch(
      /= einsum: a contraction over the batch axis.*\(at test.*product\.test\.ts:\d+:\d+\)/,
    );
  });
});

const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const;

describe('a fused product', () => {
  it.each(activations)('with bias and %s', (activation) => {
    const model = (x: tf.Tensor2D, p: { w: tf.Tensor2D; b: tf.Tensor1D; slopes: tf.Tensor1D }) =>
      tf.fused.matMul({
        a: x,
        b: p.w,
        bias: p.b,
        activation,
        leakyreluAlpha: 0.3,
        ...(activation === 'prelu' ? { preluActivationWeights: p.slopes } : {}),
      });
    const { graph } = expectTraced(model, { input: [null, 4], weights: { w: [4, 3], b: [3], slopes: [3] } });
    expect(nodesWithOp(graph, 'einsum')[0]!.args).toEqual(['x', 'w', 'b']);
  });

  it('of a value with a stack of weights and one bias', () => {
    const [w, b] = [randomTensor<tf.Tensor3D>(1, [2, 4, 3]), randomTensor<tf.Tensor1D>(2, [3])];
    const model = (a: tf.Tensor3D) => tf.fused.matMul({ a, b: w, bias: b, activation: 'relu' });
    const program = traceFunction(model, { input: [1, 5, 4], batch: null });
    expectOwnValues(program, ({ x }) => ({ output: model(x as tf.Tensor3D) }), { batches: [1] });
    tf.dispose([w, b]);
  });

  it('with a bias that is no vector', () => {
    const model = (x: tf.Tensor3D, p: { w: tf.Tensor2D; b: tf.Tensor2D }) =>
      tf.fused.matMul({ a: x, b: p.w, bias: p.b, activation: 'relu' });
    expectTraced(model, { input: [null, 5, 4], weights: { w: [4, 3], b: [5, 1] } });
  });

  it('with a bias that depends on the input', () => {
    const model = ({ a, b }: { a: tf.Tensor2D; b: tf.Tensor2D }, p: { w: tf.Tensor2D }) =>
      tf.fused.matMul({ a, b: p.w, bias: b, activation: 'linear' });
    const { graph } = expectTraced(model, {
      input: { a: [null, 4], b: [null, 3] },
      weights: { w: [4, 3] },
    });
    expect(nodesWithOp(graph, 'add')).toHaveLength(1);
  });

  it('of two values, with a bias that is a constant', () => {
    const model = ({ a, b }: { a: tf.Tensor3D; b: tf.Tensor3D }, p: { b: tf.Tensor1D }) =>
      tf.fused.matMul({ a, b, bias: p.b, activation: 'relu' });
    const { graph } = expectTraced(model, {
      input: { a: [null, 5, 4], b: [null, 4, 3] },
      weights: { b: [3] },
    });
    expect(nodesWithOp(graph, 'einsum')[0]!.args).toHaveLength(2);
  });
});
