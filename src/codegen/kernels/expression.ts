// Expressions of kernels: their operands found and renumbered. What is shared in them stays shared.
import type { Scalar } from '../../ir/scalar.js';

type OperandLeaf = Extract<Scalar, { kind: 'operand' }>;

/** A scalar with other leaves. */
export function mapOperands(
  value: Scalar,
  leaf: (operand: OperandLeaf) => Scalar,
  known = new Map<Scalar, Scalar>(),
): Scalar {
  const seen = known.get(value);
  if (seen !== undefined) return seen;
  let mapped = value;
  if (value.kind === 'operand') mapped = leaf(value);
  if (value.kind === 'apply') {
    mapped = { ...value, args: value.args.map((arg) => mapOperands(arg, leaf, known)) };
  }
  known.set(value, mapped);
  return mapped;
}

/** The operands that expressions read, ascending; all their parts; and a way to count the operands from 0. */
export function renumbering(values: readonly Scalar[]) {
  const found = new Set<number>();
  const parts = new Map<Scalar, Scalar>();
  const note = (leaf: OperandLeaf): Scalar => {
    found.add(leaf.index);
    return leaf;
  };
  for (const value of values) mapOperands(value, note, parts);
  const numbers = [...found].sort((a, b) => a - b);
  const places = new Map(numbers.map((number, place) => [number, place]));
  const known = new Map<Scalar, Scalar>();
  const renumber = (value: Scalar): Scalar =>
    mapOperands(value, (leaf) => ({ ...leaf, index: places.get(leaf.index)! }), known);
  return { numbers, parts: parts as Pick<ReadonlyMap<Scalar, Scalar>, 'has'>, renumber };
}

/** Expressions in which equal parts are one object: what two values compute alike is computed once. */
export class SharedExpressions {
  private readonly known = new Map<string, Scalar>();
  private readonly numbers = new Map<Scalar, number>();

  /** The one object that stands for all expressions like this one. */
  of(value: Scalar): Scalar {
    if (this.numbers.has(value)) return value;
    const own = value.kind === 'apply' ? { ...value, args: value.args.map((arg) => this.of(arg)) } : value;
    const key = this.keyOf(own);
    const one = this.known.get(key) ?? own;
    this.known.set(key, one);
    if (one === own) this.numbers.set(own, this.numbers.size);
    return one;
  }

  private keyOf(value: Scalar): string {
    const { kind, dtype } = value;
    if (kind === 'operand') return `operand ${dtype} ${value.index}`;
    // Of the two zeros each is a number of its own
    if (kind === 'number') return `number ${dtype} ${Object.is(value.value, -0) ? '-0' : value.value}`;
    return `${value.fn} ${dtype} ${value.args.map((arg) => this.numbers.get(arg)!)}`;
  }
}
