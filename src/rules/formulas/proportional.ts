// Rules that share R in proportion to contributions x ⊙ W': LRP-0, ε, and captum's two with a modified weight.
import { spreadBias } from '../../ir/biases.js';
import { type AttrSchema, numberOf } from '../../ir/dialect.js';
import type { Attrs, Name, Node } from '../../ir/graph.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak, offsetLeaks, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, GradientExpansion, RuleDefinition } from '../rules.js';
import { isAffine, mapped, needsAffine, needsLinear, transposed, type Weight, weightsOf } from './linear.js';
import {
  denominatorAttrs,
  exactQuotient,
  type Quotient,
  quotientAt,
  quotientsOf,
  signed,
  signedSmall,
} from './quotients.js';
import { biasOf, jacobian, like, type Reference, transposedRows } from './reference.js';

const zeroBias: AttrSchema = { zeroBias: 'boolean?' };

/** ε also suits differences: no sign of a contribution is asked for. */
const needsSum = (node: Node, operand: number) =>
  node.op === 'sub' ? undefined : needsLinear(node, operand);

/** z, without the bias where the rule drops it. */
function denominatorOf(site: Application | GradientExpansion): Name {
  const { node, attrs } = site;
  const biasless = attrs.zeroBias === true && isAffine(node) && node.args[2] !== undefined;
  return biasless ? mapped(site, (x) => x, node.args[1]!)! : node.name;
}

const quotientOf = (site: Application): Quotient =>
  quotientAt(site, site.relevance, denominatorOf(site), site.node.name);

function evaluateEpsilon(reference: Reference): TensorData {
  const { args, attrs, operand, relevance, z } = reference;
  const rows = jacobian(reference);
  const bias = isAffine(reference.node) ? biasOf(reference) : undefined;
  const denominators =
    attrs.zeroBias === true && bias !== undefined
      ? Float64Array.from(z.data, (v, i) => v - bias[i]!)
      : z.data;
  const s = quotientsOf(reference, denominators, relevance.data);
  const shares = transposedRows(rows, s, args[operand]!.data);
  return like(args[operand]!, (j) => shares[j]!);
}

function expandEpsilon(expansion: Expansion): Name {
  const { node, operand, k, name } = expansion;
  const s = quotientOf(expansion).s();
  return k.mul(node.args[operand]!, transposed(expansion, s, weightsOf(expansion).whole)!, name);
}

function gradientOfEpsilon(expansion: GradientExpansion): Name | undefined {
  const s = exactQuotient(expansion, denominatorOf(expansion));
  return s === undefined ? undefined : transposed(expansion, s, weightsOf(expansion).whole);
}

function leaksOfEpsilon(loss: Loss): readonly Leak[] {
  const quotient = quotientOf(loss);
  const offsets = loss.attrs.zeroBias === true && isAffine(loss.node) ? [] : offsetLeaks(loss, quotient.s);
  return [...quotientLeaks(loss, quotient), ...offsets];
}

type Modify = (attrs: Attrs, weight: number) => number;

/** x ⊙ W'ᵀ(R / den(f(x; W') + b)): x is not divided by sign, and the bias stays as it is. */
function modified(expandWeight: (site: Application) => Weight, modify: Modify) {
  const biasOfSite = ({ node, attrs }: Application) => (attrs.zeroBias === true ? undefined : node.args[2]);
  const quotient = (site: Application) => {
    const z = mapped(site, (x) => x, expandWeight(site), biasOfSite(site))!;
    return quotientAt(site, site.relevance, z, `${site.node.name}.modified`);
  };
  return {
    unsuited: needsAffine,
    evaluate(reference: Reference): TensorData {
      const { args, attrs, relevance } = reference;
      const x = args[0]!;
      const rows = jacobian(reference).map((row) => row.map((weight) => modify(attrs, weight)));
      const bias = biasOf(reference);
      const z = rows.map(
        (row, i) =>
          row.reduce((sum, weight, j) => sum + weight * x.data[j]!, 0) + (attrs.zeroBias ? 0 : bias[i]!),
      );
      const shares = transposedRows(rows, quotientsOf(reference, z, relevance.data), x.data);
      return like(x, (j) => shares[j]!);
    },
    expand(expansion: Expansion): Name {
      const { k, node, name } = expansion;
      return k.mul(
        node.args[0]!,
        transposed(expansion, quotient(expansion).s(), expandWeight(expansion))!,
        name,
      );
    },
    leaks(loss: Loss): readonly Leak[] {
      const { k } = loss;
      const whole = quotient(loss);
      const bias = biasOfSite(loss);
      const leaks = quotientLeaks(loss, whole);
      if (bias === undefined) return leaks;
      return [...leaks, leak('biases', () => k.mul(whole.s(), spreadBias(k, loss.node, bias)))];
    },
  };
}

export const proportionalRules = {
  zero: {
    summary: 'the basic rule, without a stabiliser',
    equation: 'x ⊙ Wᵀ(R / z), 0 where z = 0',
    source: 'Bach et al., PLoS ONE 2015',
    knownAs: { literature: ['LRP-0'], iNNvestigate: ['ZRule'], 'RelevancePropagation.jl': ['ZeroRule'] },
    attrs: { denominator: 'string', ...zeroBias },
    defaults: { denominator: 'exact' },
    unsuited: needsSum,
    evaluate: evaluateEpsilon,
    expand: expandEpsilon,
    gradientForm: gradientOfEpsilon,
    leaks: leaksOfEpsilon,
  },
  epsilon: {
    summary: 'shares in proportion to contributions; ε absorbs what is weak or contradictory',
    equation: 'x ⊙ Wᵀ(R / den(z)), bias in z',
    source: 'Bach et al., PLoS ONE 2015',
    knownAs: {
      literature: ['LRP-ε'],
      zennit: ['Epsilon'],
      captum: ['EpsilonRule'],
      iNNvestigate: ['EpsilonRule'],
      'RelevancePropagation.jl': ['EpsilonRule'],
      lxt: ['linear_epsilon'],
    },
    attrs: { ...denominatorAttrs, ...zeroBias },
    defaults: signed,
    unsuited: needsSum,
    evaluate: evaluateEpsilon,
    expand: expandEpsilon,
    gradientForm: gradientOfEpsilon,
    leaks: leaksOfEpsilon,
  },
  'captum.gamma': {
    summary: 'positive weights count 1 + γ times, whatever the sign of x: for x ≥ 0',
    equation: 'x ⊙ W′ᵀ(R / den(W′x + b)), W′ = W + γW⁺',
    source: 'captum; Montavon et al., 2019',
    knownAs: { captum: ['GammaRule'] },
    attrs: { gamma: 'number', ...denominatorAttrs, ...zeroBias },
    defaults: { gamma: 0.25, ...signedSmall },
    ...modified(
      (site) => weightsOf(site).raised(numberOf(site.attrs, 'gamma')),
      (attrs, weight) => weight + numberOf(attrs, 'gamma') * Math.max(weight, 0),
    ),
  },
  'captum.alpha1Beta0': {
    summary: 'positive weights alone count, whatever the sign of x: for x ≥ 0',
    equation: 'x ⊙ W⁺ᵀ(R / den(W⁺x + b))',
    source: 'captum',
    knownAs: { captum: ['Alpha1_Beta0_Rule'] },
    attrs: { ...denominatorAttrs, ...zeroBias },
    defaults: signedSmall,
    ...modified(
      (site) => weightsOf(site).plus,
      (_attrs, weight) => Math.max(weight, 0),
    ),
  },
} satisfies Record<string, RuleDefinition>;
