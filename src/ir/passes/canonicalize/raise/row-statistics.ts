// Statistics of rows in polynomials: the mean of x, of its square, and the inverse root of what is made of them.
//
// With M = mean x and A = mean x² along the last axis, W = A − M² is the variance, however it is spelled: mean (x − M)²
// expands to A − 2·M·M + M². R = 1/√(W + ε) is one symbol, named after which W it is of and after ε.
import { numbersOf } from '../../../dialect.js';
import type { Name, Node } from '../../../graph.js';
import { sameShape } from '../../../type.js';
import { type Expand, expanded, type Subject, under, X } from './expand.js';
import { factorOf, isNear, numeric, type Polynomial, plus, single, symbol, times } from './polynomial.js';
import type { AxisMap, Values } from './values.js';

export const rowMeanSymbol = 'mean';
const meanSquareSymbol = 'mean-square';
const deviationPrefix = '1/deviation';

export interface Deviation {
  /** Of a variance, or of a mean of squares. */
  readonly kind: 'layer_norm' | 'rms_norm';
  readonly epsilon: number;
}

const deviationSymbol = ({ kind, epsilon }: Deviation) => `${deviationPrefix} ${kind} ${epsilon}`;

export function deviationNamed(named: string): Deviation | undefined {
  const [prefix, kind, epsilon] = named.split(' ');
  if (prefix !== deviationPrefix) return undefined;
  return { kind: kind as Deviation['kind'], epsilon: Number(epsilon) };
}

const noSquares = 'the root is not of a mean of squares of one value plus a constant number';

/** What W + ε is of; a sentence where W is neither a variance nor a mean of squares. */
function deviationOf(squares: Polynomial): Deviation | string {
  const weight = factorOf(squares, `${meanSquareSymbol}^1`);
  const about = factorOf(squares, `${rowMeanSymbol}^2`);
  const epsilon = factorOf(squares, '');
  const known = [weight, about, epsilon].filter((factor) => factor !== 0).length;
  if (weight === 0 || known !== squares.size) return noSquares;
  if (!isNear(weight, 1)) return `the mean of squares is taken ${weight.toPrecision(6)} times, expected once`;
  if (about !== 0 && !isNear(about, -1))
    return 'the squares are of distances from another number than the mean';
  if (epsilon < 0) return `${epsilon} is added to the mean of squares, expected a number ≥ 0`;
  return { kind: about === 0 ? 'rms_norm' : 'layer_norm', epsilon };
}

/** The mean along the last axis: of x it is M, of x² A; what has no x stays. */
function meanOf(p: Polynomial): Polynomial | undefined {
  let sum: Polynomial | undefined = numeric(0);
  for (const { factor, powers } of p.values()) {
    const power = powers.get(X) ?? 0;
    const others = new Map([...powers].filter(([named]) => named !== X));
    if (![0, 1, 2].includes(power) || [...others.keys()].some((named) => named !== rowMeanSymbol))
      return undefined;
    const reduced = [numeric(1), symbol(rowMeanSymbol), symbol(meanSquareSymbol)][power]!;
    const term = times(single({ factor, powers: others }), reduced);
    sum = term && plus(sum, term);
    if (sum === undefined) return undefined;
  }
  return sum;
}

const isReduction = ({ op }: Node) => op === 'mean' || op === 'sum';

/** The power of 1/√w that a root of w is; undefined of other nodes. */
export function rootPower(values: Values, { op, args }: Node): number | undefined {
  if (op === 'sqrt') return -1;
  if (op === 'rsqrt') return 1;
  const exponent = op === 'pow' ? values.numberOf(args[1]!) : undefined;
  if (exponent === 0.5) return -1;
  return exponent === -0.5 ? 1 : undefined;
}

/** x with its statistics as symbols. */
export function rowsOf(values: Values, x: Name): Subject {
  const shape = values.shapeOf(x);
  const last = shape.length - 1;
  const isSpreadBack = (axes: AxisMap) =>
    axes.every((axis, at) => shape[at] === 1 || axis === (at === last ? -1 : at));
  const reduced = (node: Node, axes: AxisMap, expand: Expand) => {
    const along = numbersOf(node.attrs, 'axes');
    const isOfRows =
      along.length === 1 && along[0] === last && sameShape(values.shapeOf(node.args[0]!), shape);
    if (!isOfRows || !isSpreadBack(axes)) return undefined;
    const inner = expand(node.args[0]!, [...shape.keys()]);
    const result = inner && meanOf(inner);
    return result && (node.op === 'sum' ? times(result, numeric(shape[last] as number)) : result);
  };
  const rooted = (node: Node, power: number, axes: AxisMap, expand: Expand) => {
    const squares = expand(node.args[0]!, axes);
    const found = squares && deviationOf(squares);
    return found === undefined || typeof found === 'string'
      ? undefined
      : symbol(deviationSymbol(found), power);
  };
  return {
    values,
    x,
    atom(node, axes, expand) {
      if (isReduction(node)) return reduced(node, axes, expand);
      const power = rootPower(values, node);
      return power === undefined ? undefined : rooted(node, power, axes, expand);
    },
  };
}

const insideRoot = (values: Values, root: Node) => under(values, root.args[0]!, 14, ['mean', 'sum']);

/** The values under a root that may be x: what is averaged and what is squared. */
export function rowCandidates(values: Values, root: Node): readonly Name[] {
  const inside = insideRoot(values, root);
  const squared = inside.filter(({ op }) => op === 'square' || op === 'mul' || op === 'pow');
  const names = [...inside.filter(isReduction), ...squared].map(({ args }) => args[0]!);
  return [...new Set(names)].filter((name) => values.isActive(name) && values.shapeOf(name).length > 0);
}

/** Why a root is not the deviation of rows; where it is, that what it divides is another value. */
export function rootMissed(values: Values, root: Node): string | undefined {
  const reduction = insideRoot(values, root).find(isReduction);
  if (reduction === undefined) return undefined;
  const shape = values.shapeOf(reduction.args[0]!);
  const [last, axes] = [shape.length - 1, numbersOf(reduction.attrs, 'axes')];
  if (rootPower(values, root) === undefined) {
    return `its exponent is ${values.numberOf(root.args[1]!)}, expected 0.5 or −0.5`;
  }
  if (axes.join() !== String(last))
    return `its mean runs over axes [${axes}], expected the last alone, [${last}]`;
  const onto = shape.map((_, axis) => (axis === last ? -1 : axis));
  const found = rowCandidates(values, root).flatMap((x) => {
    if (!sameShape(values.shapeOf(x), shape)) return [];
    const squares = expanded(rowsOf(values, x), root.args[0]!, onto);
    return squares === undefined ? [] : [{ x, deviation: deviationOf(squares) }];
  });
  const good = found.find(({ deviation }) => typeof deviation !== 'string');
  if (good === undefined) {
    const reasons = found.map(({ deviation }) => deviation as string);
    return reasons.find((reason) => reason !== noSquares) ?? noSquares;
  }
  const { kind } = good.deviation as Deviation;
  const wanted = kind === 'layer_norm' ? `%${good.x} less its mean` : `%${good.x}`;
  return `it does not divide ${wanted}, times a constant vector along the last axis, and nothing else`;
}
