// Graphs of 20,000 nodes: nothing recurses with depth, and nothing takes quadratic time.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import { type Graph, type Name, resolveAlias } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { commonSubexpressions } from '../../src/ir/passes/common-subexpressions.js';
import { crop } from '../../src/ir/passes/crop/crop.js';
import { deadCode } from '../../src/ir/passes/dead-code.js';
import { foldConstants } from '../../src/ir/passes/fold-constants.js';
import { joinSlices } from '../../src/ir/passes/join-slices.js';
import { oneHot } from '../../src/ir/passes/one-hot.js';
import type { Pass } from '../../src/ir/passes/pass.js';
import { shareBiasless } from '../../src/ir/passes/share-biasless.js';
import { shareHalves } from '../../src/ir/passes/share-halves.js';
import { simplify } from '../../src/ir/passes/simplify.js';
import { print } from '../../src/ir/print.js';
import { verify } from '../../src/ir/verify.js';
import { f32, weightsFor } from './support.js';

const length = 20_000;
/** Milliseconds of processor time: far above what is needed, far below what quadratic time would take. */
const bound = 5_000;
const wide = f32('N', 4);

/** Fails where it takes too long; `TIMES=1` prints what it took. */
function timed<Result>(what: string, action: () => Result): Result {
  const start = process.cpuUsage();
  const result = action();
  const { user, system } = process.cpuUsage(start);
  const time = (user + system) / 1000;
  if (process.env.TIMES === '1') console.log(`${what}: ${time.toFixed(0)} ms`);
  expect(time, what).toBeLessThan(bound);
  return result;
}

type Step = (builder: GraphBuilder, previous: Name, index: number) => Name;

function chain(
  step: Step,
  start: (builder: GraphBuilder) => Name = (b) => b.add('input', [], { name: 'x', type: wide }),
): Graph {
  const builder = new GraphBuilder('chain', forward);
  let last = start(builder);
  for (let index = 0; builder.nodes.size < length; index++) last = step(builder, last, index);
  return builder.finish({ y: last });
}

/** A vector computed from two weights, spread over the batch. */
function constantVector(builder: GraphBuilder, index: number): Name {
  const params = ['a', 'b'].map((key) =>
    builder.add('param', [], { attrs: { key: `${key}${index}` }, type: f32(4) }),
  );
  return builder.add('broadcast', [builder.add('mul', params)], { attrs: { axes: [1] }, type: wide });
}

/** relu and add in turn, and a computed constant for every hundred nodes. */
const mixed = chain((builder, previous, index) => {
  if (index % 96 === 0) return builder.add('add', [previous, constantVector(builder, index)]);
  return index % 2 === 0 ? builder.add('relu', [previous]) : builder.add('add', [previous, 'x']);
});

const dense = (builder: GraphBuilder): Name => {
  const x = builder.nodes.has('x') ? 'x' : builder.add('input', [], { name: 'x', type: wide });
  const w = builder.add('param', [], { attrs: { key: 'w' }, type: f32(4, 4) });
  return builder.add('einsum', [x, w], { attrs: { eq: 'bi,ij->bj' } });
};

const onOneAffineOp = chain(
  (builder, previous, index) => builder.add('add', [previous, constantVector(builder, index)]),
  dense,
);

interface Chain {
  readonly name: string;
  readonly graph: Graph;
  readonly passes: readonly Pass[];
}

