// Small random transformers as graphs: blocks of attention and a perceptron, with what tells one family from another.
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Name } from '../../src/ir/graph.js';
import type { TensorData } from '../../src/ir/tensor.js';
import type { Net } from './random-nets.js';
import { filled, sequence, uniform } from './support.js';

/** What a transformer is drawn from. */
export interface TransformerShape {
  readonly seed: number;
  readonly blocks?: number;
  readonly tokens?: number;
  readonly width?: number;
  readonly heads?: number;
  readonly batch?: number;
  /** Biases of layers, offsets of layer norms, and a position embedding: whatever takes a share and is no input. */
  readonly constants?: boolean;
  readonly normalization?: 'layer_norm' | 'rms_norm';
  /** gelu, or a gate: swish(a) ⊙ b. */
  readonly perceptron?: 'gelu' | 'gelu_tanh' | 'relu' | 'gated';
  /** What is added to the scores of the last token. */
  readonly mask?: number;
}

type Drawn = Required<Omit<TransformerShape, 'mask'>> & Pick<TransformerShape, 'mask'>;

class Drawing {
  readonly builder = new GraphBuilder('transformer', forward);
  readonly weights = new Map<string, TensorData>();

  constructor(
    readonly shape: Drawn,
    readonly random: () => number,
  ) {}

  add(op: string, args: readonly Name[], attrs: Attrs = {}, name?: Name): Name {
    return this.builder.add(op, args, name === undefined ? { attrs } : { attrs, name });
  }

  weight(shape: readonly number[], low = -1, high = 1): Name {
    const key = this.builder.fresh('w');
    this.weights.set(key, uniform(shape, this.random, low, high));
    return this.builder.add('param', [], { name: key, attrs: { key }, type: { dtype: 'f32', shape } });
  }

  /** A dense layer on every token. */
  dense(x: Name, outputs: readonly number[], eq: string, name?: Name): Name {
    const inputs = this.builder.typeOf(x).shape.slice(2) as number[];
    const bias = this.shape.constants ? [this.weight(outputs)] : [];
    return this.add('einsum', [x, this.weight([...inputs, ...outputs]), ...bias], { eq }, name);
  }

  normalized(x: Name): Name {
    const { normalization, width, constants } = this.shape;
    const offset = constants && normalization === 'layer_norm' ? [this.weight([width])] : [];
    return this.add(normalization, [x, this.weight([width], 0.5, 1.5), ...offset], { epsilon: 1e-5 });
  }

  /** A constant at every sample. */
  spread(constant: Name, axes: readonly number[], like: Name): Name {
    return this.builder.add('broadcast', [constant], { attrs: { axes }, type: this.builder.typeOf(like) });
  }

  attention(x: Name): Name {
    const { width, heads, tokens, mask } = this.shape;
    const size = width / heads;
    const project = () => this.dense(x, [heads, size], 'bti,ihd->bthd');
    const [q, k, v] = [project(), project(), project()] as const;
    const products = this.add('einsum', [q, k], { eq: 'bqhd,bkhd->bhqk' });
    const scale = this.builder.splat(1 / Math.sqrt(size), this.builder.typeOf(products));
    let scores = this.add('mul', [products, scale]);
    if (mask !== undefined) {
      const key = this.builder.fresh('mask');
      this.weights.set(
        key,
        filled([tokens], () => 0),
      );
      this.weights.get(key)!.data[tokens - 1] = mask;
      const type = { dtype: 'f32', shape: [tokens] } as const;
      const hidden = this.builder.add('param', [], { name: key, attrs: { key }, type });
      scores = this.add('add', [scores, this.spread(hidden, [3], scores)]);
    }
    const matrix = this.add('softmax', [scores], { axis: 3 });
    const mixed = this.add('einsum', [matrix, v], { eq: 'bhqk,bkhd->bqhd' });
    return this.dense(mixed, [width], 'bthd,hdo->bto');
  }

  perceptron(x: Name): Name {
    const { width, perceptron } = this.shape;
    const hidden = () => this.dense(x, [2 * width], 'bti,ij->btj');
    const inner =
      perceptron === 'gated'
        ? this.add('mul', [this.add('swish', [hidden()]), hidden()])
        : this.add(perceptron, [hidden()]);
    return this.dense(inner, [width], 'bti,ij->btj');
  }

  residual(x: Name, branch: (x: Name) => Name): Name {
    return this.add('add', [x, branch(this.normalized(x))]);
  }
}

const usual = {
  blocks: 2,
  tokens: 4,
  width: 6,
  heads: 2,
  batch: 2,
  constants: true,
  normalization: 'layer_norm',
  perceptron: 'gelu',
} as const;

/** Pre-norm blocks on x [N, tokens, width]; the first token's scores of three classes. */
export function smallTransformer(shape: TransformerShape): Net {
  const drawing = new Drawing({ ...usual, ...shape }, sequence(shape.seed));
  const { builder } = drawing;
  const { blocks, tokens, width, batch, constants } = drawing.shape;
  const type = { dtype: 'f32', shape: ['N', tokens, width] } as const;
  let value = builder.add('input', [], { name: 'x', type });
  value = drawing.dense(value, [width], 'bti,ij->btj');
  if (constants) {
    value = drawing.add('add', [value, drawing.spread(drawing.weight([tokens, width]), [1, 2], value)]);
  }
  for (let block = 0; block < blocks; block++) {
    value = drawing.residual(value, (x) => drawing.attention(x));
    value = drawing.residual(value, (x) => drawing.perceptron(x));
  }
  const first = builder.add('slice', [drawing.normalized(value)], {
    attrs: { begin: [0, 0, 0], stride: [1, 1, 1] },
    type: { dtype: 'f32', shape: ['N', 1, width] },
  });
  const token = builder.add('reshape', [first], { type: { dtype: 'f32', shape: ['N', width] } });
  const bias = constants ? [drawing.weight([3])] : [];
  const y = drawing.add('einsum', [token, drawing.weight([width, 3]), ...bias], { eq: 'bi,ij->bj' }, 'y');
  const x = uniform([batch, tokens, width], drawing.random);
  return { graph: builder.finish({ y }), weights: drawing.weights, x };
}
