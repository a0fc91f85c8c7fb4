// Composites in every spelling that models have: traced, each is one op, and nothing of its arithmetic is left.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { activeValues, type Graph } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { expectTraced, startTensorflow } from './support.js';

beforeAll(startTensorflow);

interface Vectors {
  readonly gamma: tf.Tensor1D;
  readonly beta: tf.Tensor1D;
}

type Spelling = (x: tf.Tensor, p: Vectors) => tf.Tensor;
type Spellings = Readonly<Record<string, Spelling>>;

/** The active ops of a canonical graph, but for inputs. */
function activeOps(graph: Graph): readonly string[] {
  const active = activeValues(graph);
  return [...graph.nodes.values()].flatMap(({ name, op }) =>
    active.has(name) && op !== 'input' ? [op] : [],
  );
}

/** Traces a spelling, holds it to its own values, and gives the ops that are left of it with their attributes. */
function canonicalOf(spelling: Spelling, input: readonly (number | null)[]) {
  const width = input.at(-1)!;
  const program = expectTraced(spelling as ModelFunction, {
    input,
    weights: { gamma: [width], beta: [width] },
  });
  const { graph } = runPasses(program, [canonicalize], forward);
  const ops = activeOps(graph);
  const node = [...graph.nodes.values()].find(({ op }) => op === ops.at(-1))!;
  return { ops, attrs: node.attrs, operands: node.args.length };
}

const epsilon = 1e-3;
const momentsOf = (x: tf.Tensor) => tf.moments(x, -1, true);

/** Of γ ⊙ (x − μ)/σ + β. */
const layerNorms: Spellings = {
  'moments, rsqrt, scale and offset last': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    return x.sub(mean).mul(variance.add(epsilon).rsqrt()).mul(gamma).add(beta);
  },
  'a quotient by a root': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    return tf.add(beta, tf.mul(gamma, x.sub(mean).div(tf.sqrt(tf.add(epsilon, variance)))));
  },
  'a power of −1/2': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    return x
      .sub(mean)
      .mul(gamma)
      .mul(tf.pow(variance.add(epsilon), -0.5))
      .add(beta);
  },
  'a quotient by a power of 1/2': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    return x
      .sub(mean)
      .div(tf.pow(variance.add(epsilon), 0.5))
      .mul(gamma)
      .add(beta);
  },
  'the scale in the deviation, the mean in the offset': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    const inverse = variance.add(epsilon).rsqrt().mul(gamma);
    return x.mul(inverse).add(beta.sub(mean.mul(inverse)));
  },
  'the same as a difference': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    const inverse = tf.mul(gamma, variance.add(epsilon).rsqrt());
    return x.mul(inverse).sub(mean.mul(inverse)).add(beta);
  },
  'squared differences': (x, { gamma, beta }) => {
    const mean = x.mean(-1, true);
    const variance = tf.squaredDifference(x, mean).mean(-1, true);
    return x.sub(mean).mul(variance.add(epsilon).rsqrt()).mul(gamma).add(beta);
  },
  'centred once': (x, { gamma, beta }) => {
    const centred = x.sub(x.mean(-1, true));
    const variance = centred.mul(centred).mean(-1, true);
    return centred.div(variance.add(epsilon).sqrt()).mul(gamma).add(beta);
  },
  'centred by a sum and a negative': (x, { gamma, beta }) => {
    const width = x.shape.at(-1)!;
    const centred = x.add(x.sum(-1, true).div(width).neg());
    const variance = tf
      .pow(centred, 2)
      .sum(-1, true)
      .mul(1 / width);
    return centred.mul(variance.add(epsilon).sqrt().reciprocal()).mul(gamma).add(beta);
  },
  'the mean of squares less the square of the mean': (x, { gamma, beta }) => {
    const mean = x.mean(-1, true);
    const variance = x.square().mean(-1, true).sub(mean.square());
    return x.sub(mean).mul(variance.add(epsilon).rsqrt()).mul(gamma).add(beta);
  },
  'a batch normalization with statistics of rows': (x, { gamma, beta }) => {
    const { mean, variance } = momentsOf(x);
    const tiled = [mean, variance].map((statistic) => tf.tile(statistic, [1, 1, x.shape.at(-1)!]));
    const along = [beta, gamma].map((vector) =>
      tf.tile(vector.reshape([1, 1, -1]), [x.shape[0]!, x.shape[1]!, 1]),
    );
    return tf.batchNorm3d(
      x as tf.Tensor3D,
      tiled[0] as tf.Tensor3D,
      tiled[1] as tf.Tensor3D,
      along[0] as tf.Tensor3D,
      along[1] as tf.Tensor3D,
      epsilon,
    );
  },
  'without kept axes': (x, { gamma, beta }) => {
    const mean = tf.expandDims(x.mean(-1), -1);
    const variance = tf.expandDims(x.sub(mean).square().mean(-1).add(epsilon).rsqrt(), -1);
    return x.sub(mean).mul(variance).mul(gamma).add(beta);
  },
};

