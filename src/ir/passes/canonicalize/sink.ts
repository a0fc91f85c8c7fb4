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

/** Values known to lead to no affine op that takes a scale, or an offset alone. */
export interface DeadEnds {
  readonly scale: Set<Name>;
  readonly offset: Set<Name>;
}

export const newDeadEnds = (): DeadEnds => ({ scale: new Set(), offset: new Set() });

/** Moves channel maps into the values they are applied to, while a graph is being rewritten. */
export class Sinker {
  private readonly k: Arithmetic;

  /**
   * @param uses  how many uses each value of the new graph has, outputs counted; kept up to date
   * @param active  the values of the new graph that depend on an input; kept up to date
   * @param deadEnds  what was searched in vain before, so that each value is searched once; kept up to date
   */
  constructor(
    private readonly rewriter: Rewriter,
    private readonly uses: Map<Name, number>,
    private readonly active: Set<Name>,
    private readonly deadEnds: DeadEnds,
  ) {
    this.k = new Arithmetic(rewriter.builder);
  }

  /** The value under `name` that equals `value` followed by the map; undefined where nothing can take the map. */
  sink(value: Name, map: ChannelMap, name: Name): Name | undefined {
    const { builder } = this.rewriter;
    const route = this.routeFrom(value, map);
    let below: { readonly old: Name; readonly moved: Name } | undefined;
    for (const [index, old] of route.entries()) {
      const wanted = index === route.length - 1 ? name : successor(old, map);
      const node = builder.node(old);
      const moved: Name =
        below === undefined
          ? this.sinkIntoAffine(node, map, wanted)
          : this.withOperand(node, below.old, below.moved, wanted);
      builder.alias(old, moved);
      this.uses.set(moved, 1);
      this.active.add(moved);
      below = { old, moved };
    }
    return below?.moved;
  }

  /**
   * From an affine op that can take the map up to `value`; empty where there is none. All on it have one use: nothing
   * else reads what changes. The first operand of a sum is tried first.
   */
  private routeFrom(value: Name, map: ChannelMap): readonly Name[] {
    const deadEnds = map.scale === undefined ? this.deadEnds.offset : this.deadEnds.scale;
    const userOf = new Map<Name, Name>();
    const searched: Name[] = [];
    const pending = [value];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (this.uses.get(name) !== 1 || !this.active.has(name) || deadEnds.has(name)) continue;
      const node = this.rewriter.builder.node(name);
      if (this.takes(node, map)) return pathUp(name, userOf, searched, deadEnds);
      searched.push(name);
      for (const operand of this.passesOn(node, map)) {
        userOf.set(operand, name);
        pending.push(operand);
      }
    }
    for (const name of searched) deadEnds.add(name);
    return [];
  }

  private takes(node: Node, map: ChannelMap): boolean {
    if (!isAffine(node) || this.active.has(node.args[1]!)) return false;
    return channelAxis(node) !== undefined || (node.op === 'conv_transpose' && map.scale === undefined);
  }

  /** The operands that may take the map instead, the first to try last. A sum would need a scale in both: it stays. */
  private passesOn(node: Node, map: ChannelMap): readonly Name[] {
    if (node.op === 'reshape') return this.keepsChannels(node) ? node.args : [];
    return node.op === 'add' && map.scale === undefined ? [...node.args].reverse() : [];
  }

  private withOperand(node: Node, old: Name, moved: Name, name: Name): Name {
    const args = node.args.map((arg) => (arg === old ? moved : arg));
    const { loc, attrs, type } = node;
    return this.rewriter.builder.add(node.op, args, { name, loc, attrs, type });
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

/** The names from `bottom` up to the value the search began at; all else that was searched leads nowhere. */
function pathUp(
  bottom: Name,
  userOf: ReadonlyMap<Name, Name>,
  searched: readonly Name[],
  deadEnds: Set<Name>,
): readonly Name[] {
  const path = [bottom];
  for (let user = userOf.get(bottom); user !== undefined; user = userOf.get(user)) path.push(user);
  const onPath = new Set(path);
  for (const name of searched) if (!onPath.has(name)) deadEnds.add(name);
  return path;
}

/** The name of an operand once the map is in it: a name never denotes two values. */
function successor(operand: Name, map: ChannelMap): Name {
  const base = operand.replace(/\.(biased|scaled)(_\d+)?$/, '');
  return `${base}.${map.scale === undefined ? 'biased' : 'scaled'}`;
}

function isAffine(node: Node): boolean {
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
  const scale = k.mul(gamma, k.unary('rsqrt', k.add(variance, epsilon)), `${node.name}.scale`);
  const offset = k.binary('sub', beta, k.mul(mean, scale), `${node.name}.offset`);
  return { scale, offset };
}

/** Uses of every value, with one more for each output it is. */
export function countUses(graph: Graph): Map<Name, number> {
  const uses = new Map<Name, number>();
  const count = (name: Name) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of graph.nodes.values()) node.args.forEach(count);
  Object.values(graph.outputs).forEach(count);
  return uses;
}
