// Affine ops and channel maps: which maps of its result and of its operand an affine op takes into weight and bias.
import type { Arithmetic } from '../../arithmetic.js';
import { pairsOf } from '../../dialect.js';
import type { Name, Node } from '../../graph.js';
import { parseEquation } from '../../ops/einsum.js';
import { groupsOf } from '../../ops/window.js';
import { type ChannelMap, placed } from './channels.js';

/** The operands of an affine op. */
export interface AffineOperands {
  readonly x: Name;
  readonly weight: Name;
  readonly bias?: Name;
}

export function isAffine(node: Node): boolean {
  return node.op === 'conv' || node.op === 'conv_transpose' || node.op === 'einsum';
}

export function operandsOf(node: Node): AffineOperands {
  const [x, weight, bias] = node.args as [Name, Name, Name?];
  return bias === undefined ? { x, weight } : { x, weight, bias };
}

export function argsOf({ x, weight, bias }: AffineOperands): readonly Name[] {
  return bias === undefined ? [x, weight] : [x, weight, bias];
}

/** The map of the op's result, along an axis whose channels the weight or bias has; undefined where it has none. */
export function takenAtResult(k: Arithmetic, node: Node, map: ChannelMap): ChannelMap | undefined {
  const { shape } = node.type;
  const last = shape.length - 1;
  if (node.op !== 'einsum') return placed(k, map, shape, map.axis === last ? last : undefined, last);
  const { out, rightOnly, shared } = parseEquation(node.attrs.eq as string);
  const index = out[map.axis]!;
  // A bias has the indices of the weight alone: what varies along a shared one cannot go into it.
  const scalesShared = shared.includes(index) && map.offset === undefined && node.args[2] === undefined;
  const axis = rightOnly.includes(index) || scalesShared ? map.axis : undefined;
  const spare = rightOnly === '' ? undefined : out.indexOf(rightOnly.at(-1)!);
  return placed(k, map, shape, axis, spare);
}

/** scale·(W x + b) + offset = (scale·W) x + (scale·b + offset) */
export function foldAtResult(
  k: Arithmetic,
  node: Node,
  map: ChannelMap,
  operands: AffineOperands,
  name: Name,
): AffineOperands {
  const { x } = operands;
  let { weight, bias } = operands;
  if (map.scale !== undefined) {
    weight = k.mul(weight, resultFactor(k, node, map.axis, map.scale), `${name}.w`);
    if (bias !== undefined) bias = k.mul(bias, inBias(k, node, map.axis, map.scale), `${name}.b`);
  }
  if (map.offset !== undefined) bias = plus(k, bias, inBias(k, node, map.axis, map.offset), name);
  return bias === undefined ? { x, weight } : { x, weight, bias };
}

/** The map of the op's operand, along an axis that the weight sums over; undefined where the op cannot take it. */
export function takenAtOperand(k: Arithmetic, node: Node, map: ChannelMap): ChannelMap | undefined {
  const { shape } = k.builder.typeOf(node.args[0]!);
  const last = shape.length - 1;
  if (node.op !== 'einsum') {
    if (map.offset !== undefined && !seesWholeKernel(node)) return undefined;
    return placed(k, map, shape, map.axis === last ? last : undefined, last);
  }
  const { left, contracted, shared } = parseEquation(node.attrs.eq as string);
  const index = left[map.axis]!;
  // W·offset would vary along the shared indices, which a bias has not.
  if (map.offset !== undefined && shared !== '') return undefined;
  const axis = contracted.includes(index) || shared.includes(index) ? map.axis : undefined;
  return placed(k, map, shape, axis, contracted === '' ? undefined : left.indexOf(contracted[0]!));
}

/**
 * Whether each output element sums over the whole kernel: then W·offset is the same everywhere. At zero padding the
 * sum lacks the taps outside of the picture, and each output of a transposed convolution has taps of its own.
 */
function seesWholeKernel(node: Node): boolean {
  return node.op === 'conv' && pairsOf(node.attrs, 'padding').every(([low, high]) => low === 0 && high === 0);
}

