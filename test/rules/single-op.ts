// A graph of one op: from the types of its sources and a line of text.
import { forward } from '../../src/ir/forward.js';
import type { Graph, Name, Node } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';

export interface SingleOp {
  readonly name: string;
  readonly graph: Graph;
  /** The node `%z` that rules are applied to. */
  readonly node: Node;
  /** Operands must be above zero: a divisor, the base of a power. */
  readonly positive: boolean;
}

/** `in`: an input; `w`: a weight; anything else is written as it stands. */
export type Sources = Readonly<Record<Name, string>>;

export function singleOp(name: string, sources: Sources, z: string, positive = false): SingleOp {
  const lines = Object.entries(sources).map(([source, text]) => {
    const [kind, type] = text.split(' ');
    if (kind === 'in') return `%${source} = input() : ${type}`;
    return kind === 'w' ? `%${source} = param() {key="${source}"} : ${type}` : `%${source} = ${text}`;
  });
  const graph = parse(['graph @single {', ...lines, `%z = ${z}`, 'return %z', '}'].join('\n'), forward);
  return { name, graph, node: graph.nodes.get('z')!, positive };
}

/** An affine op with and without its bias. */
export function affine(name: string, op: string, x: string, w: string, b: string, rest: string): SingleOp[] {
  const sources = { x: `in ${x}`, w: `w ${w}` };
  return [
    singleOp(`${name}, bias`, { ...sources, b: `w ${b}` }, `${op}(%x, %w, %b) ${rest}`),
    singleOp(name, sources, `${op}(%x, %w) ${rest}`),
  ];
}
