// The tfjs engine: outputs of the evaluator, in copies of the caller's own, and nothing left on the backend.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it, vi } from 'vitest';
import { tfjsEngine } from '../../../src/api/engines/tfjs.js';
import { dialect } from '../../../src/api/pipeline.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { parse } from '../../../src/ir/parse.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import { tensor } from '../../../src/ir/tensor.js';
import { relativeError, useBackend } from '../../codegen/support.js';

const text = `graph @net {
  %x = input() : f32[N,2]
  %i = input() : i32[N]
  %w = param() {key="w"} : f32[2,3]
  %z = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,3]
  return z=%z, x=%x, i=%i, w=%w
}`;

const program: Program = {
  graph: parse(text, dialect),
  weights: new Map([['w', tensor([2, 3], [1, 2, 3, -1, 0.5, 4])]]),
};
const x = tensor([2, 2], [1, 2, -3, 0.5]);
const indices = [tensor([2], [5, -1], 'i32'), tensor([2], [0, 7], 'i32')];

describe.each(['cpu', 'wasm'] as const)('on %s', (backend) => {
  it('outputs are those of the evaluator, for each of the values that vary', async () => {
    await useBackend(backend);
    const before = tf.memory().numTensors;
    const engine = tfjsEngine(program);
    const held = tf.memory().numTensors;
    expect(held).toBeGreaterThan(before);
    const outputs = await engine.run(
      { x },
      indices.map((i) => ({ i })),
    );
    expect(outputs).toHaveLength(2);
    for (const [index, i] of indices.entries()) {
      const wanted = evaluate(program.graph, dialect, { x, i }, program.weights);
      for (const [key, { dtype, shape, data }] of Object.entries(wanted)) {
        expect(outputs[index]![key]).toMatchObject({ dtype, shape });
        expect(relativeError(outputs[index]![key]!.data, data)).toBeLessThan(1e-6);
      }
    }
    expect(tf.memory().numTensors).toBe(held);
    engine.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('outputs are the caller’s own: neither inputs nor weights', async () => {
    await useBackend(backend);
    const engine = tfjsEngine(program);
    const run = () => engine.run({ x }, [{ i: indices[0]! }, { i: indices[1]! }]);
    const [first, second] = await run();
    const wanted = structuredClone([first, second]);
    for (const { data } of Object.values(first!)) data.fill(9);
    expect(second).toEqual(wanted[1]);
    expect(await run()).toEqual(wanted);
    engine.dispose();
  });
});

it('nothing is left on the backend where a result cannot be read', async () => {
  await useBackend('cpu');
  const engine = tfjsEngine(program);
  const held = tf.memory().numTensors;
  const read = vi.spyOn(tf.Tensor.prototype, 'data').mockRejectedValue(new Error('context lost'));
  await expect(engine.run({ x }, [{ i: indices[0]! }])).rejects.toThrow('context lost');
  read.mockRestore();
  expect(tf.memory().numTensors).toBe(held);
  engine.dispose();
});

it('RELC4001: an op that has no spelling', () => {
  const rule = parse(
    'graph @g {\n%x = input() : f32[N,2]\n%z = rule.pass(%x, %x, %x) {of="relu", to=0} : f32[N,2]\nreturn %z\n}',
    dialect,
  );
  expect(() => tfjsEngine({ graph: rule, weights: new Map() })).toThrow(/RELC4001/);
});
