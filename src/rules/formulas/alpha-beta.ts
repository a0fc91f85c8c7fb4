// The αβ-rules: positive and negative contributions apart. z⁺, αβ, and αβ with a denominator for each half.
import { spreadBias } from '../../ir/biases.js';
import { type AttrSchema, numberOf } from '../../ir/dialect.js';
import type { Attrs, Name } from '../../ir/graph.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, RuleDefinition } from '../rules.js';
import {
  backOf,
  contributing,
  forwardOf,
  idleTermLeaks,
  isAffine,
  mapped,
  needsLinear,
  type Pairing,
  pairings,
  sumOf,
  type Weight,
  weightsOf,
} from './linear.js';
import { chefer, denominatorAttrs, type Quotient, quotientAt, quotientsOf, signed } from './quotients.js';
import { biasOf, jacobian, like, type Reference, transposedRows } from './reference.js';

/** `nonnegative`: x is known to be ≥ 0, put there by the specialize pass. */
const signSplit: AttrSchema = { zeroBias: 'boolean?', nonnegative: 'boolean?' };

/** The contributions of one sign: x⁺ meets `plus`, x⁻ meets `minus`; its part of the bias; its factor in the rule. */
interface Half {
  readonly tag: string;
  readonly factor: number;
  readonly plus: Weight;
  readonly minus: () => Weight;
  readonly bias: Name | undefined;
}

function halvesOf(site: Application, alpha: number, beta: number): readonly Half[] {
  const { k, node, attrs } = site;
  const weights = weightsOf(site);
  const bias = attrs.zeroBias === true || !isAffine(node) ? undefined : node.args[2];
  const part = (op: string) => (bias === undefined ? undefined : k.unary(op, bias));
  const halves: Half[] = [];
  if (alpha !== 0) {
    const minus = () => weights.minus;
    halves.push({ tag: 'plus', factor: alpha, plus: weights.plus, minus, bias: part('relu') });
  }
  if (beta !== 0) {
    const minus = () => weights.plus;
    halves.push({ tag: 'minus', factor: -beta, plus: weights.minus, minus, bias: part('negative_part') });
  }
  return halves;
}

/** s = R / den(f(x⁺; A, c) + f(x⁻; B)) of one half. */
function quotientOfHalf(site: Application, half: Half, pairs: readonly Pairing[]): Quotient {
  return quotientAt(site, site.relevance, forwardOf(site, pairs, half.bias), `${site.node.name}.${half.tag}`);
}

const pairsOf = (site: Application, half: Half) => pairings(site, half.plus, half.minus);

/** Σ of the halves' relevances, each times its factor, under the rule's name. */
function combined(
  expansion: Expansion,
  halves: readonly Half[],
  partOf: (half: Half, name: Name) => Name,
): Name {
  const { k, name } = expansion;
  const [plus, minus] = halves as [Half, Half?];
  // β = 0: α = 1
  if (minus === undefined) return partOf(plus, name);
  const [first, second] = [plus, minus].map((half) =>
    k.scale(partOf(half, `${name}.${half.tag}`), Math.abs(half.factor)),
  );
  return k.binary('sub', first!, second!, name);
}

/**
 * x⁺ ⊙ f_Aᵀ(s) + x⁻ ⊙ f_Bᵀ(s), with s = R / den(f(x⁺; A, c) + f(x⁻; B)) for each half. Where x ≥ 0 it is
 * x ⊙ f_Aᵀ(s) with s = R / den(f(x; A, c)).
 */
function expandJoint(expansion: Expansion, alpha: number, beta: number): Name {
  return combined(expansion, halvesOf(expansion, alpha, beta), (half, name) => {
    const pairs = pairsOf(expansion, half);
    return backOf(expansion, pairs, quotientOfHalf(expansion, half, pairs).s(), name);
  });
}

