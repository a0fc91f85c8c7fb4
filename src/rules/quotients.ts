// The quotient R / den(z) of a rule, in graph ops and on dense data, from the rule's own attributes.
import { type AttrSchema, numberOf } from '../ir/dialect.js';
import type { Attrs, Name } from '../ir/graph.js';
import { stabilisedQuotient } from '../ir/ops/quotient.js';
import { elementCount } from '../ir/type.js';
import type { Reference } from './reference.js';
import type { Expansion } from './rules.js';

/**
 * `normScale`: ε is multiplied by the root mean square of z over one sample (zennit's option); where that is 0, so
 * that nothing would keep the denominator from 0, ε stays as it is.
 */
export const denominatorAttrs: AttrSchema = { denominator: 'string', eps: 'number?', normScale: 'boolean?' };

const modeOf = (attrs: Attrs) => attrs.denominator as string;

/** s = R / den(z) as a node called `s.<of>`. */
export function expandQuotient({ builder, attrs, k }: Expansion, relevance: Name, z: Name, of: Name): Name {
  const name = `s.${of}`;
  if (attrs.normScale !== true) {
    const eps = attrs.eps === undefined ? {} : { eps: attrs.eps };
    return builder.add('quotient', [relevance, z], { name, attrs: { mode: modeOf(attrs), ...eps } });
  }
  const { shape } = builder.typeOf(z);
  const meanSquare = k.scale(k.sumPerSample(k.unary('square', z)), 1 / elementCount(shape));
  const vanishes = k.binary('equal', meanSquare, k.constant(0, meanSquare));
  const scale = builder.add('select', [vanishes, k.constant(1, meanSquare), k.unary('sqrt', meanSquare)]);
  const epsilon = k.scale(scale, numberOf(attrs, 'eps'));
  return builder.add('quotient', [relevance, z, epsilon], { name, attrs: { mode: modeOf(attrs) } });
}

/** s = R / den(z) on dense data. */
export function quotientsOf(
  { attrs, batch, precision, relevance }: Reference,
  z: ArrayLike<number>,
): Float64Array {
  const round = precision === 'f32' ? Math.fround : (value: number) => value;
  const eps = attrs.eps === undefined ? 0 : numberOf(attrs, 'eps');
  const size = z.length / batch;
  return Float64Array.from(relevance.data, (r, i) => {
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
