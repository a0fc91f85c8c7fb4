// Lowering for tfjs: what it has no fast kernel for is written with the ops that it is fast at.
import { Arithmetic } from '../../ir/arithmetic.js';
import type { GraphBuilder } from '../../ir/builder.js';
import type { Dialect } from '../../ir/dialect.js';
import { activeValues, type Name, type Node } from '../../ir/graph.js';
import { parseEquation } from '../../ir/ops/einsum.js';
import { padAttrs } from '../../ir/ops/movement.js';
import { resizeMatrix } from '../../ir/ops/resize.js';
import { groupsOf, type Window, windowAttrs, windowOf } from '../../ir/ops/window.js';
import { commonSubexpressions } from '../../ir/passes/common-subexpressions.js';
import type { Pass, Program } from '../../ir/passes/pass.js';
import { rewrite } from '../../ir/passes/rewrite.js';
import type { TensorData } from '../../ir/tensor.js';

/** The kernel of the transposed map: [...k, I/g, O] becomes [...flipped k, O/g, I], group by group. */
function flippedKernel(k: Arithmetic, w: Name, groups: number): Name {
  const shape = k.builder.typeOf(w).shape as readonly number[];
  const spatial = shape.slice(0, -2);
  const axes = spatial.map((_, axis) => axis);
  const flipped = spatial.every((extent) => extent === 1)
    ? w
    : k.builder.add('reverse', [w], { attrs: { axes } });
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  const rank = spatial.length;
  if (groups === 1) return k.transpose(flipped, [...axes, rank + 1, rank]);
  const apart = k.reshape(flipped, [...spatial, inputs, groups, outputs / groups]);
  const turned = k.transpose(apart, [...axes, rank + 2, rank + 1, rank]);
  return k.reshape(turned, [...spatial, outputs / groups, groups * inputs]);
}

/**
 * The transpose of a convolution as a convolution: zeros between the elements for its strides, d(k−1) − p around
 * them, and the kernel flipped with inputs and outputs exchanged.
 */
function lowerTranspose(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const [z, w, bias] = node.args as [Name, Name, Name?];
  const size = (builder.typeOf(w).shape as readonly number[]).slice(0, -2);
  const window = windowOf(node.attrs, size);
  const outputs = builder.typeOf(z).shape.slice(1, -1) as number[];
  const inputs = node.type.shape.slice(1, -1) as number[];
  const low = size.map((extent, axis) => window.dilations[axis]! * (extent - 1) - window.padding[axis]![0]);
  const high = size.map((extent, axis) => {
    const reach = window.dilations[axis]! * (extent - 1);
    return inputs[axis]! + reach - ((outputs[axis]! - 1) * window.strides[axis]! + 1) - low[axis]!;
  });
  const spread = spreadOut(builder, z, window);
  const cut = cropped(builder, spread, low, high);
  const still: Omit<Window, 'size'> = {
    strides: size.map(() => 1),
    dilations: window.dilations,
    padding: low.map((count, axis) => [Math.max(count, 0), Math.max(high[axis]!, 0)] as const),
  };
  const groups = groupsOf(node.attrs);
  const attrs = { ...windowAttrs(still), ...(groups === 1 ? {} : { groups }) };
  const args = [cut, flippedKernel(k, w, groups), ...(bias === undefined ? [] : [bias])];
  return builder.add('conv', args, { attrs, name: node.name });
}

function spreadOut(builder: GraphBuilder, z: Name, window: Window): Name {
  if (window.strides.every((step) => step === 1)) return z;
  const zeros = [0, ...window.strides.map(() => 0), 0];
  const interior = [0, ...window.strides.map((step) => step - 1), 0];
  return builder.add('pad', [z], { attrs: padAttrs(zeros, zeros, interior) });
}

/** Cuts off what a padding wider than the kernel's reach leaves over. */
function cropped(builder: GraphBuilder, x: Name, low: readonly number[], high: readonly number[]): Name {
  if ([...low, ...high].every((count) => count >= 0)) return x;
  const type = builder.typeOf(x);
  const begin = [0, ...low.map((count) => Math.max(-count, 0)), 0];
  const shape = type.shape.map((dim, axis) => {
    const inner =
      axis > 0 && axis <= low.length ? Math.min(low[axis - 1]!, 0) + Math.min(high[axis - 1]!, 0) : 0;
    return typeof dim === 'string' ? dim : dim + inner;
  });
  return builder.add('slice', [x], { attrs: { begin }, type: { ...type, shape } });
}

/** A constant right factor laid out as [contracted…, right-only…], so that the product needs no transposition. */
function lowerEinsum(builder: GraphBuilder, node: Node, active: ReadonlySet<Name>): Name | undefined {
  const [x, w, ...bias] = node.args as [Name, Name, Name?];
  if (active.has(w)) return undefined;
  const { left, right, out, contracted, rightOnly, shared } = parseEquation(node.attrs.eq as string);
  const inLeftOrder = [...left].filter((index) => contracted.includes(index)).join('');
  const wanted = shared + inLeftOrder + rightOnly;
  if (right === wanted) return undefined;
  const turned = new Arithmetic(builder).transpose(
    w,
    [...wanted].map((index) => right.indexOf(index)),
  );
  const args = [x, turned, ...bias.filter((name) => name !== undefined)];
  return builder.add('einsum', args, { attrs: { eq: `${left},${wanted}->${out}` }, name: node.name });
}

/** The transpose of a resize as two products with its matrices. */
function lowerResizeTranspose(builder: GraphBuilder, node: Node, weights: Map<string, TensorData>): Name {
  const [, height, width] = node.type.shape as number[];
  const [, fromHeight, fromWidth] = builder.typeOf(node.args[0]!).shape as number[];
  const matrix = (from: number, to: number): Name => {
    const key = `resize.${node.name}.${to}x${from}`;
    const data = resizeMatrix(from, to, node.attrs);
    weights.set(key, data);
    return builder.add('param', [], { attrs: { key }, type: { dtype: 'f32', shape: data.shape }, name: key });
  };
  const columns = builder.add('einsum', [node.args[0]!, matrix(height!, fromHeight!)], {
    attrs: { eq: 'nywc,yh->nhwc' },
  });
  return builder.add('einsum', [columns, matrix(width!, fromWidth!)], {
    attrs: { eq: 'nhxc,xw->nhwc' },
    name: node.name,
  });
}

function lower(program: Program, dialect: Dialect): Program {
  const active = activeValues(program.graph);
  const weights = new Map(program.weights);
  const graph = rewrite(program.graph, dialect, (node, { builder }) => {
    if (node.op === 'conv_transpose') return lowerTranspose(builder, node);
    if (node.op === 'einsum') return lowerEinsum(builder, node, active);
    if (node.op === 'resize_transpose') return lowerResizeTranspose(builder, node, weights);
    return undefined;
  });
  return { graph, weights };
}

const lowerForTfjs: Pass = {
  name: 'lower-for-tfjs',
  summary: 'transposed convolutions as convolutions, constant factors transposed beforehand',
  run: lower,
};

/** What a program goes through before it is planned: what lowering makes twice is kept once. */
export const tfjsPasses: readonly Pass[] = [lowerForTfjs, commonSubexpressions];
