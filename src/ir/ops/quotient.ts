// The stabilised quotients r / den(z) for every denominator mode of the literature: as a function and as an expression.
import { type Scalar, scalar } from '../scalar.js';

/**
 * How a denominator is kept away from zero, with ε > 0 and sign(0) = +1:
 *
 * | mode      | den(z)                                                    | who                               |
 * |-----------|-----------------------------------------------------------|-----------------------------------|
 * | signed    | z + sign(z)·ε                                             | zennit, captum                    |
 * | clip      | sign(z)·max(|z|, ε)                                       | zennit (option)                   |
 * | plain     | z + ε                                                     | lxt                               |
 * | chefer    | max(z, ε) + min(z, ε), then ε if that is 0; 0 where z = 0 | Chefer et al., CVPR 2021          |
 * | zero-only | ε where z = 0, else z                                     | iNNvestigate                      |
 * | exact     | z; the quotient is 0 where z = 0                          | Bach et al., 2015 (LRP-0)         |
 */
export const denominatorModes = ['signed', 'clip', 'plain', 'chefer', 'zero-only', 'exact'] as const;
export type DenominatorMode = (typeof denominatorModes)[number];

/** r / den(z), each step rounded by `round`. */
export function stabilisedQuotient(
  r: number,
  z: number,
  mode: string,
  epsilon: number,
  round: (value: number) => number,
): number {
  const eps = round(epsilon);
  switch (mode as DenominatorMode) {
    case 'signed':
      return round(r / round(z >= 0 ? z + eps : z - eps));
    case 'clip':
      return round(r / (z >= 0 ? Math.max(z, eps) : Math.min(z, -eps)));
    case 'plain':
      return round(r / round(z + eps));
    case 'chefer': {
      const sum = round(Math.max(z, eps) + Math.min(z, eps));
      return round(r / (sum === 0 ? eps : sum)) * (z === 0 ? 0 : 1);
    }
    case 'zero-only':
      return round(r / (z === 0 ? eps : z));
    case 'exact':
      return z === 0 ? 0 : round(r / z);
  }
}

/** The steps of {@link stabilisedQuotient} as an expression: the same results, bit by bit. */
export function quotientFormula(r: Scalar, z: Scalar, mode: string, epsilon: Scalar): Scalar {
  const zero = scalar.number(0);
  const isZero = scalar.equal(z, zero);
  const bySign = (positive: Scalar, negative: Scalar) =>
    scalar.select(scalar.greaterEqual(z, zero), positive, negative);
  switch (mode as DenominatorMode) {
    case 'signed':
      return scalar.div(r, scalar.add(z, bySign(epsilon, scalar.neg(epsilon))));
    case 'clip':
      return scalar.div(r, bySign(scalar.max(z, epsilon), scalar.min(z, scalar.neg(epsilon))));
    case 'plain':
      return scalar.div(r, scalar.add(z, epsilon));
    case 'chefer': {
      const sum = scalar.add(scalar.max(z, epsilon), scalar.min(z, epsilon));
      const ratio = scalar.div(r, scalar.select(scalar.equal(sum, zero), epsilon, sum));
      return scalar.mul(ratio, scalar.cast(scalar.not(isZero), 'f32'));
    }
    case 'zero-only':
      return scalar.div(r, scalar.select(isZero, epsilon, z));
    case 'exact':
      return scalar.select(isZero, zero, scalar.div(r, z));
  }
}

/** den(z) − z in closed form, so that r / den(z) keeps that much of each unit of its result. */
export function stabiliserOf(z: number, mode: string, epsilon: number): number {
  switch (mode as DenominatorMode) {
    case 'signed':
      return z >= 0 ? epsilon : -epsilon;
    case 'clip':
      return z >= 0 ? Math.max(epsilon - z, 0) : Math.min(-epsilon - z, 0);
    case 'plain':
      return epsilon;
    case 'chefer':
      return z === -epsilon ? 2 * epsilon : epsilon;
    case 'zero-only':
      return z === 0 ? epsilon : 0;
    case 'exact':
      return 0;
  }
}
