// The rule of layer norm and RMS norm: the deviation of a row is a constant, all else shares by contributions.
import { numberOf } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import { alongRows, atNormal, normalizedRows, rowMean, subtractsMean } from '../../ir/ops/normalization.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, GradientExpansion, RuleDefinition } from '../rules.js';
import {
  denominatorAttrs,
  exactQuotient,
  type Quotient,
  quotientAt,
  quotientsOf,
  signed,
} from './quotients.js';
import { like, type Reference } from './reference.js';

const operations: ReadonlySet<string> = new Set(['layer_norm', 'rms_norm']);

/** What the mean is taken from and the deviation divides, transposed: g − mean g, with g = s ⊙ scale / σ. */
export function throughNormalization(site: Application, s: Name): Name {
  const { builder, k, node } = site;
  const { inverse } = normalizedRows(builder, node);
  const g = k.mul(atNormal(k, s, node.args[1]), inverse);
  return subtractsMean(node) ? k.sub(g, rowMean(k, g)) : g;
}

/** z without its offset: (x − μ) / σ ⊙ scale. */
function withoutOffset({ builder, k, node }: Application): Name {
  return atNormal(k, normalizedRows(builder, node).normal, node.args[1]);
}

/** z, without the offset where the rule drops it. */
function denominatorOf(site: Application): Name {
  const { node, attrs } = site;
  return attrs.zeroBias === true && node.args[2] !== undefined ? withoutOffset(site) : node.name;
}

const quotientOf = (site: Application): Quotient =>
  quotientAt(site, site.relevance, denominatorOf(site), site.node.name);

function expandNormalization(expansion: Expansion): Name {
  const { k, node, name } = expansion;
  return k.mul(node.args[0]!, throughNormalization(expansion, quotientOf(expansion).s()), name);
}

function gradientOfNormalization(expansion: GradientExpansion): Name | undefined {
  const s = exactQuotient(expansion, denominatorOf(expansion));
  return s === undefined ? undefined : throughNormalization(expansion, s);
}

function leaksOfNormalization(loss: Loss): readonly Leak[] {
  const { k, node, attrs } = loss;
  const quotient = quotientOf(loss);
  const leaks = quotientLeaks(loss, quotient);
  const offset = node.args[2];
  if (offset === undefined || attrs.zeroBias === true) return leaks;
  return [...leaks, leak('biases', () => k.mul(quotient.s(), alongRows(k, offset, node.name)))];
}

const meanOf = (row: readonly number[]) => row.reduce((sum, value) => sum + value, 0) / row.length;

/** x_j Σ_i J_ij R_i / den(z_i) row by row, with J_ij = scale_i (δ_ij − 1/n) / σ, or scale_i δ_ij / σ without a mean. */
function evaluateNormalization(reference: Reference): TensorData {
  const { args, attrs, node, relevance, z } = reference;
  const [x, scale, offset] = args as [TensorData, TensorData?, TensorData?];
  const extent = x.shape.at(-1)!;
  const along = (vector: TensorData | undefined, i: number, none: number) => vector?.data[i] ?? none;
  const dropped = (i: number) => (attrs.zeroBias === true ? along(offset, i % extent, 0) : 0);
  const denominators = Float64Array.from(z.data, (value, i) => value - dropped(i));
  const s = quotientsOf(reference, denominators, relevance.data);
  const share = subtractsMean(node) ? 1 / extent : 0;
  return like(x, (place) => {
    const [start, j] = [place - (place % extent), place % extent];
    const row = Array.from(x.data.slice(start, start + extent));
    const centre = subtractsMean(node) ? meanOf(row) : 0;
    const variance = meanOf(row.map((value) => (value - centre) ** 2));
    const deviation = Math.sqrt(variance + numberOf(node.attrs, 'epsilon'));
    const pulled = row.map(
      (_, i) => along(scale, i, 1) * ((i === j ? 1 : 0) - share) * (s[start + i]! / deviation),
    );
    return row[j]! * pulled.reduce((sum, part) => sum + part, 0);
  });
}

export const normalizationRules = {
  layerNorm: {
    summary:
      'the deviation of each row is a constant; the rest, mean subtraction too, shares by contributions',
    equation: 'x ⊙ (g − mean g), g = R / den(z) ⊙ scale / σ; RMS norm: x ⊙ g',
    source: 'Ali et al., ICML 2022; Achtibat et al., ICML 2024',
    knownAs: {
      literature: ['LN-rule'],
      'RelevancePropagation.jl': ['LayerNormRule'],
    },
    attrs: { ...denominatorAttrs, zeroBias: 'boolean?' },
    defaults: signed,
    unsuited: ({ op }, operand) =>
      operations.has(op) && operand === 0
        ? undefined
        : `it is for what layer norm and RMS norm normalize, not for operand ${operand} of ${op}`,
    evaluate: evaluateNormalization,
    expand: expandNormalization,
    gradientForm: gradientOfNormalization,
    leaks: leaksOfNormalization,
  },
} satisfies Record<string, RuleDefinition>;
