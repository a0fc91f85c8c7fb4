// Rules for what is no layer: passing, routing, the winner of a maximum, and shares by the op's own weights.
import { spreadBias } from '../../ir/biases.js';
import { numberOf } from '../../ir/dialect.js';
import { forward } from '../../ir/forward.js';
import type { Attrs, Name, Node } from '../../ir/graph.js';
import { maxima } from '../composite.js';
import {
  dependenceOf,
  idleOperands,
  type Leak,
  type Loss,
  leak,
  offsetLeaks,
  quotientLeaks,
  slopes,
} from '../leaks.js';
import type { Application, Expansion, GradientExpansion, RuleDefinition } from '../rules.js';
import { pull } from './linear.js';
import { gradientOfPass } from './passing.js';
import {
  denominatorAttrs,
  exactQuotient,
  type Quotient,
  quotientAt,
  quotientsOf,
  signed,
} from './quotients.js';
import { jacobian, like, pullBack, type Reference, transposedRows } from './reference.js';

export function needsDerivative(node: Node): string | undefined {
  const { vjp } = forward[node.op as keyof typeof forward] ?? {};
  return vjp === undefined ? `${node.op} has no derivative` : undefined;
}

export const transposeOnly = {
  attrs: {},
  expand: (expansion: Expansion) => pull(expansion, expansion.operand, expansion.relevance),
};

export const pullRelevance = (reference: Reference) => pullBack(reference, reference.relevance);

/** Ops that are not elementwise but keep the shape of operand 0. */
const keepsShape = new Set(['softmax', 'log_softmax', 'batch_norm', 'layer_norm', 'rms_norm']);

/** 1 where an output element copies one of these operands, 0 where it copies another or the padding. */
function coverage({ builder, k, node }: Application, slots: readonly number[]): Name {
  const args = node.args.map((arg, slot) => {
    if (builder.typeOf(arg).dtype !== 'f32') return arg;
    return k.constant(slots.includes(slot) ? 1 : 0, arg);
  });
  const { value: _padding, ...attrs } = node.attrs;
  return builder.add(node.op, args, { attrs, type: node.type });
}

/** R at the places that copy constants, padding, or values that lead to nothing explained. */
export function routeLeaks(loss: Loss): readonly Leak[] {
  const { k, live, node, relevance } = loss;
  const { constant, stopped } = idleOperands(loss);
  const leaks: Leak[] = [];
  if (constant.length > 0 || node.op === 'pad') {
    const elsewhere = () => k.sub(k.constant(1, relevance), coverage(loss, [...live, ...stopped]));
    leaks.push(leak('constant operands', () => k.mul(relevance, elsewhere())));
  }
  if (stopped.length > 0) {
    leaks.push(leak('stopped branches', () => k.mul(relevance, coverage(loss, stopped))));
  }
  return leaks;
}

/** What a maximum hands to its constant or stopped operands: their derivative of R. */
export function winnerLeaks(loss: Loss): readonly Leak[] {
  const { constant, stopped } = idleOperands(loss);
  return [...constant, ...stopped].map((slot) =>
    leak(constant.includes(slot) ? 'constant operands' : 'stopped branches', () =>
      pull(loss, slot, loss.relevance),
    ),
  );
}

/** Where z holds elements of x, vjp(z ⊙ q) = x ⊙ vjp(q). */
const gradientOfMoving = (expansion: GradientExpansion): Name | undefined =>
  expansion.gradient === undefined ? undefined : pull(expansion, expansion.operand, expansion.gradient);

const shareOf = (attrs: Attrs) => numberOf(attrs, 'share', 1);

const normQuotient = (site: Application): Quotient =>
  quotientAt(site, site.relevance, site.node.name, site.node.name);

/** x ⊙ vjp(R / den(z)) · share */
function expandNorm(expansion: Expansion): Name {
  const { attrs, k, node, operand, name } = expansion;
  const s = normQuotient(expansion).s();
  return k.mul(node.args[operand]!, k.scale(pull(expansion, operand, s), shareOf(attrs)), name);
}

