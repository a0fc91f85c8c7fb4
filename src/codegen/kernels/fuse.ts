// Fusion: from a graph of ops to kernels. Movement becomes affine maps, elementwise ops ride on what they follow.
import { blaming } from '../../ir/check.js';
import { type Dialect, numberOf, numbersOf, OpProblem } from '../../ir/dialect.js';
import { bindBatch, type Graph, type Name, type Node, nodeOf, usesOf } from '../../ir/graph.js';
import { poolCounts } from '../../ir/ops/pooling.js';
import { groupsOf } from '../../ir/ops/window.js';
import type { Scalar } from '../../ir/scalar.js';
import { scalar } from '../../ir/scalar.js';
import { concreteShape } from '../../ir/type.js';
import { accessOf, Group, type Inlined, type Phase, type Root } from './group.js';
import { inlinedOwn, inlinedWeight, plain } from './inline.js';
import { accesses, type Kernel, type KernelProgram, reads } from './kernel.js';
import {
  convolutionMargins,
  convolutionNest,
  einsumNest,
  poolNest,
  reductionNest,
  transposeMargins,
  transposeNests,
} from './nests.js';
import { specialKernel, specialOps } from './special.js';
import { Values } from './values.js';
import { panelWidth, viewOps } from './view.js';

class Fuser {
  private readonly values: Values;
  private readonly useCounts: ReadonlyMap<Name, number>;

  constructor(
    private readonly graph: Graph,
    private readonly dialect: Dialect,
    inPanels: ReadonlySet<Name>,
  ) {
    this.values = new Values(graph, inPanels);
    const counts = new Map([...usesOf(graph)].map(([name, uses]) => [name, uses.length]));
    for (const name of Object.values(graph.outputs)) counts.set(name, counts.get(name)! + 1);
    this.useCounts = counts;
  }

  /** Weights that only products of matrices read, as their right factor, in their own order: these can lie in panels. */
  suitsPanels({ load, run, weights, buffers, outputs }: KernelProgram): Set<Name> {
    const others = new Set([...this.values.turned, ...Object.values(outputs)]);
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
    return this.values.program();
  }

  private visit(node: Node): void {
    const { op } = node;
    const kinds: Readonly<Record<string, (node: Node) => void>> = this.visitors;
    if (Object.hasOwn(kinds, op)) kinds[op]!(node);
    else if (viewOps.has(op)) this.values.movement(node);
    else if (this.dialect[op]?.formula !== undefined) this.elementwise(node);
    else if (specialOps.has(op)) this.special(node);
    else throw new OpProblem('RELC4001', `${op} has no kernel`, 'choose another target');
  }

