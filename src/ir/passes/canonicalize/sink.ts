// Sinking: per-channel constants move into the affine op before them, wherever that is exact.
import { Arithmetic } from '../../arithmetic.js';
import { numberOf } from '../../dialect.js';
import type { Graph, Name, Node } from '../../graph.js';
import { parseEquation } from '../../ops/einsum.js';
import { groupsOf } from '../../ops/window.js';
import type { Rewriter } from '../rewrite.js';

/** A per-channel map z·scale + offset, either part absent; both are vectors of the last axis. */
export interface ChannelMap {
  readonly scale?: Name;
  readonly offset?: Name;
}

/** Moves channel maps into the values they are applied to, while a graph is being rewritten. */
export class Sinker {
  private readonly k: Arithmetic;

  /**
   * @param uses  how many uses each value of the new graph has, outputs counted; kept up to date
   * @param active  the values of the new graph that depend on an input; kept up to date
   */
  constructor(
    private readonly rewriter: Rewriter,
    private readonly uses: Map<Name, number>,
    private readonly active: Set<Name>,
  ) {
    this.k = new Arithmetic(rewriter.builder);
  }

  /** Whether {@link sink} would succeed: `value` ends in an affine op that nothing else reads. */
  canSink(value: Name, map: ChannelMap): boolean {
    if (this.uses.get(value) !== 1) return false;
    const node = this.rewriter.builder.node(value);
    if (isAffine(node)) return !this.active.has(node.args[1]!) && channelAxis(node) !== undefined;
    if (node.op === 'reshape') return this.keepsChannels(node) && this.canSink(node.args[0]!, map);
    if (node.op === 'add') return this.sinkableOperand(node, map) !== undefined;
    return false;
  }

  /** The value under `name` that equals `value` followed by the map. Call only where {@link canSink} holds. */
  sink(value: Name, map: ChannelMap, name: Name): Name {
    const node = this.rewriter.builder.node(value);
    const result = isAffine(node)
      ? this.sinkIntoAffine(node, map, name)
      : this.sinkIntoOperand(node, map, name);
    this.rewriter.builder.alias(value, result);
    this.uses.set(result, 1);
    this.active.add(result);
    return result;
  }

  /** A reshape, or a sum with an offset: the map goes on into one operand. */
  private sinkIntoOperand(node: Node, map: ChannelMap, name: Name): Name {
    const slot = node.op === 'add' ? this.sinkableOperand(node, map)! : 0;
    const operand = node.args[slot]!;
    const moved = this.sink(operand, map, this.successor(operand, map));
    const args = node.args.map((arg, index) => (index === slot ? moved : arg));
    return this.rewriter.builder.add(node.op, args, {
      name,
      loc: node.loc,
      attrs: node.attrs,
      type: node.type,
    });
  }

  /** The name of an operand once the map is in it: a name never denotes two values. */
  private successor(operand: Name, map: ChannelMap): Name {
    const suffix = map.scale === undefined ? 'biased' : 'scaled';
    return operand.endsWith(`.${suffix}`) ? operand : `${operand}.${suffix}`;
  }

  /** The operand of a sum that can take an offset. A scale would have to go into both: it stays. */
  private sinkableOperand(node: Node, map: ChannelMap): number | undefined {
    if (map.scale !== undefined) return undefined;
    return [0, 1].find((slot) => this.canSink(node.args[slot]!, map));
  }

  private keepsChannels(node: Node): boolean {
    return this.rewriter.builder.typeOf(node.args[0]!).shape.at(-1) === node.type.shape.at(-1);
  }

  /** scale·(W x + b) + offset = (scale·W) x + (scale·b + offset) */
  private sinkIntoAffine(node: Node, map: ChannelMap, name: Name): Name {
    const { builder } = this.rewriter;
    const { k } = this;
    const [x, w, bias] = node.args as [Name, Name, Name?];
    let weight = w;
    let offset = bias;
    if (map.scale !== undefined) {
      const factor = k.broadcast(map.scale, [channelAxis(node)!], builder.typeOf(w));
      weight = k.mul(w, factor, `${name}.w`);
      if (bias !== undefined) offset = k.mul(bias, this.asBias(map.scale, node), `${name}.b`);
    }
    if (map.offset !== undefined) {
      const added = this.asBias(map.offset, node);
      offset = offset === undefined ? added : builder.add('add', [offset, added], { name: `${name}.b` });
    }
    const args = offset === undefined ? [x, weight] : [x, weight, offset];
    const options = { name, attrs: node.attrs, type: node.type, loc: node.loc };
    return builder.add(node.op, args, options);
  }

  /** A channel vector in the shape of the op's bias. */
  private asBias(vector: Name, node: Node): Name {
    if (node.op !== 'einsum') return vector;
    const { rightOnly, right } = parseEquation(node.attrs.eq as string);
    const w = this.rewriter.builder.typeOf(node.args[1]!);
    const shape = [...rightOnly].map((index) => w.shape[right.indexOf(index)]!);
    if (shape.length === 1) return vector;
    return this.k.broadcast(vector, [shape.length - 1], { dtype: 'f32', shape });
  }
}

export function isAffine(node: Node): boolean {
  return node.op === 'conv' || node.op === 'conv_transpose' || node.op === 'einsum';
}

/** The axis of the weight that the result's last axis comes from; undefined where there is no single one. */
function channelAxis(node: Node): number | undefined {
  if (node.op === 'conv') return (node.attrs.strides as readonly number[]).length + 1;
  if (node.op === 'conv_transpose') {
    return groupsOf(node.attrs) === 1 ? (node.attrs.strides as readonly number[]).length : undefined;
  }
  const { right, rightOnly, out } = parseEquation(node.attrs.eq as string);
  const last = out.at(-1)!;
  return rightOnly.endsWith(last) && rightOnly !== '' ? right.indexOf(last) : undefined;
}

/** The scale and offset of a batch normalization: γ/√(σ²+ε) and β − μ·scale. */
export function batchNormMap(k: Arithmetic, node: Node): Required<ChannelMap> {
  const [, gamma, beta, mean, variance] = node.args as [Name, Name, Name, Name, Name];
  const epsilon = k.constant(numberOf(node.attrs, 'epsilon'), variance);
  const scale = k.mul(gamma, k.unary('rsqrt', k.add(variance, epsilon)));
  return { scale, offset: k.sub(beta, k.mul(mean, scale)) };
}

/** Uses of every value, with one more for each output it is. */
export function countUses(graph: Graph): Map<Name, number> {
  const uses = new Map<Name, number>();
  const count = (name: Name) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of graph.nodes.values()) node.args.forEach(count);
  Object.values(graph.outputs).forEach(count);
  return uses;
}
