// Polynomials: sums of products of symbols, in which every association of an expression is written alike.

/** factor · Π symbolᵖᵒʷᵉʳ; a symbol is a statistic of x, a function of it, x itself, or a constant vector. */
export interface Term {
  readonly factor: number;
  readonly powers: ReadonlyMap<string, number>;
}

/** Terms by what they are powers of. */
export type Polynomial = ReadonlyMap<string, Term>;

/** Coefficients within this of each other, relative to the larger, are one: constants are rounded to 32 bits. */
const tolerance = 1e-6;

/** More terms than any composite has: the expression is something else. */
const mostTerms = 16;

export const isNear = (a: number, b: number): boolean =>
  Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));

function keyOf(powers: ReadonlyMap<string, number>): string {
  return [...powers]
    .map(([symbol, power]) => `${symbol}^${power}`)
    .sort()
    .join(' ');
}

const polynomial = (terms: readonly Term[]): Polynomial =>
  new Map(terms.map((term) => [keyOf(term.powers), term]));

export const single = (term: Term): Polynomial => polynomial([term]);

export const numeric = (factor: number): Polynomial =>
  polynomial(factor === 0 ? [] : [{ factor, powers: new Map() }]);

export const symbol = (name: string, power = 1): Polynomial =>
  polynomial([{ factor: 1, powers: new Map([[name, power]]) }]);

/** Terms of one kind joined; those that cancel up to rounding are gone. */
function collected(terms: readonly Term[]): Polynomial | undefined {
  const sums = new Map<string, Term>();
  for (const term of terms) {
    const key = keyOf(term.powers);
    const other = sums.get(key)?.factor ?? 0;
    const factor = other + term.factor;
    const cancels = Math.abs(factor) <= tolerance * Math.max(Math.abs(other), Math.abs(term.factor));
    if (cancels) sums.delete(key);
    else sums.set(key, { factor, powers: term.powers });
  }
  return sums.size > mostTerms ? undefined : sums;
}

export function plus(a: Polynomial, b: Polynomial): Polynomial | undefined {
  return collected([...a.values(), ...b.values()]);
}

export function scaled(a: Polynomial, by: number): Polynomial {
  return polynomial([...a.values()].map(({ factor, powers }) => ({ factor: factor * by, powers })));
}

export function times(a: Polynomial, b: Polynomial): Polynomial | undefined {
  const products = [...a.values()].flatMap((left) =>
    [...b.values()].map((right) => ({
      factor: left.factor * right.factor,
      powers: added(left.powers, right.powers),
    })),
  );
  return collected(products);
}

function added(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const powers = new Map(a);
  for (const [name, power] of b) {
    const sum = (powers.get(name) ?? 0) + power;
    if (sum === 0) powers.delete(name);
    else powers.set(name, sum);
  }
  return powers;
}

/** 1 / p of a product; a sum has no inverse of this form. */
export function inverse(p: Polynomial): Polynomial | undefined {
  const [term, ...others] = [...p.values()];
  if (term === undefined || others.length > 0) return undefined;
  const powers = new Map([...term.powers].map(([name, power]) => [name, -power] as const));
  return polynomial([{ factor: 1 / term.factor, powers }]);
}

/** Whether a polynomial has exactly these coefficients, by the keys of its terms. */
export function isExactly(p: Polynomial, wanted: Readonly<Record<string, number>>): boolean {
  const keys = Object.keys(wanted);
  return (
    p.size === keys.length && keys.every((key) => p.has(key) && isNear(p.get(key)!.factor, wanted[key]!))
  );
}

/** The factor of a term by its key; 0 where there is none. */
export const factorOf = (p: Polynomial, key: string): number => p.get(key)?.factor ?? 0;
