// Decomposition: ops that stay whole for the sake of rules become the arithmetic they stand for.
//
// Statistics that a rule or a derivative needs again are then common subexpressions.
import type { Dialect } from '../dialect.js';
import type { Graph } from '../graph.js';
import { decomposeNormalization } from '../ops/normalization.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

const normalizations: ReadonlySet<string> = new Set(['layer_norm', 'rms_norm']);

export function decomposeNormalizations(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => {
    if (!normalizations.has(node.op)) return undefined;
    builder.scope = `t.${node.name}.`;
    return decomposeNormalization(builder, node);
  });
}

export const decompose = graphPass(
  'decompose',
  'write layer norm and RMS norm as plain arithmetic',
  decomposeNormalizations,
);
