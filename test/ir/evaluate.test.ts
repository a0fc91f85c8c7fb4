// The reference evaluator: what binds the batch, what is given and what is missing, which values come out.
import { describe, expect, it } from 'vitest';
import { batchOf, evaluate, evaluateAll, evaluatePaced } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { activeValues, bindBatch, nodeOf, nodesWithOp, usesOf } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { concreteShape } from '../../src/ir/type.js';
import { exact, expectValues, failure, integers, noWeights, single } from './support.js';

const graph = parse(
  `graph @model {
  %x = input() : f32[2N,2]
  %w = param() {key="fc/kernel"} : f32[2,1]
  %c = constant() {value=10} : f32[2N,1]
  %z = einsum(%x, %w) {eq="bi,ij->bj"} : f32[2N,1]
  %y = add(%z, %c) : f32[2N,1]
  %d = add(%y, %y) : f32[2N,1]
  %flat = reshape(%y) : f32[N,2]
  return rows=%flat, %d
}`,
  forward,
);

const x = exact([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const weights = new Map([['fc/kernel', exact([2, 1], [1, 100])]]);

describe('evaluate', () => {
  it('binds N to what was given and returns outputs by key', () => {
    const results = evaluate(graph, forward, { x }, weights);
    expect(Object.keys(results)).toEqual(['rows', 'd']);
    expectValues(results.rows!, [2, 2], [211, 413, 615, 817]);
    expectValues(results.d!, [4, 1], [422, 826, 1230, 1634]);
  });

  it('has the value of every node, and rounds each in single precision', () => {
    const values = evaluateAll(graph, forward, { x: single([2, 2], [0.1, 0.2, 0.3, 0.4]) }, weights, 'f32');
    expect([...values.keys()]).toEqual([...graph.nodes.keys()]);
    const tenth = Math.fround(Math.fround(0.1) + Math.fround(Math.fround(0.2) * 100));
    expect(values.get('z')!.data[0]).toBe(tenth);
    expect(values.get('y')!.data).toBeInstanceOf(Float32Array);
    expect(evaluateAll(graph, forward, { x }, weights).get('y')!.data).toBeInstanceOf(Float64Array);
  });

  it('gives the same at a pace, tells how far it is and stops when it is told to', async () => {
    const told: string[] = [];
    const onProgress = (done: number, total: number) => void told.push(`${done} of ${total}`);
    expect(await evaluatePaced(graph, forward, { x }, weights, 'f64', { onProgress })).toEqual(
      evaluate(graph, forward, { x }, weights),
    );
    expect(told.at(-1)).toBe(`${graph.nodes.size} of ${graph.nodes.size}`);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(evaluatePaced(graph, forward, { x }, weights, 'f64', { signal })).rejects.toThrow('enough');
    await expect(evaluatePaced(graph, forward, {}, weights)).rejects.toMatchObject({ code: 'RELC1009' });
  });

  it('keeps an output that others use, and frees the rest', () => {
    const both = { ...graph, outputs: { z: 'z', d: 'd', again: 'z' } };
    const results = evaluate(both, forward, { x }, weights);
    expect(results.z).toBe(results.again);
    expectValues(results.z!, [4, 1], [201, 403, 605, 807]);
  });

  it('tells an op how many samples a value holds', () => {
    const samples: number[] = [];
    const spy = {
      ...forward,
      add: {
        ...forward.add,
        evaluate: ((args, node, context) => {
          samples.push(context.samplesOf(node.name), context.samplesOf('w'));
          return forward.add.evaluate(args, node, context);
        }) satisfies typeof forward.add.evaluate,
      },
    };
    evaluate(graph, spy, { x }, weights);
    expect(samples).toEqual([2, 1, 2, 1]);
  });

  it('takes N = 1 where no input has a batch', () => {
    const constant = parse('graph @g {\n%c = constant() {value="-inf"} : f32[3N]\nreturn %c\n}', forward);
    const low = Number.NEGATIVE_INFINITY;
    expectValues(evaluate(constant, forward, {}, noWeights).c!, [3], [low, low, low]);
    expect(batchOf(constant, {})).toBe(1);
  });

  it.each([
    ['an input that is missing', {}, weights, 'input %x is missing'],
    ['a weight that is missing', { x }, noWeights, 'weight "fc/kernel" of %w is missing'],
    [
      'an input of another shape',
      { x: exact([2, 3], [1, 2, 3, 4, 5, 6]) },
      weights,
      'input %x is f32[2,3], expected f32[2,2]',
    ],
    [
      'an input of another dtype',
      { x: integers([2, 2], [1, 2, 3, 4]) },
      weights,
      'input %x is i32[2,2], expected f32[2,2]',
    ],
    [
      'half a sample',
      { x: exact([3, 2], [1, 2, 3, 4, 5, 6]) },
      weights,
      'input %x has 3 rows, expected f32[2N,2]',
    ],
    [
      'a weight of another shape',
      { x },
      new Map([['fc/kernel', exact([2], [1, 2])]]),
      'weight "fc/kernel" of %w is f32[2], expected f32[2,1]',
    ],
  ])('refuses %s', (_, inputs, given, detail) => {
    const error = failure(() => evaluate(graph, forward, inputs, given));
    expect([error.code, error.detail]).toEqual(['RELC1009', detail]);
  });
});

describe('the graph', () => {
  it('has a use for each operand slot', () => {
    const uses = usesOf(graph);
    expect(uses.get('y')).toEqual([
      { user: 'd', slot: 0 },
      { user: 'd', slot: 1 },
      { user: 'flat', slot: 0 },
    ]);
    expect(uses.get('d')).toEqual([]);
  });

  it('knows what depends on an input', () => {
    expect([...activeValues(graph)]).toEqual(['x', 'z', 'y', 'd', 'flat']);
  });

  it('at one batch size has only numbers for dimensions', () => {
    expect(bindBatch(graph, 3).nodes.get('d')!.type.shape).toEqual([6, 1]);
    expect(() => concreteShape(nodeOf(graph, 'd').type)).toThrow(
      'f32[2N,1] still has an unbound batch dimension',
    );
  });

  it('finds nodes by op and by name', () => {
    expect(nodesWithOp(graph, 'add').map((node) => node.name)).toEqual(['y', 'd']);
    expect(() => nodeOf(graph, 'q')).toThrow('no value %q in the graph');
  });
});
