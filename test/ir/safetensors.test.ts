// Weights on disk: what is written is read, from plain arrays and from Node's buffers, and broken files are refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelcError } from '../../src/ir/error.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/ir/safetensors.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });

const tensors: fc.Arbitrary<TensorData> = fc
  .tuple(shapes, fc.constantFrom('f32' as const, 'i32' as const, 'bool' as const))
  .chain(([shape, dtype]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const element = {
      f32: fc.float({ noNaN: true }),
      i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      bool: fc.integer({ min: 0, max: 1 }),
    }[dtype];
    return fc
      .array(element, { minLength: size, maxLength: size })
      .map((values) => tensor(shape, values, dtype));
  });

const weights = fc
  .uniqueArray(fc.tuple(fc.string({ minLength: 1 }), tensors), { selector: ([key]) => key })
  .filter((entries) => entries.every(([key]) => key !== '__metadata__' && key !== '__proto__'));

describe('safetensors', () => {
  it('gives back what was written, whatever kind of array holds the bytes', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 7 }), (entries, shift) => {
        const file = encodeSafetensors(new Map(entries));
        const shifted = Buffer.concat([Buffer.alloc(shift), file]).subarray(shift);
        for (const bytes of [file, Buffer.from(file), shifted]) {
          expect(new Map([...decodeSafetensors(bytes)].sort())).toEqual(new Map([...entries].sort()));
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['half a header', encodeSafetensors(new Map([['w', tensor([2], [1, 2])]])).subarray(0, 20)],
    ['too little data', encodeSafetensors(new Map([['w', tensor([2], [1, 2])]])).subarray(0, -4)],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeSafetensors(bytes)).toThrow(RelcError);
    expect(() => decodeSafetensors(bytes)).toThrow('RELC1009');
  });
});