/** W (scale·x + offset) + b = (W·scale) x + (W·offset + b), with x the operand before the map. */
export function foldAtOperand(
  k: Arithmetic,
  node: Node,
  map: ChannelMap,
  { weight, bias }: AffineOperands,
  x: Name,
): AffineOperands {
  const spread = (vector: Name) => operandFactor(k, node, map.axis, vector);
  const scaled = map.scale === undefined ? weight : k.mul(weight, spread(map.scale), `${node.name}.w`);
  if (map.offset === undefined)
    return bias === undefined ? { x, weight: scaled } : { x, weight: scaled, bias };
  const constant = summed(k, node, k.mul(weight, spread(map.offset)));
  return { x, weight: scaled, bias: plus(k, bias, constant, node.name) };
}

function plus(k: Arithmetic, bias: Name | undefined, added: Name, name: Name): Name {
  return bias === undefined ? added : k.binary('add', bias, added, `${name}.b`);
}

/** A vector of the result's channels in the shape of the weight. */
function resultFactor(k: Arithmetic, node: Node, axis: number, vector: Name): Name {
  const weight = k.builder.typeOf(node.args[1]!);
  if (node.op === 'conv') return k.broadcast(vector, [weight.shape.length - 1], weight);
  if (node.op === 'conv_transpose') return acrossGroups(k, node, vector);
  const { out, right } = parseEquation(node.attrs.eq as string);
  return k.broadcast(vector, [right.indexOf(out[axis]!)], weight);
}

/** A vector of the operand's channels in the shape of the weight. */
function operandFactor(k: Arithmetic, node: Node, axis: number, vector: Name): Name {
  const weight = k.builder.typeOf(node.args[1]!);
  if (node.op === 'conv') return acrossGroups(k, node, vector);
  if (node.op === 'conv_transpose') return k.broadcast(vector, [weight.shape.length - 1], weight);
  const { left, right } = parseEquation(node.attrs.eq as string);
  return k.broadcast(vector, [right.indexOf(left[axis]!)], weight);
}

/**
 * A vector of all input channels in the shape of a grouped kernel [...window, inputs / groups, outputs]: output o of
 * group g reads input i as channel g·(inputs / groups) + i.
 */
function acrossGroups(k: Arithmetic, node: Node, vector: Name): Name {
  const weight = k.builder.typeOf(node.args[1]!);
  const groups = groupsOf(node.attrs);
  const inner = weight.shape.length - 2;
  if (groups === 1) return k.broadcast(vector, [inner], weight);
  const [perGroup, outputs] = weight.shape.slice(-2) as [number, number];
  const byInput = k.transpose(k.reshape(vector, [groups, perGroup]), [1, 0]);
  const type = { dtype: 'f32' as const, shape: [perGroup, groups, outputs / groups] };
  const kernel = k.reshape(k.broadcast(byInput, [0, 1], type), [perGroup, outputs]);
  return k.broadcast(kernel, [inner, inner + 1], weight);
}

/** A vector of the result's channels in the shape of the op's bias. */
function inBias(k: Arithmetic, node: Node, axis: number, vector: Name): Name {
  if (node.op !== 'einsum') return vector;
  const { out, rightOnly, right } = parseEquation(node.attrs.eq as string);
  if (rightOnly.length === 1) return vector;
  const weight = k.builder.typeOf(node.args[1]!);
  const shape = [...rightOnly].map((index) => weight.shape[right.indexOf(index)]!);
  return k.broadcast(vector, [rightOnly.indexOf(out[axis]!)], { dtype: 'f32', shape });
}

/** What is in the shape of the weight, summed over all that the op sums over: in the shape of the bias. */
function summed(k: Arithmetic, node: Node, products: Name): Name {
  const name = `${node.name}.offset`;
  const axes = [...k.builder.typeOf(products).shape.keys()];
  if (node.op === 'conv')
    return k.builder.add('sum', [products], { attrs: { axes: axes.slice(0, -1) }, name });
  const { right, contracted, rightOnly } = parseEquation(node.attrs.eq as string);
  const perm = [...rightOnly, ...contracted].map((index) => right.indexOf(index));
  const inOrder = k.transpose(products, perm);
  return k.builder.add('sum', [inOrder], { attrs: { axes: axes.slice(rightOnly.length) }, name });
}
