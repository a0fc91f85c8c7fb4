// Shared halves: an affine value whose positive and negative halves are computed anyway is their sum.
//
//   f(x; w, b) = f(x; w⁺, b⁺) + f(x; w⁻, b⁻)
//              = [f(x⁺; w⁺, b⁺) + f(x⁻; w⁻)] + [f(x⁺; w⁻, b⁻) + f(x⁻; w⁺)]
//
// with v⁺ = max(v, 0), v⁻ = min(v, 0). The sum is as exact as the dot product: each half has terms of one sign. Never
// the other way round: the difference z − zα cancels where the contributions have one sign.
import type { GraphBuilder } from '../builder.js';
import type { Dialect } from '../dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../graph.js';
import { computationKey } from './common-subexpressions.js';
import { removeDeadCode } from './dead-code.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

type Half = 'relu' | 'negative_part';

/** The half of a value as it stands in a key: no name has parentheses. */
const halfOf = (half: Half, of: Name) => `${half}(${of})`;

/** Affine nodes by what they compute, with operands that are halves spelled as such. */
type Terms = ReadonlyMap<string, Name>;

const keyWith = (node: Node, args: readonly string[]) => computationKey({ ...node, args });

/** An operand as keys name it: a half by what it is a half of. */
function spelled(graph: Graph, name: Name): string {
  const { op, args } = nodeOf(graph, name);
  return op === 'relu' || op === 'negative_part' ? halfOf(op, args[0]!) : name;
}

function termsOf(graph: Graph, dialect: Dialect): Terms {
  const terms = new Map<string, Name>();
  for (const node of graph.nodes.values()) {
    if (dialect[node.op]?.traits?.affine !== true) continue;
    const [x, ...weights] = node.args as [Name, ...Name[]];
    const parts = weights.map((name) => spelled(graph, name));
    // x as a value of its own, and as a half of another
    for (const operand of [x, spelled(graph, x)]) terms.set(keyWith(node, [operand, ...parts]), node.name);
  }
  return terms;
}

/** The terms of the two halves of `node`, the positive half first, where the graph has them all. */
function halvesOf(node: Node, terms: Terms): Name[][] | undefined {
  const [x, w, bias] = node.args as [Name, Name, Name?];
  const term = (operand: string, half: Half, biasHalf?: Half) => {
    const offset = bias === undefined || biasHalf === undefined ? [] : [halfOf(biasHalf, bias)];
    return terms.get(keyWith(node, [operand, halfOf(half, w), ...offset]));
  };
  const [plus, minus] = [halfOf('relu', x), halfOf('negative_part', x)];
  const candidates = [
    [[term(x, 'relu', 'relu')], [term(x, 'negative_part', 'negative_part')]],
    [
      [term(plus, 'relu', 'relu'), term(minus, 'negative_part')],
      [term(plus, 'negative_part', 'negative_part'), term(minus, 'relu')],
    ],
  ];
  return candidates.find((halves): halves is Name[][] => halves.flat().every((name) => name !== undefined));
}

/** Copies a term, and the halves it is computed from, to where the builder is, unless they stand before. */
export function hoist(graph: Graph, builder: GraphBuilder, term: Name): void {
  const node = nodeOf(graph, term);
  const wanted = [...node.args.map((arg) => nodeOf(graph, arg)), node];
  for (const needed of wanted) if (!builder.nodes.has(needed.name)) builder.copy(needed);
}

export function shareComputedHalves(graph: Graph, dialect: Dialect): Graph {
  // A half that nothing needs is no saving
  const alive = removeDeadCode(graph);
  const terms = termsOf(alive, dialect);
  const active = activeValues(alive);
  return rewrite(alive, dialect, (node, { builder }) => {
    if (builder.nodes.has(node.name)) return node.name;
    if (dialect[node.op]?.traits?.affine !== true || !active.has(node.name)) return undefined;
    const halves = halvesOf(node, terms);
    if (halves === undefined) return undefined;
    for (const term of halves.flat()) hoist(alive, builder, term);
    const sum = (values: readonly Name[], name?: Name) =>
      values.reduce((a, b) => builder.add('add', [a, b], name === undefined ? {} : { name }));
    return sum(
      halves.map((half) => sum(half)),
      node.name,
    );
  });
}

export const shareHalves = graphPass(
  'share-halves',
  'affine values whose halves by sign are computed anyway as the sum of these',
  shareComputedHalves,
);
