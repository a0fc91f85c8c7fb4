// Nothing has no elements: extents of zero are refused wherever one could come in, so that no target meets one.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type CompileOptions, compile } from '../../src/api/compile.js';
import { executionTargets } from '../../src/api/engine.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { Shape } from '../../src/ir/type.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { useBackend } from '../codegen/support.js';

await useBackend('cpu');

describe('an extent of zero is refused', () => {
  it.each([
    [
      'of an input',
      '%y = input() : f32[N,0]',
      'RELC1004: .*extent 0 of f32\\[N,0\\] is not a positive integer',
    ],
    ['of the batch', '%y = input() : f32[0N,3]', 'RELC1001: .*expected a dimension'],
    ['of a slice', '%y = slice(%x) {begin=[0,0]} : f32[N,0]', 'RELC1004: .*extent 0 of f32\\[N,0\\]'],
    ['of a reshape', '%y = reshape(%x) : f32[N,3,0]', 'RELC1004: .*cannot be reshaped'],
  ])('%s, in text', (_what, line, message) => {
    const text = ['graph @empty {', '%x = input() : f32[N,3]', line, 'return %y', '}'].join('\n');
    expect(() => parse(text, forward)).toThrow(new RegExp(message));
  });

  const add = (op: string, attrs: Attrs, shape: Shape) => () =>
    new GraphBuilder('empty', forward).add(op, [], { attrs, type: { dtype: 'f32', shape } });

  it.each([
    ['an input', add('input', {}, [0])],
    ['a weight', add('param', { key: 'w' }, [2, 0])],
    ['a constant', add('constant', { value: [] }, [0])],
  ])('of %s, by the builder', (_what, action) => {
    expect(action).toThrow(/RELC1004: .*extent 0 of f32\[.*0\] is not a positive integer/);
  });

  const sliced = (x: tf.Tensor2D) => tf.sum(tf.slice(x, [0, 0], [-1, 0]), 1, true);
  const multiplied = (x: tf.Tensor2D, { w }: { w: tf.Tensor2D }) => tf.matMul(x, w);

  it.each([
    ['an input', sliced, { input: [null, 0] }, 'RELC2008: input x has shape \\[null,0\\]'],
    ['a slice', sliced, { input: [null, 4] }, 'RELC1004: .*an empty slice'],
    ['a weight', multiplied, { input: [null, 4], params: { w: tf.zeros([4, 0]) } }, 'RELC2001: '],
  ] as const)('of %s, in a model', async (_what, model, options, message) => {
    const asked = options as CompileOptions;
    await expect(compile(model as ModelFunction, asked)).rejects.toThrow(new RegExp(message));
  });

  it.each(executionTargets)('of the batch, on %s', async (target) => {
    const params = { w: tf.ones([4, 3]) };
    const explainer = await compile(multiplied as ModelFunction, { input: [null, 4], params, target });
    await expect(explainer.explain(new Float32Array(0))).rejects.toThrow(
      /RELC4002: input x has 0 elements, expected \[N,4\]/,
    );
    explainer.dispose();
  });
});
