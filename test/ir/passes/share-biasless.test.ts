// Shared biasless values: what the sum saves, and that it moves no value, for every affine op.
import { describe, expect, it } from 'vitest';
import { contractions } from '../../../src/ir/analyses/multiply-adds.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph, Name } from '../../../src/ir/graph.js';
import { commonSubexpressions } from '../../../src/ir/passes/common-subexpressions.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { shareBiasless } from '../../../src/ir/passes/share-biasless.js';
import type { TensorData } from '../../../src/ir/tensor.js';
import { f32, inputsFor } from '../support.js';
import { type Affine, affineOps, weightsOf } from './affine-ops.js';

/** f(x; w, b) as z, and f(x; w) as biasless, before or after it. */
function graphOf({ op, attrs, x, w, b, type }: Affine, biaslessFirst: boolean): Graph {
  const builder = new GraphBuilder('layer', forward);
  const param = (key: string, shape: readonly number[]) =>
    builder.add('param', [], { attrs: { key }, type: f32(...shape), name: key });
  const operands: [Name, Name] = [builder.add('input', [], { name: 'x', type: f32(...x) }), param('w', w)];
  const bias = param('b', b);
  const add = (args: readonly Name[]) => builder.add(op, args, { attrs, ...(type ? { type } : {}) });
  const before = biaslessFirst ? add(operands) : undefined;
  const z = add([...operands, bias]);
  return builder.finish({ z, biasless: before ?? add(operands) });
}

/** In 32 bits, as weights and inputs are: a view of a bias rounds nothing then. */
const single = (data: TensorData): TensorData => ({ ...data, data: Float32Array.from(data.data) });

const cases = affineOps.flatMap((affine) => [true, false].map((first) => ({ affine, first })));

describe('shareBiasless', () => {
  it.each(
    cases.map(({ affine, first }) => [affine.op, JSON.stringify(affine.attrs), first, affine] as const),
  )('%s %s, the biasless value first: %s', (_op, _attrs, first, affine) => {
    const graph = graphOf(affine, first);
    const weights = new Map([...weightsOf(affine)].map(([key, data]) => [key, single(data)] as const));
    const shared = runPasses({ graph, weights }, [shareBiasless, commonSubexpressions], forward).graph;
    expect([contractions(graph).length, contractions(shared).length]).toEqual([2, 1]);
    const inputs = { x: single(inputsFor(graph, 2, 9).x!) };
    for (const precision of ['f64', 'f32'] as const) {
      const wanted = evaluate(graph, forward, inputs, weights, precision);
      const got = evaluate(shared, forward, inputs, weights, precision);
      for (const key of ['z', 'biasless']) expect([...got[key]!.data], key).toEqual([...wanted[key]!.data]);
    }
  });
});
