// Lowering for loop-level targets: what is no single loop nest becomes ops that are.
import { Arithmetic } from '../../ir/arithmetic.js';
import type { GraphBuilder } from '../../ir/builder.js';
import { type Dialect, numberOf, numbersOf } from '../../ir/dialect.js';
import type { Name, Node } from '../../ir/graph.js';
import { resizeMatrix } from '../../ir/ops/resize.js';
import { decomposeWholeOps } from '../../ir/passes/decompose.js';
import type { Pass, Program } from '../../ir/passes/pass.js';
import { rewrite } from '../../ir/passes/rewrite.js';
import type { TensorData } from '../../ir/tensor.js';

/** eˣ⁻ᵐ and its sum along an axis, m the maximum: softmax and its logarithm share them. */
function shiftedExponentials(k: Arithmetic, node: Node) {
  const [x] = node.args as [Name];
  const axes = [numberOf(node.attrs, 'axis')];
  const top = k.builder.add('reduce_max', [x], { attrs: { axes } });
  const shifted = k.sub(x, k.spreadBack(top, axes, node.type));
  const exponentials = k.unary('exp', shifted);
  return { shifted, exponentials, total: k.sum(exponentials, axes), axes };
}

function lowerSoftmax(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const { exponentials, total, axes } = shiftedExponentials(k, node);
  return k.binary('div', exponentials, k.spreadBack(total, axes, node.type), node.name);
}

function lowerLogSoftmax(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const { shifted, total, axes } = shiftedExponentials(k, node);
  return k.binary('sub', shifted, k.spreadBack(k.unary('log', total), axes, node.type), node.name);
}

function lowerMean(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const [x] = node.args as [Name];
  const axes = numbersOf(node.attrs, 'axes');
  const { shape } = builder.typeOf(x);
  const count = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const total = builder.add('sum', [x], { attrs: { axes } });
  return k.binary('div', total, k.constant(count, total), node.name);
}

/** (x − mean) · (scale / √(variance + ε)) + offset */
function lowerBatchNorm(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const [x, scale, offset, mean, variance] = node.args as [Name, Name, Name, Name, Name];
  const epsilon = k.constant(numberOf(node.attrs, 'epsilon'), variance);
  const factor = k.div(scale, k.unary('sqrt', k.add(variance, epsilon)));
  const along = (name: Name) => k.broadcast(name, [node.type.shape.length - 1], node.type);
  const scaled = k.mul(k.sub(x, along(mean)), along(factor));
  return k.binary('add', scaled, along(offset), node.name);
}

/** A resize, or its transpose, as two products with its matrices: along the rows, then along the columns. */
function lowerResize(builder: GraphBuilder, node: Node, weights: Map<string, TensorData>): Name {
  const [x] = node.args as [Name];
  const isTransposed = node.op === 'resize_transpose';
  const small = (isTransposed ? node.type : builder.typeOf(x)).shape as number[];
  const large = (isTransposed ? builder.typeOf(x) : node.type).shape as number[];
  const matrix = (axis: number): Name => {
    const [from, to] = [small[axis]!, large[axis]!];
    const key = `resize.${node.name}.${axis === 1 ? 'rows' : 'columns'}`;
    weights.set(key, resizeMatrix(from, to, node.attrs));
    const type = { dtype: 'f32', shape: [to, from] } as const;
    return builder.add('param', [], { attrs: { key }, type, name: key });
  };
  const along = (value: Name, axis: number, name?: Name) => {
    const [index, output] = axis === 1 ? ['y', 'nzxc'] : ['x', 'nyzc'];
    const pair = isTransposed ? `${index}z` : `z${index}`;
    return builder.add('einsum', [value, matrix(axis)], {
      attrs: { eq: `nyxc,${pair}->${output}` },
      ...(name === undefined ? {} : { name }),
    });
  };
  return along(along(x, 1), 2, node.name);
}

function lowered(node: Node, builder: GraphBuilder, weights: Map<string, TensorData>): Name | undefined {
  switch (node.op) {
    case 'softmax':
      return lowerSoftmax(builder, node);
    case 'log_softmax':
      return lowerLogSoftmax(builder, node);
    case 'mean':
      return lowerMean(builder, node);
    case 'batch_norm':
      return lowerBatchNorm(builder, node);
    case 'resize':
    case 'resize_transpose':
      return lowerResize(builder, node, weights);
    default:
      return undefined;
  }
}

/** Lowers what loop-level targets have no single kernel for. */
export const lowerForKernels: Pass = {
  name: 'lower-for-kernels',
  summary: 'softmax, means, normalizations and resizing as maps, reductions and products',
  run(program: Program, dialect: Dialect): Program {
    const weights = new Map(program.weights);
    const plain = decomposeWholeOps(program.graph, dialect);
    const graph = rewrite(plain, dialect, (node, { builder }) => lowered(node, builder, weights));
    return { graph, weights };
  },
};
