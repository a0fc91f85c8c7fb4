// Rules for products of two activations: equal parts, and all of R to the signal where the other factor weighs it.
import { spreadBias } from '../../ir/biases.js';
import { forward } from '../../ir/forward.js';
import { type Graph, isActive, type Name, type Node, nodeOf } from '../../ir/graph.js';
import type { TensorData } from '../../ir/tensor.js';
import { type Leak, type Loss, leak, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, GradientExpansion, RuleDefinition } from '../rules.js';
import { pull } from './linear.js';
import {
  denominatorAttrs,
  exactQuotient,
  type Quotient,
  quotientAt,
  quotientsOf,
  signed,
} from './quotients.js';
import { like, pullBack, type Reference } from './reference.js';

type Values = Pick<Graph, 'nodes'>;

/** The factors that depend on an input. */
function activeFactors(graph: Values, { args }: Node): readonly number[] {
  return [0, 1].filter((slot) => isActive(graph, args[slot]!));
}

/** Ops that leave it open what a factor is: they move elements, or scale them. */
const seenThrough: ReadonlySet<string> = new Set([
  'reshape',
  'transpose',
  'broadcast',
  'slice',
  'mul',
  'div',
]);

/** The value that a factor is a view of, or a constant multiple. */
function sourceOf(graph: Values, factor: Name): Node {
  let node = nodeOf(graph, factor);
  while (seenThrough.has(node.op)) {
    const operands = node.args.filter((arg) => isActive(graph, arg));
    const isQuotientOf = node.op === 'div' && operands[0] !== node.args[0];
    if (operands.length !== 1 || isQuotientOf) return node;
    node = nodeOf(graph, operands[0]!);
  }
  return node;
}

/** How surely a factor weighs the other one: probabilities above gates, gates above other activations. */
function weightOf(graph: Values, factor: Name): number {
  const { op } = sourceOf(graph, factor);
  if (op === 'softmax') return 3;
  if (op === 'sigmoid') return 2;
  return forward[op as 'relu']?.traits?.activation === true ? 1 : 0;
}

/** What part of R each factor receives: all where it is weighed by the other, equal parts where neither weighs more. */
function signalShares(graph: Values, node: Node): ReadonlyMap<number, number> {
  const active = activeFactors(graph, node);
  const weights = active.map((slot) => weightOf(graph, node.args[slot]!));
  const lowest = Math.min(...weights);
  const signals = active.filter((_, index) => weights[index] === lowest);
  return new Map(active.map((slot) => [slot, signals.includes(slot) ? 1 / signals.length : 0]));
}

const quotientOf = (site: Application): Quotient =>
  quotientAt(site, site.relevance, site.node.name, site.node.name);

function expandSignal(expansion: Expansion): Name {
  const { builder, k, node, operand, name } = expansion;
  const x = node.args[operand]!;
  const share = signalShares(builder, node).get(operand) ?? 0;
  if (share === 0) return builder.splat(0, builder.typeOf(x), name);
  return k.mul(x, pull(expansion, operand, k.scale(quotientOf(expansion).s(), share)), name);
}

function gradientOfSignal(expansion: GradientExpansion): Name | undefined {
  const { builder, k, node, operand } = expansion;
  const share = signalShares(builder, node).get(operand) ?? 0;
  const s = share === 0 ? undefined : exactQuotient(expansion);
  return s === undefined ? undefined : pull(expansion, operand, k.scale(s, share));
}

function leaksOfSignal(loss: Loss): readonly Leak[] {
  const { builder, k, live, node } = loss;
  const quotient = quotientOf(loss);
  const shares = signalShares(builder, node);
  const received = live.reduce((sum, slot) => sum + (shares.get(slot) ?? 0), 0);
  const bias = node.op === 'einsum' ? node.args[2] : undefined;
  const biasPart = () => k.mul(quotient.s(), spreadBias(k, node, bias!));
  const whole = () => k.mul(quotient.s(), node.name);
  const ofFactors = () => (bias === undefined ? whole() : k.sub(whole(), biasPart()));
  return [
    ...quotientLeaks(loss, quotient),
    ...(bias === undefined ? [] : [leak('biases', biasPart)]),
    ...(received === 1 ? [] : [leak('stopped branches', () => k.scale(ofFactors(), 1 - received))]),
  ];
}

function evaluateSignal(reference: Reference): TensorData {
  const { args, graph, node, operand, relevance, z } = reference;
  const share = signalShares(graph, node).get(operand) ?? 0;
  const quotients = quotientsOf(reference, z.data, relevance.data);
  const pulled = pullBack(
    reference,
    like(z, (i) => quotients[i]!),
  ).data;
  return like(args[operand]!, (j) => args[operand]!.data[j]! * pulled[j]! * share);
}

const productOps: ReadonlySet<string> = new Set(['mul', 'einsum']);

export const productRules = {
  uniform: {
    summary: 'equal parts to the factors of a product, element by element',
    equation: 'R / n, n factors that depend on an input',
    source: 'Achtibat et al., ICML 2024',
    knownAs: { lxt: ['mul2', 'uniform_mul'] },
    attrs: {},
    unsuited: ({ op }) => (op === 'mul' ? undefined : `it is for products element by element, not for ${op}`),
    evaluate({ args, graph, node, operand, relevance }) {
      const count = activeFactors(graph, node).length;
      return like(args[operand]!, (i) => relevance.data[i]! / count);
    },
    expand({ builder, k, node, relevance, name }) {
      const count = activeFactors(builder, node).length;
      return count === 1 ? relevance : k.mul(relevance, k.constant(1 / count, relevance), name);
    },
    // a ⊙ b ⊙ q / n = a ⊙ (b ⊙ q / n)
    gradientForm(expansion) {
      const { builder, k, node, operand, gradient } = expansion;
      const count = activeFactors(builder, node).length;
      return gradient === undefined ? undefined : pull(expansion, operand, k.scale(gradient, 1 / count));
    },
    leaks({ builder, k, live, node, relevance }) {
      const count = activeFactors(builder, node).length;
      if (live.length === count) return [];
      return [leak('stopped branches', () => k.scale(relevance, (count - live.length) / count))];
    },
  },
  signal: {
    summary:
      'all of R to the factor that the other one weighs, by a softmax, a sigmoid or another activation; halves where neither does',
    equation: 'x ⊙ vjp(R / den(z)) for the signal, 0 for what weighs it',
    source: 'Arras et al., 2017; Ali et al., ICML 2022',
    knownAs: { literature: ['signal-take-all', 'AH-rule'] },
    attrs: denominatorAttrs,
    defaults: signed,
    unsuited: ({ op }, operand) =>
      productOps.has(op) && operand < 2 ? undefined : `it is for the factors of a product, not for ${op}`,
    receives: (graph, node, operand) => (signalShares(graph, node).get(operand) ?? 0) > 0,
    evaluate: evaluateSignal,
    expand: expandSignal,
    gradientForm: gradientOfSignal,
    leaks: leaksOfSignal,
  },
} satisfies Record<string, RuleDefinition>;
