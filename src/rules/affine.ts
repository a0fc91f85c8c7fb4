// Rules for affine ops with constant weights: dense layers and every convolution alike.
import type { AttrSchema } from '../ir/dialect.js';
import { numberOf } from '../ir/dialect.js';
import { forward } from '../ir/forward.js';
import type { Name, Node } from '../ir/graph.js';
import type { TensorData } from '../ir/tensor.js';
import { isBatched, type TensorType } from '../ir/type.js';
import { denominatorAttrs, expandQuotient, quotientsOf } from './quotients.js';
import { biasOf, jacobian, like, type Reference, transposed } from './reference.js';
import type { Expansion, RuleDefinition } from './rules.js';

const affineOps = new Set(['conv', 'conv_transpose', 'einsum']);

function needsAffine(node: Node, operand: number): string | undefined {
  if (affineOps.has(node.op) && operand === 0) return undefined;
  return `it is for the input of a convolution or a dense layer, not for operand ${operand} of ${node.op}`;
}

const zeroBias: AttrSchema = { zeroBias: 'boolean?' };

/** `nonnegative`: x is known to be ≥ 0, put there by the specialize pass. */
const signSplit: AttrSchema = { ...zeroBias, nonnegative: 'boolean?' };

/** f(x; w, b) with other operands; bias left out where undefined. */
function affine(
  { builder, node }: Expansion,
  x: Name,
  w: Name,
  bias: Name | undefined,
  type = node.type,
): Name {
  const args = bias === undefined ? [x, w] : [x, w, bias];
  return builder.add(node.op, args, { attrs: node.attrs, type });
}

/** f_wᵀ(s), as a value of the type of x. */
function transpose({ builder, node }: Expansion, s: Name, w: Name): Name {
  const [x] = node.args;
  const { vjp } = forward[node.op as 'conv'];
  return vjp!({ builder, node: { ...node, args: [x!, w] }, operand: 0, cotangent: s });
}

/** x ⊙ f_wᵀ(s) */
function share(expansion: Expansion, x: Name, w: Name, s: Name): Name {
  return expansion.k.mul(x, transpose(expansion, s, w));
}

/** The two halves that a sign splits a value into: v⁺ and v⁻. */
const halves = ({ k }: Expansion, v: Name) => ({
  plus: k.unary('relu', v),
  minus: k.unary('negative_part', v),
});

/**
 * x⁺ ⊙ f_Aᵀ(s) + x⁻ ⊙ f_Bᵀ(s), with s = R / den(f(x⁺; A, c) + f(x⁻; B)): one half of the αβ-rule.
 * Where x ≥ 0 it is x ⊙ f_Aᵀ(s) with s = R / den(f(x; A, c)).
 */
function expandHalf(
  expansion: Expansion,
  a: Name,
  b: Name,
  bias: Name | undefined,
  tag: string,
  name: Name,
): Name {
  const { attrs, k, node, relevance } = expansion;
  const of = `${node.name}.${tag}`;
  if (attrs.nonnegative === true) {
    const [x] = node.args as [Name];
    const s = expandQuotient(expansion, relevance, affine(expansion, x, a, bias), of);
    return k.mul(x, transpose(expansion, s, a), name);
  }
  const x = halves(expansion, node.args[0]!);
  const z = k.add(affine(expansion, x.plus, a, bias), affine(expansion, x.minus, b, undefined));
  const s = expandQuotient(expansion, relevance, z, of);
  return k.binary('add', share(expansion, x.plus, a, s), share(expansion, x.minus, b, s), name);
}

/** One half of the αβ-rule on a dense Jacobian: contributions x_j J_ij of one sign, and that part of the bias. */
function evaluateHalf(reference: Reference, sign: 1 | -1, withBias: boolean): Float64Array {
  const { args } = reference;
  const x = args[0]!.data;
  const bias = biasOf(reference);
  const contributions = jacobian(reference).map((row) =>
    row.map((weight, j) => (weight * x[j]! * sign > 0 ? weight * x[j]! : 0)),
  );
  const z = contributions.map(
    (row, i) => row.reduce((sum, part) => sum + part, 0) + (withBias && bias[i]! * sign > 0 ? bias[i]! : 0),
  );
  return transposed(contributions, quotientsOf(reference, z), undefined);
}

function evaluateAlphaBeta(reference: Reference, alpha: number, beta: number) {
  const withBias = reference.attrs.zeroBias !== true;
  const plus = evaluateHalf(reference, 1, withBias);
  const minus = evaluateHalf(reference, -1, withBias);
  return like(reference.args[0]!, (j) => alpha * plus[j]! - beta * minus[j]!);
}

function expandAlphaBeta(expansion: Expansion, alpha: number, beta: number): Name {
  const { k, node, attrs, name } = expansion;
  const w = halves(expansion, node.args[1]!);
  const bias = attrs.zeroBias === true ? undefined : node.args[2];
  const part = (op: string) => (bias === undefined ? undefined : k.unary(op, bias));
  if (alpha === 1 && beta === 0) return expandHalf(expansion, w.plus, w.minus, part('relu'), 'plus', name);
  const plus = expandHalf(expansion, w.plus, w.minus, part('relu'), 'plus', `${name}.plus`);
  const minus = expandHalf(expansion, w.minus, w.plus, part('negative_part'), 'minus', `${name}.minus`);
  return k.binary('sub', k.scale(plus, alpha), k.scale(minus, beta), name);
}

