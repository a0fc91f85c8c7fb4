// Decomposition: normalizations become plain arithmetic of the same values and derivatives.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { decompose } from '../../../src/ir/passes/decompose.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { expectClose, inputsFor, weightsFor } from '../support.js';

const sources = [
  '%x = input() : f32[N,3,5]',
  '%s = param() {key="s"} : f32[5]',
  '%o = param() {key="o"} : f32[5]',
].join('\n');

const spellings = [
  'layer_norm(%x)',
  'layer_norm(%x, %s)',
  'layer_norm(%x, %s, %o)',
  'rms_norm(%x)',
  'rms_norm(%x, %s)',
];

const normalized = (spelling: string): Graph =>
  parse(`graph @g {\n${sources}\n%z = ${spelling} {epsilon=0.01} : f32[N,3,5]\nreturn %z\n}`, forward);

/** With the derivative for a cotangent %g. */
function withDerivative(graph: Graph): Graph {
  const builder = GraphBuilder.extending(graph, forward);
  const node = builder.node('z');
  const g = builder.add('input', [], { name: 'g', type: node.type });
  const d = forward[node.op as 'layer_norm'].vjp!({ builder, node, operand: 0, cotangent: g });
  return builder.finish({ z: 'z', d });
}

describe.each(spellings)('%s', (spelling) => {
  const graph = withDerivative(normalized(spelling));
  const weights = weightsFor(graph, 2);
  const after = runPasses({ graph, weights }, [decompose], forward).graph;

  it('leaves neither op, keeps the names of results, and every addition stands under them', () => {
    const ops = [...after.nodes.values()].map(({ op }) => op);
    expect(ops).not.toContain('layer_norm');
    expect(ops).not.toContain('rms_norm');
    expect(after.outputs).toEqual(graph.outputs);
    const added = [...after.nodes.keys()].filter((name) => !graph.nodes.has(name));
    expect(added.filter((name) => !name.startsWith('t.z.'))).toEqual([]);
  });

  it.each(['f64', 'f32'] as const)('keeps value and derivative in %s', (precision) => {
    const inputs = inputsFor(graph, 2, 9);
    const wanted = evaluate(graph, forward, inputs, weights, precision);
    const got = evaluate(after, forward, inputs, weights, precision);
    const tolerance = precision === 'f64' ? 1e-13 : 1e-5;
    for (const key of ['z', 'd']) expectClose(got[key]!, wanted[key]!, tolerance);
  });
});
