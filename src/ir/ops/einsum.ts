// einsum: every contraction without windows; dense layers, batched products and attention, and their transposes.
import { Arithmetic } from '../arithmetic.js';
import { type OpDefinition, OpProblem } from '../dialect.js';
import type { Attrs } from '../graph.js';
import { call, literal, value } from '../spelling.js';
import { allocate, type TensorData } from '../tensor.js';
import { concreteShape, type Dim, printType, rowMajorStrides, type TensorType } from '../type.js';
import { expectDtype, fixedDim, forEachIndex, mixesBatch, wrongShape } from './shapes.js';

/** A product of two factors in normal form: every index stands in two or three of left, right and out. */
export interface Equation {
  readonly left: string;
  readonly right: string;
  readonly out: string;
  /** In left and right only: summed over. */
  readonly contracted: string;
  /** In out and right only: those a bias has. */
  readonly rightOnly: string;
  /** In out and left only. */
  readonly leftOnly: string;
  /** In all three: batch and heads. */
  readonly shared: string;
}

const only = (text: string, test: (index: string) => boolean) => [...text].filter(test).join('');

/** Equations by their text: a model has few, and every pass asks for them. */
const parsed = new Map<string, Equation>();

/** @throws OpProblem RELC1005 where `eq` is not in normal form */
export function parseEquation(eq: string): Equation {
  const known = parsed.get(eq);
  if (known !== undefined) return known;
  const equation = parseText(eq);
  parsed.set(eq, equation);
  return equation;
}

function parseText(eq: string): Equation {
  const match = /^([A-Za-z]*),([A-Za-z]*)->([A-Za-z]*)$/.exec(eq);
  if (match === null) throw new OpProblem('RELC1005', `eq "${eq}" is not of the form "ab,bc->ac"`);
  const [left, right, out] = match.slice(1) as [string, string, string];
  for (const factor of [left, right, out]) {
    if (new Set(factor).size !== factor.length) {
      throw new OpProblem('RELC1005', `eq "${eq}" repeats an index within one operand`);
    }
  }
  for (const index of new Set(left + right + out)) {
    const places = [left, right, out].filter((factor) => factor.includes(index)).length;
    if (places < 2) {
      throw new OpProblem(
        'RELC1005',
        `eq "${eq}" has index ${index} in one place only`,
        'reduce or broadcast that index outside of the einsum',
      );
    }
  }
  return {
    left,
    right,
    out,
    contracted: only(left, (index) => !out.includes(index)),
    rightOnly: only(out, (index) => !left.includes(index)),
    leftOnly: only(out, (index) => !right.includes(index)),
    shared: only(out, (index) => left.includes(index) && right.includes(index)),
  };
}

/** Extents by index, checked across both factors. */
function extents(equation: Equation, left: TensorType, right: TensorType): Map<string, Dim> {
  const dims = new Map<string, Dim>();
  for (const [operand, indices, type] of [
    [0, equation.left, left],
    [1, equation.right, right],
  ] as const) {
    if (type.shape.length !== indices.length) {
      throw wrongShape(
        `operand ${operand} is ${printType(type)}, expected rank ${indices.length} ("${indices}")`,
      );
    }
    for (const [axis, index] of [...indices].entries()) {
      const known = dims.get(index);
      const dim = type.shape[axis]!;
      if (known !== undefined && known !== dim) {
        throw wrongShape(
          `operand ${operand} is ${printType(type)}, expected dim ${index} = ${known} to match operand 0 ${printType(left)}`,
        );
      }
      dims.set(index, dim);
    }
  }
  return dims;
}

function infer(args: readonly TensorType[], attrs: Attrs): TensorType {
  const equation = parseEquation(attrs.eq as string);
  args.forEach((type, index) => {
    expectDtype(type, index, 'f32');
  });
  const dims = extents(equation, args[0]!, args[1]!);
  for (const index of equation.contracted) fixedDim(dims.get(index)!, 'a contraction over the batch axis');
  const shapeOf = (indices: string) => [...indices].map((index) => dims.get(index)!);
  const bias = args[2];
  if (bias !== undefined && bias.shape.join() !== shapeOf(equation.rightOnly).join()) {
    throw wrongShape(
      `the bias is ${printType(bias)}, expected [${shapeOf(equation.rightOnly)}] ("${equation.rightOnly}")`,
    );
  }
  return { dtype: 'f32', shape: shapeOf(equation.out) };
}

