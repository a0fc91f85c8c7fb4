// How ops that compute are cropped: elementwise ops, reductions, normalizations, products and constants.
import { zerosOf } from '../../analyses/one-hot.js';
import { Arithmetic } from '../../arithmetic.js';
import {
  type Box,
  common,
  commonRange,
  emptyBox,
  hull,
  isEmpty,
  type Range,
  wholeBox,
  wholeRange,
} from '../../box.js';
import { attrNumber, type Dialect, numberOf, numbersOf } from '../../dialect.js';
import { parseEquation } from '../../ops/einsum.js';
import { scalar } from '../../tensor.js';
import type { CropRule, Site } from './rule.js';

/** Whether an elementwise op makes zero of zeros, which is asked of the op itself. */
function keepsZero(dialect: Dialect, { node, types }: Site): boolean {
  const zeros = types.map(({ dtype }) => scalar(0, dtype));
  const one = { ...node, type: { ...node.type, shape: [] } };
  const graph = { name: node.name, nodes: new Map(), outputs: {}, aliases: new Map() };
  const { data } = dialect[node.op]!.evaluate(zeros, one, { precision: 'f64', graph, samplesOf: () => 1 });
  return data[0] === 0;
}

/** Zero where a factor is, for 0 · y = 0 and 0 / den(z) = 0 with finite y and den(z) ≠ 0; or where all operands are. */
export const elementwise = (dialect: Dialect): CropRule => ({
  support(site, supports) {
    const { node } = site;
    const factors = Object.hasOwn(zerosOf, node.op) ? zerosOf[node.op]! : [];
    if (factors.length > 0) return factors.map((slot) => supports[slot]!).reduce(common);
    // Of a selection either may be taken, whatever the condition
    const terms = node.op === 'select' ? supports.slice(1) : supports;
    return keepsZero(dialect, site) ? terms.reduce(hull) : wholeBox(node.type.shape);
  },
  reads: ({ types }, box) => types.map(() => box),
});

/** A sum of any number of terms, without those that are zero in all of the box. */
export const accumulation = (dialect: Dialect): CropRule => ({
  ...elementwise(dialect),
  reads: (_site, box, supports) =>
    supports.map((support) => (isEmpty(common(support, box)) ? undefined : box)),
  build({ builder, node, args, name }) {
    const terms = args.filter((arg) => arg !== undefined);
    return terms.length === 1 ? terms[0]! : builder.add('accumulate', terms, { attrs: node.attrs, name });
  },
});

/** The box of a reduction's operand: the kept axes from `box`, the reduced ones from `reduced`. */
function spread(axes: readonly number[], box: Box, reduced: Box): Box {
  let kept = 0;
  return reduced.map((range, axis) => (axes.includes(axis) ? range : box[kept++]!));
}

const keptOf = (axes: readonly number[], box: Box): Box => box.filter((_, axis) => !axes.includes(axis));

const axesOf = ({ node }: Site) =>
  node.attrs.axes === undefined ? [numberOf(node.attrs, 'axis')] : numbersOf(node.attrs, 'axes');

const ofZeros: NonNullable<CropRule['support']> = (site, [x]) =>
  isEmpty(x!) ? emptyBox(site.node.type.shape) : keptOf(axesOf(site), x!);

/** Only what can be other than zero is summed. */
const sum: CropRule = {
  support: ofZeros,
  reads: (site, box, [x]) => [spread(axesOf(site), box, isEmpty(x!) ? wholeBox(site.types[0]!.shape) : x!)],
};

/** Σ x / n over what can be other than zero, n the whole count. */
const mean: CropRule = {
  ...sum,
  build(part) {
    const { builder, node, args, types, name } = part;
    const k = new Arithmetic(builder);
    const { shape } = builder.typeOf(args[0]!);
    const axes = axesOf(part);
    const count = (extents: readonly (number | string)[]) =>
      axes.reduce((product, axis) => product * (extents[axis] as number), 1);
    if (count(shape) === count(types[0]!.shape)) {
      return builder.add('mean', [args[0]!], { attrs: node.attrs, name });
    }
    const total = k.sum(args[0]!, axes);
    return k.binary('div', total, k.constant(count(types[0]!.shape), total), name);
  },
};

/** Over whole rows: zeros count too. */
const ofRows: CropRule = {
  reads: (site, box) => [spread(axesOf(site), box, wholeBox(site.types[0]!.shape))],
};

/** One row of the result from one row of operand 0 and all of the others. */
const rowByRow = (axisOf: (site: Site) => number): CropRule => ({
  widened(site, box) {
    const axis = axisOf(site);
    return box.map((range, at) => (at === axis ? wholeRange(site.node.type.shape[at]!) : range));
  },
  reads: ({ types }, box) => [box, ...types.slice(1).map(({ shape }) => wholeBox(shape))],
});

const ofAxis = rowByRow(({ node }) => numberOf(node.attrs, 'axis'));
const ofLastAxis = rowByRow(({ node }) => node.type.shape.length - 1);

/** The range of each index of an einsum: where both factors that have it can be other than zero. */
function indexRanges({ node }: Site, supports: readonly Box[]): ReadonlyMap<string, Range> {
  const { left, right } = parseEquation(node.attrs.eq as string);
  const ranges = new Map<string, Range>();
  for (const [slot, indices] of [left, right].entries()) {
    for (const [axis, index] of [...indices].entries()) {
      const own = supports[slot]![axis]!;
      const other = ranges.get(index);
      ranges.set(index, other === undefined ? own : commonRange(own, other));
    }
  }
  return ranges;
}

/** A sum of products over what can be other than zero in both factors. */
const einsum: CropRule = {
  support(site, supports) {
    const { node } = site;
    if (node.args.length > 2) return wholeBox(node.type.shape);
    const ranges = indexRanges(site, supports);
    if (isEmpty([...ranges.values()])) return emptyBox(node.type.shape);
    return [...parseEquation(node.attrs.eq as string).out].map((index) => ranges.get(index)!);
  },
  reads(site, box, supports) {
    const { left, right, out, contracted, rightOnly } = parseEquation(site.node.attrs.eq as string);
    const sums = indexRanges(site, supports);
    const isZero = isEmpty([...contracted].map((index) => sums.get(index)!));
    const whole = indexRanges(
      site,
      site.types.map(({ shape }) => wholeBox(shape)),
    );
    const rangeOf = (index: string): Range =>
      out.includes(index) ? box[out.indexOf(index)]! : (isZero ? whole : sums).get(index)!;
    return [left, right, rightOnly].slice(0, site.types.length).map((indices) => [...indices].map(rangeOf));
  },
};

/** One number in every element. */
const constant: CropRule = {
  support: ({ node }) => {
    const isZero = node.type.dtype === 'f32' && attrNumber(node.attrs.value) === 0;
    return (isZero ? emptyBox : wholeBox)(node.type.shape);
  },
  widened: ({ node }, box) => (Array.isArray(node.attrs.value) ? wholeBox(node.type.shape) : box),
  reads: () => [],
};

const oneHot: CropRule = {
  ...ofLastAxis,
  reads: (_site, box) => [box.slice(0, -1)],
};

export const arithmeticRules: Readonly<Record<string, CropRule>> = {
  ...{ sum, mean, einsum, constant },
  reduce_max: { ...ofRows, support: ofZeros },
  argmax: ofRows,
  softmax: ofAxis,
  log_softmax: ofAxis,
  batch_norm: ofLastAxis,
  layer_norm: ofLastAxis,
  rms_norm: ofLastAxis,
  one_hot: oneHot,
};