const chains: readonly Chain[] = [
  {
    name: 'relu, add and constants',
    graph: mixed,
    passes: [
      simplify,
      shareBiasless,
      shareHalves,
      oneHot,
      joinSlices,
      commonSubexpressions,
      crop,
      deadCode,
      foldConstants,
      canonicalize,
    ],
  },
  {
    name: 'dense layers and both their halves',
    graph: chain(
      (builder, previous) => {
        const dense = (w: Name) => builder.add('einsum', [previous, w], { attrs: { eq: 'bi,ij->bj' } });
        const sums = [dense('w'), dense('w.plus'), dense('w.minus')];
        return builder.add('accumulate', sums);
      },
      (builder) => {
        builder.add('param', [], { attrs: { key: 'w' }, type: f32(4, 4), name: 'w' });
        builder.add('relu', ['w'], { name: 'w.plus' });
        builder.add('negative_part', ['w'], { name: 'w.minus' });
        return builder.add('input', [], { name: 'x', type: wide });
      },
    ),
    passes: [shareHalves],
  },
  {
    name: 'products of one-hot values',
    graph: chain(
      (builder, previous) =>
        builder.add('mul', ['x', builder.add('einsum', [previous, 'w'], { attrs: { eq: 'bi,ij->bj' } })]),
      (builder) => {
        builder.add('param', [], { attrs: { key: 'w' }, type: f32(4, 4), name: 'w' });
        builder.add('input', [], { name: 'class', type: { dtype: 'i32', shape: ['N'] } });
        return builder.add('one_hot', ['class'], { attrs: { depth: 4 }, name: 'x' });
      },
    ),
    passes: [oneHot],
  },
  {
    name: 'a sum of slices, all of them disjoint',
    graph: chain(
      (builder, previous, index) => {
        if (builder.nodes.size < length - 1) {
          const [low, high] = [index, length - 3 - index];
          return builder.add('pad', ['x'], { attrs: { low: [low], high: [high] } });
        }
        const parts = [...builder.nodes.keys()].filter((name) => name.startsWith('pad'));
        return builder.add('accumulate', [...parts, previous]);
      },
      (builder) => builder.add('input', [], { name: 'x', type: f32(1) }),
    ),
    passes: [joinSlices],
  },
  {
    name: 'layers of rows, of which one is read, and pads of it',
    graph: chain(
      (builder, previous, index) => {
        if (index < length / 2) {
          return builder.add('einsum', [previous, 'w'], { attrs: { eq: 'bti,ij->btj' } });
        }
        const row = builder.add('slice', [previous], { attrs: { begin: [0, 1, 0] }, type: f32('N', 1, 4) });
        const padded = builder.add('pad', [row], { attrs: { low: [0, 1, 0], high: [0, 3, 0] } });
        return builder.add('mul', [padded, 'x']);
      },
      (builder) => {
        builder.add('param', [], { attrs: { key: 'w' }, type: f32(4, 4), name: 'w' });
        return builder.add('input', [], { name: 'x', type: f32('N', 5, 4) });
      },
    ),
    passes: [crop],
  },
  {
    name: 'many parts of one value',
    graph: chain(
      (builder, previous, index) => {
        const at = index % (length / 2);
        const part = builder.add('slice', ['x'], { attrs: { begin: [at] }, type: f32(1) });
        return builder.add('mul', [previous, builder.add('relu', [part])]);
      },
      (builder) => {
        builder.add('input', [], { name: 'x', type: f32(length) });
        return builder.splat(2, f32(1));
      },
    ),
    passes: [crop],
  },
  {
    name: 'sums without an affine op, with constants that sink nowhere',
    graph: chain((builder, previous, index) =>
      builder.add('add', [previous, index % 100 === 0 ? constantVector(builder, index) : 'x']),
    ),
    passes: [canonicalize],
  },
  {
    name: 'constants on one affine op',
    graph: onOneAffineOp,
    passes: [foldConstants, canonicalize],
  },
  {
    name: 'a constant far above its affine op',
    graph: chain(
      (builder, previous, index) =>
        builder.add('add', [previous, index === length - 10 ? constantVector(builder, 0) : 'x']),
      dense,
    ),
    passes: [canonicalize],
  },
  {
    name: 'constants on an affine op behind sums that lead nowhere',
    graph: chain((builder, previous, index) => {
      if (index > length / 2) return builder.add('add', [previous, constantVector(builder, index)]);
      return builder.add('add', [previous, index === length / 2 ? dense(builder) : 'x']);
    }),
    passes: [canonicalize],
  },
  {
    name: 'negations, which vanish',
    graph: chain((builder, previous) => builder.add('neg', [previous])),
    passes: [simplify],
  },
  {
    name: 'sums of equal values',
    graph: chain((builder, previous) =>
      builder.add('add', [builder.add('relu', [previous]), builder.add('relu', [previous])]),
    ),
    passes: [commonSubexpressions],
  },
  {
    name: 'views of a constant',
    graph: chain(
      (builder, previous, index) =>
        index === length - 3
          ? builder.add('mul', ['x', previous])
          : builder.add('reshape', [previous], { type: index % 2 === 1 ? f32(4, 1) : f32(4) }),
      (builder) => {
        builder.add('input', [], { name: 'x', type: f32(4) });
        return builder.splat(1, f32(4));
      },
    ),
    passes: [simplify],
  },
  {
    name: 'constants computed from each other, all of them used',
    graph: chain(
      (builder, previous, index) => {
        const [base, next] = [`c.${index}`, `c.${index + 1}`];
        builder.add('square', [base], { name: next });
        const spread = builder.add('broadcast', [next], { attrs: { axes: [1] }, type: f32('N', 32) });
        return builder.add('add', [previous, spread]);
      },
      (builder) => {
        builder.add('param', [], { attrs: { key: 'w' }, type: f32(32), name: 'c.0' });
        return builder.add('input', [], { name: 'x', type: f32('N', 32) });
      },
    ),
    passes: [foldConstants],
  },
];

describe('a chain of 20,000 nodes', () => {
  it('prints, parses and verifies', () => {
    expect(mixed.nodes.size).toBeGreaterThanOrEqual(length);
    const text = timed('print', () => print(mixed));
    const back = timed('parse', () => parse(text, forward));
    expect(back.nodes.size).toBe(mixed.nodes.size);
    timed('verify', () => verify(mixed, forward));
  });

  for (const { name, graph, passes } of chains) {
    it.each(passes)(`${name}: goes through $name`, (pass) => {
      const program = { graph, weights: weightsFor(graph, 1) };
      const result = timed(`${name}: ${pass.name}`, () => pass.run(program, forward));
      verify(result.graph, forward);
      expect(Object.keys(result.graph.outputs)).toEqual(['y']);
    });
  }
});

describe('a long line of aliases', () => {
  it('is made straight when dead code goes', () => {
    const aliases = new Map<Name, Name>();
    for (let index = 0; index < length; index++)
      aliases.set(`a${index}`, index === length - 1 ? 'x' : `a${index + 1}`);
    const graph = { ...mixed, aliases };
    const { aliases: straight } = timed('aliases', () =>
      deadCode.run({ graph, weights: new Map() }, forward),
    ).graph;
    expect([straight.size, new Set(straight.values())]).toEqual([length, new Set(['x'])]);
  });
});

describe('constants at any height', () => {
  it('sink into one affine op and leave an alias each', () => {
    const program = { graph: onOneAffineOp, weights: weightsFor(onOneAffineOp, 1) };
    const { graph: after } = canonicalize.run(program, forward);
    expect([...after.nodes.values()].map((node) => node.op)).toEqual(['input', 'param', 'param', 'einsum']);
    expect(resolveAlias(after, 'einsum')).toBe(after.outputs.y);
  });
});
