// Rows: a dense layer on [N,T,C] that arrives as a product of [N·T,C] is one of [N,T,C] again, so that tokens keep an axis.
import type { GraphBuilder } from '../../builder.js';
import { type Dialect, numbersOf } from '../../dialect.js';
import type { Graph, Name, Node } from '../../graph.js';
import { parseEquation } from '../../ops/einsum.js';
import { batchMultiple, type Shape, sameShape } from '../../type.js';
import { rewrite } from '../rewrite.js';

/** What a reshape [N,T…,C…] → [N·T…,C…] made the first axis of, N and T…; undefined of any other. */
function joinedRows(from: Shape, to: Shape): Shape | undefined {
  const whole = to.length > 0 ? batchMultiple(to[0]!) : undefined;
  let multiple = from.length > 0 ? batchMultiple(from[0]!) : undefined;
  if (whole === undefined || multiple === undefined) return undefined;
  let count = 1;
  while (multiple < whole && count < from.length) multiple *= from[count++] as number;
  return multiple === whole && count > 1 ? from.slice(0, count) : undefined;
}

/** "bi,ij->bj" with two more letters behind b is "bcdi,ij->bcdj" in every operand that has b. */
function widened(equation: string, more: number): string {
  const { left, right, out } = parseEquation(equation);
  const unused = [...'abcdefghijklmnopqrstuvwxyz'].filter((letter) => !equation.includes(letter));
  const row = out[0]!;
  const wide = (letters: string) => letters.replace(row, row + unused.slice(0, more).join(''));
  return `${wide(left)},${wide(right)}->${wide(out)}`;
}

class Separation {
  /** Values whose rows stand apart by now, with the shape that they had. */
  private readonly joined = new Map<Name, Shape>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly outputs: ReadonlySet<Name>,
  ) {}

  /** The node with its rows apart; with operands as they were if it needs them so. */
  visit(node: Node): Name | undefined {
    const name = this.outputs.has(node.name) ? undefined : this.separated(node);
    if (name !== undefined) {
      this.joined.set(name, node.type.shape);
      return name;
    }
    if (node.op === 'reshape' || !node.args.some((arg) => this.joined.has(arg))) return undefined;
    return this.builder.copy({ ...node, args: node.args.map((arg) => this.joinedAgain(arg)) });
  }

  private joinedAgain(value: Name): Name {
    const shape = this.joined.get(value);
    if (shape === undefined) return value;
    return this.builder.add('reshape', [value], { type: { ...this.builder.typeOf(value), shape } });
  }

  /** The rows that an operand was joined of, if it was. */
  private rowsOf(arg: Name): Shape | undefined {
    const { op, args, type } = this.builder.node(arg);
    const was = this.joined.get(arg);
    if (was !== undefined) return joinedRows(type.shape, was);
    return op === 'reshape' ? joinedRows(this.builder.typeOf(args[0]!).shape, type.shape) : undefined;
  }

  private separated(node: Node): Name | undefined {
    const rows = node.args.map((arg) => this.rowsOf(arg)).find((each) => each !== undefined);
    if (rows === undefined) return undefined;
    if (node.op === 'einsum') return this.product(node, rows);
    return this.builder.dialect[node.op]!.traits?.elementwise ? this.elementwise(node, rows) : undefined;
  }

  private product(node: Node, rows: Shape): Name | undefined {
    const equation = node.attrs.eq as string;
    const { left, right, out } = parseEquation(equation);
    const sides = [left, right];
    const args = node.args.map((arg, slot) => {
      const place = sides[slot]?.indexOf(out[0]!) ?? -1;
      return place < 0 ? arg : place === 0 ? this.operand(arg, rows) : undefined;
    });
    return this.add(node, args, rows, { eq: widened(equation, rows.length - 1) });
  }

  private elementwise(node: Node, rows: Shape): Name | undefined {
    const args = node.args.map((arg) => this.operand(arg, rows) ?? this.spread(arg, rows));
    return this.add(node, args, rows, node.attrs);
  }

  /** An operand with its rows apart, if they are these. */
  private operand(arg: Name, rows: Shape): Name | undefined {
    const own = this.rowsOf(arg);
    if (own === undefined || !sameShape(own, rows)) return undefined;
    if (this.joined.has(arg)) return arg;
    const { args, type } = this.builder.node(arg);
    const shape = [...rows, ...type.shape.slice(1)];
    const isSource = sameShape(this.builder.typeOf(args[0]!).shape, shape);
    const value = isSource ? args[0]! : this.builder.add('reshape', [args[0]!], { type: { ...type, shape } });
    this.builder.alias(arg, value);
    return value;
  }

  /** A constant that is the same for every row. */
  private spread(arg: Name, rows: Shape): Name | undefined {
    const { op, args, attrs, type } = this.builder.node(arg);
    const wide = { ...type, shape: [...rows, ...type.shape.slice(1)] };
    if (op === 'constant') return this.builder.add(op, [], { attrs, type: wide });
    const axes = op === 'broadcast' ? numbersOf(attrs, 'axes') : [0];
    if (axes.includes(0)) return undefined;
    const moved = axes.map((axis) => axis + rows.length - 1);
    return this.builder.add('broadcast', args, { attrs: { axes: moved }, type: wide });
  }

  private add(
    { op, name, type, loc }: Node,
    args: readonly (Name | undefined)[],
    rows: Shape,
    attrs: Node['attrs'],
  ): Name | undefined {
    if (!args.every((arg) => arg !== undefined)) return undefined;
    const wide = { ...type, shape: [...rows, ...type.shape.slice(1)] };
    return this.builder.add(op, args, { name, attrs, type: wide, loc });
  }
}

/** Takes the rows of products and of what is elementwise apart, wherever a reshape has joined samples with an axis. */
export function separateRows(graph: Graph, dialect: Dialect): Graph {
  const outputs = new Set(Object.values(graph.outputs));
  let separation: Separation | undefined;
  return rewrite(graph, dialect, (node, { builder }) => {
    separation ??= new Separation(builder, outputs);
    return separation.visit(node);
  });
}
