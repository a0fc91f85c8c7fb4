// Absorption: channel maps that no affine op before them took go into the affine op after them, where that is exact.
import { Arithmetic } from '../../arithmetic.js';
import type { Name, Node } from '../../graph.js';
import type { Rewriter } from '../rewrite.js';
import {
  type AffineOperands,
  argsOf,
  foldAtOperand,
  isAffine,
  operandsOf,
  takenAtOperand,
} from './affine.js';
import { type ChannelMap, channelMapOf } from './channels.js';
import type { Passage } from './passage.js';
import type { Values } from './sink.js';

/** A node that applies a map, the ops between it and an affine op, last first, and the map as the affine op takes it. */
interface Source {
  readonly node: Node;
  readonly between: readonly Node[];
  readonly map: ChannelMap;
}

/** Takes channel maps off the operands of affine ops, while a graph is being rewritten. */
export class Absorber {
  private readonly k: Arithmetic;

  /** @param preprocessed  values whose maps stay: rules see the input in its own range there */
  constructor(
    private readonly rewriter: Rewriter,
    private readonly values: Values,
    private readonly preprocessed: ReadonlySet<Name>,
    private readonly passage: Passage,
  ) {
    this.k = new Arithmetic(rewriter.builder);
  }

  /** The affine op with all maps on its operand in its weight and bias; undefined where there is none to take. */
  absorb(node: Node): Name | undefined {
    if (!isAffine(node) || !this.values.active.has(node.args[0]!)) return undefined;
    if (this.values.active.has(node.args[1]!)) return undefined;
    let operands = operandsOf(node);
    for (let source = this.sourceOf(node, operands); source; source = this.sourceOf(node, operands)) {
      operands = foldAtOperand(this.k, node, source.map, operands, this.withoutMap(source));
    }
    if (operands.x === node.args[0]) return undefined;
    const { name, attrs, type, loc } = node;
    return this.rewriter.builder.add(node.op, argsOf(operands), { name, attrs, type, loc });
  }

  /**
   * The nearest map before an affine op that can go into it. A map whose scale could go but whose offset could not
   * stays whole: W(s·x + o) = (W·s)(x + o/s) would divide by scales that may be next to nothing.
   */
  private sourceOf(affine: Node, { x }: AffineOperands): Source | undefined {
    const { builder } = this.rewriter;
    const { uses, active } = this.values;
    const between: Node[] = [];
    for (let name = x; uses.get(name) === 1 && active.has(name); name = builder.node(name).args[0]!) {
      const node = builder.node(name);
      if (this.passage.admits(node)) {
        between.push(node);
        continue;
      }
      const own = this.preprocessed.has(name) ? undefined : channelMapOf(builder, node, active);
      const map = own && this.carried(affine, between, own);
      return map && { node, between, map };
    }
    return undefined;
  }

  private carried(affine: Node, between: readonly Node[], own: ChannelMap): ChannelMap | undefined {
    let map: ChannelMap | undefined = own;
    for (const node of [...between].reverse()) map = map && this.passage.ahead(node, map);
    return map && takenAtOperand(this.k, affine, map);
  }

  /** The operand of the affine op as it is without the map: what was mapped stands for it up to a constant map. */
  private withoutMap({ node, between }: Source): Name {
    const { builder } = this.rewriter;
    let x = node.args[0]!;
    builder.alias(node.name, x);
    for (const { name, op, attrs, type, loc } of [...between].reverse()) {
      x = builder.add(op, [x], { name: bare(name), attrs, type, loc });
      builder.alias(name, x);
      this.values.uses.set(x, 1);
      this.values.active.add(x);
    }
    return x;
  }
}

/** The name of a value once a map is off it: a name never denotes two values. */
function bare(name: Name): Name {
  return `${name.replace(/\.bare(_\d+)?$/, '')}.bare`;
}
