// A transformer as a graph, of any depth and width: for counting what its explanations cost. Weights are never looked at.
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Name } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { sizeOf, type TensorData } from '../../src/ir/tensor.js';
import type { Dim } from '../../src/ir/type.js';

/** The extents of a transformer's encoder. */
export interface Extents {
  readonly blocks: number;
  readonly width: number;
  readonly heads: number;
  readonly classes: number;
}

export interface VisionExtents extends Extents {
  readonly picture: number;
  readonly patch: number;
}

export interface TextExtents extends Extents {
  readonly tokens: number;
  readonly words: number;
}

const f32 = (...shape: readonly Dim[]) => ({ dtype: 'f32', shape }) as const;

let zeros = new Float32Array(0);

/** One array of zeros for all weights. */
function sharedZeros(size: number): Float32Array {
  if (zeros.length < size) zeros = new Float32Array(size);
  return zeros.subarray(0, size);
}

class Transformer {
  readonly builder: GraphBuilder;
  readonly weights = new Map<string, TensorData>();

  constructor(
    name: string,
    private readonly extents: Extents,
  ) {
    this.builder = new GraphBuilder(name, forward);
  }

  param(name: Name, shape: readonly number[]): Name {
    this.weights.set(name, { dtype: 'f32', shape, data: sharedZeros(sizeOf(shape)) });
    return this.builder.add('param', [], { name, attrs: { key: name }, type: f32(...shape) });
  }

  add(op: string, args: readonly Name[], name: Name, attrs: Attrs = {}, shape?: readonly Dim[]): Name {
    return this.builder.add(op, args, {
      name,
      attrs,
      ...(shape === undefined ? {} : { type: f32(...shape) }),
    });
  }

  dense(x: Name, name: Name, outputs: number): Name {
    const { shape } = this.builder.typeOf(x);
    const inputs = shape.at(-1) as number;
    const args = [x, this.param(`${name}/kernel`, [inputs, outputs]), this.param(`${name}/bias`, [outputs])];
    return this.add('einsum', args, name, { eq: shape.length === 2 ? 'bi,ij->bj' : 'bti,ij->btj' });
  }

  normalized(x: Name, name: Name): Name {
    const width = this.builder.typeOf(x).shape.at(-1) as number;
    const along = ['scale', 'offset'].map((part) => this.param(`${name}/${part}`, [width]));
    return this.add('layer_norm', [x, ...along], name, { epsilon: 1e-6 });
  }

  attention(x: Name, name: Name): Name {
    const { heads, width } = this.extents;
    const tokens = this.builder.typeOf(x).shape[1]!;
    const byHead = ['N', tokens, heads, width / heads] as const;
    const [q, k, v] = ['query', 'key', 'value'].map((part) => {
      const flat = this.dense(x, `${name}/${part}`, width);
      return this.add('reshape', [flat], `${name}/${part}/heads`, {}, byHead);
    }) as [Name, Name, Name];
    const scores = this.add('einsum', [q, k], `${name}/scores`, { eq: 'bqhd,bkhd->bhqk' });
    const shape = this.builder.typeOf(scores).shape;
    const factor = this.add('constant', [], `${name}/factor`, { value: (width / heads) ** -0.5 }, shape);
    const scaled = this.add('mul', [scores, factor], `${name}/scaled`);
    const weights = this.add('softmax', [scaled], `${name}/weights`, { axis: 3 });
    const mixed = this.add('einsum', [weights, v], `${name}/mixed`, { eq: 'bhqk,bkhd->bqhd' });
    const flat = this.add('reshape', [mixed], `${name}/flat`, {}, ['N', tokens, width]);
    return this.dense(flat, `${name}/output`, width);
  }

  mlp(x: Name, name: Name): Name {
    const hidden = this.dense(x, `${name}/fc1`, 4 * this.extents.width);
    return this.dense(this.add('gelu', [hidden], `${name}/gelu`), `${name}/fc2`, this.extents.width);
  }