function leaksOfJoint(loss: Loss, alpha: number, beta: number): readonly Leak[] {
  const { k } = loss;
  return halvesOf(loss, alpha, beta).flatMap((half) => {
    const pairs = pairsOf(loss, half);
    const quotient = quotientOfHalf(loss, half, pairs);
    const scaled = () => k.scale(quotient.s(), half.factor);
    const leaks = [...quotientLeaks(loss, quotient, half.factor, 'one-signed neurons')];
    const { bias } = half;
    if (bias !== undefined) {
      leaks.push(leak('biases', () => k.mul(scaled(), spreadBias(k, loss.node, bias))));
    }
    return [...leaks, ...idleTermLeaks(loss, pairs, scaled)];
  });
}

const withoutBias = <Site extends Application>(site: Site): Site => ({
  ...site,
  attrs: { ...site.attrs, zeroBias: true },
});

/** A quotient for each of the two terms of a half: R / den(f(x⁺; A)) and R / den(f(x⁻; B)). */
function separateQuotients(site: Application, half: Half): readonly { pair: Pairing; quotient: Quotient }[] {
  return pairsOf(site, half).map((pair, index) => {
    const z = mapped(site, pair.part, pair.weight)!;
    const of = `${site.node.name}.${half.tag}.${index === 0 ? 'right' : 'left'}`;
    return { pair, quotient: quotientAt(site, site.relevance, z, of) };
  });
}

function expandSeparate(expansion: Expansion): Name {
  const { alpha, beta } = factorsOf(expansion.attrs);
  return combined(expansion, halvesOf(withoutBias(expansion), alpha, beta), (half, name) => {
    const parts = separateQuotients(expansion, half);
    const shares = parts.map(({ pair, quotient }) =>
      backOf(expansion, [pair], quotient.s(), parts.length === 1 ? name : undefined),
    );
    return sumOf(expansion, shares, name)!;
  });
}

/** Each term receives all of R: what the second one receives is relevance that was not there. */
function leaksOfSeparate(loss: Loss): readonly Leak[] {
  const { alpha, beta } = factorsOf(loss.attrs);
  return halvesOf(withoutBias(loss), alpha, beta).flatMap((half) => {
    const parts = separateQuotients(loss, half);
    const lost = parts.flatMap(({ quotient }) =>
      quotientLeaks(loss, quotient, half.factor, 'one-signed neurons'),
    );
    if (parts.length === 1) return lost;
    return [leak('repeated shares', () => loss.k.scale(loss.relevance, -half.factor)), ...lost];
  });
}

const factorsOf = (attrs: Attrs) => ({ alpha: numberOf(attrs, 'alpha'), beta: numberOf(attrs, 'beta') });

/** x_j J_ij of one sign, by output element, for one operand. */
function contributionsOf(reference: Reference, operand: number, sign: number): Float64Array[] {
  const x = reference.args[operand]!.data;
  return jacobian({ ...reference, operand }).map((row) =>
    row.map((weight, j) => (weight * x[j]! * sign > 0 ? weight * x[j]! : 0)),
  );
}

const total = (row: Float64Array) => row.reduce((sum, part) => sum + part, 0);

/** One half of the αβ-rule on a dense Jacobian: contributions of one sign, and that part of the bias. */
function evaluateHalf(reference: Reference, sign: 1 | -1): Float64Array {
  const { attrs, node, operand, relevance } = reference;
  const all = new Map(contributing(node).map((slot) => [slot, contributionsOf(reference, slot, sign)]));
  const bias = isAffine(node) && attrs.zeroBias !== true ? biasOf(reference) : undefined;
  const z = Array.from(relevance.data, (_, i) => {
    const parts = [...all.values()].reduce((sum, rows) => sum + total(rows[i]!), 0);
    return parts + (bias !== undefined && bias[i]! * sign > 0 ? bias[i]! : 0);
  });
  return transposedRows(all.get(operand)!, quotientsOf(reference, z, relevance.data), undefined);
}

function evaluateJoint(reference: Reference, alpha: number, beta: number): TensorData {
  const plus = evaluateHalf(reference, 1);
  const minus = evaluateHalf(reference, -1);
  return like(reference.args[reference.operand]!, (j) => alpha * plus[j]! - beta * minus[j]!);
}

