// Products of matrices on the WebAssembly target: random einsums and convolutions of every layout and geometry.
import { describe, expect, it } from 'vitest';
import type { Name } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { dataFor, dialect } from '../support.js';
import { type Draft, expectRight, extents, forPrograms, type RandomProgram } from './random-program.js';
import { expectAgreement, kernelsOf, runOnWasm } from './support.js';

/** Multiply-adds that the evaluator may be asked for. */
const mostWork = 40_000;

/** Extents of indices, cut so that their product is bounded. */
function boundedExtents(draft: Draft, count: number, most: number): number[] {
  let left = most;
  return Array.from({ length: count }, () => {
    const extent = Math.min(draft.choose.of(extents), Math.max(1, Math.floor(left)));
    left /= extent;
    return extent;
  });
}

const shuffled = (draft: Draft, letters: string) =>
  draft
    .permutation(letters.length)
    .map((place) => letters[place])
    .join('');

/** An einsum over indices of every role, each operand and the result in any order. */
function randomEinsum(draft: Draft): RandomProgram {
  const roles = { shared: 'bh', m: 'mp', n: 'nq', k: 'kl' };
  const many = () => draft.choose.of([1, 2, 1, 2, 0]);
  const counts = { shared: draft.below(3), m: many(), n: many(), k: many() };
  const take = (role: keyof typeof roles) => roles[role].slice(0, counts[role]);
  const [shared, m, n, k] = [take('shared'), take('m'), take('n'), take('k')];
  const letters = shared + m + n + k;
  const sizes = boundedExtents(draft, letters.length, mostWork);
  const order = draft.permutation(letters.length);
  const extentOf = (letter: string) => sizes[order[letters.indexOf(letter)]!]!;
  const [left, right] = [shuffled(draft, shared + m + k), shuffled(draft, shared + n + k)];
  const out = draft.rarely(3) ? shuffled(draft, shared + m + n) : shuffled(draft, shared + m) + n;
  const factor = (indices: string, isWeight: boolean): Name => {
    const shape = [...indices].map(extentOf);
    return draft.source(shape, (own) => (isWeight ? draft.modified(draft.weight(own)) : draft.input(own)));
  };
  const kinds = draft.below(4);
  const [a, b] = [factor(left, kinds === 2), factor(right, kinds !== 1)];
  const biasIndices = [...out].filter((letter) => !left.includes(letter));
  const bias = draft.rarely(3) ? [draft.weight(biasIndices.map(extentOf))] : [];
  return draft.finish(
    draft.epilogue(draft.add('einsum', [a, b, ...bias], { eq: `${left},${right}->${out}` }), true),
  );
}

/** A product of so many rows that they run outside, over several panels, whose weight may lie in panels. */
function tallProduct(draft: Draft): RandomProgram {
  const rows = draft.choose.of([[600], [1031], [7, 129], [64, 19], [1600], [40, 16], [2, 3, 130]]);
  const columns = draft.choose.of([16, 32, 33, 48, 19, 64]);
  const terms = draft.choose.of([4, 5, 8, 16]);
  const letters = 'mnp'.slice(0, rows.length);
  const turned = draft.rarely(3);
  const weight = draft.weight(turned ? [columns, terms] : [terms, columns]);
  const x = draft.input([...rows, terms]);
  const eq = `${letters}k,${turned ? 'jk' : 'kj'}->${letters}j`;
  const values = draft.epilogue(draft.add('einsum', [x, draft.modified(weight)], { eq }), true);
  if (draft.rarely(2)) {
    // The same weight the other way round, as the way back has it
    const back = `${letters}j,${turned ? 'jk' : 'kj'}->${letters}k`;
    values.push(draft.add('einsum', [values.at(-1)!, draft.modified(weight)], { eq: back }));
  }
  return draft.finish(values);
}

/** A product of so many columns that rows run over several panels together: a weight or an activation, either way round. */
function wideProduct(draft: Draft): RandomProgram {
  const columns = draft.choose.of([512, 528, 544, 1024, 1030, 1152]);
  const [rows, terms] = [draft.choose.of([4, 5, 7]), draft.choose.of([4, 5, 7])];
  const turned = draft.rarely(2);
  const shape = turned ? [columns, terms] : [terms, columns];
  const heads = draft.rarely(3) ? [2] : [];
  const head = heads.length > 0 ? 'h' : '';
  const right = draft.source([...heads, ...shape], (own) =>
    draft.rarely(2) ? draft.input(own) : draft.modified(draft.weight(own)),
  );
  const x = draft.input([...heads, rows, terms]);
  const eq = `${head}mk,${head}${turned ? 'jk' : 'kj'}->${head}mj`;
  return draft.finish(draft.epilogue(draft.add('einsum', [x, right], { eq }), true));
}

