// Weights in panels: every element at its place, in whatever pieces the bytes come.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { writePanels } from '../../../src/codegen/wasm/runtime/panels.js';
import { tensor } from '../../../src/ir/tensor.js';
import { panelsOf } from './support.js';

it('takes a matrix in pieces of any length, cut inside of numbers too', () => {
  const sizes = fc.record({
    rows: fc.integer({ min: 1, max: 9 }),
    panels: fc.integer({ min: 1, max: 4 }),
    cuts: fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(sizes, ({ rows, panels, cuts }) => {
      const columns = 16 * panels;
      const weight = tensor(
        [rows, columns],
        Array.from({ length: rows * columns }, (_, index) => index + 1),
      );
      const bytes = new Uint8Array(weight.data.buffer);
      const target = new Float32Array(rows * columns);
      let offset = 0;
      for (const cut of [...cuts, bytes.length]) {
        const part = bytes.subarray(offset, offset + cut);
        writePanels(new Uint8Array(target.buffer), part, offset, { rows, columns });
        offset += part.length;
      }
      expect(target).toEqual(panelsOf(weight));
    }),
  );
});
