// Pads of any view, as WebAssembly against the evaluator.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { tensor } from '../../../src/ir/tensor.js';
import type { Dtype } from '../../../src/ir/type.js';
import { runOnWasm } from './support-special.js';

const sizeOf = (extents: readonly number[]) => extents.reduce((product, each) => product * each, 1);

interface Axis {
  readonly extent: number;
  readonly low: number;
  readonly high: number;
  readonly interior: number;
}

type Movement = 'none' | 'transpose' | 'reverse' | 'slice' | 'broadcast';

interface Pad {
  readonly axes: readonly Axis[];
  readonly movement: Movement;
  readonly dtype: Dtype;
  readonly value: number;
}

/** Half of the axes are not padded, so that some can be joined. */
const margins = fc.oneof(
  fc.constant({ low: 0, high: 0, interior: 0 }),
  fc.record({
    low: fc.constantFrom(0, 1, 2, 5),
    high: fc.constantFrom(0, 1, 3, 18),
    interior: fc.constantFrom(0, 0, 1, 2),
  }),
);

const pads: fc.Arbitrary<Pad> = fc.record({
  axes: fc.array(
    fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 5, 7, 11, 16, 21), margins)
      .map(([extent, around]): Axis => ({ extent, ...around })),
    { minLength: 1, maxLength: 4 },
  ),
  movement: fc.constantFrom<Movement>('none', 'transpose', 'reverse', 'slice', 'broadcast'),
  dtype: fc.constantFrom<Dtype>('f32', 'i32', 'bool'),
  value: fc.constantFrom(0, 1, -7, Number.NEGATIVE_INFINITY),
});

/** How x comes to have the shape that is padded. */
function movementText(shape: readonly number[], movement: Movement, dtype: Dtype) {
  const axes = shape.map((_, axis) => axis);
  const to = `${dtype}[${shape}]`;
  switch (movement) {
    case 'none':
      return { from: shape, text: `add(%x, %x) : ${to}` };
    case 'transpose':
      return { from: [...shape].reverse(), text: `transpose(%x) {perm=[${axes.reverse()}]} : ${to}` };
    case 'reverse':
      return { from: shape, text: `reverse(%x) {axes=[${axes}]} : ${to}` };
    case 'slice':
      return {
        from: shape.map((extent) => 2 * extent + 1),
        text: `slice(%x) {begin=[${axes.map(() => 1)}], stride=[${axes.map(() => 2)}]} : ${to}`,
      };
    case 'broadcast':
      return { from: shape.slice(1), text: `broadcast(%x) {axes=[${axes.slice(1)}]} : ${to}` };
  }
}

const lengthOf = ({ extent, low, high, interior }: Axis) => low + extent + (extent - 1) * interior + high;

function padText({ axes, movement, dtype, value }: Pad) {
  // Bools cannot be added, and pads of integers have integers around
  const how = dtype === 'bool' && movement === 'none' ? 'reverse' : movement;
  const filler = dtype === 'f32' ? value : Number.isFinite(value) ? value : 3;
  const { from, text } = movementText(
    axes.map(({ extent }) => extent),
    how,
    dtype,
  );
  const list = (key: 'low' | 'high' | 'interior') => `${key}=[${axes.map((axis) => axis[key])}]`;
  const number =
    filler === Number.NEGATIVE_INFINITY ? '"-inf"' : dtype === 'bool' ? Number(filler !== 0) : filler;
  return {
    from,
    text: `graph @g {
      %x = input() : ${dtype}[${from}]
      %y = ${text}
      %o = pad(%y) {${list('low')}, ${list('high')}, ${list('interior')}, value=${number}} : ${dtype}[${axes.map(lengthOf)}]
      return o=%o
    }`,
  };
}

function run(pad: Pad) {
  const { from, text } = padText(pad);
  const graph = parse(text, forward);
  const data = Array.from({ length: sizeOf(from) }, (_, index) =>
    pad.dtype === 'bool' ? Number((index * 7) % 3 === 0) : index + 1,
  );
  const inputs = { x: tensor(from, data, pad.dtype) };
  const wanted = evaluate(graph, forward, inputs, new Map()).o!;
  const { outputs, chunks } = runOnWasm(graph, inputs);
  return { got: [...outputs.o!.data], wanted: [...wanted.data], chunks };
}

describe('pad', () => {
  it('copies a view with fillers around and between', () => {
    fc.assert(
      fc.property(pads, (pad) => {
        const { got, wanted } = run(pad);
        expect(got).toEqual(wanted);
      }),
      { numRuns: 250 },
    );
  });

  it.each([
    { extent: 17, low: 1, high: 2, interior: 0 },
    { extent: 13, low: 3, high: 0, interior: 1 },
  ])('is one step in several chunks: %o', (axis) => {
    const last: Axis = { extent: 300, low: 140, high: 9, interior: 0 };
    const pad: Pad = { axes: [axis, axis, last], movement: 'reverse', dtype: 'f32', value: 0.5 };
    const { got, wanted, chunks } = run(pad);
    expect(got).toEqual(wanted);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toBeGreaterThan(1);
  });

  it('divides what is padded along its first axis alone', () => {
    const axes = [
      { extent: 40, low: 2, high: 2, interior: 0 },
      { extent: 31, low: 0, high: 0, interior: 0 },
      { extent: 37, low: 0, high: 0, interior: 0 },
    ];
    const { got, wanted, chunks } = run({ axes, movement: 'none', dtype: 'f32', value: 1 });
    expect(got).toEqual(wanted);
    expect(chunks.at(-1)).toBeGreaterThan(1);
  });

  it('copies long rows whole', () => {
    const axes = [
      { extent: 9, low: 1, high: 1, interior: 0 },
      { extent: 300, low: 200, high: 150, interior: 0 },
    ];
    for (const value of [0, -1.5]) {
      const { got, wanted } = run({ axes, movement: 'none', dtype: 'f32', value });
      expect(got).toEqual(wanted);
    }
  });
});
