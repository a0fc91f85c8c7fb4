// Ops with a loop of their own, as WebAssembly against the evaluator.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';
import { type TensorData, tensor } from '../../../src/ir/tensor.js';
import type { Dtype } from '../../../src/ir/type.js';
import { runOnWasm } from './support-special.js';

const extent = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 11, 17);
const shape = (rank: number) => fc.array(extent, { minLength: 1, maxLength: rank });
const sizeOf = (extents: readonly number[]) => extents.reduce((product, each) => product * each, 1);

/** Few values, so that there are ties. */
const ties = fc.constantFrom(-2, -1, -0.5, 0, 0.25, 1, 3);

/** What a graph gives on both sides. */
function bothSides(text: string, inputs: Readonly<Record<string, TensorData>>) {
  const graph = parse(text, forward);
  const expected = evaluate(graph, forward, inputs, new Map());
  return { expected, got: runOnWasm(graph, inputs).outputs };
}

function expectSame(text: string, inputs: Readonly<Record<string, TensorData>>): void {
  const { expected, got } = bothSides(text, inputs);
  for (const [key, { data }] of Object.entries(got)) expect([...data]).toEqual([...expected[key]!.data]);
}

describe('one_hot', () => {
  it('puts a one where the index points, and none where it points outside', () => {
    const cases = fc.record({ shape: shape(3), depth: extent }).chain((each) =>
      fc.record({
        ...{ shape: fc.constant(each.shape), depth: fc.constant(each.depth) },
        indices: fc.array(fc.integer({ min: -2, max: each.depth + 1 }), {
          minLength: sizeOf(each.shape),
          maxLength: sizeOf(each.shape),
        }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape: extents, depth, indices }) => {
        const text = `graph @g {
          %i = input() : i32[${extents}]
          %o = one_hot(%i) {depth=${depth}} : f32[${[...extents, depth]}]
          return o=%o
        }`;
        expectSame(text, { i: tensor(extents, indices, 'i32') });
      }),
      { numRuns: 60 },
    );
  });
});

describe('argmax', () => {
  const dtypes: readonly Dtype[] = ['f32', 'i32', 'bool'];
  const values: Readonly<Record<Dtype, fc.Arbitrary<number>>> = {
    f32: fc.oneof({ weight: 8, arbitrary: ties }, fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY)),
    i32: fc.integer({ min: -2, max: 2 }),
    bool: fc.integer({ min: 0, max: 1 }),
  };

  it.each(dtypes)('finds the first largest of %s along any axis', (dtype) => {
    const cases = shape(4).chain((extents) =>
      fc.record({
        extents: fc.constant(extents),
        axis: fc.nat(extents.length - 1),
        data: fc.array(values[dtype], { minLength: sizeOf(extents), maxLength: sizeOf(extents) }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ extents, axis, data }) => {
        const kept = extents.filter((_, index) => index !== axis);
        const text = `graph @g {
          %x = input() : ${dtype}[${extents}]
          %o = argmax(%x) {axis=${axis}} : i32[${kept}]
          return o=%o
        }`;
        expectSame(text, { x: tensor(extents, data, dtype) });
      }),
      { numRuns: 60 },
    );
  });
});

/** Shape, axis, indices in −2..extent + 1 or only those that point inside. */
const picks = (inside: boolean) =>
  shape(4).chain((extents) =>
    fc.nat(extents.length - 1).chain((axis) =>
      fc.record({
        extents: fc.constant(extents),
        axis: fc.constant(axis),
        indices: fc.array(
          inside ? fc.nat(extents[axis]! - 1) : fc.integer({ min: -2, max: extents[axis]! + 1 }),
          { minLength: 1, maxLength: 9 },
        ),
        dtype: fc.constantFrom<Dtype>('f32', 'i32'),
      }),
    ),
  );

/** The shape with an axis as long as there are indices. */
const picked = (extents: readonly number[], axis: number, indices: readonly number[]) =>
  extents.map((extent, index) => (index === axis ? indices.length : extent));

const gatherText = (extents: readonly number[], axis: number, indices: readonly number[], dtype: Dtype) =>
  `graph @g {
    %x = input() : ${dtype}[${extents}]
    %i = input() : i32[${indices.length}]
    %o = gather(%x, %i) {axis=${axis}} : ${dtype}[${picked(extents, axis, indices)}]
    return o=%o
  }`;

const scatterText = (extents: readonly number[], axis: number, indices: readonly number[], dtype: Dtype) =>
  `graph @g {
    %u = input() : ${dtype}[${picked(extents, axis, indices)}]
    %i = input() : i32[${indices.length}]
    %o = scatter_add(%u, %i) {axis=${axis}} : ${dtype}[${extents}]
    return o=%o
  }`;

/** 1, 2, 3, …: every element is another, and sums of them are exact. */
const counting = (extents: readonly number[], dtype: Dtype = 'f32') =>
  tensor(
    extents,
    Array.from({ length: sizeOf(extents) }, (_, index) => index + 1),
    dtype,
  );

