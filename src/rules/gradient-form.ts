// The gradient form: relevance kept as q with R = v ⊙ q, so that rules without a stabiliser divide by nothing.
//
// R / z = q where R = z ⊙ q. What a rule such as ε hands to x is then x ⊙ Wᵀq, and Wᵀq is handed on in its turn: a
// backward pass like that of a derivative. R = v ⊙ q is written out where it is asked for, and where a rule has no
// such form. Where z is exactly 0, R is 0 too and q is the limit of R / z, which a quotient of the two would make 0.
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import { blaming } from '../ir/check.js';
import type { Dialect } from '../ir/dialect.js';
import { type Graph, type Name, type Node, nodeOf } from '../ir/graph.js';
import { graphPass } from '../ir/passes/pass.js';
import { isRuleLine, ruleLineOf, ruleParams, rulePrefix } from './dialect.js';
import { temporariesOf } from './expand.js';
import { type RuleDefinition, type RuleTable, ruleTable } from './rules.js';

const ruleOf = (line: Node, table: RuleTable): RuleDefinition => table[line.op.slice(rulePrefix.length)]!;

/** Whether a rule line would divide by z as it is: that quotient is what the gradient form saves. */
const dividesExactly = (node: Node, table: RuleTable): boolean =>
  isRuleLine(node) && node.attrs.denominator === 'exact' && ruleOf(node, table).gradientForm !== undefined;

/** A relevance that is value ⊙ q. */
interface Product {
  readonly value: Name;
  readonly q: Name;
}

class Conversion {
  private readonly builder: GraphBuilder;
  /** Relevances that are products, by name: in the new graph only where they were asked for. */
  private readonly products = new Map<Name, Product>();

  constructor(
    private readonly graph: Graph,
    dialect: Dialect,
    private readonly table: RuleTable,
  ) {
    this.builder = new GraphBuilder(graph.name, dialect);
    for (const name of graph.nodes.keys()) this.builder.reserved.add(name);
    for (const [alias, target] of graph.aliases) this.builder.aliases.set(alias, target);
  }

  run(): Graph {
    for (const node of this.graph.nodes.values()) this.visit(node);
    for (const name of Object.values(this.graph.outputs)) this.relevance(name);
    return this.builder.finish(this.graph.outputs);
  }

  private visit(node: Node): void {
    this.builder.loc = node.loc;
    const product = isRuleLine(node) ? this.handedOn(node) : this.accumulated(node);
    if (product !== undefined) {
      this.products.set(node.name, product);
      return;
    }
    for (const arg of node.args) this.relevance(arg);
    this.builder.reserved.delete(node.name);
    this.builder.copy(node);
  }

  /** A value under its name: R = value ⊙ q is written out where it is not in the new graph yet. */
  private relevance(name: Name): Name {
    const product = this.products.get(name);
    if (product === undefined || this.builder.nodes.has(name)) return name;
    this.builder.reserved.delete(name);
    return this.builder.add('mul', [product.value, product.q], { name });
  }

  /** What a rule hands to its operand x, as x ⊙ q. */
  private handedOn(line: Node): Product | undefined {
    const { builder } = this;
    const rule = ruleOf(line, this.table);
    if (rule.gradientForm === undefined) return undefined;
    const { z, operand, relevance } = ruleLineOf(line);
    builder.scope = temporariesOf(z);
    const written = () => this.relevance(relevance);
    const expansion = {
      builder,
      k: new Arithmetic(builder),
      node: builder.node(z),
      operand,
      attrs: ruleParams(line.attrs),
      gradient: this.gradientAt(z, relevance),
      get relevance() {
        return written();
      },
    };
    const q = blaming(line, () => rule.gradientForm!(expansion));
    return q === undefined ? undefined : { value: expansion.node.args[operand]!, q };
  }

  /** The fan-out sum of parts that are all v ⊙ q. */
  private accumulated(node: Node): Product | undefined {
    const parts = node.op === 'accumulate' ? node.args.map((arg) => this.products.get(arg)) : [];
    const { value } = parts[0] ?? {};
    const whole = parts.filter((part) => part !== undefined && part.value === value) as Product[];
    if (value === undefined || whole.length < parts.length) return undefined;
    const q = this.builder.add(
      'accumulate',
      whole.map((part) => part.q),
      { name: `q.${value}` },
    );
    return { value, q };
  }

  /** q with R = z ⊙ q, where it is known: also of a seed that is the scores times something. */
  private gradientAt(z: Name, relevance: Name): Name | undefined {
    const known = this.products.get(relevance);
    if (known !== undefined) return known.q;
    const q = this.seedGradient(z, nodeOf(this.graph, relevance));
    if (q !== undefined) this.products.set(relevance, { value: z, q });
    return q;
  }

  /** The scores are looked at as one row: R = (s ⊙ scores) back in their shape has q = s, R = scores has q = 1. */
  private seedGradient(z: Name, seed: Node): Name | undefined {
    if (seed.op !== 'reshape') return undefined;
    const isRowOfScores = ({ op, args }: Node) => op === 'reshape' && args[0] === z;
    const start = nodeOf(this.graph, seed.args[0]!);
    const name = { name: `q.${z}` };
    if (isRowOfScores(start)) return this.builder.splat(1, seed.type, name.name);
    if (start.op !== 'mul' || !isRowOfScores(nodeOf(this.graph, start.args[1]!))) return undefined;
    return this.builder.add('reshape', [start.args[0]!], { type: seed.type, ...name });
  }
}

export function convertToGradientForm(graph: Graph, dialect: Dialect, table: RuleTable = ruleTable): Graph {
  const pays = [...graph.nodes.values()].some((node) => dividesExactly(node, table));
  return pays ? new Conversion(graph, dialect, table).run() : graph;
}

/** The gradient form of rules from a table. */
export const gradientFormBy = (table: RuleTable) =>
  graphPass('gradient-form', 'hand on q where R is value ⊙ q and rules divide by it', (graph, dialect) =>
    convertToGradientForm(graph, dialect, table),
  );

export const gradientForm = gradientFormBy(ruleTable);
