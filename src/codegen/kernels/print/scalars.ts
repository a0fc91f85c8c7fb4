// Scalar expressions as text: one line a value, in the syntax of graphs; what several lines share is named.
import type { Scalar } from '../../../ir/scalar.js';

/** A line of a body: what is computed, and how. */
export interface ScalarLine {
  readonly name: string;
  readonly expression: string;
}

const printNumber = (value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  return value === Number.NEGATIVE_INFINITY ? '-inf' : String(value);
};

/** Names of expressions while their lines are written. */
export class ScalarPrinter {
  readonly lines: ScalarLine[] = [];
  private readonly names = new Map<Scalar, string>();
  private temporaries = 0;

  constructor(
    /** What an operand is called. */
    private readonly operand: (index: number) => string,
    /** How often each expression is read: what is read twice has a line of its own. */
    private readonly uses: ReadonlyMap<Scalar, number>,
    /** What names of such lines begin with. */
    private readonly letter: string,
  ) {}

  /** An expression by its name, where it has one, or else written out. */
  read(value: Scalar): string {
    const known = this.names.get(value);
    if (known !== undefined) return known;
    if (value.kind === 'apply' && (this.uses.get(value) ?? 0) > 1) return this.temporary(value);
    return this.written(value);
  }

  /** Adds the line of a named value. */
  name(name: string, value: Scalar): void {
    this.lines.push({ name, expression: this.names.get(value) ?? this.written(value) });
    if (!this.names.has(value)) this.names.set(value, name);
  }

  private temporary(value: Scalar): string {
    const expression = this.written(value);
    const name = `${this.letter}${this.temporaries++}`;
    this.lines.push({ name, expression });
    this.names.set(value, name);
    return name;
  }

  private written(value: Scalar): string {
    if (value.kind === 'number') return printNumber(value.value);
    if (value.kind === 'operand') return this.operand(value.index);
    return `${value.fn}(${value.args.map((arg) => this.read(arg)).join(', ')})`;
  }
}

/** How often each expression is read by others, and by the roots. */
export function usesOfScalars(roots: readonly Scalar[]): ReadonlyMap<Scalar, number> {
  const uses = new Map<Scalar, number>();
  const visit = (value: Scalar): void => {
    const count = uses.get(value) ?? 0;
    uses.set(value, count + 1);
    if (count === 0 && value.kind === 'apply') value.args.forEach(visit);
  };
  roots.forEach(visit);
  return uses;
}