describe('layer norm', () => {
  it.each(Object.entries(layerNorms))('as %s', (_name, spelling) => {
    const { ops, attrs, operands } = canonicalOf(spelling, [null, 3, 6]);
    expect([ops, operands]).toEqual([['layer_norm'], 3]);
    expect(attrs.epsilon).toBeCloseTo(epsilon, 9);
  });

  it.each([
    ['neither', (x: tf.Tensor) => normalized(x), 1],
    ['a scale', (x: tf.Tensor, { gamma }: Vectors) => normalized(x).mul(gamma), 2],
    ['an offset', (x: tf.Tensor, { beta }: Vectors) => normalized(x).add(beta), 3],
    ['constants of the function', (x: tf.Tensor) => normalized(x).mul(tf.range(1, 7)).add(tf.range(0, 6)), 3],
  ] as const)('with %s', (_name, spelling, count) => {
    for (const input of [
      [null, 6],
      [null, 2, 6],
      [null, 2, 3, 6],
    ]) {
      const { ops, operands } = canonicalOf(spelling, input);
      expect([ops, operands]).toEqual([['layer_norm'], count]);
    }
  });

  it('without an ε', () => {
    const { ops, attrs } = canonicalOf(
      (x) => {
        const { mean, variance } = momentsOf(x);
        return x.sub(mean).div(variance.sqrt());
      },
      [null, 6],
    );
    expect([ops, attrs.epsilon]).toEqual([['layer_norm'], 0]);
  });
});

function normalized(x: tf.Tensor): tf.Tensor {
  const { mean, variance } = momentsOf(x);
  return x.sub(mean).div(variance.add(epsilon).sqrt());
}

/** Of γ ⊙ x/√(mean x² + ε). */
const rmsNorms: Spellings = {
  'rsqrt, then the scale': (x, { gamma }) => x.mul(x.square().mean(-1, true).add(epsilon).rsqrt()).mul(gamma),
  'the scale at the deviation': (x, { gamma }) =>
    tf.mul(x, tf.mul(gamma, tf.pow(x, 2).mean(-1, true).add(epsilon).rsqrt())),
  'the scale first': (x, { gamma }) => gamma.mul(x).div(x.mul(x).mean(-1, true).add(epsilon).sqrt()),
  'a sum of squares': (x, { gamma }) =>
    gamma.mul(x.div(x.mul(x).sum(-1, true).div(x.shape.at(-1)!).add(epsilon).sqrt())),
  'a power': (x, { gamma }) => tf.pow(x.square().mean(-1, true).add(epsilon), -0.5).mul(x).mul(gamma),
};

describe('RMS norm', () => {
  it.each(Object.entries(rmsNorms))('as %s', (_name, spelling) => {
    const { ops, attrs, operands } = canonicalOf(spelling, [null, 3, 6]);
    expect([ops, operands]).toEqual([['rms_norm'], 2]);
    expect(attrs.epsilon).toBeCloseTo(epsilon, 9);
  });

  it('of a value that is itself a difference', () => {
    const spelling: Spelling = (x, { gamma, beta }) => {
      const shifted = x.mul(x).sub(beta);
      return shifted.mul(shifted.square().mean(-1, true).add(epsilon).rsqrt()).mul(gamma);
    };
    expect(canonicalOf(spelling, [null, 6]).ops).toEqual(['mul', 'add', 'rms_norm']);
  });
});

const cdf = (x: tf.Tensor) => tf.add(1, tf.erf(x.div(Math.SQRT2)));

