// Rules for the layer at the input: zB for bounded inputs, w² and flat, which ignore the input's value.
import { spreadBias } from '../../ir/biases.js';
import { attrNumber, OpProblem } from '../../ir/dialect.js';
import type { Attrs, Name } from '../../ir/graph.js';
import { parseEquation } from '../../ir/ops/einsum.js';
import { groupsOf } from '../../ir/ops/window.js';
import type { TensorData } from '../../ir/tensor.js';
import { isBatched, type TensorType } from '../../ir/type.js';
import { type Leak, type Loss, leak, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, RuleDefinition } from '../rules.js';
import { mapped, needsAffine, sumOf, transposed, type Weight, weightsOf } from './linear.js';
import { denominatorAttrs, type Quotient, quotientAt, quotientsOf, signed } from './quotients.js';
import { biasOf, jacobian, like, perSampleRange, type Reference, transposedRows } from './reference.js';

/** A type with one row where the batch was. */
function oneSample(type: TensorType): TensorType {
  return isBatched(type) ? { ...type, shape: [1, ...type.shape.slice(1)] } : type;
}

/** A value of one sample, which all samples share. */
function forEverySample({ k, node }: Application, value: Name): Name {
  if (!isBatched(node.type)) return value;
  const axes = node.type.shape.map((_, axis) => axis);
  return k.broadcast(value, axes, node.type);
}

/** f with the weight exchanged on one sample that is the same for every input: computed once, with the weights. */
function onConstant(site: Application, x: Name, weight: Name, bias?: Name): Name {
  const { builder, node } = site;
  const args = bias === undefined ? [x, weight] : [x, weight, bias];
  return forEverySample(site, builder.add(node.op, args, { attrs: node.attrs, type: oneSample(node.type) }));
}

/** Numbers of a bound: one for all, or one a channel. */
function numbersOfBound(attrs: Attrs, name: string): readonly number[] {
  const given = attrs[name];
  const list = Array.isArray(given) ? given : [given];
  const numbers = list.map((item) => attrNumber(item));
  if (numbers.every((item) => item !== undefined)) return numbers;
  throw new OpProblem(
    'RELC3004',
    `${name} is missing: zBox has to know the smallest and largest value an input can take`,
    'state the range of the input with the option range, or the parameters low and high of the rule',
  );
}

/** A bound spread over one sample of x. */
function boundOf({ builder, k, node }: Application, name: string, attrs: Attrs): Name {
  const type = oneSample(builder.typeOf(node.args[0]!));
  const numbers = numbersOfBound(attrs, name);
  if (numbers.length === 1) return builder.splat(numbers[0]!, type);
  const channels = type.shape.at(-1);
  if (numbers.length !== channels) {
    throw new OpProblem('RELC3004', `${name} has ${numbers.length} numbers for ${channels} channels`);
  }
  return k.broadcast(k.data(numbers, [numbers.length]), [type.shape.length - 1], type);
}

/** How zB gets at its bounds: constants of the input, or each sample's own extremes. */
interface Box {
  readonly low: Name;
  readonly high: Name;
  /** f(low; W⁺) + f(high; W⁻), the bias apart in the same way. */
  readonly offset: Name;
}

/** b⁺ or b⁻; undefined without a bias. */
function biasPart({ k, node }: Application, part: 'relu' | 'negative_part'): Name | undefined {
  const bias = node.args[2];
  return bias === undefined ? undefined : k.unary(part, bias);
}

function constantBox(site: Application): Box {
  const { k, node, attrs } = site;
  const [low, high] = [boundOf(site, 'low', attrs), boundOf(site, 'high', attrs)];
  const weights = weightsOf(site);
  const below = onConstant(site, low, weights.plus as Name, biasPart(site, 'relu'));
  const above = onConstant(site, high, weights.minus as Name, biasPart(site, 'negative_part'));
  const x = site.builder.typeOf(node.args[0]!);
  const spread = (bound: Name) =>
    isBatched(x)
      ? k.broadcast(
          bound,
          x.shape.map((_, axis) => axis),
          x,
        )
      : bound;
  return { low: spread(low), high: spread(high), offset: k.add(below, above) };
}

/** Minimum and maximum over all elements of each sample, spread back over it. */
function sampleBox(site: Application): Box {
  const { k, node } = site;
  const x = node.args[0]!;
  const high = k.maxPerSample(x);
  const low = k.unary('neg', k.maxPerSample(k.unary('neg', x)));
  const weights = weightsOf(site);
  const below = mapped(site, () => low, weights.plus, biasPart(site, 'relu'))!;
  const above = mapped(site, () => high, weights.minus, biasPart(site, 'negative_part'))!;
  return { low, high, offset: k.add(below, above) };
}

/** R / den(f(x) − f(low; W⁺, b⁺) − f(high; W⁻, b⁻)): the bias cancels, and f(x) is the forward's. */
const boxQuotient = (site: Application, box: Box): Quotient =>
  quotientAt(site, site.relevance, site.k.sub(site.node.name, box.offset), `${site.node.name}.box`);

