// Values on their way into kernels: which buffer each lies in, how it is read from there, and what is to write it.
import { attrNumber } from '../../ir/dialect.js';
import { activeValues, type Graph, type Name, type Node, nodeOf } from '../../ir/graph.js';
import type { Scalar } from '../../ir/scalar.js';
import { concreteShape, type Dtype } from '../../ir/type.js';
import { accessOf, Fixed, Group, type Pending, type Phase } from './group.js';
import { type Buffer, type Kernel, type KernelProgram, type PadKernel, reads, writes } from './kernel.js';
import type { Margins } from './nests.js';
import { inPanels, isContiguous, moved, type View, whole } from './view.js';

export class Values {
  readonly pending: Pending[] = [];
  /** Numbers that stand for every element of a value. */
  readonly splats = new Map<Name, Scalar>();
  readonly constants = new Map<Name, readonly number[]>();
  /** Weights that are read in another order or shape than their own. */
  readonly turned = new Set<Name>();
  private readonly buffers = new Map<Name, Buffer>();
  private readonly views = new Map<Name, View>();
  /** Place among the pending of what writes a buffer. */
  private readonly writers = new Map<Name, number>();
  private readonly weights = new Map<Name, string>();
  private readonly padded = new Map<string, View>();
  private readonly active: ReadonlySet<Name>;

  constructor(
    readonly graph: Graph,
    /** Weights that lie in panels. */
    private readonly inPanels: ReadonlySet<Name>,
  ) {
    this.active = activeValues(graph);
  }

  isActive(name: Name): boolean {
    return this.active.has(name);
  }

  shapeOf(name: Name): readonly number[] {
    return concreteShape(nodeOf(this.graph, name).type);
  }

  dtypeOf(name: Name): Dtype {
    return nodeOf(this.graph, name).type.dtype;
  }

  phaseOf(name: Name): Phase {
    return this.active.has(name) ? 'run' : 'load';
  }

  addBuffer(name: Name, dtype: Dtype, shape: readonly number[], origin: Buffer['origin']): View {
    this.buffers.set(name, { name, dtype, shape, origin });
    return whole(name, shape);
  }

  push(pending: Pending): number {
    return this.pending.push(pending) - 1;
  }

  /** An input, a weight or a constant. */
  source(node: Node): void {
    const shape = concreteShape(node.type);
    const { dtype } = node.type;
    const origin = node.op === 'param' ? 'weight' : node.op === 'input' ? 'input' : 'constant';
    if (origin === 'constant' && !Array.isArray(node.attrs.value)) {
      this.splats.set(node.name, { kind: 'number', value: attrNumber(node.attrs.value)!, dtype });
      return;
    }
    this.views.set(node.name, this.addBuffer(node.name, dtype, shape, origin));
    if (this.inPanels.has(node.name)) {
      this.buffers.set(node.name, { name: node.name, dtype, shape, origin, inPanels: true });
      this.views.set(node.name, inPanels(node.name, shape));
    }
    if (origin === 'weight') this.weights.set(node.name, node.attrs.key as string);
    if (Array.isArray(node.attrs.value))
      this.constants.set(
        node.name,
        node.attrs.value.map((item) => attrNumber(item)!),
      );
  }

  /** A value that is another one in another order or shape. */
  movement(node: Node): void {
    const [arg] = node.args as [Name];
    const splat = this.splats.get(arg);
    if (splat !== undefined) {
      this.splats.set(node.name, splat);
      return;
    }
    this.turned.add(this.viewOf(arg).buffer);
    const view = moved(node, this.viewOf(arg)) ?? moved(node, this.copied(arg));
    this.views.set(node.name, view!);
  }

  /** How a value is read from memory. */
  viewOf(name: Name): View {
    const known = this.views.get(name);
    if (known !== undefined) return known;
    return this.copied(name);
  }

  /** A dense copy of a value. */
  private copied(name: Name): View {
    const { type } = nodeOf(this.graph, name);
    const shape = concreteShape(type);
    const group = new Group(shape, this.phaseOf(name));
    const copy = `${name}.copy`;
    const value = this.splats.get(name) ?? group.operand(this.views.get(name)!, type.dtype);
    const known = this.buffers.get(copy);
    if (known !== undefined) return whole(copy, shape);
    return this.member(group, this.push(group), copy, value, type.dtype);
  }

  /** Adds a value to a group, as a buffer that may come to be needed. */
  member(group: Group, place: number, name: Name, value: Scalar, dtype: Dtype): View {
    group.add(name, value, dtype);
    this.writers.set(name, place);
    const view = this.addBuffer(name, dtype, group.shape, 'kernel');
    this.views.set(name, view);
    return view;
  }

