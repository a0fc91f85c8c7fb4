// Expansion of an expression into a polynomial in one value x and in what a composite makes of it.
import type { Name, Node } from '../../../graph.js';
import { inverse, numeric, type Polynomial, plus, scaled, symbol, times } from './polynomial.js';
import { type AxisMap, sameAxes, through, type Values } from './values.js';

type Maybe = Polynomial | undefined;

/** Expands another expression of the same x, which has its axes as `axes` says. */
export type Expand = (name: Name, axes: AxisMap) => Maybe;

/** What an op that is no arithmetic is, as a polynomial: a mean, a root, a function; undefined of strangers. */
export type Atom = (node: Node, axes: AxisMap, expand: Expand) => Maybe;

export interface Subject {
  readonly values: Values;
  readonly x: Name;
  readonly atom: Atom;
}

/** Nodes on one way that an expression of a composite has at most. */
const deepest = 24;

/** x in a polynomial. */
export const X = 'x';

/** A constant vector along the last axis, in a polynomial. */
const vectorPrefix = 'vector ';
export const vectorNamed = (named: string): Name | undefined =>
  named.startsWith(vectorPrefix) ? named.slice(vectorPrefix.length) : undefined;

/**
 * The expression at `root`, along `axes` of x, as a polynomial in x, in what `atom` knows and in constant vectors along
 * the last axis of x; undefined where anything else is in it.
 */
export function expanded(
  subject: Subject,
  root: Name,
  axes: AxisMap = sameAxes(subject.values.shapeOf(subject.x)),
): Maybe {
  return expandAt(subject, root, axes, 0);
}

function expandAt(subject: Subject, name: Name, axes: AxisMap, depth: number): Maybe {
  const { values, x } = subject;
  if (depth > deepest) return undefined;
  if (name === x) return isWhole(values.shapeOf(x), axes) ? symbol(X) : undefined;
  if (!values.isActive(name)) return constantOf(subject, name, axes);
  const node = values.node(name);
  const seen = values.seenThrough(node);
  if (seen !== undefined) return expandAt(subject, seen.source, through(axes, seen.axes), depth + 1);
  const at = (arg: Name, own = axes) => expandAt(subject, arg, own, depth + 1);
  return subject.atom(node, axes, at) ?? arithmetic(values, node, (arg) => at(arg));
}

/** Whether every axis runs along itself. */
const isWhole = (shape: readonly unknown[], axes: AxisMap) =>
  axes.length === shape.length && axes.every((axis, at) => axis === at || shape[at] === 1);

function constantOf({ values, x }: Subject, name: Name, axes: AxisMap): Maybe {
  const number = values.numberOf(name);
  if (number !== undefined) return Number.isFinite(number) ? numeric(number) : undefined;
  const last = axes.length - 1;
  const extent = values.shapeOf(x)[last];
  if (typeof extent !== 'number') return undefined;
  const vector = values.vectorOf(name, axes, last, extent);
  return vector === undefined ? undefined : symbol(`${vectorPrefix}${vector}`);
}

function arithmetic(values: Values, { op, args }: Node, expand: (name: Name) => Maybe): Maybe {
  const [a, b] = args as [Name, Name];
  switch (op) {
    case 'add':
      return both(expand, a, b, plus);
    case 'sub':
      return both(expand, a, b, (left, right) => plus(left, scaled(right, -1)));
    case 'mul':
      return both(expand, a, b, times);
    case 'div':
      return both(expand, a, b, (left, right) => {
        const inverted = inverse(right);
        return inverted && times(left, inverted);
      });
    case 'neg':
      return with1(expand(a), (p) => scaled(p, -1));
    case 'square':
      return with1(expand(a), (p) => times(p, p));
    case 'reciprocal':
      return with1(expand(a), inverse);
    case 'pow':
      return power(expand(a), values.numberOf(b));
    default:
      return undefined;
  }
}

const with1 = (p: Maybe, then: (p: Polynomial) => Maybe): Maybe => (p === undefined ? undefined : then(p));

function both(
  expand: (name: Name) => Maybe,
  a: Name,
  b: Name,
  then: (left: Polynomial, right: Polynomial) => Maybe,
): Maybe {
  const left = expand(a);
  const right = left === undefined ? undefined : expand(b);
  return left === undefined || right === undefined ? undefined : then(left, right);
}

/** Whole powers that composites have. */
function power(p: Maybe, exponent: number | undefined): Maybe {
  if (p === undefined) return undefined;
  if (exponent === -1) return inverse(p);
  if (exponent !== 1 && exponent !== 2 && exponent !== 3) return undefined;
  let product: Maybe = p;
  for (let count = 1; count < exponent; count++) product = product && times(product, p);
  return product;
}

/** Ops that an expression of a composite is made of. */
const passing: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'neg',
  'square',
  'reciprocal',
  'pow',
  'sqrt',
  'rsqrt',
  'broadcast',
  'reshape',
]);

/**
 * The active nodes under `root` that arithmetic, views and the ops of `more` lead to, nearest first, in at most
 * `steps` steps.
 */
export function under(
  values: Values,
  root: Name,
  steps: number,
  more: readonly string[] = [],
): readonly Node[] {
  const found = new Map<Name, Node>();
  let frontier = [root];
  for (let step = 0; step <= steps; step++) {
    const fresh = frontier.filter((name) => !found.has(name) && values.isActive(name));
    const nodes = fresh.map((name) => values.node(name));
    for (const node of nodes) found.set(node.name, node);
    frontier = nodes.flatMap(({ op, args }) => (passing.has(op) || more.includes(op) ? args : []));
  }
  return [...found.values()];
}