describe('gather and scatter_add', () => {
  it('gathers what indices name', () => {
    fc.assert(
      fc.property(picks(true), ({ extents, axis, indices, dtype }) => {
        const inputs = { x: counting(extents, dtype), i: tensor([indices.length], indices, 'i32') };
        expectSame(gatherText(extents, axis, indices, dtype), inputs);
      }),
      { numRuns: 60 },
    );
  });

  it('adds up where indices meet', () => {
    fc.assert(
      fc.property(picks(true), ({ extents, axis, indices, dtype }) => {
        const updates = counting(picked(extents, axis, indices), dtype);
        const inputs = { u: updates, i: tensor([indices.length], indices, 'i32') };
        expectSame(scatterText(extents, axis, indices, dtype), inputs);
      }),
      { numRuns: 60 },
    );
  });

  it.each(['gather', 'scatter_add'] as const)('%s says where an index points outside', (op) => {
    fc.assert(
      fc.property(picks(false), ({ extents, axis, indices, dtype }) => {
        const outside = indices.some((index) => index < 0 || index >= extents[axis]!);
        const text = op === 'gather' ? gatherText : scatterText;
        const graph = parse(text(extents, axis, indices, dtype), forward);
        const values = op === 'gather' ? extents : picked(extents, axis, indices);
        const inputs = {
          [op === 'gather' ? 'x' : 'u']: counting(values, dtype),
          i: tensor([indices.length], indices, 'i32'),
        };
        expect(runOnWasm(graph, inputs).failure).toBe(outside ? 1 : 0);
      }),
      { numRuns: 40 },
    );
  });

  it('copies and adds in several chunks', () => {
    const indices = Array.from({ length: 300 }, (_, index) => (index * 37) % 200);
    const i = tensor([300], indices, 'i32');
    for (const extents of [
      [200, 530],
      [3, 200, 131],
    ]) {
      const axis = extents.length - 2;
      const updates = counting(picked(extents, axis, indices));
      const [gather, scatter] = [gatherText, scatterText].map((text) => text(extents, axis, indices, 'f32'));
      expectSame(gather!, { x: counting(extents), i });
      expectSame(scatter!, { u: updates, i });
      expect(runOnWasm(parse(scatter!, forward), { u: updates, i }).chunks.at(-1)).toBeGreaterThan(1);
    }
  });
});

/** A pool over up to three axes. Steps may be shorter than windows, or longer. */
const pool = fc.integer({ min: 1, max: 3 }).chain((rank) => {
  const axis = fc
    .record({
      extent: fc.integer({ min: 1, max: 7 }),
      window: fc.integer({ min: 1, max: 5 }),
      step: fc.integer({ min: 1, max: 4 }),
    })
    .chain((each) =>
      fc.record({
        ...{
          extent: fc.constant(each.extent),
          window: fc.constant(each.window),
          step: fc.constant(each.step),
        },
        low: fc.nat(each.window - 1),
        high: fc.nat(each.window - 1),
      }),
    )
    .filter(({ extent: size, window, low, high }) => size + low + high >= window);
  return fc.record({
    axes: fc.array(axis, { minLength: rank, maxLength: rank }),
    samples: fc.integer({ min: 1, max: 2 }),
    channels: extent,
    random: fc.infiniteStream(fc.oneof({ weight: 15, arbitrary: ties }, fc.constant(Number.NaN))),
  });
});

interface PoolAxis {
  readonly extent: number;
  readonly window: number;
  readonly step: number;
  readonly low: number;
  readonly high: number;
}

function unpoolText(axes: readonly PoolAxis[], samples: number, channels: number) {
  const spatial = axes.map((axis) => axis.extent);
  const pooled = axes.map(
    ({ extent: size, window, step, low, high }) => Math.floor((size + low + high - window) / step) + 1,
  );
  const x = [samples, ...spatial, channels];
  const r = [samples, ...pooled, channels];
  const attrs = [
    `padding=[${axes.map(({ low, high }) => `[${low},${high}]`)}]`,
    `strides=[${axes.map(({ step }) => step)}]`,
    `window=[${axes.map(({ window }) => window)}]`,
  ];
  const text = `graph @g {
    %x = input() : f32[${x}]
    %r = input() : f32[${r}]
    %o = max_unpool(%x, %r) {${attrs}} : f32[${x}]
    return o=%o
  }`;
  return { x, r, text };
}

/** Whether the last window holds a part of the picture. */
const reaches = ({ extent: size, window, step, low, high }: PoolAxis) =>
  Math.floor((size + low + high - window) / step) * step - low < size;

describe('max_unpool', () => {
  it('sends relevance to the first winner of each window', () => {
    fc.assert(
      fc.property(pool, ({ axes, samples, channels, random }) => {
        fc.pre(axes.every(reaches));
        const { x, r, text } = unpoolText(axes, samples, channels);
        const data = Array.from({ length: sizeOf(x) }, () => random.next().value as number);
        expectSame(text, { x: tensor(x, data), r: counting(r) });
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    { window: 2, step: 2, low: 0, high: 0 },
    { window: 3, step: 2, low: 1, high: 1 },
    { window: 3, step: 1, low: 1, high: 1 },
    { window: 2, step: 3, low: 1, high: 0 },
    { window: 5, step: 2, low: 4, high: 2 },
  ])('divides rows between threads: %o', (axis) => {
    const axes = [
      { ...axis, extent: 47 },
      { ...axis, extent: 38 },
    ];
    const { x, r, text } = unpoolText(axes, 2, 21);
    const data = Array.from({ length: sizeOf(x) }, (_, index) => (index * 7919) % 101);
    const inputs = { x: tensor(x, data), r: counting(r) };
    expectSame(text, inputs);
    expect(runOnWasm(parse(text, forward), inputs).chunks).toEqual([expect.toSatisfy((n: number) => n > 1)]);
  });
});
