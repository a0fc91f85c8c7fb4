// Values as expressions over others: computed anew where they are read, in place of being stored.
import type { Dialect } from '../../ir/dialect.js';
import { type Name, type Node, nodeOf } from '../../ir/graph.js';
import type { Scalar, ScalarFunction } from '../../ir/scalar.js';
import type { Inlined } from './group.js';
import type { Values } from './values.js';
import { moved, type View, viewOps } from './view.js';

/** Functions that are cheap enough to be computed again wherever a modified weight is packed. */
const cheap: ReadonlySet<ScalarFunction> = new Set([
  ...([
    'add',
    'sub',
    'mul',
    'max',
    'min',
    'neg',
    'abs',
    'greater',
    'greater_equal',
    'equal',
    'select',
  ] as const),
]);
/** Functions in an expression that is computed anew wherever it is read. */
const inlineLimit = 8;

/** A value as it lies in memory, as an expression. */
export function plain(view: View): Inlined {
  return { operands: [view], value: { kind: 'operand', index: 0, dtype: 'f32' } };
}

class Inliner {
  private readonly operands: View[] = [];
  private count = 0;

  constructor(
    private readonly values: Values,
    private readonly dialect: Dialect,
    private readonly allows: (node: Node) => boolean,
  ) {}

  of(name: Name): Inlined {
    const value = this.build(name, (view) => view);
    return value === undefined ? plain(this.values.viewOf(name)) : { operands: this.operands, value };
  }

  /** @param through  the movement that leads from a value to where it is read; undefined where none is affine */
  private build(name: Name, through: (view: View) => View | undefined): Scalar | undefined {
    const splat = this.values.splats.get(name);
    if (splat !== undefined) return splat;
    const node = nodeOf(this.values.graph, name);
    if (viewOps.has(node.op) && this.allows(node)) {
      return this.build(node.args[0]!, (view) => {
        const inner = moved(node, view);
        return inner && through(inner);
      });
    }
    const formula = this.dialect[node.op]?.formula;
    if (formula !== undefined && this.allows(node) && ++this.count <= inlineLimit) {
      const args = node.args.map((arg) => this.build(arg, through));
      return args.every((arg) => arg !== undefined) ? formula(args, node) : undefined;
    }
    const own = this.values.viewOf(name);
    const view = through(own);
    if (view !== own) this.values.turned.add(own.buffer);
    return view && { kind: 'operand', index: this.numberOf(view), dtype: node.type.dtype };
  }

  private numberOf(view: View): number {
    const key = JSON.stringify(view);
    const known = this.operands.findIndex((operand) => JSON.stringify(operand) === key);
    return known >= 0 ? known : this.operands.push(view) - 1;
  }
}

function isCheap(node: Node, dialect: Dialect): boolean {
  const formula = dialect[node.op]?.formula;
  if (formula === undefined) return false;
  const leaves = node.args.map((_, index): Scalar => ({ kind: 'operand', index, dtype: 'f32' }));
  const isCheapValue = (value: Scalar): boolean =>
    value.kind !== 'apply' || (cheap.has(value.fn) && value.args.every(isCheapValue));
  return isCheapValue(formula(leaves, node));
}

/** A weight, modified on its way: W⁺ = max(W, 0) is not stored. */
export function inlinedWeight(values: Values, dialect: Dialect, name: Name): Inlined {
  const allows = (node: Node) =>
    !values.isActive(node.name) && (viewOps.has(node.op) || isCheap(node, dialect));
  return new Inliner(values, dialect, allows).of(name);
}

/** What only its one reader needs is computed there. */
export function inlinedOwn(
  values: Values,
  dialect: Dialect,
  useCounts: ReadonlyMap<Name, number>,
  name: Name,
): Inlined {
  const allows = (node: Node) => useCounts.get(node.name) === 1 && dialect[node.op]?.formula !== undefined;
  return new Inliner(values, dialect, allows).of(name);
}
