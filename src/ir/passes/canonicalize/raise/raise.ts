// Raising: a composite that arrives as the arithmetic it stands for becomes one op again. Found by data flow alone.
import { Arithmetic } from '../../../arithmetic.js';
import type { Dialect } from '../../../dialect.js';
import type { Graph, Loc, Name } from '../../../graph.js';
import type { Weights } from '../../../tensor.js';
import { rewrite } from '../../rewrite.js';
import { gates } from './gates.js';
import { logSoftmax } from './log-softmax.js';
import { normalization } from './normalization.js';
import type { Raiser } from './raiser.js';
import { softmax } from './softmax.js';
import { Values } from './values.js';

/** All composites; at a node that several find, the first wins. */
const raisers: readonly Raiser[] = [logSoftmax, softmax, normalization, ...gates];

/** The graph with each composite as one op wherever its arithmetic stands. */
export function raiseComposites(graph: Graph, dialect: Dialect, weights: Weights): Graph {
  let values: Values | undefined;
  return rewrite(graph, dialect, (node, { builder }) => {
    values ??= new Values(graph, builder.nodes, dialect, weights);
    for (const { ends, find } of raisers) {
      const raised = ends.includes(node.op) && values.isActive(node.name) ? find(values, node) : undefined;
      if (raised !== undefined) return raised(new Arithmetic(builder), node.name);
    }
    return undefined;
  });
}

/** A value that is almost part of a composite. */
export interface NearMiss {
  readonly name: Name;
  readonly op: string;
  readonly loc: Loc;
  /** The composites it might have been. */
  readonly composites: readonly string[];
  readonly reason: string;
}

/** What is left of the arithmetic of composites in a graph that was raised, and why it was left. */
export function nearMisses(graph: Graph, dialect: Dialect, weights: Weights): readonly NearMiss[] {
  const values = new Values(graph, graph.nodes, dialect, weights);
  return [...graph.nodes.values()].flatMap((anchor) => {
    if (!values.isActive(anchor.name)) return [];
    return raisers.flatMap(({ near, composites }) => {
      const reason = near?.anchors.includes(anchor.op) ? near.missed(values, anchor) : undefined;
      const { name, op, loc } = anchor;
      return reason === undefined ? [] : [{ name, op, loc, composites, reason }];
    });
  });
}