const erfGelus: Spellings = {
  'half x first': (x) => tf.mul(0.5, x).mul(cdf(x)),
  'half the gate': (x) => x.mul(tf.mul(0.5, cdf(x))),
  'half at the end': (x) => tf.mul(cdf(x), x).mul(0.5),
  'a quotient by 2': (x) => tf.mul(x, cdf(x)).div(2),
  'a number for 1/√2': (x) => x.mul(0.5).mul(tf.erf(x.mul(Number(Math.SQRT1_2.toFixed(8)))).add(1)),
  'a root for √2': (x) => x.mul(0.5).mul(tf.erf(x.div(tf.sqrt(2))).add(1)),
  'the gate multiplied out': (x) => x.mul(tf.erf(x.mul(Math.SQRT1_2)).mul(0.5).add(0.5)),
  'two terms': (x) => x.mul(0.5).add(x.mul(0.5).mul(tf.erf(x.div(Math.SQRT2)))),
  'of a product': (x, { gamma }) => erfGelus['half x first']!(x.mul(gamma).mul(x), { gamma, beta: gamma }),
};

const cubic = (x: tf.Tensor) => x.add(tf.mul(0.044715, tf.pow(x, 3)));
const slope = Math.sqrt(2 / Math.PI);

const tanhGelus: Spellings = {
  'a power of 3': (x) => tf.mul(0.5, x).mul(tf.add(1, tf.tanh(cubic(x).mul(slope)))),
  'a product of three': (x) =>
    x.mul(0.5).mul(tf.tanh(tf.mul(0.7978845608, x.add(x.mul(x).mul(x).mul(0.044715)))).add(1)),
  'a square': (x) =>
    tf.mul(x, tf.mul(0.5, tf.tanh(x.mul(x.square().mul(0.044715).add(1)).mul(slope)).add(1))),
  'multiplied out': (x) =>
    x.mul(
      tf
        .tanh(x.mul(slope).add(tf.pow(x, 3).mul(slope * 0.044715)))
        .mul(0.5)
        .add(0.5),
    ),
  'as layers have it': (x) =>
    tf.mul(
      0.5,
      tf.mul(
        x,
        tf.add(1, tf.tanh(tf.mul(tf.sqrt(tf.div(2, Math.PI)), tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))))),
      ),
    ),
};

const swishes: Spellings = {
  'x times its sigmoid': (x) => x.mul(tf.sigmoid(x)),
  'its sigmoid times x': (x) => tf.sigmoid(x).mul(x),
  'a factor of 1 in the sigmoid': (x) => tf.sigmoid(tf.mul(x, 1)).mul(x),
  'a quotient': (x) => x.div(tf.add(1, tf.exp(tf.neg(x)))),
  'a product with the inverse': (x) => x.mul(tf.exp(x.mul(-1)).add(1).reciprocal()),
  'a product with 1 over it': (x) => x.mul(tf.div(1, tf.exp(tf.neg(x)).add(1))),
};

describe.each([
  ['gelu', erfGelus],
  ['gelu_tanh', tanhGelus],
  ['swish', swishes],
] as const)('%s', (op, spellings) => {
  it.each(Object.entries(spellings))('as %s', (name, spelling) => {
    const { ops, operands } = canonicalOf(spelling, [null, 3, 4]);
    expect([ops, operands]).toEqual([name === 'of a product' ? ['mul', 'mul', op] : [op], 1]);
  });
});

const softmaxes: Spellings = {
  'eˣ over its sum': (x) => tf.exp(x).div(tf.exp(x).sum(-1, true)),
  'eˣ once': (x) => {
    const e = tf.exp(x);
    return e.div(e.sum(-1, true));
  },
  'less the maximum': (x) => {
    const e = tf.exp(x.sub(x.max(-1, true)));
    return tf.div(e, e.sum(-1, true));
  },
  'times the inverse': (x) => {
    const e = tf.exp(x.sub(x.max(-1, true)));
    return e.sum(-1, true).reciprocal().mul(e);
  },
  'without kept axes': (x) => {
    const e = tf.exp(x.sub(tf.expandDims(x.max(-1), -1)));
    return tf.div(e, tf.expandDims(e.sum(-1), -1));
  },
};

describe('softmax', () => {
  it.each(Object.entries(softmaxes))('as %s', (_name, spelling) => {
    const { ops, attrs } = canonicalOf(spelling, [null, 3, 4]);
    expect([ops, attrs]).toEqual([['softmax'], { axis: 2 }]);
  });

  it('along another axis', () => {
    const { ops, attrs } = canonicalOf(
      (x) => {
        const e = tf.exp(x.sub(x.max(1, true)));
        return e.div(e.sum(1, true));
      },
      [null, 3, 4],
    );
    expect([ops, attrs]).toEqual([['softmax'], { axis: 1 }]);
  });
});