/** x ⊙ Wᵀs − low ⊙ W⁺ᵀs − high ⊙ W⁻ᵀs = (x − low) ⊙ W⁺ᵀs + (x − high) ⊙ W⁻ᵀs: two transposes, not three. */
function expandBox(expansion: Expansion, box: Box): Name {
  const { k, node, name } = expansion;
  const x = node.args[0]!;
  const s = boxQuotient(expansion, box).s();
  const weights = weightsOf(expansion);
  const share = (bound: Name, weight: Weight) => k.mul(k.sub(x, bound), transposed(expansion, s, weight)!);
  return sumOf(expansion, [share(box.low, weights.plus), share(box.high, weights.minus)], name)!;
}

/** x ⊙ Wᵀs − low ⊙ W⁺ᵀs − high ⊙ W⁻ᵀs on a dense Jacobian. */
function evaluateBox(reference: Reference, low: ArrayLike<number>, high: ArrayLike<number>): TensorData {
  const x = reference.args[0]!;
  const rows = jacobian(reference);
  const contributions = rows.map((row) =>
    row.map((w, j) => w * x.data[j]! - Math.max(w, 0) * low[j]! - Math.min(w, 0) * high[j]!),
  );
  const z = contributions.map((row) => row.reduce((sum, part) => sum + part, 0));
  const shares = transposedRows(
    contributions,
    quotientsOf(reference, z, reference.relevance.data),
    undefined,
  );
  return like(x, (j) => shares[j]!);
}

/** A bound of every element of x. */
function boundsOn(x: TensorData, attrs: Attrs, name: string): Float64Array {
  const numbers = numbersOfBound(attrs, name);
  return Float64Array.from(x.data, (_, j) => numbers[j % numbers.length]!);
}

/** f_{W²}(1) + b²: how R is shared where only the weights' squares count. */
function squaredQuotient(site: Application, squared: Name): Quotient {
  const { builder, k, node, attrs } = site;
  const bias = attrs.zeroBias === true ? undefined : node.args[2];
  const ones = builder.splat(1, oneSample(builder.typeOf(node.args[0]!)));
  const reach = onConstant(site, ones, squared, bias === undefined ? undefined : k.unary('square', bias));
  return quotientAt(site, site.relevance, reach, `${node.name}.squares`);
}

const squaredWeight = ({ k, node }: Application) => k.unary('square', node.args[1]!);

/** f_1ᵀ(s) of an einsum: s summed over the indices of the weight alone, and repeated along those it contracts. */
function spreadOverIndices({ builder, k, node }: Expansion, s: Name): Name {
  const { left, out, rightOnly } = parseEquation(node.attrs.eq as string);
  const kept = [...out].filter((index) => !rightOnly.includes(index));
  const axes = [...out].flatMap((index, axis) => (rightOnly.includes(index) ? [axis] : []));
  const ordered = [...left].filter((index) => kept.includes(index));
  const perm = ordered.map((index) => kept.indexOf(index));
  const places = ordered.map((index) => left.indexOf(index));
  return k.broadcast(k.transpose(k.sum(s, axes), perm), places, builder.typeOf(node.args[0]!));
}

/**
 * f_1ᵀ(s) of a convolution: s summed over the channels of each group, spread over the window by one channel a group, and
 * repeated for every input channel.
 */
function spreadOverWindow({ builder, k, node }: Expansion, s: Name): Name {
  const x = builder.typeOf(node.args[0]!);
  const groups = groupsOf(node.attrs);
  const spatial = x.shape.slice(0, -1);
  const { shape } = builder.typeOf(s);
  const byGroup = k.reshape(s, [...shape.slice(0, -1), groups, (shape.at(-1) as number) / groups]);
  const window = builder.typeOf(node.args[1]!).shape.slice(0, -2);
  const ones = builder.splat(1, { dtype: 'f32', shape: [...window, 1, groups] });
  const spread = builder.add(
    node.op === 'conv' ? 'conv_transpose' : 'conv',
    [k.sum(byGroup, [shape.length]), ones],
    { attrs: node.attrs, type: { dtype: 'f32', shape: [...spatial, groups] } },
  );
  const channels = (x.shape.at(-1) as number) / groups;
  const apart = { dtype: 'f32' as const, shape: [...spatial, groups, channels] };
  return k.reshape(k.broadcast(spread, [...spatial.keys(), spatial.length], apart), x.shape);
}

/** f_1ᵀ(s): where every weight is 1, outputs that see the same inputs are summed first. */
const spreadEvenly = (expansion: Expansion, s: Name): Name =>
  expansion.node.op === 'einsum' ? spreadOverIndices(expansion, s) : spreadOverWindow(expansion, s);

function evenQuotient(site: Application): Quotient {
  const { builder, k, node } = site;
  const ones = builder.splat(1, oneSample(builder.typeOf(node.args[0]!)));
  const reach = onConstant(site, ones, k.constant(1, node.args[1]!));
  return quotientAt(site, site.relevance, reach, `${node.name}.flat`);
}

