// Inputs on the host: cast as tfjs casts, read once and at once, refused where no number is meant.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { bindInput, bindInputs } from '../../src/api/inputs.js';
import { dialect } from '../../src/api/pipeline.js';
import { nodeOf } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { tensor } from '../../src/ir/tensor.js';
import type { Dtype } from '../../src/ir/type.js';
import { useBackend } from '../codegen/support.js';

beforeAll(() => useBackend('cpu'));

const inputOf = (dtype: Dtype, name = 'x') => {
  const graph = parse(`graph @one {\n%${name} = input() : ${dtype}[N,2]\nreturn %${name}\n}`, dialect);
  return nodeOf(graph, name);
};

describe('a bound input', () => {
  const values = [-1.75, 0, 0.25, 2];

  it.each(['f32', 'i32', 'bool'] as const)('is %s on the host, as tfjs casts it', async (dtype) => {
    const given = tf.tensor2d(values, [2, 2]);
    const cast = tf.cast(given, ({ f32: 'float32', i32: 'int32', bool: 'bool' } as const)[dtype]);
    const wanted = tensor([2, 2], cast.dataSync(), dtype);
    for (const input of [values, Float32Array.from(values), given]) {
      expect(await bindInput(inputOf(dtype), input)).toEqual(wanted);
    }
    expect(given.isDisposed).toBe(false);
    tf.dispose([given, cast]);
  });

  it('is of tensors of other types too, and of complex ones the real part', async () => {
    const given = [
      tf.tensor2d([1, 0], [1, 2], 'bool'),
      tf.tensor2d([1, 0], [1, 2], 'int32'),
      tf.complex([[1, 0]], [[5, 6]]),
    ];
    const before = tf.memory().numTensors;
    for (const each of given) {
      expect(await bindInput(inputOf('f32'), each)).toEqual(tensor([1, 2], [1, 0]));
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(given);
  });

  it('keeps what was given when it was asked for', async () => {
    const [a, b] = [tf.tensor2d([1, 2], [1, 2]), Float32Array.of(3, 4)];
    const bound = bindInputs([inputOf('f32', 'a'), inputOf('f32', 'b')], { a, b });
    a.dispose();
    b.fill(0);
    expect(await bound).toEqual({ a: tensor([1, 2], [1, 2]), b: tensor([1, 2], [3, 4]) });
  });

  it('RELC4002: is no tensor of NaN, of infinity or of text', async () => {
    const wrong: [tf.Tensor, RegExp][] = [
      [tf.tensor2d([0, Number.NaN], [1, 2]), /RELC4002: input x holds NaN at element 1/],
      [tf.tensor2d([Number.NEGATIVE_INFINITY, 0], [1, 2]), /RELC4002: input x holds -Infinity at element 0/],
      [tf.tensor2d(['a', 'b'], [1, 2]), /RELC4002: input x holds a at element 0/],
    ];
    for (const dtype of ['f32', 'i32', 'bool'] as const) {
      for (const [given, message] of wrong) {
        await expect(bindInput(inputOf(dtype), given)).rejects.toThrow(message);
      }
    }
    tf.dispose(wrong.map(([given]) => given));
  });
});
