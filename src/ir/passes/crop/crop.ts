// Cropping: every value is computed only where it is read and can be other than zero.
//
//   f(x)[b] = f(x[b'])          what is read of a result needs no more of the operands
//   f(pad(x)) = pad(f(x))       where f keeps zeros: 0 · y = 0, 0 / den(z) = 0, Σ 0 · w = 0, for finite y and w, den(z) ≠ 0
//
// After a class token is read, what comes back is zero at all others until the next attention mixes them; and nobody
// reads the others in the forward below. Boxes are followed once forwards and once backwards; each value is computed
// once, in the least box that holds all that is read of it, so that no contraction is added and none grows.
import { type Box, common, holds, isEmpty, isWhole, sameBox, shapeWithin, wholeBox } from '../../box.js';
import type { Dialect } from '../../dialect.js';
import { type Graph, type Name, type Node, straightAliases } from '../../graph.js';
import { padAttrs } from '../../ops/movement.js';
import type { TensorType } from '../../type.js';
import { removeDeadCode } from '../dead-code.js';
import { graphPass } from '../pass.js';
import { Rewriter } from '../rewrite.js';
import { type Planned, planCrop } from './plan.js';

/** A part of a value, as a temporary of the layer that the value belongs to. */
const partName = (name: Name) => (name.startsWith('t.') ? `${name}_part` : `t.${name}.part`);

class Cropper {
  private readonly rewriter: Rewriter;
  /** The parts that there are of each value, by their boxes. */
  private readonly parts = new Map<string, Name>();
  /** The part of each value that is computed. */
  private readonly computed = new Map<Name, Name>();
  private readonly plans: ReadonlyMap<Name, Planned>;

  constructor(
    private readonly graph: Graph,
    dialect: Dialect,
  ) {
    this.rewriter = new Rewriter(graph, dialect);
    this.plans = planCrop(graph, dialect);
  }

  private get builder() {
    return this.rewriter.builder;
  }

  private typeWithin(value: Name, box: Box): TensorType {
    const { dtype, shape } = this.graph.nodes.get(value)!.type;
    return { dtype, shape: shapeWithin(shape, box) };
  }

  private nameOf(value: Name, box: Box): Name {
    return isWhole(box, this.graph.nodes.get(value)!.type.shape) ? value : partName(value);
  }

  /** The part of a value in a box, which is zero outside of the box that was computed. */
  private part(value: Name, box: Box, name = this.nameOf(value, box)): Name {
    const key = `${value} ${box.join(' ')}`;
    const part = this.parts.get(key) ?? this.addPart(value, box, name);
    this.parts.set(key, part);
    return part;
  }

  private addPart(value: Name, box: Box, name: Name): Name {
    const planned = this.plans.get(value);
    const there = planned && common(planned.box, box);
    if (there === undefined || isEmpty(there)) {
      return this.builder.splat(0, this.typeWithin(value, box), name);
    }
    if (!holds(planned!.box, box)) return this.padded(this.part(value, there), there, box, name);
    const whole = this.computed.get(value)!;
    if (sameBox(planned!.box, box)) return whole;
    return this.builder.add('slice', [whole], {
      attrs: { begin: box.map(([from], axis) => from - planned!.box[axis]![0]) },
      type: this.typeWithin(value, box),
      name,
    });
  }

  private padded(part: Name, from: Box, to: Box, name: Name): Name {
    const low = from.map(([begin], axis) => begin - to[axis]![0]);
    const high = from.map(([, end], axis) => to[axis]![1] - end);
    return this.builder.add('pad', [part], { attrs: padAttrs(low, high, []), name });
  }

  private compute(node: Node, planned: Planned): Name {
    const { rule, box, reads } = planned;
    const name = this.nameOf(node.name, box);
    if (rule.isPart?.(planned)) return this.part(node.args[0]!, reads[0]!, name);
    const args = reads.map((read, slot) => read && this.part(node.args[slot]!, read));
    const isSame = isWhole(box, node.type.shape) && args.every((arg, slot) => arg === node.args[slot]);
    if (isSame) return this.builder.copy(node);
    const type = this.typeWithin(node.name, box);
    if (rule.build !== undefined) {
      return rule.build({ ...planned, builder: this.builder, args, type, name });
    }
    const given = args.filter((arg) => arg !== undefined);
    return this.builder.add(node.op, given, { attrs: node.attrs, type, name });
  }

  /** Whether all of a value is read somewhere. */
  private wholeReads(): ReadonlySet<Name> {
    const found = new Set<Name>(Object.values(this.graph.outputs));
    for (const { node, rule, reads, types } of this.plans.values()) {
      if (rule.isPart !== undefined) continue;
      for (const [slot, read] of reads.entries()) {
        if (read !== undefined && isWhole(read, types[slot]!.shape)) found.add(node.args[slot]!);
      }
    }
    return found;
  }

  run(): Graph {
    const { graph, rewriter, builder } = this;
    const wholeReads = this.wholeReads();
    for (const node of graph.nodes.values()) {
      builder.loc = node.loc;
      builder.reserved.delete(node.name);
      const planned = this.plans.get(node.name);
      const part = planned && this.compute(node, planned);
      if (part !== undefined) this.computed.set(node.name, part);
      const value = wholeReads.has(node.name) ? this.part(node.name, wholeBox(node.type.shape)) : part;
      if (value !== undefined) rewriter.replace(node.name, value);
      else if (node.op === 'input') builder.copy(node);
      if (!builder.nodes.has(node.name)) builder.reserved.add(node.name);
    }
    const cropped = rewriter.finish();
    // What is read nowhere has left nothing for its aliases to lead to
    return { ...cropped, aliases: straightAliases(cropped) };
  }
}

export const cropValues = (graph: Graph, dialect: Dialect): Graph =>
  new Cropper(removeDeadCode(graph), dialect).run();

export const crop = graphPass(
  'crop',
  'compute values only where they are read and can be other than zero',
  cropValues,
);