/** The same with the contributions of x⁺ and of x⁻ each divided by their own sum. */
function evaluateSeparate(reference: Reference): TensorData {
  const { alpha, beta } = factorsOf(reference.attrs);
  const x = reference.args[0]!;
  const halves = [1, -1].map((sign) => {
    const rows = contributionsOf(reference, 0, sign);
    const sides = [1, -1].map((side) => {
      const own = rows.map((row) => row.map((part, j) => (x.data[j]! * side > 0 ? part : 0)));
      const s = quotientsOf(reference, own.map(total), reference.relevance.data);
      return transposedRows(own, s, undefined);
    });
    return sides[0]!.map((value, j) => value + sides[1]![j]!);
  });
  return like(x, (j) => alpha * halves[0]![j]! - beta * halves[1]![j]!);
}

export const alphaBetaRules = {
  alphaBeta: {
    summary: 'positive contributions get α, negative ones −β; α − β = 1',
    equation: 'α(x⁺W⁺ᵀ + x⁻W⁻ᵀ)(R/zα) − β(x⁺W⁻ᵀ + x⁻W⁺ᵀ)(R/zβ)',
    source: 'Bach et al., PLoS ONE 2015',
    knownAs: {
      literature: ['LRP-αβ'],
      zennit: ['AlphaBeta'],
      iNNvestigate: ['AlphaBetaRule', 'Alpha2Beta1Rule'],
      'RelevancePropagation.jl': ['AlphaBetaRule'],
    },
    attrs: { alpha: 'number', beta: 'number', ...denominatorAttrs, ...signSplit },
    defaults: { alpha: 2, beta: 1, ...signed },
    unsuited: needsLinear,
    evaluate(reference) {
      const { alpha, beta } = factorsOf(reference.attrs);
      return evaluateJoint(reference, alpha, beta);
    },
    expand(expansion) {
      const { alpha, beta } = factorsOf(expansion.attrs);
      return expandJoint(expansion, alpha, beta);
    },
    leaks(loss) {
      const { alpha, beta } = factorsOf(loss.attrs);
      return leaksOfJoint(loss, alpha, beta);
    },
  },
  zPlus: {
    summary: 'only positive contributions count: α = 1, β = 0',
    equation: '(x⁺W⁺ᵀ + x⁻W⁻ᵀ)(R / den(x⁺W⁺ + x⁻W⁻ + b⁺))',
    source: 'Montavon et al., Pattern Recognition 2017',
    knownAs: {
      zennit: ['ZPlus'],
      iNNvestigate: ['ZPlusRule', 'Alpha1Beta0Rule'],
      'RelevancePropagation.jl': ['ZPlusRule'],
    },
    attrs: { ...denominatorAttrs, ...signSplit },
    defaults: signed,
    unsuited: needsLinear,
    evaluate: (reference) => evaluateJoint(reference, 1, 0),
    expand: (expansion) => expandJoint(expansion, 1, 0),
    leaks: (loss) => leaksOfJoint(loss, 1, 0),
  },
  'chefer.conv': {
    summary: 'αβ with the parts of x⁺ and x⁻ each divided by their own sum: doubles R where x has both signs',
    equation: 'α(x⁺W⁺ᵀ(R/x⁺W⁺) + x⁻W⁻ᵀ(R/x⁻W⁻)) − β(x⁺W⁻ᵀ(R/x⁺W⁻) + x⁻W⁺ᵀ(R/x⁻W⁺))',
    source: 'Conv2d.relprop of Chefer et al., CVPR 2021',
    attrs: { alpha: 'number', beta: 'number', ...denominatorAttrs, nonnegative: 'boolean?' },
    defaults: { alpha: 1, beta: 0, ...chefer },
    unsuited: (node, operand) =>
      isAffine(node) ? needsLinear(node, operand) : `it is for layers with a weight, not for ${node.op}`,
    evaluate: evaluateSeparate,
    expand: expandSeparate,
    leaks: leaksOfSeparate,
  },
} satisfies Record<string, RuleDefinition>;
