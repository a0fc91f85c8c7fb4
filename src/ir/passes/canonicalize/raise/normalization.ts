// Layer norm and RMS norm: rows over their deviation, with a scale and an offset along the last axis.
//
// Every association is one polynomial: layer norm is γ·x·R − γ·M·R + β with R the inverse root of a variance, RMS norm
// γ·x·R with R that of a mean of squares.
import type { Arithmetic } from '../../../arithmetic.js';
import { numberOf } from '../../../dialect.js';
import type { Name, Node } from '../../../graph.js';
import { sameShape } from '../../../type.js';
import { expanded, under, vectorNamed, X } from './expand.js';
import { isNear, type Polynomial, type Term } from './polynomial.js';
import type { Raised, Raiser } from './raiser.js';
import {
  type Deviation,
  deviationNamed,
  rootMissed,
  rootPower,
  rowCandidates,
  rowMeanSymbol,
  rowsOf,
} from './row-statistics.js';
import type { Values } from './values.js';

/** A number times a vector along the last axis, or a number alone. */
interface Along {
  readonly factor: number;
  readonly vector: Name | undefined;
}

interface Normalization extends Deviation {
  readonly scale: Along;
  readonly offset: Along | undefined;
}

/** A term's power of x, of the mean and of its deviation, and what it has along the rows. */
interface Part {
  readonly of: 'x' | 'mean' | 'rows';
  readonly deviation: string | undefined;
  readonly along: Along;
}

/** A term as a part of a normalization; undefined where it is none. */
function partOf({ factor, powers }: Term): Part | undefined {
  const once = [...powers].filter(([, power]) => power === 1).map(([named]) => named);
  if (once.length !== powers.size) return undefined;
  const vectors = once.flatMap((named) => vectorNamed(named) ?? []);
  const deviations = once.filter((named) => deviationNamed(named) !== undefined);
  const rest = once.filter(
    (named) => vectorNamed(named) === undefined && deviationNamed(named) === undefined,
  );
  if (vectors.length > 1 || deviations.length > 1 || rest.length > 1) return undefined;
  const of = rest[0] === X ? 'x' : rest[0] === rowMeanSymbol ? 'mean' : 'rows';
  return { of, deviation: deviations[0], along: { factor, vector: vectors[0] } };
}

const opposite = (a: Along, b: Along) => a.vector === b.vector && isNear(a.factor, -b.factor);

/** The normalization that a polynomial is. */
function normalizationOf(p: Polynomial): Normalization | undefined {
  const parts = [...p.values()].map(partOf);
  const partsOf = (of: Part['of']) => parts.filter((part) => part?.of === of) as Part[];
  const [[gain, ...gains], shifts, offsets] = [partsOf('x'), partsOf('mean'), partsOf('rows')];
  const deviation = gain?.deviation === undefined ? undefined : deviationNamed(gain.deviation);
  if (gain === undefined || deviation === undefined || parts.includes(undefined)) return undefined;
  const [shift, offset] = [shifts[0], offsets[0]];
  if (gains.length > 0 || shifts.length > 1 || offsets.length > 1 || offset?.deviation !== undefined)
    return undefined;
  if (deviation.kind === 'rms_norm') {
    return (shift ?? offset) ? undefined : { ...deviation, scale: gain.along, offset: undefined };
  }
  const isCentred = shift?.deviation === gain.deviation && opposite(shift!.along, gain.along);
  return isCentred ? { ...deviation, scale: gain.along, offset: offset?.along } : undefined;
}

/** factor · vector as an operand; undefined where it is `neutral` everywhere. */
function operandOf(
  k: Arithmetic,
  along: Along | undefined,
  extent: number,
  neutral: number,
): Name | undefined {
  if (along === undefined) return undefined;
  const { factor, vector } = along;
  const type = { dtype: 'f32', shape: [extent] } as const;
  if (vector === undefined) return factor === neutral ? undefined : k.builder.splat(factor, type);
  const flat = k.builder.typeOf(vector).shape.length === 1 ? vector : k.reshape(vector, [extent]);
  return k.scale(flat, factor);
}

function written(k: Arithmetic, name: Name, x: Name, { kind, epsilon, scale, offset }: Normalization): Name {
  const extent = k.builder.typeOf(x).shape.at(-1) as number;
  const shift = operandOf(k, offset, extent, 0);
  const gain = operandOf(k, scale, extent, 1);
  const ones = () => k.builder.splat(1, { dtype: 'f32', shape: [extent] });
  const vectors = shift === undefined ? [gain] : [gain ?? ones(), shift];
  const args = [x, ...vectors.filter((vector) => vector !== undefined)];
  return k.builder.add(kind, args, { attrs: { epsilon }, name });
}

function fromArithmetic(values: Values, end: Node): Raised | undefined {
  const roots = under(values, end.name, 8).filter((node) => rootPower(values, node) !== undefined);
  const found = roots.flatMap((root) =>
    rowCandidates(values, root).flatMap((x) => {
      if (!sameShape(values.shapeOf(x), end.type.shape)) return [];
      const whole = expanded(rowsOf(values, x), end.name);
      const normalization = whole && normalizationOf(whole);
      return normalization === undefined ? [] : [{ x, normalization }];
    }),
  );
  // x less its mean, taken for x, is normalized by a mean of squares: that is the layer norm of x
  const best = found.find(({ normalization }) => normalization.kind === 'layer_norm') ?? found[0];
  return best && ((k, name) => written(k, name, best.x, best.normalization));
}

/** A scale behind a normalization that has none, or an offset behind a layer norm, where nothing else reads it bare. */
function withVector(values: Values, { op, args }: Node): Raised | undefined {
  for (const [slot, normal] of args.entries()) {
    const node = values.node(normal);
    const [x, scale, offset] = node.args as [Name, Name?, Name?];
    const takes = op === 'mul' ? scale === undefined : node.op === 'layer_norm' && offset === undefined;
    if (!['layer_norm', 'rms_norm'].includes(node.op) || !takes || !values.isReadOnce(normal)) continue;
    const { shape } = node.type;
    const last = shape.length - 1;
    const vector = values.vectorOf(args[1 - slot]!, [...shape.keys()], last, shape[last] as number);
    if (vector === undefined) continue;
    const deviation = { kind: node.op as Deviation['kind'], epsilon: numberOf(node.attrs, 'epsilon') };
    const [gain, shift] = op === 'mul' ? [vector, undefined] : [scale, vector];
    const along = { factor: 1, vector: gain };
    return (k, name) =>
      written(k, name, x, {
        ...deviation,
        scale: along,
        offset: shift === undefined ? undefined : { factor: 1, vector: shift },
      });
  }
  return undefined;
}

export const normalization: Raiser = {
  composites: ['layer_norm', 'rms_norm'],
  ends: ['add', 'sub', 'mul', 'div'],
  find: (values, end) =>
    (end.op === 'add' || end.op === 'mul' ? withVector(values, end) : undefined) ??
    fromArithmetic(values, end),
  near: { anchors: ['sqrt', 'rsqrt', 'pow'], missed: rootMissed },
};
