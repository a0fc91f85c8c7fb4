// Joined slices: a sum of zero-padded pieces that do not overlap is their concatenation.
//
//   accumulate(pad(a), pad(b), c) = accumulate(concat(a, 0, b), c)
//
// What comes back to a value from slices of it are such pieces: the transpose of a slice pads with zeros.
import type { GraphBuilder } from '../builder.js';
import { type Dialect, numberOf, numbersOf } from '../dialect.js';
import type { Graph, Name, Node } from '../graph.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

/** A part of a sum that is zero outside of [begin, end) along one axis, and equal to `piece` within. */
interface Piece {
  /** Of the sum's operand. */
  readonly slot: number;
  readonly piece: Name;
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

/** A part as a piece, where it is one padded with zeros along one axis alone. */
function pieceOf(builder: GraphBuilder, part: Name, slot: number): Piece | undefined {
  const { op, args, attrs } = builder.node(part);
  if (op !== 'pad' || numberOf(attrs, 'value', 0) !== 0) return undefined;
  if (numbersOf(attrs, 'interior').some((gap) => gap > 0)) return undefined;
  const [low, high] = [numbersOf(attrs, 'low'), numbersOf(attrs, 'high')];
  const padded = [...low.keys()].filter((axis) => low[axis]! + high[axis]! > 0);
  const [axis] = padded;
  if (axis === undefined || padded.length > 1) return undefined;
  const begin = low[axis]!;
  const piece = args[0]!;
  return { slot, piece, axis, begin, end: begin + (builder.typeOf(piece).shape[axis] as number) };
}

/** As many pieces as fit side by side along an axis, from its low end: always the next that ends first. */
function disjoint(pieces: readonly Piece[]): Piece[] {
  const chosen: Piece[] = [];
  for (const piece of [...pieces].sort((a, b) => a.end - b.end)) {
    if (piece.begin >= (chosen.at(-1)?.end ?? 0)) chosen.push(piece);
  }
  return chosen;
}

/** Pieces side by side along their axis, with zeros in the gaps. */
function join(builder: GraphBuilder, sum: Node, axis: number, pieces: readonly Piece[], name?: Name): Name {
  const zeros = (count: number): Name[] => {
    const shape = sum.type.shape.map((dim, at) => (at === axis ? count : dim));
    return count === 0 ? [] : [builder.splat(0, { dtype: 'f32', shape })];
  };
  const ends = [0, ...pieces.map(({ end }) => end)];
  const parts = pieces.flatMap(({ piece, begin }, index) => [...zeros(begin - ends[index]!), piece]);
  const rest = zeros((sum.type.shape[axis] as number) - ends.at(-1)!);
  return builder.add('concat', [...parts, ...rest], {
    attrs: { axis },
    ...(name === undefined ? {} : { name }),
  });
}

/** The sum with the pieces along each axis joined where there are several; undefined where there are none. */
function joinParts(builder: GraphBuilder, sum: Node): Name | undefined {
  const pieces = sum.args.flatMap((part, slot) => pieceOf(builder, part, slot) ?? []);
  const groups = [...sum.type.shape.keys()]
    .map((axis) => disjoint(pieces.filter((piece) => piece.axis === axis)))
    .filter((group) => group.length > 1);
  if (groups.length === 0) return undefined;
  const taken = new Set(groups.flat().map(({ slot }) => slot));
  const parts = sum.args.filter((_, slot) => !taken.has(slot));
  const isWhole = parts.length === 0 && groups.length === 1;
  const joined = groups.map((group) =>
    join(builder, sum, group[0]!.axis, group, isWhole ? sum.name : undefined),
  );
  return isWhole ? joined[0] : builder.add('accumulate', [...parts, ...joined], { name: sum.name });
}

export function joinDisjointSlices(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) =>
    node.op === 'accumulate' ? joinParts(builder, node) : undefined,
  );
}

export const joinSlices = graphPass(
  'join-slices',
  'sums of zero-padded pieces that do not overlap as concatenations',
  joinDisjointSlices,
);
