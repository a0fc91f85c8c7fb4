// The sum of Chefer et al.: shares renormalised by absolute values, over each sample or over the whole batch.
import { numberOf } from '../../ir/dialect.js';
import type { Name, Node } from '../../ir/graph.js';
import { stabilisedQuotient } from '../../ir/ops/quotient.js';
import type { TensorData } from '../../ir/tensor.js';
import { idleOperands, type Leak, type Loss, leak, quotientLeaks } from '../leaks.js';
import type { Application, Expansion, RuleDefinition } from '../rules.js';
import { chefer, expandQuotient, quotientAt, quotientsOf } from './quotients.js';
import { like, perSample, type Reference } from './reference.js';

/** Σ spread back over all elements: over each sample, or over the whole batch. */
type Total = (site: Application, x: Name) => Name;

const overSample: Total = ({ k }, x) => k.sumPerSample(x);

const overBatch: Total = ({ builder }, x) => builder.add('batch_total', [x]);

/** a = x₀·R/z and b = x₁·R/z, their totals, and what each of them is to sum to. */
function renormalised(site: Application, total: Total) {
  const { k, node, relevance } = site;
  const s = expandQuotient(site, relevance, node.name, node.name);
  const parts = node.args.map((arg) => k.mul(arg, s));
  const sums = parts.map((part) => total(site, part));
  const sizes = sums.map((sum) => k.unary('abs', sum));
  const all = k.add(sizes[0]!, sizes[1]!);
  const whole = total(site, relevance);
  const wanted = sizes.map((size, slot) =>
    k.mul(quotientAt(site, size, all, `${node.name}.ratio${slot}`).s(), whole),
  );
  return { parts, sums, all, whole, wanted };
}

/** a·(|Σa| / (|Σa| + |Σb|)·ΣR) / Σa, every quotient by the rule's own denominator. */
function expandAdd(expansion: Expansion, total: Total): Name {
  const { k, operand, name } = expansion;
  const { parts, sums, wanted } = renormalised(expansion, total);
  return k.mul(parts[operand]!, expandQuotient(expansion, wanted[operand]!, sums[operand]!, name), name);
}

/**
 * ΣR = Σ_i w_i + what the ratios lose, and each operand receives w_i less what its own quotient loses. All amounts are
 * totals: of each sample, or of the whole batch, which is then divided evenly among its samples.
 */
function leaksOfAdd(loss: Loss, total: Total): readonly Leak[] {
  const { k, node } = loss;
  const { parts, sums, all, whole, wanted } = renormalised(loss, total);
  const { constant, stopped } = idleOperands(loss);
  /** A total, divided among the equal elements that it is spread over: they sum to it. */
  const count = () => total(loss, k.constant(1, node.name));
  const once = (spread: Name) => k.div(spread, count());
  const onceEach = (leaks: readonly Leak[], factor?: Name) =>
    leaks.map(({ cause, amount }) =>
      leak(cause, () => once(factor === undefined ? amount() : k.mul(amount(), factor))),
    );
  // 1 − (|Σa| + |Σb|) / den is what the ratios lose of ΣR
  const unit = quotientAt(loss, k.constant(1, whole), all, `${node.name}.ratio`);
  const ofRatios = onceEach(quotientLeaks(loss, unit), whole);
  const received = loss.live.flatMap((slot) =>
    onceEach(quotientLeaks(loss, quotientAt(loss, wanted[slot]!, sums[slot]!, `${node.name}.${slot}`))),
  );
  const idle = [...constant, ...stopped].flatMap((slot) => {
    const cause = constant.includes(slot) ? 'constant operands' : 'stopped branches';
    const moved = () => k.sub(once(wanted[slot]!), once(sums[slot]!));
    return [leak(cause, () => parts[slot]!), leak('renormalisation', moved)];
  });
  return [...ofRatios, ...received, ...idle];
}

function evaluateAdd(reference: Reference, samples: number): TensorData {
  const { args, attrs, operand, precision, relevance, z } = reference;
  const round = precision === 'f32' ? Math.fround : (value: number) => value;
  const divide = (r: number, den: number) =>
    stabilisedQuotient(r, den, attrs.denominator as string, numberOf(attrs, 'eps', 0), round);
  const s = quotientsOf(reference, z.data, relevance.data);
  const parts = args.map((arg) => Float64Array.from(arg.data, (x, i) => x * s[i]!));
  const sums = parts.map((part) => perSample(part, samples));
  const totals = perSample(relevance.data, samples);
  const size = z.data.length / samples;
  return like(args[operand]!, (i) => {
    const n = Math.floor(i / size);
    const [a, b] = sums.map((sum) => Math.abs(sum[n]!)) as [number, number];
    const wanted = divide(operand === 0 ? a : b, a + b) * totals[n]!;
    return parts[operand]![i]! * divide(wanted, sums[operand]![n]!);
  });
}

const unsuited = (node: Node) => (node.op === 'add' ? undefined : `it is for sums, not for ${node.op}`);
const attrs = { denominator: 'string', eps: 'number?' } as const;

export const cheferAddRules = {
  'chefer.add': {
    summary: 'shares of a sum, renormalised per sample by absolute values',
    equation: 'a·(|Σa|/(|Σa|+|Σb|)·ΣR)/Σa with a = x·R/z',
    source: 'Chefer et al., CVPR 2021',
    attrs,
    defaults: chefer,
    unsuited,
    evaluate: (reference) => evaluateAdd(reference, reference.batch),
    expand: (expansion) => expandAdd(expansion, overSample),
    leaks: (loss) => leaksOfAdd(loss, overSample),
  },
  'chefer.addBatch': {
    summary: 'the same with sums over the whole batch, as published: samples of a batch change each other',
    equation: 'chefer.add, Σ over all samples',
    source: 'Add.relprop of Chefer et al., CVPR 2021',
    attrs,
    defaults: chefer,
    unsuited,
    evaluate: (reference) => evaluateAdd(reference, 1),
    expand: (expansion) => expandAdd(expansion, overBatch),
    leaks: (loss) => leaksOfAdd(loss, overBatch),
  },
} satisfies Record<string, RuleDefinition>;
