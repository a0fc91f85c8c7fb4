// Every op's derivative by central finite differences in f64, with respect to every float operand.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluateAll, type Inputs } from '../../../src/ir/evaluate.js';
import { type ForwardOp, forward } from '../../../src/ir/forward.js';
import type { Graph, Name } from '../../../src/ir/graph.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { verify } from '../../../src/ir/verify.js';
import { apply, dot, exact, expectClose, expectValues, noWeights, single, uniform } from '../support.js';
import { type Case, differentiable, notDifferentiable } from './vjp-table.js';

const operandName = (slot: number): Name => `a${slot}`;

/** z = op(a0, a1, …) */
function forwardGraph(op: ForwardOp, { operands, attrs = {}, type }: Case): Graph {
  const builder = new GraphBuilder('vjp', forward);
  const args = operands.map((operand, slot) =>
    builder.add('input', [], { name: operandName(slot), type: operand.type }),
  );
  const z = builder.add(op, args, { attrs, name: 'z', ...(type === undefined ? {} : { type }) });
  return builder.finish({ z });
}

/** The same, with the derivative for a cotangent g of z. */
function derivativeGraph(op: ForwardOp, given: Case, operand: number): Graph {
  const builder = GraphBuilder.extending(forwardGraph(op, given), forward);
  const node = builder.node('z');
  builder.add('input', [], { name: 'g', type: node.type });
  const result = forward[op].vjp!({ builder, node, operand, cotangent: 'g' });
  return builder.finish({ z: 'z', result });
}

/** ∂⟨g, f⟩/∂a by (f(a + h) − f(a − h)) / 2h, element by element. */
function differences(graph: Graph, inputs: Inputs, name: Name, g: TensorData): TensorData {
  const step = 1e-5;
  const a = inputs[name]!;
  const at = (index: number, moved: number): number => {
    const data = a.data.map((value, i) => (i === index ? value + moved : value));
    const values = evaluateAll(graph, forward, { ...inputs, [name]: exact(a.shape, data) }, noWeights);
    return dot(values.get('z')!, g);
  };
  return exact(
    a.shape,
    Float64Array.from(a.data, (_, index) => (at(index, step) - at(index, -step)) / (2 * step)),
  );
}

function checkDerivative(op: ForwardOp, given: Case, operand: number): void {
  const graph = derivativeGraph(op, given, operand);
  verify(graph, forward);
  expect(graph.nodes.get(graph.outputs.result!)!.type).toEqual(given.operands[operand]!.type);
  const inputs: Record<Name, TensorData> = {};
  for (const [slot, { data }] of given.operands.entries()) inputs[operandName(slot)] = data;
  const plain = forwardGraph(op, given);
  const z = evaluateAll(plain, forward, inputs, noWeights).get('z')!;
  const g = uniform(z.shape, 99, 0.5, 1.5);
  const got = evaluateAll(graph, forward, { ...inputs, g }, noWeights).get(graph.outputs.result!)!;
  expectClose(got, differences(plain, inputs, operandName(operand), g), 1e-8);
}

for (const [op, cases] of Object.entries(differentiable) as [ForwardOp, readonly Case[]][]) {
  describe(`the derivative of ${op}`, () => {
    for (const given of cases) {
      const title = given.name ?? given.operands.map(({ type }) => `[${type.shape}]`).join(' ');
      for (const [slot, { type }] of given.operands.entries()) {
        const refused = given.refused?.[slot];
        if (refused !== undefined) {
          it(`${title}: is refused for operand ${slot}`, () => {
            expect(() => derivativeGraph(op, given, slot)).toThrow(refused);
          });
        } else if (type.dtype === 'f32') {
          it(`${title}: for operand ${slot}`, () => checkDerivative(op, given, slot));
        }
      }
    }
  });
}

describe('the table of derivatives', () => {
  it('has every op, in one of its two halves', () => {
    const listed = [...Object.keys(differentiable), ...Object.keys(notDifferentiable)];
    expect(listed.sort()).toEqual(Object.keys(forward).sort());
  });

  it('is right about which ops have one', () => {
    const withVjp = Object.entries(forward).flatMap(([op, { vjp }]) => (vjp === undefined ? [] : [op]));
    expect(Object.keys(differentiable).sort()).toEqual(withVjp.sort());
  });

  it('has an integer or truth-valued operand refused wherever there is one', () => {
    for (const [op, cases] of Object.entries(differentiable)) {
      for (const { operands, refused = {} } of cases) {
        const discrete = operands.flatMap(({ type }, slot) => (type.dtype === 'f32' ? [] : [slot]));
        for (const slot of discrete) expect(Object.keys(refused), op).toContain(String(slot));
      }
    }
  });
});

