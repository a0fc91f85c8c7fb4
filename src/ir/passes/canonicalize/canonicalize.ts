// Canonicalization: one spelling for what can be spelled in many ways, so that rules see the network that was meant.
import { Arithmetic } from '../../arithmetic.js';
import type { GraphBuilder } from '../../builder.js';
import { attrNumber, type Dialect } from '../../dialect.js';
import { activeValues, type Graph, type Name, type Node } from '../../graph.js';
import { parseEquation } from '../../ops/einsum.js';
import { removeDeadCode } from '../dead-code.js';
import { foldConstants } from '../fold-constants.js';
import type { Pass } from '../pass.js';
import { type Rewriter, rewrite } from '../rewrite.js';
import { simplifyNode } from '../simplify.js';
import { channelVector } from './channels.js';
import { raiseComposites } from './raise.js';
import { batchNormMap, type ChannelMap, countUses, newDeadEnds, Sinker } from './sink.js';

/**
 * x − c = x + (−c), x / c = x · (1/c), −x = x · (−1): constants are only ever added or multiplied, on the right. The
 * constant factor of a product stands there too, where rules look for the weight.
 */
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
    if (node.op === 'einsum' && node.args.length === 2 && !active.has(x)) return swapped(node, builder);
    if ((node.op === 'add' || node.op === 'mul') && !active.has(x)) return builder.add(node.op, [y, x], keep);
    return undefined;
  });
}

/** ab,bc->ac of (x, y) is bc,ab->ac of (y, x). */
function swapped({ name, args, attrs }: Node, builder: GraphBuilder): Name {
  const { left, right, out } = parseEquation(attrs.eq as string);
  return builder.add('einsum', [...args].reverse(), { name, attrs: { eq: `${right},${left}->${out}` } });
}

/** A unary op on a constant, so that one value stays one value and a broadcast stays a view. */
function mapped(k: Arithmetic, constant: Name, op: string, scalar: (value: number) => number): Name {
  const node = k.builder.node(constant);
  const value = node.op === 'constant' ? attrNumber(node.attrs.value) : undefined;
  if (value !== undefined) return k.constant(scalar(value), constant);
  if (node.op !== 'broadcast') return k.unary(op, constant);
  const source = mapped(k, node.args[0]!, op, scalar);
  return k.builder.add('broadcast', [source], { attrs: node.attrs, type: node.type });
}

const negated = (k: Arithmetic, constant: Name) => mapped(k, constant, 'neg', (value) => -value);
const inverted = (k: Arithmetic, constant: Name) => mapped(k, constant, 'reciprocal', (value) => 1 / value);

/** The channel map that a node applies to its first operand, if it is one: its other operands are constant. */
function channelMapOf(node: Node, rewriter: Rewriter, active: ReadonlySet<Name>): ChannelMap | undefined {
  const { builder } = rewriter;
  if (node.args.slice(1).some((arg) => active.has(arg))) return undefined;
  if (node.op === 'batch_norm') return batchNormMap(new Arithmetic(builder), node);
  if (node.op !== 'add' && node.op !== 'mul') return undefined;
  const vector = channelVector(builder, node.args[1]!);
  if (vector === undefined) return undefined;
  return node.op === 'mul' ? { scale: vector } : { offset: vector };
}

/** Batch norm, BiasAdd, and chains of constant products and sums go into the affine op before them. */
function sinkConstants(graph: Graph, dialect: Dialect): Graph {
  const active = new Set(activeValues(graph));
  const uses = countUses(graph);
  const deadEnds = newDeadEnds();
  const sunk = rewrite(graph, dialect, (node, rewriter) => {
    const map = active.has(node.name) ? channelMapOf(node, rewriter, active) : undefined;
    if (map === undefined) return undefined;
    const count = uses.get(node.name) ?? 0;
    const result = new Sinker(rewriter, uses, active, deadEnds).sink(node.args[0]!, map, node.name);
    if (result !== undefined) uses.set(result, count);
    return result;
  });
  return removeDeadCode(sunk);
}

function simplified(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => simplifyNode(node, builder));
}

export const canonicalize: Pass = {
  name: 'canonicalize',
  summary:
    'remove no-ops, raise composites, sink constants into the affine op before them, fold what is constant',
  run(program, dialect) {
    const steps = [simplified, raiseComposites, normalizeConstants, simplified, sinkConstants, simplified];
    const graph = steps.reduce((current, step) => removeDeadCode(step(current, dialect)), program.graph);
    return foldConstants.run({ graph, weights: program.weights }, dialect);
  },
};
