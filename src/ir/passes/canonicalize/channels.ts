// Channel maps: products and sums with constants that vary along one axis alone.
import { Arithmetic } from '../../arithmetic.js';
import type { GraphBuilder } from '../../builder.js';
import { numberOf, numbersOf } from '../../dialect.js';
import type { Name, Node } from '../../graph.js';
import { elementCount, type Shape, type TensorType } from '../../type.js';

/** z·scale + offset, either part absent; both are vectors of one axis of z. */
export interface ChannelMap {
  readonly axis: number;
  readonly scale?: Name;
  readonly offset?: Name;
}

/** A constant that varies along one axis alone: `value[…, i, …] = vector[i]`. */
interface AxisVector {
  readonly axis: number;
  readonly vector: Name;
}

/** The channel map that a node applies to its first operand, if it is one: its other operands are constant. */
export function channelMapOf(
  builder: GraphBuilder,
  node: Node,
  active: ReadonlySet<Name>,
): ChannelMap | undefined {
  if (!active.has(node.name) || node.args.slice(1).some((arg) => active.has(arg))) return undefined;
  if (node.op === 'batch_norm') return batchNormMap(new Arithmetic(builder), node);
  if (node.op !== 'add' && node.op !== 'mul') return undefined;
  const found = vectorOf(builder, node.args[1]!);
  if (found === undefined) return undefined;
  const { axis, vector } = found;
  return node.op === 'mul' ? { axis, scale: vector } : { axis, offset: vector };
}

/** The scale and offset of a batch normalization: γ/√(σ²+ε) and β − μ·scale. */
function batchNormMap(k: Arithmetic, node: Node): ChannelMap {
  const [, gamma, beta, mean, variance] = node.args as [Name, Name, Name, Name, Name];
  const epsilon = k.constant(numberOf(node.attrs, 'epsilon'), variance);
  const scale = k.mul(gamma, k.unary('rsqrt', k.add(variance, epsilon)), `${node.name}.scale`);
  const offset = k.binary('sub', beta, k.mul(mean, scale), `${node.name}.offset`);
  return { axis: node.type.shape.length - 1, scale, offset };
}

/**
 * The axis and vector of a constant, added to the builder; undefined where it varies along several axes. One number
 * everywhere is a vector of the last axis.
 */
function vectorOf(builder: GraphBuilder, value: Name): AxisVector | undefined {
  const node = builder.node(value);
  const { shape } = node.type;
  if (node.type.dtype !== 'f32') return undefined;
  const k = new Arithmetic(builder);
  const last = shape.length - 1;
  if (repeatedOf(builder, value) !== undefined) {
    const vector = typeof shape[last] === 'number' ? repeat(k, value, shape[last]) : undefined;
    return vector === undefined ? undefined : { axis: last, vector };
  }
  const [source, axes] =
    node.op === 'broadcast' ? [node.args[0]!, numbersOf(node.attrs, 'axes')] : [value, [...shape.keys()]];
  const own = builder.typeOf(source).shape;
  const varying = own.findIndex((extent) => extent !== 1);
  const extent = own[varying];
  if (typeof extent !== 'number' || extent !== elementCount(own)) return undefined;
  return { axis: axes[varying]!, vector: own.length === 1 ? source : k.reshape(source, [extent]) };
}

/** The constant of one element, or of one number in every element, that a constant repeats. */
function repeatedOf(builder: Pick<GraphBuilder, 'node'>, value: Name): Node | undefined {
  for (let node = builder.node(value); ; node = builder.node(node.args[0]!)) {
    const isSplat = node.op === 'constant' && !Array.isArray(node.attrs.value);
    const isSingle = typeof node.type.shape[0] !== 'string' && elementCount(node.type.shape) === 1;
    if (isSplat || isSingle) return node;
    if (node.op !== 'broadcast' && node.op !== 'reshape') return undefined;
  }
}

/** A vector of what `value` repeats; undefined where it repeats nothing. */
function repeat(k: Arithmetic, value: Name, extent: number): Name | undefined {
  const source = repeatedOf(k.builder, value);
  if (source === undefined) return undefined;
  const type: TensorType = { dtype: 'f32', shape: [extent] };
  if (source.op === 'constant' && !Array.isArray(source.attrs.value)) {
    return k.builder.add('constant', [], { attrs: source.attrs, type });
  }
  return k.broadcast(k.reshape(source.name, []), [], type);
}

/** Whether a map does the same to every element. */
export function isUniform(builder: Pick<GraphBuilder, 'node'>, { scale, offset }: ChannelMap): boolean {
  return [scale, offset].every((part) => part === undefined || repeatedOf(builder, part) !== undefined);
}

/** A map with each of its vectors replaced. */
export function withVectors({ axis, scale, offset }: ChannelMap, change: (vector: Name) => Name): ChannelMap {
  return {
    axis,
    ...(scale === undefined ? {} : { scale: change(scale) }),
    ...(offset === undefined ? {} : { offset: change(offset) }),
  };
}

/**
 * A map as one of a value of another shape: along `axis`, if there is one as long as the map's vectors; else along
 * `spare`, if the map is uniform; undefined of any other map.
 */
export function placed(
  k: Arithmetic,
  map: ChannelMap,
  shape: Shape,
  axis: number | undefined,
  spare: number | undefined,
): ChannelMap | undefined {
  const extent = k.builder.typeOf(map.scale ?? map.offset!).shape[0];
  if (axis !== undefined && shape[axis] === extent) return { ...map, axis };
  const other = spare === undefined ? undefined : shape[spare];
  if (typeof other !== 'number' || !isUniform(k.builder, map)) return undefined;
  return { ...withVectors(map, (vector) => repeat(k, vector, other)!), axis: spare! };
}
