// The plan of an explainer on tfjs: statements of a load phase and of a run, each with what is dead after it.
import { blaming } from '../../ir/check.js';
import type { Dialect } from '../../ir/dialect.js';
import { attrNumber, numbersOf, OpProblem } from '../../ir/dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../../ir/graph.js';
import { alignedShape } from '../../ir/ops/movement.js';
import { call, type Expression, literal, shapeOf, value } from '../../ir/spelling.js';
import { isBatched } from '../../ir/type.js';

/** `const <name> = <expression>`; afterwards `dead` are disposed of. */
export interface Statement {
  readonly node: Node;
  readonly expression: Expression;
  /** The values that the expression reads, each once. */
  readonly reads: readonly Name[];
  readonly dead: readonly Name[];
}

export interface Plan {
  readonly graph: Graph;
  /** Weights by the value that holds them. */
  readonly params: readonly { readonly name: Name; readonly key: string }[];
  /** Computed once: what depends on weights alone. */
  readonly load: readonly Statement[];
  /** Values of the load phase that a run reads: kept until the explainer is disposed of. */
  readonly kept: readonly Name[];
  /** Inputs of the graph, in order. */
  readonly inputs: readonly Node[];
  readonly run: readonly Statement[];
}

/** Functions of tfjs that some backend computes wrongly or refuses, and what the runtime has in their place. */
const mended: Readonly<Record<string, string>> = {
  'tf.oneHot': 'rt.oneHot',
  'tf.prelu': 'rt.prelu',
  'tf.sign': 'rt.sign',
};

const isSplat = (node: Node) => node.op === 'constant' && !Array.isArray(node.attrs.value);

/** Views and constants of one value are written into the elementwise ops that use them. */
const isInlined = (node: Node) => isSplat(node) || node.op === 'broadcast';

class Planner {
  private readonly active: ReadonlySet<Name>;
  /** Inlined values that some user needs as a tensor of their own. */
  private readonly materialised = new Set<Name>();

  constructor(
    private readonly graph: Graph,
    private readonly dialect: Dialect,
  ) {
    this.active = activeValues(graph);
    for (const name of Object.values(graph.outputs)) this.materialised.add(name);
    for (const node of [...graph.nodes.values()].reverse()) this.noteUses(node);
  }

  /**
   * An elementwise op takes operands inline as long as one of them has the full shape; an inlined view takes its
   * operand inline too; any other op needs tensors, and so do results in integers: a number would make them floats.
   */
  private noteUses(node: Node): void {
    const inlined = node.args.filter((arg) => isInlined(nodeOf(this.graph, arg)));
    if (isInlined(node) && !this.materialised.has(node.name)) return;
    const elementwise = this.dialect[node.op]?.traits?.elementwise === true;
    const takesAll = elementwise && node.type.dtype !== 'i32' && inlined.length < node.args.length;
    for (const name of takesAll ? [] : inlined) this.materialised.add(name);
  }

  plan(): Plan {
    const nodes = [...this.graph.nodes.values()].filter((node) => this.isWritten(node));
    const early = (node: Node) => !this.active.has(node.name) && !isBatched(node.type);
    const computed = nodes.filter((node) => node.op !== 'input' && node.op !== 'param');
    const load = computed.filter(early);
    const run = computed.filter((node) => !early(node));
    const params = nodes.filter((node) => node.op === 'param');
    const read = new Set(run.flatMap((node) => this.operandsOf(node)));
    const outputs = Object.values(this.graph.outputs);
    const earlyNames = new Set([...load, ...params].map((node) => node.name));
    const kept = [...earlyNames].filter((name) => read.has(name) || outputs.includes(name));
    return {
      graph: this.graph,
      params: params.map((node) => ({ name: node.name, key: node.attrs.key as string })),
      load: this.statements(load, new Set([...kept, ...outputs])),
      kept,
      inputs: nodes.filter((node) => node.op === 'input'),
      run: this.statements(run, new Set([...kept, ...outputs])),
    };
  }

  private isWritten(node: Node): boolean {
    return !isInlined(node) || this.materialised.has(node.name);
  }

  /** The written values that a node's expression reads, through inlined ones. */
  private operandsOf(node: Node): Name[] {
    return node.args.flatMap((arg) => {
      const operand = nodeOf(this.graph, arg);
      return this.isWritten(operand) ? [arg] : this.operandsOf(operand);
    });
  }

