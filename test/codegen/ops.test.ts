// Op by op on every target, against the reference evaluator: every op of the table, and its derivative.
import { beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import type { RelcError } from '../../src/ir/error.js';
import { forward } from '../../src/ir/forward.js';
import { activeValues, type Graph, type Name, type Node } from '../../src/ir/graph.js';
import { opCases } from './op-cases/op-cases.js';
import { type Drawn, dataFor, dialect, expectJudged } from './support.js';
import { type Target, targets } from './targets.js';

/** Runs a graph and judges every output. */
function expectRight({ run }: Target, drawn: Drawn): void {
  const { inputs, weights } = dataFor(drawn);
  const program = { graph: drawn.graph, weights };
  const outputs = run(program, inputs);
  for (const key of Object.keys(drawn.graph.outputs)) expectJudged(outputs[key]!, program, inputs, key);
}

/** Slots of a node that relevance may come back to. */
function differentiable(graph: Graph, node: Node): number[] {
  const active = activeValues(graph);
  return node.args.flatMap((arg, slot) =>
    active.has(arg) && graph.nodes.get(arg)!.type.dtype === 'f32' ? [slot] : [],
  );
}

/** Derivatives that there are not: sums over the batch, conditions, indices. */
const isRefusal = (error: unknown) => ['RELC1007', 'RELC1008'].includes((error as RelcError).code);

/** The vector-Jacobian products of %z with an input %g, one output for each slot; undefined where there are none. */
function derivativesOf({ graph, drawnAs }: Drawn): Drawn | undefined {
  const node = graph.nodes.get('z')!;
  const slots = node.type.dtype === 'f32' ? differentiable(graph, node) : [];
  const { vjp } = forward[node.op as keyof typeof forward];
  if (vjp === undefined || slots.length === 0) return undefined;
  const builder = GraphBuilder.extending(graph, dialect);
  const cotangent = builder.add('input', [], { name: 'g', type: node.type });
  const outputs: Record<string, Name> = {};
  for (const operand of slots) {
    try {
      outputs[`to ${operand}`] = vjp({ builder, node, operand, cotangent });
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  return { graph: builder.finish(outputs), drawnAs };
}

const derivatives = opCases.flatMap(({ name, drawn }) => {
  const found = derivativesOf(drawn);
  return found === undefined ? [] : [[name, found] as const];
});

describe.each(targets)('on $name', (target) => {
  beforeAll(() => target.start());

  it.each(opCases.map(({ name, drawn }) => [name, drawn] as const))('%s', (_name, drawn) =>
    expectRight(target, drawn),
  );
  it.each(derivatives)('the derivative of %s', (_name, drawn) => expectRight(target, drawn));
});

/** Inputs and weights are given, normalizations are decomposed before, and what is only for accounts is not run. */
it('lists every op but those that need no spelling', () => {
  const tried = new Set(opCases.map(({ op }) => op));
  const left = Object.keys(forward).filter((op) => !tried.has(op));
  expect(left).toEqual(['input', 'param', 'layer_norm', 'rms_norm', 'stabiliser']);
  expect(left.filter((op) => forward[op as 'input'].tfjs !== undefined)).toEqual([]);
});

it('gives no two cases one name', () => {
  const names = opCases.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
