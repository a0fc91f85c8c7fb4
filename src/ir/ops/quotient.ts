// The stabilised quotients r / den(z): one definition for every denominator mode of the literature.

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