function evaluateEpsilon(reference: Reference) {
  const { args, attrs, z } = reference;
  const rows = jacobian(reference);
  const bias = biasOf(reference);
  const denominators = attrs.zeroBias === true ? Float64Array.from(z.data, (v, i) => v - bias[i]!) : z.data;
  const shares = transposed(rows, quotientsOf(reference, denominators), args[0]!.data);
  return like(args[0]!, (j) => shares[j]!);
}

function expandEpsilon(expansion: Expansion): Name {
  const { node, attrs, relevance, k, name } = expansion;
  const [x, w, bias] = node.args as [Name, Name, Name?];
  const biasless = attrs.zeroBias === true && bias !== undefined;
  const z = biasless ? affine(expansion, x, w, undefined) : node.name;
  const s = expandQuotient(expansion, relevance, z, node.name);
  return k.mul(x, transpose(expansion, s, w), name);
}

/** A type with one row where the batch was. */
function oneSample(type: TensorType): TensorType {
  return isBatched(type) ? { ...type, shape: [1, ...type.shape.slice(1)] } : type;
}

/** f(1; 1): how many inputs inside the picture each output element sees. */
function expandReach(expansion: Expansion): Name {
  const { builder, k, node } = expansion;
  const [x, w] = node.args as [Name, Name];
  const ones = builder.splat(1, oneSample(builder.typeOf(x)));
  const reach = affine(expansion, ones, k.constant(1, w), undefined, oneSample(node.type));
  return isBatched(node.type)
    ? k.broadcast(
        reach,
        node.type.shape.map((_, axis) => axis),
        node.type,
      )
    : reach;
}

export const affineRules = {
  zero: {
    summary: 'the basic rule, without a stabiliser',
    equation: 'x ⊙ Wᵀ(R / z), 0 where z = 0',
    source: 'Bach et al., PLoS ONE 2015',
    attrs: { denominator: 'string', ...zeroBias },
    unsuited: needsAffine,
    evaluate: evaluateEpsilon,
    expand: expandEpsilon,
  },
  epsilon: {
    summary: 'shares in proportion to contributions; ε absorbs what is weak or contradictory',
    equation: 'x ⊙ Wᵀ(R / den(z)), bias in z',
    source: 'Bach et al., PLoS ONE 2015',
    attrs: { ...denominatorAttrs, ...zeroBias },
    unsuited: needsAffine,
    evaluate: evaluateEpsilon,
    expand: expandEpsilon,
  },
  alphaBeta: {
    summary: 'positive contributions get α, negative ones −β; α − β = 1',
    equation: 'α(x⁺W⁺ᵀ + x⁻W⁻ᵀ)(R/zα) − β(x⁺W⁻ᵀ + x⁻W⁺ᵀ)(R/zβ)',
    source: 'Bach et al., PLoS ONE 2015',
    attrs: { alpha: 'number', beta: 'number', ...denominatorAttrs, ...signSplit },
    unsuited: needsAffine,
    evaluate: (reference) =>
      evaluateAlphaBeta(reference, numberOf(reference.attrs, 'alpha'), numberOf(reference.attrs, 'beta')),
    expand: (expansion) =>
      expandAlphaBeta(expansion, numberOf(expansion.attrs, 'alpha'), numberOf(expansion.attrs, 'beta')),
  },
  zPlus: {
    summary: 'only positive contributions count: α = 1, β = 0',
    equation: '(x⁺W⁺ᵀ + x⁻W⁻ᵀ)(R / den(x⁺W⁺ + x⁻W⁻ + b⁺))',
    source: 'Montavon et al., Pattern Recognition 2017',
    attrs: { ...denominatorAttrs, ...signSplit },
    unsuited: needsAffine,
    evaluate: (reference) => evaluateAlphaBeta(reference, 1, 0),
    expand: (expansion) => expandAlphaBeta(expansion, 1, 0),
  },
  flat: {
    summary: 'spreads R evenly over the receptive field inside the picture',
    equation: '1ᵀ(R / den(f(1; W = 1, b = 0)))',
    source: 'Lapuschkin et al., Nature Communications 2019',
    attrs: denominatorAttrs,
    unsuited: needsAffine,
    evaluate(reference) {
      const [x, w] = reference.args as [TensorData, TensorData];
      const flat = { ...reference, args: [like(x, () => 1), like(w, () => 1)] };
      const rows = jacobian(flat);
      const reach = rows.map((row) => row.reduce((sum, weight) => sum + weight, 0));
      const spread = transposed(rows, quotientsOf(reference, reach), undefined);
      return like(x, (j) => spread[j]!);
    },
    expand(expansion) {
      const { k, node, relevance } = expansion;
      const s = expandQuotient(expansion, relevance, expandReach(expansion), `${node.name}.flat`);
      return transpose(expansion, s, k.constant(1, node.args[1]!));
    },
  },
} satisfies Record<string, RuleDefinition>;
