// The builder: appends nodes to a graph, inferring and checking each type as it goes.
import { inferType } from './check.js';
import { type Dialect, numberAttr } from './dialect.js';
import { RelcError } from './error.js';
import { type Attrs, type Graph, type Loc, type Name, type Node, namePattern } from './graph.js';
import { sameType, type TensorType } from './type.js';

export interface NodeOptions {
  readonly attrs?: Attrs;
  /** The declared type: needed by ops whose operands do not determine it. */
  readonly type?: TensorType;
  /** Wanted name; made unique. Defaults to the op's. */
  readonly name?: Name;
  /** Defaults to the builder's current `loc`. */
  readonly loc?: Loc;
}

export class GraphBuilder implements Pick<Graph, 'nodes' | 'aliases'> {
  readonly nodes = new Map<Name, Node>();
  readonly aliases = new Map<Name, Name>();
  /** Place given to nodes that state none. */
  loc: Loc = {};
  /** Put before the default names of nodes: `t.` while the compiler adds temporaries of its own. */
  scope = '';
  /** Names that are spoken for: those of nodes still to be copied. */
  readonly reserved = new Set<Name>();
  private readonly counters = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly dialect: Dialect,
  ) {}

  /** A builder that goes on where `graph` ends. */
  static extending(graph: Graph, dialect: Dialect): GraphBuilder {
    const builder = new GraphBuilder(graph.name, dialect);
    for (const node of graph.nodes.values()) builder.nodes.set(node.name, node);
    for (const [alias, target] of graph.aliases) builder.aliases.set(alias, target);
    return builder;
  }

  /** Appends a node and returns its name. @throws RelcError RELC1002..RELC1008 */
  add(op: string, args: readonly Name[], options: NodeOptions = {}): Name {
    const name = this.fresh(options.name ?? `${this.scope}${op}`);
    const draft = { name, op, args, attrs: options.attrs ?? {}, loc: options.loc ?? this.loc };
    const type = inferType(this.dialect, draft, (arg) => this.nodes.get(arg)?.type, options.type);
    this.nodes.set(name, { ...draft, type });
    return name;
  }

  /** Copies a checked node under its own name; the types of its operands may have changed. */
  copy(node: Node): Name {
    if (this.nodes.has(node.name)) throw new Error(`%${node.name} is defined already`);
    const type = inferType(this.dialect, node, (arg) => this.nodes.get(arg)?.type, node.type);
    this.nodes.set(node.name, sameType(type, node.type) ? node : { ...node, type });
    return node.name;
  }

  /** A constant of one value in every element; no data is stored. */
  splat(value: number, type: TensorType, name?: Name): Name {
    return this.add('constant', [], {
      attrs: { value: numberAttr(value) },
      type,
      ...(name === undefined ? {} : { name }),
    });
  }

  /** Lets `alias` denote `target` from now on. */
  alias(alias: Name, target: Name): void {
    if (alias !== target) this.aliases.set(alias, target);
  }

  node(name: Name): Node {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no value %${name} in the graph`);
    return node;
  }

  typeOf(name: Name): TensorType {
    return this.node(name).type;
  }

  /** `base`, or `base_1`, `base_2`, … if it is taken. */
  fresh(base: Name): Name {
    if (!namePattern.test(base)) {
      throw new RelcError(
        'RELC1006',
        `'${base}' cannot be a value's name`,
        'use letters, digits and _ / : - .',
      );
    }
    let name = base;
    while (this.nodes.has(name) || this.aliases.has(name) || this.reserved.has(name)) {
      const count = (this.counters.get(base) ?? 0) + 1;
      this.counters.set(base, count);
      name = `${base}_${count}`;
    }
    return name;
  }

  finish(outputs: Graph['outputs']): Graph {
    for (const [key, name] of Object.entries(outputs)) {
      if (!this.nodes.has(name)) throw new Error(`output ${key} is %${name}, which is not in the graph`);
    }
    return { name: this.name, nodes: this.nodes, outputs, aliases: this.aliases };
  }
}
