// Simplification: identities of arithmetic and of moved data, each exact.
import type { GraphBuilder } from '../builder.js';
import { attrNumber, type Dialect, numbersOf } from '../dialect.js';
import type { Graph, Name, Node } from '../graph.js';
import { sameShape, sameType } from '../type.js';
import { graphPass } from './pass.js';
import { rewrite } from './rewrite.js';

type Identity = (node: Node, builder: GraphBuilder) => Name | undefined;

/** Whether `name` is the constant `value` in every element. */
export function isSplat(builder: Pick<GraphBuilder, 'node'>, name: Name, value: number): boolean {
  let node = builder.node(name);
  while (node.op === 'broadcast' || node.op === 'reshape') node = builder.node(node.args[0]!);
  return node.op === 'constant' && attrNumber(node.attrs.value) === value;
}

const isIdentityPerm = (perm: readonly number[]) => perm.every((axis, index) => axis === index);

const identities: Readonly<Record<string, Identity>> = {
  // reshape(reshape(x)) = reshape(x); reshape to its own shape = x
  reshape(node, builder) {
    const x = builder.node(node.args[0]!);
    if (sameShape(x.type.shape, node.type.shape)) return x.name;
    if (x.op !== 'reshape') return undefined;
    if (sameShape(builder.typeOf(x.args[0]!).shape, node.type.shape)) return x.args[0];
    return builder.add('reshape', [x.args[0]!], { type: node.type, name: node.name });
  },
  // transpose(transpose(x, p), q) = transpose(x, p∘q)
  transpose(node, builder) {
    const perm = numbersOf(node.attrs, 'perm');
    if (isIdentityPerm(perm)) return node.args[0];
    const x = builder.node(node.args[0]!);
    if (x.op !== 'transpose') return undefined;
    const inner = numbersOf(x.attrs, 'perm');
    const composed = perm.map((axis) => inner[axis]!);
    if (isIdentityPerm(composed)) return x.args[0];
    return builder.add('transpose', [x.args[0]!], { attrs: { perm: composed }, name: node.name });
  },
  broadcast: (node, builder) =>
    sameShape(builder.typeOf(node.args[0]!).shape, node.type.shape) ? node.args[0] : undefined,
  cast: (node, builder) => (sameType(builder.typeOf(node.args[0]!), node.type) ? node.args[0] : undefined),
  slice: (node, builder) => (sameType(builder.typeOf(node.args[0]!), node.type) ? node.args[0] : undefined),
  pad: (node, builder) => (sameType(builder.typeOf(node.args[0]!), node.type) ? node.args[0] : undefined),
  concat: (node) => (node.args.length === 1 ? node.args[0] : undefined),
  accumulate: (node) => (node.args.length === 1 ? node.args[0] : undefined),
  sum: (node) => (numbersOf(node.attrs, 'axes').length === 0 ? node.args[0] : undefined),
  mean: (node) => (numbersOf(node.attrs, 'axes').length === 0 ? node.args[0] : undefined),
  reduce_max: (node) => (numbersOf(node.attrs, 'axes').length === 0 ? node.args[0] : undefined),
  // x·1 = x
  mul(node, builder) {
    const [x, y] = node.args as [Name, Name];
    if (isSplat(builder, y, 1)) return x;
    return isSplat(builder, x, 1) ? y : undefined;
  },
  div: (node, builder) => (isSplat(builder, node.args[1]!, 1) ? node.args[0] : undefined),
  // x − 0 = x, also for x = −0
  sub: (node, builder) => (isSplat(builder, node.args[1]!, 0) ? node.args[0] : undefined),
  // −(−x) = x
  neg(node, builder) {
    const x = builder.node(node.args[0]!);
    return x.op === 'neg' ? x.args[0] : undefined;
  },
  // max(max(x, 0), 0) = max(x, 0)
  relu(node, builder) {
    const x = builder.node(node.args[0]!);
    return x.op === 'relu' ? x.name : undefined;
  },
  // max(x, 0) under its name
  maximum(node, builder) {
    const [x, y] = node.args as [Name, Name];
    if (builder.typeOf(x).dtype !== 'f32') return undefined;
    if (isSplat(builder, y, 0)) return builder.add('relu', [x], { name: node.name });
    return isSplat(builder, x, 0) ? builder.add('relu', [y], { name: node.name }) : undefined;
  },
};

/** The value that an identity puts in a node's place, if one applies. */
export function simplifyNode(node: Node, builder: GraphBuilder): Name | undefined {
  return Object.hasOwn(identities, node.op) ? identities[node.op]!(node, builder) : undefined;
}

export function simplifyGraph(graph: Graph, dialect: Dialect): Graph {
  return rewrite(graph, dialect, (node, { builder }) => simplifyNode(node, builder));
}

export const simplify = graphPass('simplify', 'exact identities of arithmetic and moved data', simplifyGraph);
