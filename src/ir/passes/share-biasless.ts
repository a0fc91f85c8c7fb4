// Shared biasless values: an affine value that is computed without its bias anyway is that plus the bias.
//
//   f(x; w, b) = f(x; w) + b
//
// to the last bit, for the bias is added to the finished sum in any case. A rule that leaves the bias out of its
// denominator needs both. Never the other way round: f(x; w, b) − b cancels where b is large.
import { Arithmetic } from '../arithmetic.js';
import { spreadBias } from '../biases.js';
import type { Dialect } from '../dialect.js';
import { activeValues, type Graph, type Name } from '../graph.js';
import { computationKey } from './common-subexpressions.js';
import { removeDeadCode } from './dead-code.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';
import { hoist } from './share-halves.js';

export function shareBiaslessValues(graph: Graph, dialect: Dialect): Graph {
  const alive = removeDeadCode(graph);
  const active = activeValues(alive);
  const isAffine = (op: string) => dialect[op]?.traits?.affine === true;
  const biasless = new Map<string, Name>();
  for (const node of alive.nodes.values()) {
    if (isAffine(node.op) && node.args.length === 2) biasless.set(computationKey(node), node.name);
  }
  return rewrite(alive, dialect, (node, { builder }) => {
    if (builder.nodes.has(node.name)) return node.name;
    const [x, w, bias] = node.args as [Name, Name, Name?];
    if (!isAffine(node.op) || bias === undefined || !active.has(node.name)) return undefined;
    const without = biasless.get(computationKey({ ...node, args: [x, w] }));
    if (without === undefined) return undefined;
    hoist(alive, builder, without);
    const k = new Arithmetic(builder);
    return k.binary('add', without, spreadBias(k, node, bias), node.name);
  });
}

export const shareBiasless = graphPass(
  'share-biasless',
  'affine values that are computed without their bias anyway as those plus the bias',
  shareBiaslessValues,
);
