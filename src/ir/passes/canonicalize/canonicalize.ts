// Canonicalization: one spelling for what can be spelled in many ways, so that rules see the network that was meant.

import { evaluateConstant } from '../../analyses/constants.js';
import { preprocessedValues } from '../../analyses/preprocessed.js';
import { countUses } from '../../analyses/uses.js';
import { Arithmetic } from '../../arithmetic.js';
import type { GraphBuilder } from '../../builder.js';
import { attrNumber, type Dialect } from '../../dialect.js';
import { activeValues, type Graph, type Name, type Node } from '../../graph.js';
import { parseEquation } from '../../ops/einsum.js';
import type { Weights } from '../../tensor.js';
import { removeDeadCode } from '../dead-code.js';
import { foldConstants } from '../fold-constants.js';
import type { Pass, Program } from '../pass.js';
import { type Rewriter, rewrite } from '../rewrite.js';
import { simplifyNode } from '../simplify.js';
import { Absorber } from './absorb.js';
import { channelMapOf } from './channels.js';
import { mergePads } from './pads.js';
import { Passage } from './passage.js';
import { raiseComposites } from './raise/raise.js';
import { separateRows } from './rows.js';
import { Sinker, type Values } from './sink.js';

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

const valuesOf = (graph: Graph): Values => ({ uses: countUses(graph), active: new Set(activeValues(graph)) });

function passageOf({ builder }: Rewriter, dialect: Dialect, weights: Weights): Passage {
  return new Passage(builder, (constant) => evaluateConstant(builder.nodes, constant, dialect, weights).data);
}

/** Batch norm, BiasAdd, and chains of constant products and sums go into the affine ops before them. */
function sinkConstants(graph: Graph, dialect: Dialect, weights: Weights): Graph {
  const values = valuesOf(graph);
  let sinker: Sinker | undefined;
  return rewrite(graph, dialect, (node, rewriter) => {
    sinker ??= new Sinker(rewriter, values, passageOf(rewriter, dialect, weights));
    const map = channelMapOf(rewriter.builder, node, values.active);
    return map && sinker.sink(node.args[0]!, map, node.name);
  });
}

/** What could not sink, after a relu, say, or on a value with other uses, goes into the affine op after it. */
function absorbConstants(graph: Graph, dialect: Dialect, weights: Weights): Graph {
  const values = valuesOf(graph);
  const preprocessed = preprocessedValues(graph);
  let absorber: Absorber | undefined;
  return rewrite(graph, dialect, (node, rewriter) => {
    absorber ??= new Absorber(rewriter, values, preprocessed, passageOf(rewriter, dialect, weights));
    return absorber.absorb(node);
  });
}

function simplified(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => simplifyNode(node, builder));
}

const steps: readonly ((graph: Graph, dialect: Dialect, weights: Weights) => Graph)[] = [
  simplified,
  separateRows,
  simplified,
  raiseComposites,
  normalizeConstants,
  simplified,
  sinkConstants,
  absorbConstants,
  mergePads,
  simplified,
];

/** The canonical graph over the weights it was given: exact, for nothing is rounded to 32 bits yet. */
export function canonicalForm({ graph, weights }: Program, dialect: Dialect): Graph {
  return steps.reduce((current, step) => removeDeadCode(step(current, dialect, weights)), graph);
}

export const canonicalize: Pass = {
  name: 'canonicalize',
  summary:
    'remove no-ops, raise composites, move constants into the affine ops beside them, fold what is constant',
  run: (program, dialect) =>
    foldConstants.run({ graph: canonicalForm(program, dialect), weights: program.weights }, dialect),
};
