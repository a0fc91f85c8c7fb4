// Passage: how a channel map moves past an op that is not affine, from its result to its operand and the other way.
import { Arithmetic } from '../../arithmetic.js';
import type { GraphBuilder } from '../../builder.js';
import { numberAttr, numberOf, numbersOf } from '../../dialect.js';
import type { Attrs, Name, Node } from '../../graph.js';
import { bindDim, type Shape } from '../../type.js';
import { type ChannelMap, isUniform, placed, withVectors } from './channels.js';

/** The elements of a constant. */
export type ValuesOf = (constant: Name) => ArrayLike<number>;

/** The axis of the operand that an axis of the result comes from, and the other way; −1 where there is none. */
interface AxisRelation {
  back(axis: number): number;
  ahead(axis: number): number;
}

const sameAxis: AxisRelation = { back: (axis) => axis, ahead: (axis) => axis };

/** Pools and resizing work on each channel alone; along any other axis they mix. */
function channelsOnly(node: Node): AxisRelation {
  const last = node.type.shape.length - 1;
  const channel = (axis: number) => (axis === last ? last : -1);
  return { back: channel, ahead: channel };
}

function removedAxes(rank: number, removed: readonly number[]): AxisRelation {
  const kept = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !removed.includes(axis));
  return { back: (axis) => kept[axis]!, ahead: (axis) => kept.indexOf(axis) };
}

/** Ops that commute with a map f(z) = z·scale + offset of each channel: op(f(x)) = f(op(x)), some on conditions. */
const passable = new Set([
  'reshape',
  'transpose',
  'broadcast',
  'slice',
  'pad',
  'max_pool',
  'avg_pool',
  'mean',
  'resize',
]);

/** The ways of channel maps past the ops of a graph that is being built. */
export class Passage {
  private readonly k: Arithmetic;

  constructor(
    private readonly builder: GraphBuilder,
    private readonly valuesOf: ValuesOf,
  ) {
    this.k = new Arithmetic(builder);
  }

  admits(node: Node): boolean {
    return passable.has(node.op);
  }

  /** The map of the operand that does what `map` does to the result; undefined where there is none. */
  back(node: Node, map: ChannelMap): ChannelMap | undefined {
    return this.commutes(node, map) && this.fitsPad(node, map) ? this.moved(node, map, 'back') : undefined;
  }

  /**
   * The map of the result that does what `map` does to the operand. An offset stays before a pad: behind it, the padding
   * would have to hold −offset/scale in the stead of zeros, and would contribute.
   */
  ahead(node: Node, map: ChannelMap): ChannelMap | undefined {
    const padded = node.op === 'pad' && (map.offset !== undefined || numberOf(node.attrs, 'value', 0) !== 0);
    return this.commutes(node, map) && !padded ? this.moved(node, map, 'ahead') : undefined;
  }

  /** The attributes of an op once a map of its result has moved to its operand: a pad's value v becomes f(v). */
  attrsBehind(node: Node, map: ChannelMap): Attrs {
    const value = numberOf(node.attrs, 'value', 0);
    if (node.op !== 'pad' || (map.offset === undefined && value === 0)) return node.attrs;
    const mapped = value * this.numberIn(map.scale, 1) + this.numberIn(map.offset, 0);
    return { ...node.attrs, value: numberAttr(mapped) };
  }

  /**
   * max(s·x, s·y) = s·max(x, y) for s ≥ 0. A scale of 0 does not pass either: behind it all elements win, and relevance
   * would go to the first of them.
   */
  private commutes(node: Node, { scale }: ChannelMap): boolean {
    if (node.op !== 'max_pool' || scale === undefined) return true;
    return Array.from(this.valuesOf(scale)).every((factor) => factor > 0);
  }

  /** A scale keeps the zeros of a pad; what else is padded can only turn into one other number. */
  private fitsPad(node: Node, map: ChannelMap): boolean {
    if (node.op !== 'pad') return true;
    const keepsZeros = map.offset === undefined && numberOf(node.attrs, 'value', 0) === 0;
    return keepsZeros || (isUniform(this.builder, map) && Number.isFinite(this.attrsBehind(node, map).value));
  }

  private numberIn(vector: Name | undefined, neutral: number): number {
    return vector === undefined ? neutral : this.valuesOf(vector)[0]!;
  }

  private moved(node: Node, map: ChannelMap, direction: 'back' | 'ahead'): ChannelMap | undefined {
    const ends = [node.type.shape, this.builder.typeOf(node.args[0]!).shape] as const;
    const [from, to] = direction === 'back' ? ends : ([ends[1], ends[0]] as const);
    if (node.op === 'reshape') return acrossReshape(this.k, map, from, to);
    const axis = this.relation(node)[direction](map.axis);
    return placed(this.k, map, to, axis < 0 ? undefined : axis, to.length - 1);
  }

  private relation(node: Node): AxisRelation {
    const { attrs } = node;
    switch (node.op) {
      case 'transpose': {
        const perm = numbersOf(attrs, 'perm');
        return { back: (axis) => perm[axis]!, ahead: (axis) => perm.indexOf(axis) };
      }
      case 'broadcast': {
        const axes = numbersOf(attrs, 'axes');
        return { back: (axis) => axes.indexOf(axis), ahead: (axis) => axes[axis]! };
      }
      case 'mean':
        return removedAxes(this.builder.typeOf(node.args[0]!).shape.length, numbersOf(attrs, 'axes'));
      case 'slice':
      case 'pad':
        return sameAxis;
      default:
        return channelsOnly(node);
    }
  }
}

/**
 * A map across a reshape. Element number f, in row-major order, of a value with inner = Π of the extents behind the
 * map's axis has channel ⌊f / inner⌋ mod extent. That is a vector along an axis of the other shape iff that axis's
 * positions ⌊f / finer⌋ step at least as finely and its period holds whole periods of the channels.
 */
function acrossReshape(k: Arithmetic, map: ChannelMap, from: Shape, to: Shape): ChannelMap | undefined {
  const [extent, inner] = [from[map.axis] as number, innerSize(from, map.axis)];
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const [length, finer] = [to[axis]!, innerSize(to, axis)];
    if (typeof length !== 'number' || inner % finer !== 0 || (length * finer) % (extent * inner) !== 0)
      continue;
    const shape = [(length * finer) / (extent * inner), extent, inner / finer];
    const type = { dtype: 'f32' as const, shape };
    const tiled = (vector: Name) => k.reshape(k.broadcast(vector, [1], type), [length]);
    return { ...(length === extent ? map : withVectors(map, tiled)), axis };
  }
  return placed(k, map, to, undefined, to.length - 1);
}

const innerSize = (shape: Shape, axis: number) =>
  shape.slice(axis + 1).reduce<number>((product, extent) => product * bindDim(extent, 1), 1);
