// What raisers read of a graph: nodes, constant numbers and vectors, and along which axes views run.
import { evaluateConstant } from '../../../analyses/constants.js';
import { attrNumber, type Dialect, numbersOf } from '../../../dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf, type Use, usesOf } from '../../../graph.js';
import type { Weights } from '../../../tensor.js';
import { elementCount, isBatched, type Shape } from '../../../type.js';

/** For each axis of a value, the axis of another that runs along it; −1 where the other repeats. */
export type AxisMap = readonly number[];

export const sameAxes = (shape: Shape): AxisMap => shape.map((_, axis) => axis);

function broadcastMap(view: Node, operand: Shape): AxisMap {
  const axes = numbersOf(view.attrs, 'axes');
  return view.type.shape.map((extent, axis) => {
    const from = axes.indexOf(axis);
    return from >= 0 && operand[from] === extent ? from : -1;
  });
}

/** Of a reshape that only adds or drops axes of extent 1; undefined of any other. */
function reshapeMap(view: Node, operand: Shape): AxisMap | undefined {
  const wide = (shape: Shape) => shape.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
  const [from, to] = [wide(operand), wide(view.type.shape)];
  const same =
    from.length === to.length && from.every((axis, i) => operand[axis] === view.type.shape[to[i]!]);
  return same ? view.type.shape.map((_, axis) => from[to.indexOf(axis)] ?? -1) : undefined;
}

const isView = ({ op }: Node) => op === 'broadcast' || op === 'reshape';

/** The nodes of a graph that is being rewritten, and its constants. */
export class Values {
  private readonly active: ReadonlySet<Name>;
  private readonly uses: ReadonlyMap<Name, readonly Use[]>;
  private readonly outputs: readonly Name[];
  private readonly numbers = new Map<Name, number | undefined>();

  constructor(
    private readonly graph: Graph,
    private readonly built: ReadonlyMap<Name, Node>,
    private readonly dialect: Dialect,
    private readonly weights: Weights,
  ) {
    this.active = activeValues(graph);
    this.uses = usesOf(graph);
    this.outputs = Object.values(graph.outputs);
  }

  /** A node as it is rewritten; as it was, where its turn has not come. */
  node(name: Name): Node {
    return this.built.get(name) ?? nodeOf(this.graph, name);
  }

  shapeOf(name: Name): Shape {
    return this.node(name).type.shape;
  }

  isActive(name: Name): boolean {
    return this.active.has(name);
  }

  /** The nodes that read a value. */
  usersOf(name: Name): readonly Node[] {
    return (this.uses.get(name) ?? []).map(({ user }) => this.node(user));
  }

  /** Whether one operand of one node is all that reads a value. */
  isReadOnce(name: Name): boolean {
    return this.uses.get(name)?.length === 1 && !this.outputs.includes(name);
  }

  /** What a view shows and the axes that its axes run along; undefined of what is no view of whole axes. */
  seenThrough(view: Node): { readonly source: Name; readonly axes: AxisMap } | undefined {
    if (!isView(view)) return undefined;
    const [source] = view.args as [Name];
    const shape = this.shapeOf(source);
    const axes = view.op === 'broadcast' ? broadcastMap(view, shape) : reshapeMap(view, shape);
    return axes === undefined ? undefined : { source, axes };
  }

  /** The one number that a constant is made of; undefined of other constants and of what depends on an input. */
  numberOf(name: Name): number | undefined {
    if (this.isActive(name)) return undefined;
    if (!this.numbers.has(name)) this.numbers.set(name, this.evaluateNumber(name));
    return this.numbers.get(name);
  }

  private evaluateNumber(name: Name): number | undefined {
    let node = this.node(name);
    while (isView(node)) node = this.node(node.args[0]!);
    const splat = node.op === 'constant' ? attrNumber(node.attrs.value) : undefined;
    if (splat !== undefined) return splat;
    if (isBatched(node.type) || elementCount(node.type.shape) !== 1) return undefined;
    const { data } = evaluateConstant(this.graph.nodes, node.name, this.dialect, this.weights);
    return data[0];
  }

  /** The constant behind views that varies along one axis alone, `axes[axis]` of it; undefined of any other. */
  vectorOf(name: Name, axes: AxisMap, axis: number, extent: number): Name | undefined {
    if (this.isActive(name)) return undefined;
    const seen = this.seenThrough(this.node(name));
    if (seen !== undefined) return this.vectorOf(seen.source, through(axes, seen.axes), axis, extent);
    const shape = this.shapeOf(name);
    const varies = shape.every((own, at) => own === 1 || at === axes[axis]);
    return varies && elementCount(shape) === extent ? name : undefined;
  }
}

/** A map that goes on from where another ends. */
export const through = (axes: AxisMap, onward: AxisMap): AxisMap => axes.map((axis) => onward[axis] ?? -1);
