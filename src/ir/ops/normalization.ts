// Normalization of each row by its own statistics: layer norm and RMS norm over the last axis.
import { Arithmetic } from '../arithmetic.js';
import type { GraphBuilder } from '../builder.js';
import { numberOf, type OpDefinition, OpProblem, type VjpContext } from '../dialect.js';
import type { Attrs, Name, Node } from '../graph.js';
import { allocate, type Precision, type TensorData } from '../tensor.js';
import { concreteShape, printType, type TensorType } from '../type.js';
import { expectDtype, fixedDim, wrongShape } from './shapes.js';

function inferNormalization([x, ...along]: readonly TensorType[]): TensorType {
  expectDtype(x!, 0, 'f32');
  const last = x!.shape.at(-1);
  if (last === undefined)
    throw wrongShape(`operand 0 is ${printType(x!)}, expected an axis to normalize over`);
  const extent = fixedDim(last, 'normalization over the batch axis');
  for (const [index, type] of along.entries()) {
    if (type.dtype !== 'f32' || type.shape.length !== 1 || type.shape[0] !== extent) {
      throw wrongShape(`operand ${index + 1} is ${printType(type)}, expected f32[${extent}]`);
    }
  }
  return x!;
}

/** What one row is centred at and divided by. */
interface RowStatistics {
  readonly centre: number;
  readonly deviation: number;
}

type Statistics = (row: ArrayLike<number>, epsilon: number, round: (v: number) => number) => RowStatistics;

function meanOf(row: ArrayLike<number>, term: (x: number) => number, round: (v: number) => number): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum = round(sum + round(term(row[i]!)));
  return round(sum / row.length);
}

/** μ and √(mean (x − μ)² + ε) */
const momentsOf: Statistics = (row, epsilon, round) => {
  const centre = meanOf(row, (x) => x, round);
  const variance = meanOf(row, (x) => round(x - centre) ** 2, round);
  return { centre, deviation: round(Math.sqrt(round(variance + epsilon))) };
};

/** 0 and √(mean x² + ε) */
const rootMeanSquare: Statistics = (row, epsilon, round) => {
  const meanSquare = meanOf(row, (x) => x ** 2, round);
  return { centre: 0, deviation: round(Math.sqrt(round(meanSquare + epsilon))) };
};

const evaluateBy =
  (statistics: Statistics): OpDefinition['evaluate'] =>
  ([x, scale, offset], node, { precision }) => {
    const result = allocate('f32', concreteShape(node.type), precision);
    const round = roundingOf(precision);
    const extent = x!.shape.at(-1)!;
    const epsilon = numberOf(node.attrs, 'epsilon');
    for (let start = 0; start < result.data.length; start += extent) {
      const row = (x as TensorData).data.subarray(start, start + extent);
      const { centre, deviation } = statistics(row, epsilon, round);
      for (let i = 0; i < extent; i++) {
        const normal = round(round(row[i]! - centre) / deviation);
        const scaled = scale === undefined ? normal : round(normal * scale.data[i]!);
        result.data[start + i] = scaled + (offset?.data[i] ?? 0);
      }
    }
    return result;
  };

const roundingOf = (precision: Precision) => (precision === 'f32' ? Math.fround : (v: number) => v);

/** A row normalized, as graph ops. */
export interface NormalizedRows {
  /** x − μ, or x where nothing is subtracted. */
  readonly centred: Name;
  /** 1 / σ at every element. */
  readonly inverse: Name;
  /** (x − μ) / σ */
  readonly normal: Name;
}

/** Whether an op subtracts the mean of each row. */
export const subtractsMean = ({ op }: Pick<Node, 'op'>): boolean => op === 'layer_norm';

/** The mean of each row, spread back over it. */
export function rowMean(k: Arithmetic, x: Name): Name {
  const type = k.builder.typeOf(x);
  const axes = [type.shape.length - 1];
  return k.spreadBack(k.builder.add('mean', [x], { attrs: { axes } }), axes, type);
}

/** 1 / √(mean of the squares of each row + ε), spread back over it. */
function inverseDeviation(k: Arithmetic, centred: Name, attrs: Attrs): Name {
  const type = k.builder.typeOf(centred);
  const axes = [type.shape.length - 1];
  const meanSquare = k.builder.add('mean', [k.unary('square', centred)], { attrs: { axes } });
  const shifted = k.add(meanSquare, k.constant(numberOf(attrs, 'epsilon'), meanSquare));
  return k.spreadBack(k.unary('rsqrt', shifted), axes, type);
}

/** The parts of a normalization, which its value and its derivative share. */
export function normalizedRows(builder: GraphBuilder, node: Node): NormalizedRows {
  const k = new Arithmetic(builder);
  const [x] = node.args as [Name];
  const centred = subtractsMean(node) ? k.sub(x, rowMean(k, x)) : x;
  const inverse = inverseDeviation(k, centred, node.attrs);
  return { centred, inverse, normal: k.mul(centred, inverse) };
}

/** A vector along the last axis, at every element of a value like `like`. */
export function alongRows(k: Arithmetic, vector: Name, like: Name): Name {
  const type = k.builder.typeOf(like);
  return k.broadcast(vector, [type.shape.length - 1], type);
}

/** The normalization as plain arithmetic: n ⊙ scale + offset. */
export function decomposeNormalization(builder: GraphBuilder, node: Node): Name {
  const k = new Arithmetic(builder);
  const [x, scale, offset] = node.args as [Name, Name?, Name?];
  const { centred, inverse } = normalizedRows(builder, node);
  const name = { name: node.name };
  if (scale === undefined) return builder.add('mul', [centred, inverse], name);
  const normal = k.mul(centred, inverse);
  if (offset === undefined) return builder.add('mul', [normal, alongRows(k, scale, x)], name);
  const scaled = k.mul(normal, alongRows(k, scale, x));
  return builder.add('add', [scaled, alongRows(k, offset, x)], name);
}

/** g ⊙ scale: what arrives at the normalized rows. */
export const atNormal = (k: Arithmetic, cotangent: Name, scale: Name | undefined): Name =>
  scale === undefined ? cotangent : k.mul(cotangent, alongRows(k, scale, cotangent));

/** (g − mean g − n ⊙ mean(g ⊙ n)) / σ, without mean g where none is subtracted */
function vjp({ builder, node, operand, cotangent }: VjpContext): Name {
  if (operand !== 0) {
    throw new OpProblem('RELC1008', 'scale and offset of a normalization must be constants');
  }
  const k = new Arithmetic(builder);
  const { inverse, normal } = normalizedRows(builder, node);
  const g = atNormal(k, cotangent, node.args[1]);
  const alongNormal = k.mul(normal, rowMean(k, k.mul(g, normal)));
  const centred = subtractsMean(node) ? k.sub(g, rowMean(k, g)) : g;
  return k.mul(k.sub(centred, alongNormal), inverse);
}

/** Both are written as plain arithmetic before they reach a target: none spells them. */
export const normalizationOps = {
  layer_norm: {
    summary: '(x − μ) / √(variance + epsilon) · scale + offset over the last axis, statistics of each row',
    operands: ['x', 'scale?', 'offset?'],
    attrs: { epsilon: 'number' },
    infer: inferNormalization,
    evaluate: evaluateBy(momentsOf),
    vjp,
  },
  rms_norm: {
    summary: 'x / √(mean x² + epsilon) · scale over the last axis, the mean of each row',
    operands: ['x', 'scale?'],
    attrs: { epsilon: 'number' },
    infer: inferNormalization,
    evaluate: evaluateBy(rootMeanSquare),
    vjp,
  },
} satisfies Record<string, OpDefinition>;