  private readonly visitors = {
    input: (node: Node) => this.values.source(node),
    param: (node: Node) => this.values.source(node),
    constant: (node: Node) => this.values.source(node),
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

  private elementwise(node: Node): void {
    const formula = this.dialect[node.op]!.formula!;
    const shape = concreteShape(node.type);
    const phase = this.values.phaseOf(node.name);
    const place = this.placeFor(node, shape, phase);
    const group = this.values.pending[place] as Group;
    const args = node.args.map((arg) => this.scalarIn(group, arg));
    this.values.member(group, place, node.name, formula(args, node), node.type.dtype);
  }

  /** The group that a value can join: that of its latest operand, where all the others come before it. */
  private placeFor(node: Node, shape: readonly number[], phase: Phase): number {
    const places = node.args.map((arg) => this.values.placeOf(arg, phase));
    const latest = Math.max(...places);
    const group = this.values.pending[latest];
    const fits =
      group instanceof Group &&
      group.phase === phase &&
      group.shape.join() === shape.join() &&
      node.args.every((arg, index) => places[index] !== latest || group.members.has(arg));
    return fits ? latest : this.values.push(new Group(shape, phase));
  }

  private scalarIn(group: Group, name: Name): Scalar {
    const known = this.values.splats.get(name) ?? group.members.get(name)?.scalar;
    return known ?? group.operand(this.values.viewOf(name), nodeOf(this.graph, name).type.dtype);
  }

  private weight(name: Name): Inlined {
    return inlinedWeight(this.values, this.dialect, name);
  }

  private ownOf(name: Name): Inlined {
    return inlinedOwn(this.values, this.dialect, this.useCounts, name);
  }

  private rooted(node: Node, root: Root, finish: (result: Scalar, group: Group) => Scalar): void {
    const group = new Group(concreteShape(node.type), this.values.phaseOf(node.name), root);
    const value = finish(group.result(), group);
    this.values.member(group, this.values.push(group), node.name, value, 'f32');
  }

  private linear(node: Node): void {
    const [x, w, bias] = node.args as [Name, Name, Name?];
    const shape = (name: Name) => this.values.shapeOf(name);
    const finish = (result: Scalar, group: Group): Scalar => {
      if (bias === undefined) return result;
      return scalar.add(result, this.biasIn(group, node, bias));
    };
    const right = this.weight(w);
    // The columns of a group may be no whole panels
    if (groupsOf(node.attrs) > 1) for (const { buffer } of right.operands) this.values.turned.add(buffer);
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
    const left = plain(this.values.withMargins(x, margins, 0));
    this.rooted(node, { nests, operator: 'sum', left, right }, finish);
  }

  /** The bias stands along the axes of the result that the right factor alone has; the last one for convolutions. */
  private biasIn(group: Group, node: Node, bias: Name): Scalar {
    const splat = this.values.splats.get(bias);
    if (splat !== undefined) return splat;
    const axes = biasAxes(node);
    const view = this.values.viewOf(bias);
    const strides = group.shape.map((_, axis) =>
      axes.includes(axis) ? view.strides[axes.indexOf(axis)]! : 0,
    );
    return group.operand({ ...view, shape: group.shape, strides }, 'f32');
  }

  private pad(node: Node): void {
    const [low, high] = [numbersOf(node.attrs, 'low'), numbersOf(node.attrs, 'high')];
    const interior = node.attrs.interior === undefined ? low.map(() => 0) : numbersOf(node.attrs, 'interior');
    const how = { low, high, interior, filler: numberOf(node.attrs, 'value', 0) };
    this.values.show(
      node.name,
      this.values.padKernel(node.name, this.values.viewOf(node.args[0]!), how, node.args[0]!),
    );
  }

  private reduction(node: Node): void {
    const [x] = node.args as [Name];
    const shape = this.values.shapeOf(x);
    const nests = [reductionNest(shape, numbersOf(node.attrs, 'axes'))];
    const operator = node.op === 'sum' ? 'sum' : 'max';
    this.rooted(node, { nests, operator, left: this.ownOf(x) }, (result) => result);
  }

  /** The one sum over all samples: only at a batch size does it have extents. */
  private batchTotal(node: Node): void {
    const [x] = node.args as [Name];
    const shape = concreteShape(node.type);
    const axes = shape.map((_, axis) => axis);
    const group = new Group([], this.values.phaseOf(node.name), {
      nests: [reductionNest(shape, axes)],
      operator: 'sum',
      left: this.ownOf(x),
    });
    const total = this.values.member(
      group,
      this.values.push(group),
      `${node.name}.total`,
      group.result(),
      'f32',
    );
    this.values.show(node.name, { ...total, shape, strides: shape.map(() => 0) });
  }

  private pool(node: Node): void {
    const [x] = node.args as [Name];
    const isMaximum = node.op === 'max_pool';
    const margins = convolutionMargins(node);
    const left = plain(this.values.withMargins(x, margins, isMaximum ? Number.NEGATIVE_INFINITY : 0));
    const operator = isMaximum ? 'max' : 'sum';
    this.rooted(node, { nests: [poolNest(node)], operator, left }, (result, group) =>
      isMaximum ? result : scalar.div(result, this.countsIn(group, node, x)),
    );
  }

  /** The elements of each window that lie inside of the picture: one number where they are the same for all. */
  private countsIn(group: Group, node: Node, x: Name): Scalar {
    const counts = poolCounts(node, this.values.shapeOf(x));
    if (counts.every((count) => count === counts[0])) return scalar.number(counts[0]!);
    const name = `${node.name}.counts`;
    const places = group.shape.slice(1, -1);
    const view = this.values.addBuffer(name, 'f32', places, 'constant');
    this.values.constants.set(name, counts);
    return group.operand({ ...view, shape: group.shape, strides: [0, ...view.strides, 0] }, 'f32');
  }

  private concat(node: Node): void {
    const axis = numberOf(node.attrs, 'axis');
    this.values.fixed(node, (result) => {
      let begin = 0;
      return node.args.map((arg): Kernel => {
        const dtype = this.values.dtypeOf(arg);
        const loops = this.values.shapeOf(arg);
        const offset = begin * result.strides[axis]!;
        begin += loops[axis]!;
        const splat = this.values.splats.get(arg);
        const value: Scalar = splat ?? { kind: 'operand', index: 0, dtype };
        const operands = splat === undefined ? [accessOf(this.values.viewOf(arg))] : [];
        const stores = [{ access: { ...accessOf(result), offset }, value, dtype }];
        const values = [{ name: node.name, scalar: value }];
        return { kind: 'loops', name: node.name, values, loops, reduced: [], operands, stores };
      });
    });
  }

  private special(node: Node): void {
    const from = node.args.map((arg) => this.values.wholeBuffer(arg));
    const types = node.args.map((arg) => nodeOf(this.graph, arg).type);
    this.values.fixed(node, () => [specialKernel(node, from, types)]);
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
