// Random valid graphs of every forward op, for properties.
import fc from 'fast-check';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Attr, Attrs, Graph, Loc, Name } from '../../src/ir/graph.js';
import {
  type Dim,
  type Dtype,
  elementCount,
  type Shape,
  sameType,
  type TensorType,
} from '../../src/ir/type.js';

/** Choices read from a list of numbers; the list shrinks, and so does what is made from it. */
export class Choices {
  private at = 0;

  constructor(private readonly numbers: readonly number[]) {}

  get isDone(): boolean {
    return this.at >= this.numbers.length;
  }

  /** 0 ≤ result < bound */
  below(bound: number): number {
    return (this.numbers[this.at++] ?? 0) % bound;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

const nameParts = [
  'h',
  'z1',
  'fc/dense',
  'Identity:0',
  'a-b',
  'r.h',
  '7',
  '-',
  'x_1',
  'return',
  'graph',
  'alias',
];
const layers = [undefined, 'fc2', 'block 1/attention', 'a // b', '"quoted"'];
const sites = [undefined, 'model.ts:31:9', 'C:\\my models\\net.ts:1:2'];
const oddNumbers: readonly Attr[] = [
  0,
  1,
  -1,
  0.5,
  1e-6,
  -2.25e30,
  5e-324,
  'inf',
  '-inf',
  'nan',
  0.1,
  12345678,
];
const tameNumbers: readonly Attr[] = [0, 1, -1, 0.5, 2, 0.25];
const strings = ['fc1/kernel', 'a "b"', 'tab\tand\nline', '// no comment', '}', '%x', 'größe ✓', '\\', ''];
const firstDims: readonly Dim[] = ['N', '2N', '12N', 1, 3];

/** A graph under construction, with the makers of its ops. */
class Draft {
  readonly builder: GraphBuilder;

  constructor(
    private readonly choose: Choices,
    private readonly numbers: readonly Attr[],
  ) {
    this.builder = new GraphBuilder(choose.of(['g', 'model/part.1:2', '0']), forward);
  }

  add(op: string, args: readonly Name[], attrs: Attrs = {}, type?: TensorType): Name {
    const [layer, site] = [this.choose.of(layers), this.choose.of(sites)];
    const loc: Loc = { ...(layer === undefined ? {} : { layer }), ...(site === undefined ? {} : { site }) };
    const name = this.choose.below(3) === 0 ? { name: this.choose.of(nameParts) } : {};
    return this.builder.add(op, args, { attrs, loc, ...name, ...(type === undefined ? {} : { type }) });
  }

  shape(rank: number): Shape {
    return Array.from({ length: rank }, (_, axis) =>
      axis === 0 ? this.choose.of(firstDims) : 1 + this.choose.below(4),
    );
  }

  /** A value of this type: one that is there, or a new input or constant. */
  like(type: TensorType): Name {
    const there = [...this.builder.nodes.values()].filter((node) => sameType(node.type, type));
    if (there.length > 0 && this.choose.below(4) > 0) return this.choose.of(there).name;
    return this.choose.below(2) === 0 ? this.add('input', [], {}, type) : this.constant(type);
  }

  constant(type: TensorType): Name {
    const size = elementCount(type.shape);
    const listed = typeof type.shape[0] !== 'string' && size < 9 && this.choose.below(2) === 0;
    const number = () => (type.dtype === 'f32' ? this.number() : this.choose.below(2));
    return this.add(
      'constant',
      [],
      { value: listed ? Array.from({ length: size }, number) : number() },
      type,
    );
  }

  /** Any value of a dtype and rank. */
  value(dtype: Dtype = 'f32', rank = this.choose.below(4)): Name {
    const there = [...this.builder.nodes.values()].filter(
      ({ type }) => type.dtype === dtype && type.shape.length === rank,
    );
    if (there.length > 0 && this.choose.below(4) > 0) return this.choose.of(there).name;
    return this.like({ dtype, shape: this.shape(rank) });
  }

  param(shape: Shape): Name {
    const key = `${this.choose.of(strings)}${shape}`;
    return this.add('param', [], { key }, { dtype: 'f32', shape });
  }

  shapeOf(name: Name): Shape {
    return this.builder.typeOf(name).shape;
  }

  number(): Attr {
    return this.choose.of(this.numbers);
  }

  below(bound: number): number {
    return this.choose.below(bound);
  }

  /** An axis that is not the batch, or undefined. */
  innerAxis(name: Name): number | undefined {
    const axes = this.shapeOf(name).flatMap((dim, axis) => (typeof dim === 'number' ? [axis] : []));
    return axes.length === 0 ? undefined : this.choose.of(axes);
  }
}

/** Adds an application of `op` to the draft, where one can be found. */
type Maker = (draft: Draft, op: string) => void;

const unary: Maker = (d, op) => {
  d.add(op, [d.value()]);
};
const binary: Maker = (d, op) => {
  const x = d.value();
  d.add(op, [x, d.like(d.builder.typeOf(x))]);
};
const logical: Maker = (d, op) => {
  const x = d.value('bool');
  d.add(op, [x, d.like(d.builder.typeOf(x))]);
};
const along =
  (attrsOf: (axis: number) => Attrs): Maker =>
  (d, op) => {
    const x = d.value('f32', 1 + d.below(3));
    const axis = d.innerAxis(x);
    if (axis !== undefined) d.add(op, [x], attrsOf(axis));
  };
const axes = along((axis) => ({ axes: [axis] }));
const axisOnly = along((axis) => ({ axis }));

/** With and without what stands along the last axis. */
const normalization: Maker = (d, op) => {
  const x = d.value('f32', 2);
  const optional = forward[op as 'layer_norm'].operands.length - 1;
  const vectors = Array.from({ length: d.below(optional + 1) }, () => d.param([d.shapeOf(x)[1]!]));
  d.add(op, [x, ...vectors], { epsilon: 0.5 });
};

const still = {
  strides: [1, 1],
  padding: [
    [1, 0],
    [0, 1],
  ],
};

const convolution: Maker = (d, op) => {
  const x = d.value('f32', 4);
  const channels = d.shapeOf(x)[3] as number;
  const inputs = [x, d.param([2, 2, channels, 3]), d.param([3])];
  const z = d.add('conv', d.below(2) === 0 ? inputs : inputs.slice(0, 2), {
    ...still,
    dilations: [1, 1],
    groups: 1,
  });
  if (op === 'conv_transpose')
    d.add(op, [z, inputs[1]!], { ...still, dilations: [1, 1], groups: 1 }, d.builder.typeOf(x));
};

const pooling: Maker = (d, op) => {
  const x = d.value('f32', 4);
  const attrs = { window: [2, 2], ...still };
  if (op !== 'max_unpool') d.add(op, [x], attrs);
  else d.add(op, [x, d.like(d.builder.typeOf(d.add('max_pool', [x], attrs)))], attrs);
};

const resizing: Maker = (d, op) => {
  const x = d.value('f32', 4);
  const [n, , , c] = d.shapeOf(x);
  const flag = [{}, { align_corners: true }, { half_pixel: d.below(2) === 0 }][d.below(3)]!;
  const attrs = { mode: d.below(2) === 0 ? 'bilinear' : 'nearest', ...flag };
  d.add(op, [x], attrs, { dtype: 'f32', shape: [n!, 1 + d.below(5), 1 + d.below(5), c!] });
};

const makers: Readonly<Record<string, Maker>> = {
  input: (d, op) => {
    d.add(op, [], {}, { dtype: (['f32', 'i32', 'bool'] as const)[d.below(3)]!, shape: d.shape(d.below(5)) });
  },
  param: (d) => {
    d.param([1 + d.below(4), 2]);
  },
  constant: (d) => {
    d.constant({ dtype: d.below(3) === 0 ? 'i32' : 'f32', shape: d.shape(d.below(3)) });
  },
  clip: (d, op) => {
    d.add(op, [d.value()], { min: d.number(), max: d.number() });
  },
  leaky_relu: (d, op) => {
    d.add(op, [d.value()], { alpha: d.number() });
  },
  logical_and: logical,
  logical_or: logical,
  logical_not: (d, op) => {
    d.add(op, [d.value('bool')]);
  },
  select: (d, op) => {
    const condition = d.value('bool');
    const type = { dtype: 'f32', shape: d.shapeOf(condition) } as const;
    d.add(op, [condition, d.like(type), d.like(type)]);
  },
  cast: (d, op) => {
    const x = d.value();
    d.add(op, [x], {}, { dtype: d.below(2) === 0 ? 'i32' : 'bool', shape: d.shapeOf(x) });
  },
  reshape: (d, op) => {
    const x = d.value('f32', 3);
    const [a, b, c] = d.shapeOf(x);
    d.add(op, [x], {}, { dtype: 'f32', shape: [a!, (b as number) * (c as number)] });
  },
  transpose: (d, op) => {
    d.add(op, [d.value('f32', 3)], { perm: [0, 2, 1] });
  },
  broadcast: (d, op) => {
    const x = d.value('f32', 1);
    const [n] = d.shapeOf(x);
    d.add(op, [x], { axes: [0] }, { dtype: 'f32', shape: [n!, 1 + d.below(3)] });
  },
  slice: (d, op) => {
    const x = d.value('f32', 2);
    const [n, c] = d.shapeOf(x) as [Dim, number];
    const begin = d.below(c);
    d.add(op, [x], { begin: [0, begin], stride: [1, 1 + d.below(2)] }, { dtype: 'f32', shape: [n, 1] });
  },
  pad: (d, op) => {
    const widths = { low: [0, d.below(3)], high: [0, d.below(3)] };
    d.add(
      op,
      [d.value('f32', 2)],
      d.below(2) === 0 ? widths : { ...widths, interior: [0, 1], value: d.number() },
    );
  },
  concat: (d, op) => {
    const x = d.value('f32', 2);
    d.add(
      op,
      Array.from({ length: 1 + d.below(3) }, () => x),
      { axis: 1 },
    );
  },
  reverse: axes,
  gather: (d, op) => {
    const x = d.value('f32', 2);
    d.add(op, [x, d.like({ dtype: 'i32', shape: [3] })], { axis: 1 });
  },
  scatter_add: (d, op) => {
    const x = d.value('f32', 2);
    const [n, c] = d.shapeOf(x);
    d.add(op, [x, d.like({ dtype: 'i32', shape: [c!] })], { axis: 1 }, { dtype: 'f32', shape: [n!, 6] });
  },
  one_hot: (d, op) => {
    d.add(op, [d.value('i32')], { depth: 1 + d.below(4) });
  },
  argmax: axisOnly,
  sum: axes,
  mean: axes,
  reduce_max: axes,
  softmax: axisOnly,
  log_softmax: axisOnly,
  batch_norm: (d, op) => {
    const x = d.value('f32', 2);
    const [, c] = d.shapeOf(x);
    d.add(op, [x, ...Array.from({ length: 4 }, () => d.param([c!]))], { epsilon: 1e-3 });
  },
  layer_norm: normalization,
  rms_norm: normalization,
  einsum: (d, op) => {
    const x = d.value('f32', 2);
    const inputs = [x, d.param([d.shapeOf(x)[1]!, 3]), d.param([3])];
    d.add(op, d.below(2) === 0 ? inputs : inputs.slice(0, 2), { eq: 'bi,ij->bj' });
  },
  conv: convolution,
  conv_transpose: convolution,
  max_pool: pooling,
  max_unpool: pooling,
  avg_pool: pooling,
  resize: resizing,
  resize_transpose: resizing,
  quotient: (d, op) => {
    const z = d.value();
    const like = () => d.like(d.builder.typeOf(z));
    if (d.below(2) === 0) d.add(op, [like(), z], { mode: 'signed', eps: d.number() });
    else d.add(op, [like(), z, like()], { mode: 'plain' });
  },
  stabiliser: (d, op) => d.add(op, [d.value()], { mode: 'signed', eps: d.number() }),
  accumulate: (d, op) => {
    const x = d.value();
    d.add(
      op,
      Array.from({ length: 1 + d.below(3) }, () => d.like(d.builder.typeOf(x))),
    );
  },
};

const makerOf = (op: string): Maker =>
  makers[op] ?? (forward[op as keyof typeof forward].operands.length === 2 ? binary : unary);

const outputKeys = ['output', 'y', 'my output', '0', 'a=b', '"', 'Identity:0'];

function build(list: readonly number[], numbers: readonly Attr[]): Graph {
  const choose = new Choices(list);
  const draft = new Draft(choose, numbers);
  const ops = Object.keys(forward);
  while (!choose.isDone) {
    const op = choose.of(ops);
    makerOf(op)(draft, op);
  }
  const { builder } = draft;
  const names = [...builder.nodes.keys()];
  const outputs = Object.fromEntries(
    names.slice(-3).map((name) => (choose.below(2) === 0 ? [name, name] : [choose.of(outputKeys), name])),
  );
  for (const [index, target] of names.slice(0, 3).entries()) builder.alias(`gone.${index}`, target);
  return builder.finish(outputs);
}

const choices = fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 1, maxLength: 150, size: 'max' });

/** With attributes and constants of every size, the non-finite ones too. */
export const graphs: fc.Arbitrary<Graph> = choices.map((list) => build(list, oddNumbers));

/** With numbers that hardly overflow or cancel, for comparing values. */
export const tameGraphs: fc.Arbitrary<Graph> = choices.map((list) => build(list, tameNumbers));
