// One-hot values: what is said to be zero but at one place is, on random graphs and by example.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OneHot, oneHotValues } from '../../../src/ir/analyses/one-hot.js';
import { evaluateAll } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { sizeOf, type TensorData } from '../../../src/ir/tensor.js';
import { inputsFor, integers, weightsFor } from '../support.js';

/** Whether every element off the places that the index names is zero. */
function isZeroElsewhere({ data, shape }: TensorData, { axis }: OneHot, index: TensorData): boolean {
  const extent = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  return data.every((value, at) => {
    const place = Math.floor(at / inner) % extent;
    const rest = Math.floor(at / (inner * extent)) * inner + (at % inner);
    return value === 0 || place === index.data[rest];
  });
}

function expectRight(graph: Graph, classes: TensorData): string[] {
  const inputs = { ...inputsFor(graph, 2, 3), class: classes };
  const values = evaluateAll(graph, forward, inputs, weightsFor(graph, 1));
  const found = oneHotValues(graph);
  for (const [name, oneHot] of found) {
    const right = isZeroElsewhere(
      values.get(name)!,
      oneHot,
      values.get(graph.nodes.get(oneHot.hot)!.args[0]!)!,
    );
    expect(right, `%${name} along ${oneHot.axis}`).toBe(true);
  }
  return [...found].map(([name, { axis }]) => `${name}:${axis}`);
}

const seeded = (body: string, result: string) =>
  parse(
    `graph @g {
  %class = input() : i32[N,3]
  %x = input() : f32[N,3,4]
  %hot = one_hot(%class) {depth=4} : f32[N,3,4]
${body}
  return %${result}
}`,
    forward,
  );

/** One class for each of the three, one of them no class at all. */
const classes = integers([2, 3], [0, 3, 1, -1, 2, 4]);

describe('oneHotValues', () => {
  it.each([
    [
      'products, from either side',
      '%z = mul(%x, %hot) : f32[N,3,4]\n%y = mul(%z, %x) : f32[N,3,4]',
      ['z:2', 'y:2'],
    ],
    ['a negation', '%y = neg(%hot) : f32[N,3,4]', ['y:2']],
    [
      'a quotient of it, not by it',
      '%z = quotient(%x, %hot) {eps=1, mode="signed"} : f32[N,3,4]\n%y = quotient(%hot, %x) {mode="exact"} : f32[N,3,4]',
      ['y:2'],
    ],
    [
      'a reshape that keeps the axis',
      '%z = reshape(%hot) : f32[3N,4,1]\n%y = reshape(%z) : f32[N,3,1,4]',
      ['z:1', 'y:3'],
    ],
    ['a reshape that splits it', '%y = reshape(%hot) : f32[N,3,2,2]', []],
    ['a reshape that joins it', '%y = reshape(%hot) : f32[N,12]', []],
    ['sums', '%y = add(%hot, %x) : f32[N,3,4]', []],
    ['what does not keep zeros', '%y = exp(%hot) : f32[N,3,4]', []],
  ])('%s', (_, body, wanted) => {
    expect(expectRight(seeded(body, 'y'), classes)).toEqual(['hot:2', ...wanted]);
  });

  it('is right whatever the reshapes', () => {
    const shapes = fc.constantFrom<[string, ...string[]]>(
      ['N,3,4', 'N,3,4,1'],
      ['3N,4', '3N,1,4'],
      ['N,12', 'N,3,4'],
      ['N,1,3,4', '12N'],
      ['N,3,2,2', 'N,3,4'],
    );
    fc.assert(
      fc.property(fc.array(shapes, { minLength: 1, maxLength: 3 }), (rows) => {
        const steps = rows.flat();
        const lines = steps.map(
          (shape, at) => `%v${at} = reshape(%${at ? `v${at - 1}` : 'hot'}) : f32[${shape}]`,
        );
        expectRight(seeded(lines.join('\n'), `v${steps.length - 1}`), classes);
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});