/** Strides of `operand`, written with `own` indices, along the axes `indices`; 0 where it lacks one. */
function stridesAlong(indices: string, own: string, operand: TensorData): number[] {
  const strides = rowMajorStrides(operand.shape);
  return [...indices].map((index) => (own.includes(index) ? strides[own.indexOf(index)]! : 0));
}

/** Offsets of an operand for every value of the given indices, in row-major order. */
function offsets(indices: string, dims: readonly number[], own: string, operand: TensorData): Int32Array {
  const strides = stridesAlong(indices, own, operand);
  const result = new Int32Array(dims.reduce((product, dim) => product * dim, 1));
  let position = 0;
  forEachIndex(dims, strides, (offset) => {
    result[position++] = offset;
  });
  return result;
}

const evaluate: OpDefinition['evaluate'] = ([left, right, bias], node, { precision }) => {
  const equation = parseEquation(node.attrs.eq as string);
  const shape = concreteShape(node.type);
  const result = allocate('f32', shape, precision);
  const inner = [...equation.contracted].map((index) => left!.shape[equation.left.indexOf(index)]!);
  const leftInner = offsets(equation.contracted, inner, equation.left, left!);
  const rightInner = offsets(equation.contracted, inner, equation.right, right!);
  const leftOuter = offsets(equation.out, shape, equation.left, left!);
  const rightOuter = offsets(equation.out, shape, equation.right, right!);
  const biasOuter = bias && offsets(equation.out, shape, equation.rightOnly, bias);
  const single = precision === 'f32';
  for (let o = 0; o < result.data.length; o++) {
    const l = leftOuter[o]!;
    const r = rightOuter[o]!;
    let sum = 0;
    for (let i = 0; i < leftInner.length; i++) {
      const product = left!.data[l + leftInner[i]!]! * right!.data[r + rightInner[i]!]!;
      sum = single ? Math.fround(sum + Math.fround(product)) : sum + product;
    }
    result.data[o] = biasOuter ? sum + bias!.data[biasOuter[o]!]! : sum;
  }
  return result;
};

export const einsumOps = {
  einsum: {
    summary:
      'the product of two factors by an equation, plus a bias along the indices of the right factor alone',
    operands: ['x', 'w', 'bias?'],
    attrs: { eq: 'string' },
    traits: { affine: true },
    infer,
    evaluate,
    vjp({ builder, node, operand, cotangent }) {
      const { left, right, out, rightOnly } = parseEquation(node.attrs.eq as string);
      if (operand === 0) {
        return builder.add('einsum', [cotangent, node.args[1]!], {
          attrs: { eq: `${out},${right}->${left}` },
        });
      }
      if (operand === 1) {
        return builder.add('einsum', [node.args[0]!, cotangent], {
          attrs: { eq: `${left},${out}->${right}` },
        });
      }
      const axes = [...out].flatMap((index, axis) => (rightOnly.includes(index) ? [] : [axis]));
      if (axes.some((axis) => typeof node.type.shape[axis] === 'string'))
        throw mixesBatch('the derivative of a bias');
      return new Arithmetic(builder).sum(cotangent, axes);
    },
    tfjs(node) {
      const { left, right, out } = parseEquation(node.attrs.eq as string);
      const [x, w, bias] = node.args.map(value);
      const plain =
        left.length === 2 && right.length === 2 && out === `${left[0]}${right[1]}` && left[1] === right[0];
      const product = plain ? call('tf.matMul', x!, w!) : call('rt.einsum', literal(node.attrs.eq!), x!, w!);
      return bias === undefined
        ? product
        : call('tf.add', product, alignedBias(node.attrs.eq as string, bias));
    },
  },
} satisfies Record<string, OpDefinition>;

/** A bias as implicit broadcasting needs it: as it is where its indices end the result's, else with 1s. */
function alignedBias(eq: string, bias: ReturnType<typeof value>) {
  const { out, rightOnly } = parseEquation(eq);
  return out.endsWith(rightOnly) ? bias : call('rt.alignBias', literal(eq), bias);
}
