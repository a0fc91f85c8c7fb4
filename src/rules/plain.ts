// Rules for all other ops: passing, routing, normalising, and the rules of Chefer et al. for sums.
import { numberOf } from '../ir/dialect.js';
import { forward } from '../ir/forward.js';
import type { Name, Node } from '../ir/graph.js';
import { stabilisedQuotient } from '../ir/ops/quotient.js';
import type { TensorData } from '../ir/tensor.js';
import { maxima } from './composite.js';
import { denominatorAttrs, expandQuotient, quotientsOf } from './quotients.js';
import { jacobian, like, perSample, pullBack, type Reference, transposed } from './reference.js';
import type { Expansion, RuleDefinition } from './rules.js';

function pull({ builder, node, operand }: Expansion, cotangent: Name): Name {
  return forward[node.op as 'add'].vjp!({ builder, node, operand, cotangent });
}

function needsDerivative(node: Node): string | undefined {
  const { vjp } = forward[node.op as keyof typeof forward] ?? {};
  return vjp === undefined ? `${node.op} has no derivative` : undefined;
}

const transposeOnly = {
  attrs: {},
  expand: (expansion: Expansion) => pull(expansion, expansion.relevance),
};

const pullRelevance = (reference: Reference) => pullBack(reference, reference.relevance);

/** x ⊙ vjp(R / den(z)) · share */
function expandNorm(expansion: Expansion): Name {
  const { attrs, k, node, operand, relevance, name } = expansion;
  const s = expandQuotient(expansion, relevance, node.name, node.name);
  const portion = numberOf(attrs, 'share', 1);
  return k.mul(node.args[operand]!, k.scale(pull(expansion, s), portion), name);
}

/**
 * The sum of Chefer et al.: a = x₀·R/z and b = x₁·R/z, then a scaled to ΣR·|Σa|/(|Σa|+|Σb|), b likewise;
 * every quotient by safe_divide, every Σ over one sample.
 */
function expandCheferAdd(expansion: Expansion): Name {
  const { k, node, operand, relevance, name } = expansion;
  const divide = (r: Name, z: Name, of: string) => expandQuotient(expansion, r, z, of);
  const s = divide(relevance, node.name, node.name);
  const parts = node.args.map((arg) => k.mul(arg, s));
  const sums = parts.map((part) => k.sumPerSample(part));
  const sizes = sums.map((sum) => k.unary('abs', sum));
  const ratio = divide(sizes[operand]!, k.add(sizes[0]!, sizes[1]!), `${name}.ratio`);
  const wanted = k.mul(ratio, k.sumPerSample(relevance));
  return k.mul(parts[operand]!, divide(wanted, sums[operand]!, name), name);
}

function evaluateCheferAdd(reference: Reference): TensorData {
  const { args, attrs, batch, operand, precision, relevance, z } = reference;
  const round = precision === 'f32' ? Math.fround : (value: number) => value;
  const divide = (r: number, den: number) =>
    stabilisedQuotient(r, den, attrs.denominator as string, numberOf(attrs, 'eps', 0), round);
  const s = quotientsOf(reference, z.data);
  const parts = args.map((arg) => Float64Array.from(arg.data, (x, i) => x * s[i]!));
  const sums = parts.map((part) => perSample(part, batch));
  const totals = perSample(relevance.data, batch);
  const size = z.data.length / batch;
  return like(args[operand]!, (i) => {
    const n = Math.floor(i / size);
    const [a, b] = sums.map((sum) => Math.abs(sum[n]!)) as [number, number];
    const wanted = divide(operand === 0 ? a : b, a + b) * totals[n]!;
    return parts[operand]![i]! * divide(wanted, sums[operand]![n]!);
  });
}

export const plainRules = {
  pass: {
    summary: 'relevance stays where it is',
    equation: 'R',
    source: 'Bach et al., PLoS ONE 2015',
    attrs: {},
    unsuited: (node, operand) =>
      forward[node.op as 'relu']?.traits?.elementwise || (keepsShape.has(node.op) && operand === 0)
        ? undefined
        : `${node.op} does not keep the shape of operand ${operand}`,
    evaluate: ({ args, operand, relevance }) => like(args[operand]!, (i) => relevance.data[i]!),
    expand: ({ relevance }) => relevance,
  },
  route: {
    summary: 'relevance follows the copied elements, exactly',
    equation: 'vjp(R)',
    source: 'structural: each output element is one input element',
    ...transposeOnly,
    unsuited: (node) =>
      forward[node.op as 'reshape']?.traits?.routes ? undefined : `${node.op} does more than move elements`,
    evaluate(reference) {
      const moved = transposed(jacobian(reference), reference.relevance.data, undefined);
      return like(reference.args[reference.operand]!, (j) => moved[j]!);
    },
  },
  winner: {
    summary: 'the maximum takes all; ties go to the first',
    equation: 'vjp(R)',
    source: 'Bach et al., PLoS ONE 2015',
    ...transposeOnly,
    unsuited: (node) => (maxima.has(node.op) ? undefined : `${node.op} picks no winner`),
    evaluate: pullRelevance,
  },
  gradient: {
    summary: 'the true derivative',
    equation: 'vjp(R)',
    source: 'Simonyan et al., 2013',
    ...transposeOnly,
    unsuited: needsDerivative,
    evaluate: pullRelevance,
  },
  norm: {
    summary:
      'shares in proportion to contributions, by the op’s own weights; share halves it for two factors',
    equation: 'share · x ⊙ vjp(R / den(f(x)))',
    source: 'Montavon et al., 2019; RelPropSimple of Chefer et al., CVPR 2021',
    attrs: { ...denominatorAttrs, share: 'number?' },
    unsuited: needsDerivative,
    evaluate(reference) {
      const { args, attrs, operand, z } = reference;
      const quotients = quotientsOf(reference, z.data);
      const s = like(z, (i) => quotients[i]!);
      const pulled = pullBack(reference, s).data;
      return like(args[operand]!, (j) => args[operand]!.data[j]! * pulled[j]! * numberOf(attrs, 'share', 1));
    },
    expand: expandNorm,
  },
  cheferAdd: {
    summary: 'shares of a sum, renormalised per sample by absolute values',
    equation: 'a·(|Σa|/(|Σa|+|Σb|)·ΣR)/Σa with a = x·R/z',
    source: 'Chefer et al., CVPR 2021',
    attrs: { denominator: 'string', eps: 'number?' },
    unsuited: (node) => (node.op === 'add' ? undefined : `it is for sums, not for ${node.op}`),
    evaluate: evaluateCheferAdd,
    expand: expandCheferAdd,
  },
} satisfies Record<string, RuleDefinition>;

/** Ops that are not elementwise but keep the shape of operand 0. */
const keepsShape = new Set(['softmax', 'log_softmax', 'batch_norm']);
