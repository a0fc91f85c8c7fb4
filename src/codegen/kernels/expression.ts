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
