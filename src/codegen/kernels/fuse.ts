// Fusion: from a graph of ops to kernels. Movement becomes affine maps, elementwise ops ride on what they follow.
import { blaming } from '../../ir/check.js';
import { attrNumber, type Dialect, numberOf, numbersOf, OpProblem } from '../../ir/dialect.js';
import { activeValues, bindBatch, type Graph, type Name, type Node, nodeOf, usesOf } from '../../ir/graph.js';
import { poolCounts } from '../../ir/ops/pooling.js';
import type { Scalar, ScalarFunction } from '../../ir/scalar.js';
import { scalar } from '../../ir/scalar.js';
import { concreteShape, type Dtype } from '../../ir/type.js';
import { accessOf, Fixed, Group, type Inlined, type Pending, type Phase, type Root } from './group.js';
import type { Buffer, Kernel, KernelProgram, PadKernel } from './kernel.js';
import { accesses, reads, writes } from './kernel.js';
import {
  convolutionMargins,
  convolutionNest,
  einsumNest,
  type Margins,
  poolNest,
  reductionNest,
  transposeMargins,
  transposeNests,
} from './nests.js';
import { specialKernel, specialOps } from './special.js';
import { inPanels, isContiguous, moved, panelWidth, type View, viewOps, whole } from './view.js';

/** Functions that are cheap enough to be computed again wherever a modified weight is packed. */
const cheap: ReadonlySet<ScalarFunction> = new Set([
  'add',
  'sub',
  'mul',
  'max',
  'min',
  'neg',
  'abs',
  'greater',
  'greater_equal',
  'equal',
  'select',
]);
/** Functions in an expression that is computed anew wherever it is read. */
const inlineLimit = 8;

class Fuser {
  private readonly pending: Pending[] = [];
  private readonly buffers = new Map<Name, Buffer>();
  private readonly views = new Map<Name, View>();
  /** Place among the pending of what writes a buffer. */
  private readonly writers = new Map<Name, number>();
  private readonly splats = new Map<Name, Scalar>();
  private readonly weights = new Map<Name, string>();
  private readonly constants = new Map<Name, readonly number[]>();
  private readonly padded = new Map<string, View>();
  private readonly active: ReadonlySet<Name>;
  private readonly useCounts: ReadonlyMap<Name, number>;

  /** Weights that are read in another order or shape than their own. */
  private readonly turned = new Set<Name>();

  constructor(
    private readonly graph: Graph,
    private readonly dialect: Dialect,
    /** Weights that lie in panels. */
    private readonly inPanels: ReadonlySet<Name>,
  ) {
    this.active = activeValues(graph);
    const counts = new Map([...usesOf(graph)].map(([name, uses]) => [name, uses.length]));
    for (const name of Object.values(graph.outputs)) counts.set(name, counts.get(name)! + 1);
    this.useCounts = counts;
  }

  /** Weights that only products of matrices read, as their right factor, in their own order: these can lie in panels. */
  suitsPanels({ load, run, weights, buffers }: KernelProgram): Set<Name> {
    const others = new Set(this.turned);
    for (const kernel of [...load, ...run]) {
      const read =
        kernel.kind === 'contraction'
          ? [kernel.a, ...accesses(kernel.operands)].map(({ buffer }) => buffer)
          : reads(kernel);
      for (const name of read) others.add(name);
    }
    const suits = (name: Name) => {
      const { shape } = buffers.get(name)!;
      return !others.has(name) && shape.length >= 2 && shape.at(-1)! % panelWidth === 0;
    };
    return new Set([...weights.keys()].filter(suits));
  }

