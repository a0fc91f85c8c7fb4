// Canonicalization: one spelling for what can be spelled in many ways, so that rules see the network that was meant.
import { Arithmetic } from '../../arithmetic.js';
import type { Dialect } from '../../dialect.js';
import { activeValues, type Graph, type Name, type Node } from '../../graph.js';
import { removeDeadCode } from '../dead-code.js';
import { foldConstants } from '../fold-constants.js';
import type { Pass } from '../pass.js';
import { type Rewriter, rewrite } from '../rewrite.js';
import { simplifyNode } from '../simplify.js';
import { channelVector } from './channels.js';
import { batchNormMap, type ChannelMap, countUses, Sinker } from './sink.js';

/** x − c = x + (−c), x / c = x · (1/c), −x = x · (−1): constants are only ever added or multiplied, on the right. */
function normalizeConstants(graph: Graph, dialect: Dialect): Graph {
  const active = activeValues(graph);
  return rewrite(graph, dialect, (node, { builder }) => {
    if (!active.has(node.name) || node.type.dtype !== 'f32') return undefined;
    const k = new Arithmetic(builder);
    const [x, y] = node.args as [Name, Name];
    const keep = { name: node.name };
    if (node.op === 'neg') return builder.add('mul', [x, k.constant(-1, x)], keep);
    if (node.op === 'sub' && !active.has(y)) return builder.add('add', [x, negated(k, y)], keep);
    if (node.op === 'div' && !active.has(y)) return builder.add('mul', [x, inverted(k, y)], keep);
    if ((node.op === 'add' || node.op === 'mul') && !active.has(x)) return builder.add(node.op, [y, x], keep);
    return undefined;
  });
}

/** A unary op on a constant, done on the operand of a broadcast so that the view stays a view. */
function throughViews(k: Arithmetic, constant: Name, op: (value: Name) => Name): Name {
  const node = k.builder.node(constant);
  if (node.op !== 'broadcast') return op(constant);
  return k.builder.add('broadcast', [op(node.args[0]!)], { attrs: node.attrs, type: node.type });
}

const negated = (k: Arithmetic, constant: Name) =>
  throughViews(k, constant, (value) => k.unary('neg', value));
const inverted = (k: Arithmetic, constant: Name) =>
  throughViews(k, constant, (value) => k.unary('reciprocal', value));

/** The channel map that a node applies to its first operand, if it is one. */
function channelMapOf(node: Node, rewriter: Rewriter, active: ReadonlySet<Name>): ChannelMap | undefined {
  const { builder } = rewriter;
  if (node.op === 'batch_norm') return batchNormMap(new Arithmetic(builder), node);
  if (node.op !== 'add' && node.op !== 'mul') return undefined;
  if (active.has(node.args[1]!)) return undefined;
  const vector = channelVector(builder, node.args[1]!);
  if (vector === undefined) return undefined;
  return node.op === 'mul' ? { scale: vector } : { offset: vector };
}

/** Batch norm, BiasAdd, and chains of constant products and sums go into the affine op before them. */
function sinkConstants(graph: Graph, dialect: Dialect): Graph {
  const active = new Set(activeValues(graph));
  const uses = countUses(graph);
  const sunk = rewrite(graph, dialect, (node, rewriter) => {
    if (!active.has(node.name)) return undefined;
    const sinker = new Sinker(rewriter, uses, active);
    const map = channelMapOf(node, rewriter, active);
    if (map === undefined || !sinker.canSink(node.args[0]!, map)) return undefined;
    const count = uses.get(node.name) ?? 0;
    const result = sinker.sink(node.args[0]!, map, node.name);
    uses.set(result, count);
    return result;
  });
  return removeDeadCode(sunk);
}

function simplified(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => simplifyNode(node, builder));
}

export const canonicalize: Pass = {
  name: 'canonicalize',
  summary: 'remove no-ops, sink constants into the affine op before them, fold what is constant',
  run(program, dialect) {
    const steps = [simplified, normalizeConstants, simplified, sinkConstants, simplified];
    const graph = steps.reduce((current, step) => removeDeadCode(step(current, dialect)), program.graph);
    return foldConstants.run({ graph, weights: program.weights }, dialect);
  },
};