/** s ⊙ z is divided among the operands in `share` parts of x ⊙ vjp(s): what is over by the op's dependence on them. */
function leaksOfNorm(loss: Loss): readonly Leak[] | undefined {
  const { attrs, k, live, node } = loss;
  const quotient = normQuotient(loss);
  const share = shareOf(attrs);
  const whole = () => k.mul(quotient.s(), node.name);
  const scaled = () => k.scale(quotient.s(), share);
  const lost = quotientLeaks(loss, quotient);
  const over = (count: number) => leak('repeated shares', () => k.scale(whole(), 1 - count));
  switch (dependenceOf(loss)) {
    case 'affine':
      return [...lost, ...(share === 1 ? [] : [over(share)]), ...offsetLeaks(loss, scaled)];
    case 'choosing': {
      const { constant, stopped } = idleOperands(loss);
      const idle = [...constant, ...stopped].map((slot) =>
        leak(constant.includes(slot) ? 'constant operands' : 'stopped branches', () =>
          k.mul(node.args[slot]!, pull(loss, slot, scaled())),
        ),
      );
      return [...lost, ...(share === 1 ? [] : [over(share)]), ...idle];
    }
    case 'product': {
      const bias = node.op === 'einsum' ? node.args[2] : undefined;
      const count = share * live.length;
      const leaks = count === 1 ? lost : [...lost, over(count)];
      if (bias === undefined) return leaks;
      const part = () => k.mul(k.scale(quotient.s(), count), spreadBias(k, node, bias));
      return [...leaks, leak('biases', part)];
    }
    case 'elementwise':
      return [...lost, leak('non-linearities', () => k.sub(whole(), k.mul(scaled(), slopes(loss, true))))];
    case 'other':
      return undefined;
  }
}

export const structuralRules = {
  norm: {
    summary:
      'shares in proportion to contributions, by the op’s own weights; share halves it for two factors',
    equation: 'share · x ⊙ vjp(R / den(f(x)))',
    source: 'Montavon et al., 2019; Chefer et al., CVPR 2021',
    knownAs: {
      zennit: ['Norm'],
      'Transformer-Explainability': ['RelPropSimple'],
      lxt: ['add2', 'matmul'],
    },
    attrs: { ...denominatorAttrs, share: 'number?' },
    defaults: signed,
    unsuited: needsDerivative,
    evaluate(reference) {
      const { args, attrs, operand, relevance, z } = reference;
      const quotients = quotientsOf(reference, z.data, relevance.data);
      const s = like(z, (i) => quotients[i]!);
      const pulled = pullBack(reference, s).data;
      return like(args[operand]!, (j) => args[operand]!.data[j]! * pulled[j]! * shareOf(attrs));
    },
    expand: expandNorm,
    gradientForm(expansion) {
      const s = exactQuotient(expansion);
      const { attrs, k, operand } = expansion;
      return s === undefined ? undefined : pull(expansion, operand, k.scale(s, shareOf(attrs)));
    },
    leaks: leaksOfNorm,
  },
  pass: {
    summary: 'relevance stays where it is',
    equation: 'R',
    source: 'Bach et al., PLoS ONE 2015',
    knownAs: {
      zennit: ['Pass'],
      captum: ['IdentityRule'],
      'RelevancePropagation.jl': ['PassRule'],
      'Transformer-Explainability': ['RelProp'],
    },
    attrs: {},
    unsuited: (node, operand) =>
      forward[node.op as 'relu']?.traits?.elementwise || (keepsShape.has(node.op) && operand === 0)
        ? undefined
        : `${node.op} does not keep the shape of operand ${operand}`,
    evaluate: ({ args, operand, relevance }) => like(args[operand]!, (i) => relevance.data[i]!),
    expand: ({ relevance }) => relevance,
    gradientForm: gradientOfPass,
    leaks({ k, live, relevance }) {
      if (live.length === 1) return [];
      return [leak('repeated shares', () => k.scale(relevance, 1 - live.length))];
    },
  },
  route: {
    summary: 'relevance follows the copied elements, exactly',
    equation: 'vjp(R)',
    source: 'structural: each output element is one input element',
    ...transposeOnly,
    unsuited: (node) =>
      forward[node.op as 'reshape']?.traits?.routes ? undefined : `${node.op} does more than move elements`,
    evaluate(reference) {
      const moved = transposedRows(jacobian(reference), reference.relevance.data, undefined);
      return like(reference.args[reference.operand]!, (j) => moved[j]!);
    },
    gradientForm: gradientOfMoving,
    leaks: routeLeaks,
  },
  winner: {
    summary: 'the maximum takes all; ties go to the first',
    equation: 'vjp(R)',
    source: 'Bach et al., PLoS ONE 2015',
    ...transposeOnly,
    unsuited: (node) => (maxima.has(node.op) ? undefined : `${node.op} picks no winner`),
    evaluate: pullRelevance,
    gradientForm: gradientOfMoving,
    leaks: winnerLeaks,
  },
} satisfies Record<string, RuleDefinition>;