  /** The buffer that holds just a value, row-major: its own, or a copy. */
  wholeBuffer(name: Name): Name {
    const view = this.views.get(name);
    const buffer = view && this.buffers.get(view.buffer);
    const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
    const isWhole =
      view !== undefined &&
      isContiguous(view) &&
      view.offset === 0 &&
      size(view.shape) === size(buffer!.shape);
    return isWhole ? view.buffer : this.copied(name).buffer;
  }

  /** The place of what writes the buffer that a value lies in; −1 for what is there when a phase begins. */
  placeOf(name: Name, phase: Phase): number {
    if (this.splats.has(name)) return -1;
    const place = this.writers.get(this.viewOf(name).buffer) ?? -1;
    return this.pending[place]?.phase === phase ? place : -1;
  }

  /** A value with elements around it. */
  withMargins(name: Name, { low, high }: Margins, filler: number): View {
    const view = this.viewOf(name);
    if ([...low, ...high].every((count) => count === 0)) return view;
    const key = JSON.stringify([view, low, high, filler]);
    const known = this.padded.get(key);
    if (known !== undefined) return known;
    const interior = low.map(() => 0);
    const made = this.padKernel(
      `${name}.pad${this.padded.size}`,
      view,
      { low, high, interior, filler },
      name,
    );
    this.padded.set(key, made);
    return made;
  }

  /** A copy of what a view shows, with elements around and between. */
  padKernel(
    to: Name,
    view: View,
    how: Pick<PadKernel, 'low' | 'high' | 'interior' | 'filler'>,
    name: Name,
  ): View {
    const shape = view.shape.map(
      (extent, axis) => how.low[axis]! + extent + (extent - 1) * how.interior[axis]! + how.high[axis]!,
    );
    const { dtype } = nodeOf(this.graph, name).type;
    const result = this.addBuffer(to, dtype, shape, 'kernel');
    const kernel: PadKernel = {
      ...{ kind: 'pad', name: to, from: accessOf(view), to, dtype },
      ...{ shape: view.shape, ...how },
    };
    this.writers.set(to, this.push(new Fixed(this.phaseOf(name), [kernel], to)));
    return result;
  }

  /** Lets a value be what fixed kernels write into a buffer of its own. */
  fixed(node: Node, kernelsInto: (result: View) => Kernel[]): void {
    const result = this.addBuffer(node.name, node.type.dtype, concreteShape(node.type), 'kernel');
    this.views.set(node.name, result);
    const kernels = kernelsInto(result);
    this.writers.set(node.name, this.push(new Fixed(this.phaseOf(node.name), kernels, node.name)));
  }

  /** Lets a value be seen in memory by a view. */
  show(name: Name, view: View): void {
    this.views.set(name, view);
  }

  /** The kernels of all that outputs need. */
  program(): KernelProgram {
    const { name } = this.graph;
    const outputs = Object.fromEntries(
      Object.entries(this.graph.outputs).map(([key, value]) => [key, this.wholeBuffer(value)]),
    );
    const kernels = this.kernelsFor(Object.values(outputs));
    const of = (phase: Phase) => kernels.filter((each) => each.phase === phase).map(({ kernel }) => kernel);
    const [load, run] = [of('load'), of('run')];
    return { name, load, run, outputs, ...this.used([...load, ...run], outputs) };
  }

  /** Builds what is needed, from the last to the first: only users say what is. What runs first is built last. */
  private kernelsFor(outputs: readonly Name[]): { phase: Phase; kernel: Kernel }[] {
    const needed = new Set<Name>(outputs);
    const kernels: { phase: Phase; kernel: Kernel }[] = [];
    const of = (phase: Phase) => this.pending.filter((each) => each.phase === phase);
    for (const pending of [...of('load'), ...of('run')].reverse()) {
      const built = pending.build(needed);
      for (const kernel of built) for (const name of reads(kernel)) needed.add(name);
      kernels.push(...built.reverse().map((kernel) => ({ phase: pending.phase, kernel })));
    }
    return kernels.reverse();
  }

  /** Buffers that some kernel or caller touches. Inputs stay: a caller gives them all. */
  private used(kernels: readonly Kernel[], outputs: Readonly<Record<string, Name>>) {
    const touched = new Set([
      ...kernels.flatMap((kernel) => [...reads(kernel), ...writes(kernel)]),
      ...Object.values(outputs),
    ]);
    const isUsed = ([name]: readonly [Name, unknown]) => touched.has(name);
    return {
      buffers: new Map(
        [...this.buffers].filter(([name, { origin }]) => origin === 'input' || touched.has(name)),
      ),
      weights: new Map([...this.weights].filter(isUsed)),
      constants: new Map([...this.constants].filter(isUsed)),
    };
  }
}
