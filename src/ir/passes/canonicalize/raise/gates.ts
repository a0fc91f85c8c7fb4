// Activations of the form x · gate(x): gelu by erf, gelu by tanh, swish. Each is one polynomial in x and its gate.
import type { Name, Node } from '../../../graph.js';
import { sameShape } from '../../../type.js';
import { expanded, type Subject, under, X } from './expand.js';
import { isExactly, type Polynomial, scaled, symbol } from './polynomial.js';
import type { Raised, Raiser } from './raiser.js';
import type { Values } from './values.js';

/** One such activation: the function in its gate, what that is a function of, and what the whole is. */
interface Gated {
  readonly op: string;
  /** The gate in a polynomial. */
  readonly gate: string;
  /** Ops that may be the function. */
  readonly functions: readonly string[];
  /** The function's argument as a polynomial in x. */
  readonly argument: Readonly<Record<string, number>>;
  /** The whole as a polynomial in x and the gate. */
  readonly whole: Readonly<Record<string, number>>;
  readonly described: string;
}

const slope = Math.sqrt(2 / Math.PI);

const gatedActivations: readonly Gated[] = [
  {
    op: 'gelu',
    gate: 'erf',
    functions: ['erf'],
    argument: { [`${X}^1`]: Math.SQRT1_2 },
    whole: { [`${X}^1`]: 0.5, [`erf^1 ${X}^1`]: 0.5 },
    described: 'x · (1 + erf(x/√2)) / 2',
  },
  {
    op: 'gelu_tanh',
    gate: 'tanh',
    functions: ['tanh'],
    argument: { [`${X}^1`]: slope, [`${X}^3`]: slope * 0.044715 },
    whole: { [`${X}^1`]: 0.5, [`tanh^1 ${X}^1`]: 0.5 },
    described: 'x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2',
  },
  {
    op: 'swish',
    gate: 'sigmoid',
    functions: ['sigmoid', 'exp'],
    argument: { [`${X}^1`]: 1 },
    whole: { [`sigmoid^1 ${X}^1`]: 1 },
    described: 'x · sigmoid x',
  },
];

/** The gates of x as symbols: the function itself, and 1 + exp(−x), the inverse of a sigmoid. */
function gatesOf(values: Values, x: Name, { gate, functions, argument }: Gated): Subject {
  const plain: Subject = { values, x, atom: () => undefined };
  const isArgument = (name: Name, sign: number) => {
    const p = expanded(plain, name);
    return p !== undefined && isExactly(scaled(p, sign), argument);
  };
  return {
    values,
    x,
    atom({ op, args }) {
      if (op === gate) return isArgument(args[0]!, 1) ? symbol(gate) : undefined;
      if (op !== 'add' || !functions.includes('exp')) return undefined;
      const exponential = args.map((arg) => values.node(arg)).find((node) => node.op === 'exp');
      const isOnePlus = args.some((arg) => values.numberOf(arg) === 1);
      return isOnePlus && exponential !== undefined && isArgument(exponential.args[0]!, -1)
        ? symbol(gate, -1)
        : undefined;
    },
  };
}

/** The values that a function's argument may be made of. */
const candidates = (values: Values, { args }: Node) => under(values, args[0]!, 8);

function find(values: Values, end: Node, gated: Gated): Raised | undefined {
  const functions = under(values, end.name, 6, ['exp']).filter(({ op }) => gated.functions.includes(op));
  for (const x of functions.flatMap((node) => candidates(values, node))) {
    if (!sameShape(x.type.shape, end.type.shape)) continue;
    const whole = expanded(gatesOf(values, x.name, gated), end.name);
    if (whole === undefined || !isExactly(whole, gated.whole)) continue;
    return (k, name) => k.builder.add(gated.op, [x.name], { name });
  }
  return undefined;
}

/** `0.5 x + 0.1 x^3` */
function printed(p: Polynomial): string {
  const terms = [...p].map(([key, { factor }]) =>
    `${Number(factor.toPrecision(7))} ${key.replace('^1', '')}`.trim(),
  );
  return terms.join(' + ');
}

const asWanted = (argument: Gated['argument']): string =>
  Object.entries(argument)
    .map(([key, factor]) => `${Number(factor.toPrecision(7))} ${key.replace('^1', '')}`)
    .join(' + ');

/** Of a gate's argument in x: what it is where it has the terms wanted, with other factors. */
function otherFactors(values: Values, x: Name, anchor: Node, { argument }: Gated): string | undefined {
  const p = expanded({ values, x, atom: () => undefined }, anchor.args[0]!);
  const isAlike =
    p?.size === Object.keys(argument).length && Object.keys(argument).every((key) => p.has(key));
  if (p === undefined || !isAlike || isExactly(p, argument)) return undefined;
  return `${anchor.op} is of ${printed(p)} with x = %${x}, expected ${asWanted(argument)}`;
}

/** A sigmoid is a gate of x only where it is multiplied with x: most are not. */
function missedSigmoid(values: Values, anchor: Node, gated: Gated): string | undefined {
  const factors = values
    .usersOf(anchor.name)
    .flatMap(({ op, args }) => (op === 'mul' ? args.filter((arg) => arg !== anchor.name) : []));
  const reasons = factors.map((x) =>
    values.isActive(x) ? otherFactors(values, x, anchor, gated) : undefined,
  );
  return reasons.find((reason) => reason !== undefined);
}

function missed(values: Values, anchor: Node, gated: Gated): string | undefined {
  const inside = candidates(values, anchor).map(({ name }) => name);
  const isWhole = (x: Name) => {
    const p = expanded({ values, x, atom: () => undefined }, anchor.args[0]!);
    return p !== undefined && isExactly(p, gated.argument);
  };
  const whole = inside.find(isWhole);
  if (whole !== undefined) return `it stands in another expression of %${whole} than ${gated.described}`;
  // the last is the nearest to x: 0.7·x rather than 1·(0.7·x)
  const reasons = inside.flatMap((x) => otherFactors(values, x, anchor, gated) ?? []);
  return reasons.at(-1);
}

export const gates: readonly Raiser[] = gatedActivations.map((gated) => ({
  composites: [gated.op],
  ends: ['add', 'sub', 'mul', 'div'],
  find: (values, end) => find(values, end, gated),
  near: {
    anchors: [gated.gate],
    missed: (values, anchor) =>
      gated.gate === 'sigmoid' ? missedSigmoid(values, anchor, gated) : missed(values, anchor, gated),
  },
}));