  /** Blocks whose sums are normalized before each branch. */
  preNorm(x: Name): Name {
    let h = x;
    for (let block = 0; block < this.extents.blocks; block++) {
      const name = `block${block}`;
      const attended = this.attention(this.normalized(h, `${name}/norm1`), `${name}/attention`);
      h = this.add('add', [h, attended], `${name}/sum1`);
      h = this.add('add', [h, this.mlp(this.normalized(h, `${name}/norm2`), `${name}/mlp`)], `${name}/sum2`);
    }
    return this.normalized(h, 'norm');
  }

  /** Blocks whose sums are normalized after each branch. */
  postNorm(x: Name): Name {
    let h = x;
    for (let block = 0; block < this.extents.blocks; block++) {
      const name = `block${block}`;
      const attended = this.add('add', [h, this.attention(h, `${name}/attention`)], `${name}/sum1`);
      const between = this.normalized(attended, `${name}/norm1`);
      const sum = this.add('add', [between, this.mlp(between, `${name}/mlp`)], `${name}/sum2`);
      h = this.normalized(sum, `${name}/norm2`);
    }
    return h;
  }

  firstToken(x: Name): Name {
    const width = this.builder.typeOf(x).shape[2]!;
    const part = this.add('slice', [x], 'first', { begin: [0, 0, 0] }, ['N', 1, width]);
    return this.add('reshape', [part], 'token', {}, ['N', width]);
  }

  finish(scores: Name): Program {
    return { graph: this.builder.finish({ scores }), weights: this.weights };
  }
}

/** A vision transformer: patches and a class token, which the scores are read from. */
export function visionTransformer(extents: VisionExtents): Program {
  const to = new Transformer('vit', extents);
  const { picture, patch, width, classes } = extents;
  const side = picture / patch;
  const x = to.add('input', [], 'x', {}, ['N', picture, picture, 3]);
  const kernel = [to.param('patches/kernel', [patch, patch, 3, width]), to.param('patches/bias', [width])];
  const window = {
    strides: [patch, patch],
    padding: [
      [0, 0],
      [0, 0],
    ],
  };
  const patches = to.add('conv', [x, ...kernel], 'patches', window);
  const rows = to.add('reshape', [patches], 'rows', {}, ['N', side * side, width]);
  const token = to.add('broadcast', [to.param('class_token', [1, 1, width])], 'class', { axes: [0, 1, 2] }, [
    'N',
    1,
    width,
  ]);
  const joined = to.add('concat', [token, rows], 'tokens', { axis: 1 });
  const tokens = side * side + 1;
  const table = to.param('positions', [1, tokens, width]);
  const positions = to.add('broadcast', [table], 'places', { axes: [0, 1, 2] }, ['N', tokens, width]);
  const h = to.preNorm(to.add('add', [joined, positions], 'embedding'));
  return to.finish(to.dense(to.firstToken(h), 'head', classes));
}

/** An encoder of words, whose first token goes through a pooler to the scores. */
export function textEncoder(extents: TextExtents): Program {
  const to = new Transformer('bert', extents);
  const { tokens, width, words, classes } = extents;
  const ids = to.builder.add('input', [], { name: 'ids', type: { dtype: 'i32', shape: ['N', tokens] } });
  const rows = to.add('gather', [to.param('words', [words, width]), ids], 'word_rows', { axis: 0 });
  const table = to.param('positions', [tokens, width]);
  const positions = to.add('broadcast', [table], 'places', { axes: [1, 2] }, ['N', tokens, width]);
  const embedded = to.normalized(to.add('add', [rows, positions], 'embedding'), 'norm');
  const pooled = to.dense(to.firstToken(to.postNorm(embedded)), 'pooler', width);
  return to.finish(to.dense(to.add('tanh', [pooled], 'pooled'), 'head', classes));
}

export const vitBase: VisionExtents = {
  ...{ blocks: 12, width: 768, heads: 12, classes: 1000 },
  ...{ picture: 224, patch: 16 },
};

export const bertBase: TextExtents = {
  ...{ blocks: 12, width: 768, heads: 12, classes: 2 },
  ...{ tokens: 128, words: 100 },
};
