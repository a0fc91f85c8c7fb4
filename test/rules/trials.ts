// What rules are tried on: every rule, with every parameter, on every op and operand that it suits.
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs } from '../../src/ir/graph.js';
import type { TensorData } from '../../src/ir/tensor.js';
import { affineOps } from '../../src/rules/formulas/linear.js';
import { type RuleName, ruleTable } from '../../src/rules/rules.js';
import { type SingleOp, type SingleOpData, singleOps } from './single-ops.js';

const signed = { denominator: 'signed', eps: 1e-6 };
const clip = { denominator: 'clip', eps: 0.25 };
const plain = { denominator: 'plain', eps: 1e-6 };
const chefer = { denominator: 'chefer', eps: 1e-9 };
const zeroOnly = { denominator: 'zero-only', eps: 1e-7 };
const scaled = { denominator: 'signed', eps: 0.1, normScale: true };
const zeroBias = { zeroBias: true };
const nonnegative = { nonnegative: true };
const box = { low: -2.5, high: 3 };

/** The parameters that each rule is tried with. */
export const variants: Readonly<Record<RuleName, readonly Attrs[]>> = {
  zero: [{ denominator: 'exact' }, { denominator: 'exact', ...zeroBias }],
  epsilon: [
    signed,
    clip,
    plain,
    chefer,
    zeroOnly,
    scaled,
    { ...signed, ...zeroBias },
    { ...scaled, ...zeroBias },
  ],
  alphaBeta: [
    { alpha: 2, beta: 1, ...signed },
    { alpha: 1.5, beta: 0.5, ...clip, ...zeroBias },
    { alpha: 1, beta: 0, ...chefer, ...zeroBias },
    { alpha: 2, beta: 1, ...scaled },
    { alpha: 2, beta: 1, ...signed, ...nonnegative },
  ],
  zPlus: [signed, { ...signed, ...zeroBias }, scaled, { ...signed, ...nonnegative }],
  flat: [signed, scaled],
  pass: [{}],
  route: [{}],
  winner: [{}],
  gradient: [{}],
  norm: [signed, { ...chefer, share: 0.5 }, scaled],
  'chefer.add': [chefer, signed],
  'chefer.addBatch': [chefer, signed],
  gamma: [
    { gamma: 0.25, ...signed },
    { gamma: 2, ...clip, ...zeroBias },
    { gamma: 0.25, ...scaled },
    { gamma: 0.25, ...signed, ...nonnegative },
    { gamma: 0.25, ...signed, ...nonnegative, vanishing: true },
  ],
  'captum.gamma': [
    { gamma: 0.25, ...signed },
    { gamma: 1, ...scaled, ...zeroBias },
  ],
  'captum.alpha1Beta0': [signed, { ...scaled, ...zeroBias }],
  'chefer.conv': [
    { alpha: 1, beta: 0, ...chefer },
    { alpha: 2, beta: 1, ...signed },
    { alpha: 2, beta: 1, ...scaled, ...nonnegative },
  ],
  zBox: [
    { ...box, ...signed },
    { ...box, ...scaled },
  ],
  'chefer.zBox': [{ denominator: 'plain', eps: 1e-9 }, scaled],
  wSquare: [signed, { ...scaled, ...zeroBias }],
  softmax: [{ masked: -1e6 }, { masked: -1 }],
  stop: [{}],
  layerNorm: [signed, plain, scaled, { ...signed, ...zeroBias }, { denominator: 'exact' }],
  uniform: [{}],
  signal: [signed, scaled],
  guided: [{}],
  deconv: [{}],
};

export interface Trial {
  readonly rule: RuleName;
  readonly params: Attrs;
  readonly single: SingleOp;
  readonly operand: number;
}

/** Operands that relevance can reach: inputs in 32-bit floating point. */
export function activeOperands({ graph, node }: SingleOp): number[] {
  return node.args.flatMap((arg, slot) => {
    const { op, type } = graph.nodes.get(arg)!;
    return op === 'input' && type.dtype === 'f32' ? [slot] : [];
  });
}

/** The relevance pass gives all operands of a node one rule: it must suit every one that relevance can reach. */
const suits = (rule: RuleName, single: SingleOp) =>
  activeOperands(single).every((operand) => ruleTable[rule].unsuited(single.node, operand) === undefined);

export const ruleNames = Object.keys(ruleTable) as RuleName[];

export const trials: readonly Trial[] = ruleNames.flatMap((rule) =>
  singleOps
    .filter((single) => suits(rule, single))
    .flatMap((single) => activeOperands(single).map((operand) => ({ single, operand })))
    .flatMap((where) => (variants[rule] ?? []).map((params) => ({ rule, params, ...where }))),
);

/** The data with what a trial's parameters promise: x ≥ 0, and R = 0 wherever z ≤ 0. */
export function promised({ params, single }: Trial, { inputs, weights }: SingleOpData): SingleOpData {
  if (params.nonnegative !== true) return { inputs, weights };
  const absolute = (data: TensorData): TensorData => ({ ...data, data: data.data.map(Math.abs) });
  const positive = Object.fromEntries(
    Object.entries(inputs).map(([name, data]) => [name, name === 'R' ? data : absolute(data)]),
  );
  // A constant term of a sum contributes as its other terms do
  const isLayer = affineOps.has(single.node.op);
  const own = isLayer ? weights : new Map([...weights].map(([key, data]) => [key, absolute(data)]));
  if (params.vanishing !== true) return { inputs: positive, weights: own };
  const z = evaluate(single.graph, forward, positive, own).z!.data;
  const R = { ...inputs.R!, data: inputs.R!.data.map((r, i) => (z[i]! > 0 ? r : 0)) };
  return { inputs: { ...positive, R }, weights: own };
}

export const printed = (params: Attrs) =>
  Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