describe('biases', () => {
  it.each(['conv', 'conv_transpose'] as const)('%s sums the cotangent over all but the channels', (op) => {
    const attrs = { strides: [2], padding: [[0, 1]] };
    const [picture, narrow] = [
      { dtype: 'f32', shape: [2, 5, 3] } as const,
      { dtype: 'f32', shape: [2, 3, 4] } as const,
    ];
    const [from, to] = op === 'conv' ? [picture, narrow] : [narrow, picture];
    const channels = to.shape[2];
    const operands = [
      from,
      { dtype: 'f32', shape: [2, 3, 4] } as const,
      { dtype: 'f32', shape: [channels] } as const,
    ];
    const given: Case = {
      operands: operands.map((type, slot) => ({ type, data: uniform([...type.shape], slot) })),
      attrs,
      type: to,
    };
    checkDerivative(op, given, 2);
    checkDerivative(op, given, 0);
  });

  it('of a batch have no derivative: it would mix the samples', () => {
    const given: Case = {
      operands: [
        { type: { dtype: 'f32', shape: ['N', 5, 3] }, data: uniform([2, 5, 3], 1) },
        { type: { dtype: 'f32', shape: [3, 4] }, data: uniform([3, 4], 2) },
        { type: { dtype: 'f32', shape: [4] }, data: uniform([4], 3) },
      ],
      attrs: { eq: 'bti,ij->btj' },
    };
    expect(() => derivativeGraph('einsum', given, 2)).toThrow(
      'the derivative of a bias mixes the samples of the batch',
    );
  });
});

/** The derivative of one op at a tie, where finite differences say nothing. */
function derivativeAt(
  op: ForwardOp,
  operands: readonly TensorData[],
  attrs: Case['attrs'],
  operand = 0,
): TensorData {
  const given = operands.map((data) => ({ type: { dtype: data.dtype, shape: data.shape }, data }));
  const graph = derivativeGraph(op, { operands: given, attrs: attrs ?? {} }, operand);
  const z = apply(op, operands, { attrs: attrs ?? {} });
  const inputs = Object.fromEntries(operands.map((data, slot) => [operandName(slot), data]));
  const ones = { ...z, data: z.data.map(() => 1) };
  return evaluateAll(graph, forward, { ...inputs, g: ones }, noWeights).get(graph.outputs.result!)!;
}

describe('at ties', () => {
  const ties = single([2, 2], [3, 3, 3, 3]);

  it('a maximum over axes goes to the first, by row and then by column', () => {
    for (const axes of [
      [0, 1],
      [1, 0],
    ]) {
      expectValues(
        derivativeAt('reduce_max', [single([2, 2], [1, 3, 3, 3])], { axes }),
        [2, 2],
        [0, 1, 0, 0],
      );
    }
    expectValues(derivativeAt('reduce_max', [ties], { axes: [0] }), [2, 2], [1, 1, 0, 0]);
  });

  it('a max pool goes to the first', () => {
    const picture = { ...ties, shape: [1, 2, 2, 1] };
    const attrs = {
      window: [2, 2],
      strides: [2, 2],
      padding: [
        [0, 0],
        [0, 0],
      ],
    };
    expectValues(derivativeAt('max_pool', [picture], attrs), [1, 2, 2, 1], [1, 0, 0, 0]);
  });

  it('maximum and minimum give all to one operand', () => {
    for (const op of ['maximum', 'minimum'] as const) {
      const sides = [0, 1].map((operand) => derivativeAt(op, [ties, ties], {}, operand));
      expectValues(sides[0]!, [2, 2], [1, 1, 1, 1]);
      expectValues(sides[1]!, [2, 2], [0, 0, 0, 0]);
    }
  });

  it('relu is flat at 0', () => {
    expectValues(derivativeAt('relu', [single([3], [-1, 0, 1])], {}), [3], [0, 0, 1]);
  });
});