  fuse(): KernelProgram {
    for (const node of this.graph.nodes.values()) blaming(node, () => this.visit(node));
    const outputs = Object.fromEntries(
      Object.entries(this.graph.outputs).map(([key, name]) => [key, this.wholeBuffer(name)]),
    );
    const kernels = this.kernelsFor(Object.values(outputs));
    const of = (phase: Phase) => kernels.filter((each) => each.phase === phase).map(({ kernel }) => kernel);
    const [load, run] = [of('load'), of('run')];
    return { name: this.graph.name, load, run, outputs, ...this.used([...load, ...run], outputs) };
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

  private visit(node: Node): void {
    const { op } = node;
    const kinds: Readonly<Record<string, (node: Node) => void>> = this.visitors;
    if (Object.hasOwn(kinds, op)) kinds[op]!(node);
    else if (viewOps.has(op)) this.movement(node);
    else if (this.dialect[op]?.formula !== undefined) this.elementwise(node);
    else if (specialOps.has(op)) this.special(node);
    else throw new OpProblem('RELC4001', `${op} has no kernel`, 'choose another target');
  }

  private readonly visitors = {
    input: (node: Node) => this.source(node),
    param: (node: Node) => this.source(node),
    constant: (node: Node) => this.source(node),
    einsum: (node: Node) => this.linear(node),
    conv: (node: Node) => this.linear(node),
    conv_transpose: (node: Node) => this.linear(node),
    sum: (node: Node) => this.reduction(node),
    reduce_max: (node: Node) => this.reduction(node),
    max_pool: (node: Node) => this.pool(node),
    avg_pool: (node: Node) => this.pool(node),
    batch_total: (node: Node) => this.batchTotal(node),
    pad: (node: Node) => this.pad(node),
    concat: (node: Node) => this.concat(node),
  };

  private phaseOf = (name: Name): Phase => (this.active.has(name) ? 'run' : 'load');

  private addBuffer(name: Name, dtype: Dtype, shape: readonly number[], origin: Buffer['origin']): View {
    this.buffers.set(name, { name, dtype, shape, origin });
    const view = whole(name, shape);
    return view;
  }

  private push(pending: Pending): number {
    return this.pending.push(pending) - 1;
  }

  private source(node: Node): void {
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

  private movement(node: Node): void {
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
  private viewOf(name: Name): View {
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
  private member(group: Group, place: number, name: Name, value: Scalar, dtype: Dtype): View {
    group.add(name, value, dtype);
    this.writers.set(name, place);
    const view = this.addBuffer(name, dtype, group.shape, 'kernel');
    this.views.set(name, view);
    return view;
  }

  private wholeBuffer(name: Name): Name {
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

  private elementwise(node: Node): void {
    const formula = this.dialect[node.op]!.formula!;
    const shape = concreteShape(node.type);
    const phase = this.phaseOf(node.name);
    const place = this.placeFor(node, shape, phase);
    const group = this.pending[place] as Group;
    const args = node.args.map((arg) => this.scalarIn(group, arg));
    this.member(group, place, node.name, formula(args, node), node.type.dtype);
  }

  /** The group that a value can join: that of its latest operand, where all the others come before it. */
  private placeFor(node: Node, shape: readonly number[], phase: Phase): number {
    const places = node.args.map((arg) => this.placeOf(arg, phase));
    const latest = Math.max(...places);
    const group = this.pending[latest];
    const fits =
      group instanceof Group &&
      group.phase === phase &&
      group.shape.join() === shape.join() &&
      node.args.every((arg, index) => places[index] !== latest || group.members.has(arg));
    return fits ? latest : this.push(new Group(shape, phase));
  }

  /** The place of what writes the buffer that a value lies in; −1 for what is there when a phase begins. */
  private placeOf(name: Name, phase: Phase): number {
    if (this.splats.has(name)) return -1;
    const place = this.writers.get(this.viewOf(name).buffer) ?? -1;
    return this.pending[place]?.phase === phase ? place : -1;
  }

  private scalarIn(group: Group, name: Name): Scalar {
    const known = this.splats.get(name) ?? group.members.get(name)?.scalar;
    return known ?? group.operand(this.viewOf(name), nodeOf(this.graph, name).type.dtype);
  }

  /** A value as it lies in memory, as an expression. */
  private plain(view: View, dtype: Dtype = 'f32'): Inlined {
    return { operands: [view], value: { kind: 'operand', index: 0, dtype } };
  }

  /** A value as an expression over others, where `allows` lets its nodes be computed again; else as it is. */
  private inlined(name: Name, allows: (node: Node) => boolean): Inlined {
    const operands: View[] = [];
    let count = 0;
    const numberOfView = (view: View): number => {
      const key = JSON.stringify(view);
      const known = operands.findIndex((operand) => JSON.stringify(operand) === key);
      return known >= 0 ? known : operands.push(view) - 1;
    };
    const build = (value: Name, through: (view: View) => View | undefined): Scalar | undefined => {
      const node = nodeOf(this.graph, value);
      const splat = this.splats.get(value);
      if (splat !== undefined) return splat;
      if (viewOps.has(node.op) && allows(node)) {
        return build(node.args[0]!, (view) => {
          const inner = moved(node, view);
          return inner && through(inner);
        });
      }
      const formula = this.dialect[node.op]?.formula;
      if (formula !== undefined && allows(node) && ++count <= inlineLimit) {
        const args = node.args.map((arg) => build(arg, through));
        return args.every((arg) => arg !== undefined) ? formula(args, node) : undefined;
      }
      const view = through(this.viewOf(value));
      return view && { kind: 'operand', index: numberOfView(view), dtype: node.type.dtype };
    };
    const value = build(name, (view) => view);
    if (value === undefined) return this.plain(this.viewOf(name), nodeOf(this.graph, name).type.dtype);
    return { operands, value };
  }

  /** A weight, modified on its way: W⁺ = max(W, 0) is not stored. */
  private weight(name: Name): Inlined {
    const allows = (node: Node): boolean =>
      !this.active.has(node.name) && (viewOps.has(node.op) || this.isCheap(node));
    return this.inlined(name, allows);
  }

  private isCheap(node: Node): boolean {
    const formula = this.dialect[node.op]?.formula;
    if (formula === undefined) return false;
    const leaves = node.args.map((_, index): Scalar => ({ kind: 'operand', index, dtype: 'f32' }));
    const isCheap = (value: Scalar): boolean =>
      value.kind !== 'apply' || (cheap.has(value.fn) && value.args.every(isCheap));
    return isCheap(formula(leaves, node));
  }

  /** What only a reduction reads is computed in it. */
  private ownOf(name: Name): Inlined {
    return this.inlined(
      name,
      (node) => this.useCounts.get(node.name) === 1 && this.dialect[node.op]?.formula !== undefined,
    );
  }

  private rooted(node: Node, root: Root, finish: (result: Scalar, group: Group) => Scalar): void {
    const group = new Group(concreteShape(node.type), this.phaseOf(node.name), root);
    const value = finish(group.result(), group);
    this.member(group, this.push(group), node.name, value, 'f32');
  }

  private linear(node: Node): void {
    const [x, w, bias] = node.args as [Name, Name, Name?];
    const shape = (name: Name) => concreteShape(nodeOf(this.graph, name).type);
    const finish = (result: Scalar, group: Group): Scalar => {
      if (bias === undefined) return result;
      return scalar.add(result, this.biasIn(group, node, bias));
    };
    const right = this.weight(w);
    const cut = right.operands.some(({ panels }) => panels !== undefined);
    if (node.op === 'einsum') {
      const nests = [einsumNest(node, shape(x), shape(w), cut)];
      this.rooted(node, { nests, operator: 'sum', left: this.weight(x), right }, finish);
      return;
    }
    const isForward = node.op === 'conv';
    const margins = isForward ? convolutionMargins(node) : transposeMargins(node, shape(w), shape(x));
    const nests = isForward
      ? [convolutionNest(node, shape(w), cut)]
      : transposeNests(node, shape(w), margins, cut);
    const left = this.plain(this.withMargins(x, margins, 0));
    this.rooted(node, { nests, operator: 'sum', left, right }, finish);
  }

  /** The bias stands along the axes of the result that the right factor alone has; the last one for convolutions. */
  private biasIn(group: Group, node: Node, bias: Name): Scalar {
    const splat = this.splats.get(bias);
    if (splat !== undefined) return splat;
    const axes = biasAxes(node);
    const view = this.viewOf(bias);
    const strides = group.shape.map((_, axis) =>
      axes.includes(axis) ? view.strides[axes.indexOf(axis)]! : 0,
    );
    return group.operand({ ...view, shape: group.shape, strides }, 'f32');
  }

  /** A value with elements around it. */
  private withMargins(name: Name, { low, high }: Margins, filler: number): View {
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

  private padKernel(
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

  private pad(node: Node): void {
    const [low, high] = [numbersOf(node.attrs, 'low'), numbersOf(node.attrs, 'high')];
    const interior = node.attrs.interior === undefined ? low.map(() => 0) : numbersOf(node.attrs, 'interior');
    const how = { low, high, interior, filler: numberOf(node.attrs, 'value', 0) };
    this.views.set(node.name, this.padKernel(node.name, this.viewOf(node.args[0]!), how, node.args[0]!));
  }

  private reduction(node: Node): void {
    const [x] = node.args as [Name];
    const shape = concreteShape(nodeOf(this.graph, x).type);
    const nests = [reductionNest(shape, numbersOf(node.attrs, 'axes'))];
    const operator = node.op === 'sum' ? 'sum' : 'max';
    this.rooted(node, { nests, operator, left: this.ownOf(x) }, (result) => result);
  }

  /** The one sum over all samples: only at a batch size does it have extents. */
  private batchTotal(node: Node): void {
    const [x] = node.args as [Name];
    const shape = concreteShape(node.type);
    const axes = shape.map((_, axis) => axis);
    const group = new Group([], 'run', {
      nests: [reductionNest(shape, axes)],
      operator: 'sum',
      left: this.ownOf(x),
    });
    const total = this.member(group, this.push(group), `${node.name}.total`, group.result(), 'f32');
    this.views.set(node.name, { ...total, shape, strides: shape.map(() => 0) });
  }

  private pool(node: Node): void {
    const [x] = node.args as [Name];
    const isMaximum = node.op === 'max_pool';
    const margins = convolutionMargins(node);
    const left = this.plain(this.withMargins(x, margins, isMaximum ? Number.NEGATIVE_INFINITY : 0));
    const operator = isMaximum ? 'max' : 'sum';
    this.rooted(node, { nests: [poolNest(node)], operator, left }, (result, group) =>
      isMaximum ? result : scalar.div(result, this.countsIn(group, node, x)),
    );
  }

  /** The elements of each window that lie inside of the picture: one number where they are the same for all. */
  private countsIn(group: Group, node: Node, x: Name): Scalar {
    const counts = poolCounts(node, concreteShape(nodeOf(this.graph, x).type));
    if (counts.every((count) => count === counts[0])) return scalar.number(counts[0]!);
    const name = `${node.name}.counts`;
    const places = group.shape.slice(1, -1);
    const view = this.addBuffer(name, 'f32', places, 'constant');
    this.constants.set(name, counts);
    return group.operand({ ...view, shape: group.shape, strides: [0, ...view.strides, 0] }, 'f32');
  }

  private concat(node: Node): void {
    const axis = numberOf(node.attrs, 'axis');
    const result = this.addBuffer(node.name, node.type.dtype, concreteShape(node.type), 'kernel');
    let begin = 0;
    const kernels = node.args.map((arg): Kernel => {
      const type = nodeOf(this.graph, arg).type;
      const loops = concreteShape(type);
      const offset = begin * result.strides[axis]!;
      begin += loops[axis]!;
      const splat = this.splats.get(arg);
      const value: Scalar = splat ?? { kind: 'operand', index: 0, dtype: type.dtype };
      const operands = splat === undefined ? [accessOf(this.viewOf(arg))] : [];
      const store = { access: { ...accessOf(result), offset }, value, dtype: type.dtype };
      return {
        kind: 'loops',
        name: node.name,
        values: [{ name: node.name, scalar: value }],
        loops,
        reduced: [],
        operands,
        stores: [store],
      };
    });
    this.views.set(node.name, result);
    this.writers.set(node.name, this.push(new Fixed(this.phaseOf(node.name), kernels, node.name)));
  }

  private special(node: Node): void {
    const from = node.args.map((arg) => this.wholeBuffer(arg));
    const types = node.args.map((arg) => nodeOf(this.graph, arg).type);
    const result = this.addBuffer(node.name, node.type.dtype, concreteShape(node.type), 'kernel');
    this.views.set(node.name, result);
    const kernel = specialKernel(node, from, types);
    this.writers.set(node.name, this.push(new Fixed(this.phaseOf(node.name), [kernel], node.name)));
  }
}

function biasAxes(node: Node): number[] {
  if (node.op !== 'einsum') return [node.type.shape.length - 1];
  const [left, out] = (node.attrs.eq as string).split(/,.*->/) as [string, string];
  return [...out].flatMap((index, axis) => (left.includes(index) ? [] : [axis]));
}

/**
 * The kernels of a lowered graph at one batch size.
 * @throws RelcError RELC4001 where an op has no kernel
 */
export function fuse(graph: Graph, dialect: Dialect, batch: number): KernelProgram {
  const bound = bindBatch(graph, batch);
  const fuser = new Fuser(bound, dialect, new Set());
  const suitable = fuser.suitsPanels(fuser.fuse());
  return new Fuser(bound, dialect, suitable).fuse();
}