interface Geometry {
  readonly picture: number[];
  readonly window: number[];
  readonly strides: number[];
  readonly dilations: number[];
  readonly padding: number[][];
  readonly output: number[];
}

/** A window that fits its padded picture on each axis; padding may be wider than the window. */
function randomGeometry(draft: Draft, rank: number): Geometry {
  const axes = Array.from({ length: rank }, () => {
    const picture = 1 + draft.below([40, 11, 5][rank - 1]!);
    const window = 1 + draft.below([7, 5, 3][rank - 1]!);
    const stride = 1 + draft.below(3);
    const dilation = 1 + (draft.rarely(3) ? draft.below(3) : 0);
    const reach = dilation * (window - 1) + 1;
    const widest = draft.rarely(4) ? reach + 2 : Math.min(2, reach);
    const low = draft.below(widest + 1);
    const missing = Math.max(0, reach - picture - low);
    const padding = [low, missing + draft.below(widest + 1)];
    const output = Math.floor((picture + padding[0]! + padding[1]! - reach) / stride) + 1;
    return { picture, window, stride, dilation, padding, output };
  });
  return {
    picture: axes.map(({ picture }) => picture),
    window: axes.map(({ window }) => window),
    strides: axes.map(({ stride }) => stride),
    dilations: axes.map(({ dilation }) => dilation),
    padding: axes.map(({ padding }) => padding),
    output: axes.map(({ output }) => output),
  };
}

const product = (numbers: readonly number[]) => numbers.reduce((total, number) => total * number, 1);

/** A convolution, its transpose, or the one after the other. */
function randomConvolution(draft: Draft): RandomProgram {
  const rank = draft.rarely(5) ? 3 : draft.rarely(3) ? 1 : 2;
  const { picture, window, strides, dilations, padding, output } = randomGeometry(draft, rank);
  const groups = draft.rarely(3) ? draft.choose.of([2, 3, 4, 8, 17]) : 1;
  const most = mostWork / (draft.batch * product(output) * product(window) * groups);
  const [inputs, outputs] = groups > 4 ? [1, 1 + draft.below(2)] : boundedExtents(draft, 2, most);
  const attrs = { strides, padding, dilations, groups };
  const [imageShape, resultShape] = [
    [draft.batch, ...picture, groups * inputs!],
    [draft.batch, ...output, groups * outputs!],
  ];
  const kernel = draft.source([...window, inputs!, groups * outputs!], (shape) =>
    draft.modified(draft.weight(shape)),
  );
  const bias = (channels: number) => (draft.rarely(3) ? [draft.weight([channels])] : []);
  const source = (shape: readonly number[]) => draft.source(shape, (own) => draft.input(own));
  const result = (from: Name) => draft.add('conv', [from, kernel, ...bias(groups * outputs!)], attrs);
  const type = { dtype: 'f32', shape: imageShape } as const;
  const back = (from: Name) =>
    draft.add('conv_transpose', [from, kernel, ...bias(groups * inputs!)], attrs, type);
  const kind = draft.below(3);
  if (kind === 0) return draft.finish(draft.epilogue(back(source(resultShape)), true));
  const values = draft.epilogue(result(source(imageShape)), true);
  if (kind === 2) values.push(...draft.epilogue(back(values.at(-1)!), false));
  return draft.finish(values);
}

describe('random', () => {
  it.each([
    ['einsums', 400, randomEinsum],
    ['convolutions', 250, randomConvolution],
    ['products of many rows', 40, tallProduct],
    ['products of many columns', 40, wideProduct],
  ] as const)('%s', (_name, numRuns, make) => {
    const kinds = { loops: 0, contraction: 0, pad: 0 };
    forPrograms(make, numRuns, (program) => {
      expectRight(program);
      for (const { kind } of kernelsOf(program, program.batch).run) kinds[kind as keyof typeof kinds]++;
    });
    expect(kinds.contraction).toBeGreaterThan(numRuns / 8);
    if (make === randomEinsum || make === randomConvolution) expect(kinds.loops).toBeGreaterThan(numRuns / 8);
  });
});

it('returns a weight as it was given, which products read in panels otherwise', () => {
  const drawn = (output: string) => ({
    graph: parse(
      `graph @panels {
        %x = input() : f32[6,8]
        %w = param() {key="w"} : f32[8,32]
        %y = einsum(%x, %w) {eq="bi,ij->bj"} : f32[6,32]
        return ${output}
      }`,
      dialect,
    ),
    drawnAs: new Map(),
  });
  const inPanels = (output: string) => {
    const { graph } = drawn(output);
    const { inputs, weights } = dataFor(drawn(output));
    expectAgreement(graph, inputs, weights, runOnWasm(graph, inputs, weights));
    return kernelsOf({ graph, weights }).buffers.get('w')!.inPanels;
  };
  expect([inPanels('%y'), inPanels('%y, %w')]).toEqual([true, undefined]);
});
