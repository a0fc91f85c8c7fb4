// Inlining: what one graph computes, written into another.
import type { GraphBuilder } from './builder.js';
import type { Graph, Loc, Name, Node } from './graph.js';
import { removeDeadCode } from './passes/dead-code.js';

export interface Inlining {
  /** The value of `graph` that is wanted. */
  readonly value: Name;
  /** The values in the builder that its inputs stand for, each of the input's type. */
  readonly inputs: ReadonlyMap<Name, Name>;
  /** The name that the result takes where it is not one of the inputs; its own in the builder's scope if left out. */
  readonly name?: Name;
}

/**
 * Appends the nodes that a value of `graph` is computed from, and no others; returns what stands for the value. They
 * keep their names in the builder's scope and their call sites, and take the builder's layer.
 */
export function inline(builder: GraphBuilder, graph: Graph, { value, inputs, name }: Inlining): Name {
  const standsFor = new Map(inputs);
  for (const node of removeDeadCode({ ...graph, outputs: { value } }).nodes.values()) {
    if (node.op === 'input') continue;
    const own = `${builder.scope}${node.name}`;
    const copy = builder.add(
      node.op,
      node.args.map((arg) => standsFor.get(arg)!),
      {
        attrs: node.attrs,
        type: node.type,
        name: node.name === value ? (name ?? own) : own,
        loc: placeOf(node, builder.loc),
      },
    );
    standsFor.set(node.name, copy);
  }
  return standsFor.get(value)!;
}

/** The call site of an inlined node within the layer that it is inlined for. */
function placeOf({ loc }: Node, around: Loc): Loc {
  return { ...around, ...(loc.site === undefined ? {} : { site: loc.site }) };
}
