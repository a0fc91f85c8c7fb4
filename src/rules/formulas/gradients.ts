// Derivatives as rules: the true one, and the two that treat activations in their own way.
import { spreadBias } from '../../ir/biases.js';
import { forward } from '../../ir/forward.js';
import type { Name, Node } from '../../ir/graph.js';
import {
  atZero,
  dependenceOf,
  type Leak,
  type Loss,
  leak,
  offsetLeaks,
  slopes,
  withOperands,
} from '../leaks.js';
import type { Expansion, RuleDefinition } from '../rules.js';
import { pull } from './linear.js';
import { like, pullBack, type Reference } from './reference.js';
import { isRowwise, rowwiseLosses, rowwiseLossesAmongRules } from './row-derivatives.js';
import { needsDerivative, pullRelevance, routeLeaks, transposeOnly, winnerLeaks } from './structural.js';

/**
 * G at the result stands for value ⊙ G, of which the operands receive x ⊙ vjp(G): the same account as LRP-0's, with
 * s = G.
 */
function leaksOfGradient(loss: Loss): readonly Leak[] | undefined {
  const { k, live, node, relevance } = loss;
  const whole = () => k.mul(relevance, node.name);
  if (isRowwise(node)) return rowwiseLosses(loss);
  switch (dependenceOf(loss)) {
    case 'affine':
      return offsetLeaks(loss, () => relevance);
    case 'choosing':
      return winnerLeaks(loss).map(({ cause, amount }) => leak(cause, () => timesOperand(loss, amount())));
    case 'product': {
      const bias = node.op === 'einsum' ? node.args[2] : undefined;
      const repeated = leak('repeated shares', () => k.scale(whole(), 1 - live.length));
      if (bias === undefined) return [repeated];
      const part = () => k.mul(k.scale(relevance, live.length), spreadBias(k, node, bias));
      return [repeated, leak('biases', part)];
    }
    case 'elementwise':
      return [leak('non-linearities', () => k.sub(whole(), k.mul(relevance, slopes(loss, true))))];
    case 'other':
      return undefined;
  }
}

/** The one operand of a maximum or minimum that receives nothing, times what it would have received. */
function timesOperand({ k, live, node }: Loss, pulled: Name): Name {
  const idle = node.args.find((_, slot) => !live.includes(slot))!;
  return k.mul(idle, pulled);
}

/** Where a derivative is one rule among others, Σ vjp(R) = Σ R ⊙ J·1. */
function leaksAmongRules(loss: Loss): readonly Leak[] | undefined {
  const { k, live, node, relevance } = loss;
  if (forward[node.op as 'reshape']?.traits?.routes) return routeLeaks(loss);
  if (isRowwise(node)) return rowwiseLossesAmongRules(loss);
  const beyond = (reach: () => Name) => k.mul(relevance, k.sub(k.constant(1, relevance), reach()));
  switch (dependenceOf(loss)) {
    case 'affine':
      return [
        leak('non-linearities', () =>
          beyond(() =>
            k.sub(
              withOperands(loss, live, (arg) => k.constant(1, arg)),
              atZero(loss, live),
            ),
          ),
        ),
      ];
    case 'product': {
      // One operand at a time, for each receives the derivative with the others as they are
      const reach = (slot: number) =>
        k.sub(
          withOperands(loss, [slot], (arg) => k.constant(1, arg)),
          atZero(loss, [slot]),
        );
      return [leak('non-linearities', () => beyond(() => live.map(reach).reduce((a, b) => k.add(a, b))))];
    }
    case 'choosing':
      return winnerLeaks(loss);
    case 'elementwise': {
      const cause = node.op === 'relu' ? 'inactive neurons' : 'non-linearities';
      return [leak(cause, () => beyond(() => slopes(loss, false)))];
    }
    default:
      return undefined;
  }
}

const needsRelu = (node: Node) => (node.op === 'relu' ? undefined : `it is for relu, not for ${node.op}`);

/** Negative relevance is cut: R⁺. */
const kept = ({ k, relevance }: Expansion | Loss) => k.unary('relu', relevance);

/** What is accounted for: R itself, or value ⊙ R. */
const weighted = ({ k, node, quantity }: Loss, amount: Name) =>
  quantity === 'gradient' ? k.mul(node.name, amount) : amount;

const cut = (loss: Loss) =>
  leak('cut relevance', () => weighted(loss, loss.k.unary('negative_part', loss.relevance)));

const positive = (reference: Reference) =>
  like(reference.relevance, (i) => Math.max(reference.relevance.data[i]!, 0));

export const gradientRules = {
  gradient: {
    summary: 'the true derivative',
    equation: 'vjp(R)',
    source: 'Simonyan et al., 2013',
    ...transposeOnly,
    unsuited: needsDerivative,
    evaluate: pullRelevance,
    leaks: (loss) => (loss.quantity === 'gradient' ? leaksOfGradient(loss) : leaksAmongRules(loss)),
  },
  guided: {
    summary: 'at a ReLU: the derivative of what is positive',
    equation: 'vjp(R⁺)',
    source: 'Springenberg et al., 2014',
    knownAs: { zennit: ['ReLUGuidedBackprop'] },
    attrs: {},
    unsuited: needsRelu,
    evaluate: (reference) => pullBack(reference, positive(reference)),
    expand: (expansion) => pull(expansion, expansion.operand, kept(expansion)),
    leaks(loss) {
      const { k, node, quantity } = loss;
      if (quantity === 'gradient') return [cut(loss)];
      // R⁺ reaches z only where the neuron is active
      const off = () => k.sub(k.constant(1, node.name), k.unary('step', node.args[0]!));
      return [cut(loss), leak('inactive neurons', () => k.mul(kept(loss), off()))];
    },
  },
  deconv: {
    summary: 'at a ReLU: what is positive, whether the neuron was active or not',
    equation: 'R⁺',
    source: 'Zeiler and Fergus, ECCV 2014',
    knownAs: { zennit: ['ReLUDeconvNet'] },
    attrs: {},
    unsuited: needsRelu,
    evaluate: positive,
    expand: kept,
    leaks(loss) {
      const { k, node, quantity } = loss;
      if (quantity === 'relevance') return [cut(loss)];
      // z ⊙ R⁺ is expected, x ⊙ R⁺ is received: more by x⁻ ⊙ R⁺, which is negative
      const received = () => k.mul(k.unary('negative_part', node.args[0]!), kept(loss));
      return [cut(loss), leak('inactive neurons', () => k.unary('neg', received()))];
    },
  },
} satisfies Record<string, RuleDefinition>;
