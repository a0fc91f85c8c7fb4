// Decomposition: ops that stay whole for the sake of rules become the arithmetic or the movement they stand for.
//
// Statistics that a rule or a derivative needs again are then common subexpressions.
import type { GraphBuilder } from '../builder.js';
import type { Dialect } from '../dialect.js';
import type { Graph, Name, Node } from '../graph.js';
import { decomposeNormalization } from '../ops/normalization.js';
import { decomposeIndexing } from './consecutive.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

/** What stands for a node; undefined where it stays whole. */
const parts: Readonly<Record<string, (builder: GraphBuilder, node: Node) => Name | undefined>> = {
  layer_norm: decomposeNormalization,
  rms_norm: decomposeNormalization,
  gather: decomposeIndexing,
  scatter_add: decomposeIndexing,
};

export function decomposeWholeOps(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => {
    if (!Object.hasOwn(parts, node.op)) return undefined;
    builder.scope = `t.${node.name}.`;
    return parts[node.op]!(builder, node);
  });
}

export const decompose = graphPass(
  'decompose',
  'write normalizations as plain arithmetic, and gathers of consecutive places as slices',
  decomposeWholeOps,
);
