// The quotient R / den(z) of a rule, in graph ops and on dense data, from the rule's own attributes.
import { type AttrSchema, numberOf } from '../../ir/dialect.js';
import type { Attrs, Name } from '../../ir/graph.js';
import { stabilisedQuotient } from '../../ir/ops/quotient.js';
import { elementCount } from '../../ir/type.js';
import type { Application, GradientExpansion } from '../rules.js';
import type { Reference } from './reference.js';

/**
 * `normScale`: ε is multiplied by the root mean square of z over one sample (zennit's option); where that is 0, so
 * that nothing would keep the denominator from 0, ε stays as it is.
 */
export const denominatorAttrs: AttrSchema = { denominator: 'string', eps: 'number?', normScale: 'boolean?' };

/** The stabiliser of zennit: ε = 1e-6, with the sign of z. */
export const signed: Attrs = { denominator: 'signed', eps: 1e-6 };
/** captum's: the same with ε = 1e-9. */
export const signedSmall: Attrs = { denominator: 'signed', eps: 1e-9 };
/** That of Chefer et al.: 1e-9 whatever the sign. */
export const chefer: Attrs = { denominator: 'chefer', eps: 1e-9 };

const modeOf = (attrs: Attrs) => attrs.denominator as string;

/** s = R / den(z), and what its stabiliser adds to z; undefined where nothing is added. */
export interface Quotient {
  readonly relevance: Name;
  readonly z: Name;
  s(): Name;
  readonly stabiliser: (() => Name) | undefined;
}

/** ε · rms(z) over one sample, or undefined where ε is a plain number. */
function scaledEpsilon({ builder, attrs, k }: Application, z: Name): Name | undefined {
  if (attrs.normScale !== true) return undefined;
  const { shape } = builder.typeOf(z);
  const meanSquare = k.scale(k.sumPerSample(k.unary('square', z)), 1 / elementCount(shape));
  const vanishes = k.binary('equal', meanSquare, k.constant(0, meanSquare));
  const scale = builder.add('select', [vanishes, k.constant(1, meanSquare), k.unary('sqrt', meanSquare)]);
  return k.scale(scale, numberOf(attrs, 'eps'));
}

/** An op of a denominator: `operands` and ε, which is an attribute or one more operand. */
function withEpsilon(site: Application, op: string, operands: readonly Name[], z: Name, name?: Name): Name {
  const { builder, attrs } = site;
  const epsilon = scaledEpsilon(site, z);
  const plain = epsilon !== undefined || attrs.eps === undefined ? {} : { eps: attrs.eps };
  return builder.add(op, epsilon === undefined ? operands : [...operands, epsilon], {
    attrs: { mode: modeOf(attrs), ...plain },
    ...(name === undefined ? {} : { name }),
  });
}

/** R / den(z); the node is called `s.<of>`. */
export function quotientAt(site: Application, relevance: Name, z: Name, of: Name): Quotient {
  return {
    relevance,
    z,
    s: () => withEpsilon(site, 'quotient', [relevance, z], z, `s.${of}`),
    stabiliser: modeOf(site.attrs) === 'exact' ? undefined : () => withEpsilon(site, 'stabiliser', [z], z),
  };
}

/** s = R / den(z) as a node called `s.<of>`. */
export const expandQuotient = (site: Application, relevance: Name, z: Name, of: Name): Name =>
  quotientAt(site, relevance, z, of).s();

/**
 * s = R / z of a rule without a stabiliser: q where R = z ⊙ q is known; undefined with a stabiliser, whose quotient
 * costs as much in either form.
 * @param z  the denominator, where it is not the ruled value itself
 */
export function exactQuotient(site: GradientExpansion, z: Name = site.node.name): Name | undefined {
  if (modeOf(site.attrs) !== 'exact') return undefined;
  if (site.gradient !== undefined && z === site.node.name) return site.gradient;
  return expandQuotient(site, site.relevance, z, site.node.name);
}

/** s = R / den(z) on dense data. */
export function quotientsOf(
  { attrs, batch, precision }: Reference,
  z: ArrayLike<number>,
  relevance: ArrayLike<number>,
): Float64Array {
  const round = precision === 'f32' ? Math.fround : (value: number) => value;
  const eps = attrs.eps === undefined ? 0 : numberOf(attrs, 'eps');
  const size = z.length / batch;
  return Float64Array.from(relevance, (r, i) => {
    let epsilon = eps;
    if (attrs.normScale === true) {
      const start = Math.floor(i / size) * size;
      let squares = 0;
      for (let j = start; j < start + size; j++) squares += z[j]! * z[j]!;
      const meanSquare = squares / size;
      epsilon = meanSquare === 0 ? eps : eps * Math.sqrt(meanSquare);
    }
    return stabilisedQuotient(r, z[i]!, modeOf(attrs), epsilon, round);
  });
}
