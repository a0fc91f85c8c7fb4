// Rules for softmax: the deep Taylor expansion of AttnLRP; and stopping, by which probabilities are constants.
import { numberOf } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak } from '../leaks.js';
import type { Application, Expansion, RuleDefinition } from '../rules.js';
import { like, type Reference } from './reference.js';

/** Σ along the softmax's axis, at every element. */
export function sumAlongAxis({ builder, k, node }: Application, x: Name): Name {
  const axes = [numberOf(node.attrs, 'axis')];
  return k.spreadBack(k.sum(x, axes), axes, builder.typeOf(x));
}

/** `value` where the score x stands for something, 0 where it is masked: at or below `masked`, or not a number. */
function unlessMasked({ builder, k, node, attrs }: Application, value: Name): Name {
  const [x] = node.args as [Name];
  const counts = k.binary('greater', x, k.constant(numberOf(attrs, 'masked'), x));
  return builder.add('select', [counts, value, k.constant(0, value)]);
}

/** x ⊙ (R − s ⊙ ΣR), 0 where x is masked. */
function expandSoftmax(expansion: Expansion): Name {
  const { builder, k, node, attrs, relevance, name } = expansion;
  const [x] = node.args as [Name];
  const rest = k.sub(relevance, k.mul(node.name, sumAlongAxis(expansion, relevance)));
  const counts = k.binary('greater', x, k.constant(numberOf(attrs, 'masked'), x));
  return builder.add('select', [counts, k.mul(x, rest), k.constant(0, x)], { name });
}

/**
 * The expansion at x is s̃ = J x + b̃ with J = diag(s) − s sᵀ, and b̃ᵢ / sᵢ = 1 − xᵢ + ⟨s, x⟩ is the share of Rᵢ that the
 * constant b̃ᵢ takes.
 */
function leaksOfSoftmax(loss: Loss): readonly Leak[] {
  const { k, node, relevance } = loss;
  return [
    leak('softmax expansion', () => {
      const x = unlessMasked(loss, node.args[0]!);
      const mean = sumAlongAxis(loss, k.mul(node.name, x));
      return k.mul(relevance, k.add(k.sub(k.constant(1, x), x), mean));
    }),
  ];
}

function evaluateSoftmax({ args, attrs, node, relevance, z }: Reference): TensorData {
  const x = args[0]!;
  const axis = numberOf(node.attrs, 'axis');
  const masked = numberOf(attrs, 'masked');
  const extent = x.shape[axis]!;
  const inner = x.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  return like(x, (j) => {
    const first = j - (Math.floor(j / inner) % extent) * inner;
    let total = 0;
    for (let i = 0; i < extent; i++) total += relevance.data[first + i * inner]!;
    return x.data[j]! > masked ? x.data[j]! * (relevance.data[j]! - z.data[j]! * total) : 0;
  });
}

export const softmaxRules = {
  softmax: {
    summary: 'the Taylor expansion of softmax at its scores x; masked scores receive nothing',
    equation: 'x ⊙ (R − s ⊙ ΣR), s the probabilities; 0 where x ≤ masked',
    source: 'Achtibat et al., ICML 2024',
    attrs: { masked: 'number' },
    // Masks are −1e9 or −∞ as a rule; a score that a model computes is far above
    defaults: { masked: -1e6 },
    unsuited: ({ op }) => (op === 'softmax' ? undefined : `it is for softmax, not for ${op}`),
    evaluate: evaluateSoftmax,
    expand: expandSoftmax,
    // x ⊙ (s ⊙ q − s ⊙ Σ s q)
    gradientForm(expansion) {
      const { k, node, gradient } = expansion;
      if (gradient === undefined) return undefined;
      const mean = sumAlongAxis(expansion, k.mul(node.name, gradient));
      return unlessMasked(expansion, k.mul(node.name, k.sub(gradient, mean)));
    },
    leaks: leaksOfSoftmax,
  },
  stop: {
    summary: 'a constant as far as relevance is concerned: nothing is handed on, nor needed below',
    equation: '0',
    source: 'Ali et al., ICML 2022',
    attrs: {},
    stops: true,
    unsuited: () => undefined,
    evaluate: ({ args, operand }) => like(args[operand]!, () => 0),
    expand: ({ k, node, operand }) => k.constant(0, node.args[operand]!),
    gradientForm: ({ k, node, operand }) => k.constant(0, node.args[operand]!),
    leaks: ({ relevance }) => [leak('stopped branches', () => relevance)],
  },
} satisfies Record<string, RuleDefinition>;