export const firstLayerRules = {
  zBox: {
    summary: 'for inputs that lie between low and high, as pixels do',
    equation: '(x ⊙ Wᵀ − l ⊙ W⁺ᵀ − h ⊙ W⁻ᵀ)(R / den(f_W(x) − f_W⁺(l) − f_W⁻(h))), no bias',
    source: 'Montavon et al., Pattern Recognition 2017',
    knownAs: {
      literature: ['zB'],
      zennit: ['ZBox'],
      iNNvestigate: ['BoundedRule'],
      'RelevancePropagation.jl': ['ZBoxRule'],
    },
    attrs: { low: 'value?', high: 'value?', ...denominatorAttrs },
    defaults: signed,
    unsuited: needsAffine,
    evaluate(reference) {
      const [x] = reference.args as [TensorData];
      const { attrs } = reference;
      return evaluateBox(reference, boundsOn(x, attrs, 'low'), boundsOn(x, attrs, 'high'));
    },
    expand: (expansion) => expandBox(expansion, constantBox(expansion)),
    leaks: (loss) => quotientLeaks(loss, boxQuotient(loss, constantBox(loss))),
  },
  'chefer.zBox': {
    summary: 'zB between the smallest and the largest element of each sample',
    equation: 'zBox with l = min x, h = max x, over all elements of a sample',
    source: 'Conv2d.relprop of Chefer et al., CVPR 2021, on three input channels',
    attrs: denominatorAttrs,
    defaults: { denominator: 'plain', eps: 1e-9 },
    unsuited: needsAffine,
    evaluate(reference) {
      const { low, high } = perSampleRange(reference.args[0]!, reference.batch);
      return evaluateBox(reference, low, high);
    },
    expand: (expansion) => expandBox(expansion, sampleBox(expansion)),
    leaks: (loss) => quotientLeaks(loss, boxQuotient(loss, sampleBox(loss))),
  },
  wSquare: {
    summary: 'shares by the squares of the weights; ignores x',
    equation: 'W²ᵀ(R / den(f(1; W²) + b²))',
    source: 'Montavon et al., Pattern Recognition 2017',
    knownAs: {
      literature: ['w²'],
      zennit: ['WSquare'],
      iNNvestigate: ['WSquareRule'],
      'RelevancePropagation.jl': ['WSquareRule'],
    },
    attrs: { ...denominatorAttrs, zeroBias: 'boolean?' },
    defaults: signed,
    unsuited: needsAffine,
    evaluate(reference) {
      const { args, attrs, relevance } = reference;
      const rows = jacobian(reference).map((row) => row.map((weight) => weight * weight));
      const bias = biasOf(reference);
      const reach = rows.map(
        (row, i) => row.reduce((sum, square) => sum + square, 0) + (attrs.zeroBias ? 0 : bias[i]! ** 2),
      );
      const shares = transposedRows(rows, quotientsOf(reference, reach, relevance.data), undefined);
      return like(args[0]!, (j) => shares[j]!);
    },
    expand(expansion) {
      const squared = squaredWeight(expansion);
      return transposed(expansion, squaredQuotient(expansion, squared).s(), squared)!;
    },
    leaks(loss: Loss): readonly Leak[] {
      const { k, node, attrs } = loss;
      const quotient = squaredQuotient(loss, squaredWeight(loss));
      const bias = attrs.zeroBias === true ? undefined : node.args[2];
      const leaks = quotientLeaks(loss, quotient);
      if (bias === undefined) return leaks;
      const squared = () => spreadBias(k, node, k.unary('square', bias));
      return [...leaks, leak('biases', () => k.mul(quotient.s(), squared()))];
    },
  },
  flat: {
    summary: 'spreads R evenly over the receptive field inside the picture',
    equation: '1ᵀ(R / den(f(1; W = 1, b = 0)))',
    source: 'Lapuschkin et al., Nature Communications 2019',
    knownAs: {
      zennit: ['Flat'],
      iNNvestigate: ['FlatRule'],
      'RelevancePropagation.jl': ['FlatRule'],
    },
    attrs: denominatorAttrs,
    defaults: signed,
    unsuited: needsAffine,
    evaluate(reference) {
      const [x, w] = reference.args as [TensorData, TensorData];
      const flat = { ...reference, args: [like(x, () => 1), like(w, () => 1)] };
      const rows = jacobian(flat);
      const reach = rows.map((row) => row.reduce((sum, weight) => sum + weight, 0));
      const s = quotientsOf(reference, reach, reference.relevance.data);
      const spread = transposedRows(rows, s, undefined);
      return like(x, (j) => spread[j]!);
    },
    expand: (expansion) => spreadEvenly(expansion, evenQuotient(expansion).s()),
    leaks: (loss) => quotientLeaks(loss, evenQuotient(loss)),
  },
} satisfies Record<string, RuleDefinition>;
