// The generalised γ-rule: contributions of the sign of z count 1 + γ times.
import { spreadBias } from '../../ir/biases.js';
import { numberOf } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak, quotientLeaks, whereZero } from '../leaks.js';
import type { Application, Expansion, RuleDefinition } from '../rules.js';
import {
  backOf,
  contributing,
  forwardOf,
  idleTermLeaks,
  isAffine,
  needsLinear,
  type Pairing,
  pairings,
  sumOf,
  weightsOf,
} from './linear.js';
import { denominatorAttrs, type Quotient, quotientAt, quotientsOf, signed } from './quotients.js';
import { biasOf, jacobian, like, type Reference, transposedRows } from './reference.js';

/** One sign of z: the parts of x with the weights they meet, the bias, and R where z has that sign. */
interface Branch {
  readonly pairs: readonly Pairing[];
  readonly bias: Name | undefined;
  readonly quotient: Quotient;
}

/** b + γb⁺, or b + γb⁻ */
function raisedBias({ k, node, attrs }: Application, part: 'relu' | 'negative_part'): Name | undefined {
  const bias = node.args[2];
  if (!isAffine(node) || bias === undefined || attrs.zeroBias === true) return undefined;
  return k.add(bias, k.scale(k.unary(part, bias), numberOf(attrs, 'gamma')));
}

/**
 * For z > 0 the contributions x⁺(W + γW⁺) + x⁻(W + γW⁻) + b + γb⁺; for z < 0 those with W⁺ and W⁻ exchanged, and b⁻.
 * Where R is known to vanish with z ≤ 0 there is no second branch, and R needs no mask.
 */
function branchesOf(site: Application): readonly Branch[] {
  const { k, node, attrs, relevance } = site;
  const gamma = numberOf(attrs, 'gamma');
  const weights = weightsOf(site);
  const raised = () => weights.raised(gamma);
  const lowered = () => weights.lowered(gamma);
  const branch = (pairs: readonly Pairing[], bias: Name | undefined, masked: Name, tag: string): Branch => ({
    pairs,
    bias,
    quotient: quotientAt(site, masked, forwardOf(site, pairs, bias), `${node.name}.${tag}`),
  });
  const vanishing = attrs.vanishing === true;
  const whereAbove = vanishing ? relevance : k.mul(relevance, k.unary('step', node.name));
  const above = branch(pairings(site, raised(), lowered), raisedBias(site, 'relu'), whereAbove, 'above');
  if (vanishing) return [above];
  const whereBelow = k.mul(relevance, k.unary('step', k.unary('neg', node.name)));
  const bias = raisedBias(site, 'negative_part');
  return [above, branch(pairings(site, lowered(), raised), bias, whereBelow, 'below')];
}

function expandGamma(expansion: Expansion): Name {
  const branches = branchesOf(expansion);
  const parts = branches.map(({ pairs, quotient }) =>
    backOf(expansion, pairs, quotient.s(), branches.length === 1 ? expansion.name : undefined),
  );
  return sumOf(expansion, parts, expansion.name)!;
}

function leaksOfGamma(loss: Loss): readonly Leak[] {
  const { k, node, attrs, relevance } = loss;
  const dropped = leak('zero denominators', () => whereZero(loss, node.name, relevance));
  const leaks = branchesOf(loss).flatMap(({ pairs, bias, quotient }) => {
    const own = quotientLeaks(loss, quotient);
    if (bias !== undefined) own.push(leak('biases', () => k.mul(quotient.s(), spreadBias(k, node, bias))));
    return [...own, ...idleTermLeaks(loss, pairs, quotient.s)];
  });
  return attrs.vanishing === true ? leaks : [...leaks, dropped];
}

const sizeOf = (value: number, sign: number) => (value * sign > 0 ? value : 0);

/** By branch, on a dense Jacobian: every contribution x_j J_ij counts once, and γ times more if it has the sign of z. */
function evaluateBranch(reference: Reference, sign: 1 | -1): Float64Array {
  const { args, attrs, node, operand, relevance, z } = reference;
  const gamma = numberOf(attrs, 'gamma');
  const contributions = (slot: number) =>
    jacobian({ ...reference, operand: slot }).map((row) =>
      row.map((weight, j) => {
        const part = weight * args[slot]!.data[j]!;
        return part + gamma * sizeOf(part, sign);
      }),
    );
  const all = new Map(contributing(node).map((slot) => [slot, contributions(slot)]));
  const bias = isAffine(node) && attrs.zeroBias !== true ? biasOf(reference) : undefined;
  const denominators = Array.from(z.data, (_, i) => {
    const own = bias === undefined ? 0 : bias[i]! + gamma * sizeOf(bias[i]!, sign);
    return [...all.values()].reduce((sum, rows) => sum + rows[i]!.reduce((a, b) => a + b, 0), own);
  });
  const masked = Array.from(relevance.data, (r, i) => (z.data[i]! * sign > 0 ? r : 0));
  const s = quotientsOf(reference, denominators, masked);
  return transposedRows(all.get(operand)!, s, undefined);
}

function evaluateGamma(reference: Reference): TensorData {
  const [above, below] = [evaluateBranch(reference, 1), evaluateBranch(reference, -1)];
  return like(reference.args[reference.operand]!, (j) => above[j]! + below[j]!);
}

export const gammaRules = {
  gamma: {
    summary: 'contributions of the sign of z count 1 + γ times: between ε (γ = 0) and z⁺ (γ → ∞)',
    equation:
      'z > 0: (x⁺(W+γW⁺)ᵀ + x⁻(W+γW⁻)ᵀ)(R / den(x⁺(W+γW⁺) + x⁻(W+γW⁻) + b+γb⁺)); z < 0: W⁺ and W⁻ exchanged, b⁻; z = 0: 0',
    source: 'Andéol et al., 2021',
    knownAs: { zennit: ['Gamma'], 'RelevancePropagation.jl': ['GeneralizedGammaRule'] },
    attrs: {
      gamma: 'number',
      ...denominatorAttrs,
      zeroBias: 'boolean?',
      nonnegative: 'boolean?',
      vanishing: 'boolean?',
    },
    defaults: { gamma: 0.25, ...signed },
    unsuited: needsLinear,
    evaluate: evaluateGamma,
    expand: expandGamma,
    leaks: leaksOfGamma,
  },
} satisfies Record<string, RuleDefinition>;