  private statements(nodes: readonly Node[], immortal: ReadonlySet<Name>): Statement[] {
    const written = nodes.map((node) => ({
      node,
      expression: this.expressionOf(node),
      reads: [...new Set(this.operandsOf(node))],
    }));
    return withDead(this.graph, written, immortal);
  }

  private expressionOf(node: Node): Expression {
    return blaming(node, () => {
      const spelling = this.dialect[node.op]?.tfjs;
      if (spelling === undefined) {
        throw new OpProblem(
          'RELC4001',
          `${node.op} has no spelling in tfjs`,
          'leave it out of what is emitted',
        );
      }
      const written = this.inlineIn(spelling(node, { typeOf: (name) => nodeOf(this.graph, name).type }));
      // A value of its own, for the operand may be disposed of first
      return written.kind === 'value' ? call('tf.clone', written) : written;
    });
  }

  /** Puts inlined operands into an expression in place of their names. */
  private inlineIn(expression: Expression): Expression {
    switch (expression.kind) {
      case 'value': {
        const node = nodeOf(this.graph, expression.name);
        return this.isWritten(node) ? expression : this.inlined(node);
      }
      case 'call':
        return call(
          mended[expression.callee] ?? expression.callee,
          ...expression.args.map((arg) => this.inlineIn(arg)),
        );
      case 'list':
        return { ...expression, items: expression.items.map((item) => this.inlineIn(item)) };
      default:
        return expression;
    }
  }

  /** A number for a constant; for a view its operand with 1s on the axes it lacks: tfjs broadcasts the rest. */
  private inlined(node: Node): Expression {
    if (isSplat(node)) return literal(attrNumber(node.attrs.value) === undefined ? 0 : node.attrs.value!);
    let axes = numbersOf(node.attrs, 'axes');
    let source = nodeOf(this.graph, node.args[0]!);
    while (!this.isWritten(source) && source.op === 'broadcast') {
      const outer = axes;
      axes = numbersOf(source.attrs, 'axes').map((axis) => outer[axis]!);
      source = nodeOf(this.graph, source.args[0]!);
    }
    if (!this.isWritten(source)) return this.inlined(source);
    const aligned = alignedShape(source.type, { ...node, attrs: { axes } });
    const leading = aligned.length - source.type.shape.length;
    const trailing =
      aligned.slice(leading).join() === source.type.shape.join() &&
      aligned.slice(0, leading).every((dim) => dim === 1);
    return trailing ? value(source.name) : call('tf.reshape', value(source.name), shapeOf(aligned));
  }
}

/** Notes after which statement each value is dead; inputs belong to the caller, and what is immortal stays. */
function withDead(
  graph: Graph,
  statements: readonly Omit<Statement, 'dead'>[],
  immortal: ReadonlySet<Name>,
): Statement[] {
  const lastUse = new Map<Name, Name>();
  for (const { node, reads } of statements) for (const name of reads) lastUse.set(name, node.name);
  const isMortal = (name: Name) => !immortal.has(name) && nodeOf(graph, name).op !== 'input';
  return statements.map((statement) => ({
    ...statement,
    dead: statement.reads.filter((name) => isMortal(name) && lastUse.get(name) === statement.node.name),
  }));
}

/** The statements of a run in two parts: what is computed once, and what again for each value of some inputs. */
export interface DividedRun {
  readonly once: readonly Statement[];
  readonly each: readonly Statement[];
}

/**
 * Divides a run into what does not depend on some of the inputs and what does. Values that the second part reads of
 * the first stay until the caller disposes of them.
 * @param varied  the inputs that are given several values
 */
export function divideRun(plan: Plan, varied: ReadonlySet<Name>): DividedRun {
  const depends = new Set(varied);
  for (const { name, args } of plan.graph.nodes.values()) {
    if (args.some((arg) => depends.has(arg))) depends.add(name);
  }
  const [once, each] = [false, true].map((isVaried) =>
    plan.run.filter(({ node }) => depends.has(node.name) === isVaried),
  ) as [Statement[], Statement[]];
  const kept = [...plan.kept, ...Object.values(plan.graph.outputs)];
  const read = each.flatMap(({ reads }) => reads);
  return {
    once: withDead(plan.graph, once, new Set([...kept, ...read])),
    each: withDead(plan.graph, each, new Set([...kept, ...once.map(({ node }) => node.name)])),
  };
}

/**
 * Plans a lowered graph.
 * @throws RelcError RELC4001 where an op has no spelling
 */
export function planFor(graph: Graph, dialect: Dialect): Plan {
  return new Planner(graph, dialect).plan();
}
