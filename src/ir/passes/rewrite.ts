// Rewriting: one walk over a graph that copies nodes or puts others in their place.
import { GraphBuilder } from '../builder.js';
import type { Dialect } from '../dialect.js';
import type { Graph, Name, Node } from '../graph.js';

/** The state of a rewrite: the new graph so far and what stands for each old value in it. */
export class Rewriter {
  readonly builder: GraphBuilder;
  private readonly standsFor = new Map<Name, Name>();

  constructor(
    readonly graph: Graph,
    dialect: Dialect,
  ) {
    this.builder = new GraphBuilder(graph.name, dialect);
    this.builder.scope = 't.';
    for (const name of graph.nodes.keys()) this.builder.reserved.add(name);
    for (const [alias, target] of graph.aliases) this.builder.aliases.set(alias, target);
  }

  /** The new value that stands for an old one. */
  of(name: Name): Name {
    return this.standsFor.get(name) ?? name;
  }

  replace(old: Name, by: Name): void {
    if (old === by) return;
    this.standsFor.set(old, by);
    if (keepsAlias(old)) this.builder.alias(old, by);
  }

  finish(): Graph {
    this.followReplaced();
    const outputs = Object.fromEntries(
      Object.entries(this.graph.outputs).map(([key, name]) => [key, this.of(name)]),
    );
    return this.builder.finish(outputs);
  }

  /** An alias of a temporary that was replaced leads on to what stands for it. */
  private followReplaced(): void {
    const { aliases, nodes } = this.builder;
    for (const [alias, target] of aliases) {
      if (!nodes.has(target) && !aliases.has(target)) aliases.set(alias, this.of(target));
    }
  }
}

/** Temporaries `t.…` and quotients `s.…` vanish without a trace; any other name that a pass removes becomes an alias. */
function keepsAlias(name: Name): boolean {
  return !/^[ts]\./.test(name);
}

/**
 * Walks `graph` in order. `visit` sees each node with its operands already replaced, and returns the value of the new
 * graph to put in its place, or undefined to copy it.
 */
export function rewrite(
  graph: Graph,
  dialect: Dialect,
  visit: (node: Node, rewriter: Rewriter) => Name | undefined,
): Graph {
  const rewriter = new Rewriter(graph, dialect);
  for (const old of graph.nodes.values()) {
    const isMoved = old.args.some((arg) => rewriter.of(arg) !== arg);
    const node = isMoved ? { ...old, args: old.args.map((arg) => rewriter.of(arg)) } : old;
    rewriter.builder.loc = node.loc;
    rewriter.builder.reserved.delete(node.name);
    rewriter.replace(old.name, visit(node, rewriter) ?? rewriter.builder.copy(node));
    // A name denotes one value for ever: what was replaced stays spoken for.
    if (!rewriter.builder.nodes.has(old.name)) rewriter.builder.reserved.add(old.name);
  }
  return rewriter.finish();
}
