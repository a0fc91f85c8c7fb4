// Random programs of maps over views, reductions, pools, pads and concatenations, values of every dtype among them.
import type { Name } from '../../../src/ir/graph.js';
import { windowOutput } from '../../../src/ir/ops/window.js';
import { type Dtype, elementCount, type Shape } from '../../../src/ir/type.js';
import type { Draft, RandomProgram } from './random-program.js';

/** Elements of one sample that a value may have. */
const mostElements = 1500;
/** Bits of f32: while sums and products need fewer they are exact. */
const mostBits = 22;

class Mover {
  /** Bits that exact values need; no entry where there is rounding. */
  private readonly bits = new Map<Name, number>();
  private readonly values: Name[] = [];
  /** Axes that stay in front: the batch. */
  private readonly first: number;

  constructor(
    private readonly draft: Draft,
    shape: Shape,
  ) {
    this.first = typeof shape[0] === 'string' ? 1 : 0;
    this.note(draft.input(shape), 4);
    if (draft.rarely(2) && this.first === 0) this.note(draft.weight(shape as number[]), 4);
  }

  run(): RandomProgram {
    for (let steps = 2 + this.draft.below(9); steps > 0; steps--) this.step();
    return this.draft.finish(this.values);
  }

  private note(name: Name, bits: number | undefined): Name {
    this.values.push(name);
    if (bits !== undefined) this.bits.set(name, bits);
    return name;
  }

  private shape(name: Name): Shape {
    return this.draft.builder.typeOf(name).shape;
  }

  private dtype(name: Name): Dtype {
    return this.draft.builder.typeOf(name).dtype;
  }

  /** The latest value most often: chains are what fuses. */
  private any(): Name {
    return this.draft.below(3) > 0 ? this.values.at(-1)! : this.draft.choose.of(this.values);
  }

  /** A value as f32. */
  private number(): Name {
    const x = this.any();
    return this.dtype(x) === 'f32' ? x : this.cast(x, 'f32');
  }

  /** Another value of this dtype and shape. */
  private like(x: Name): Name {
    const [dtype, shape] = [this.dtype(x), this.shape(x)];
    const fitting = this.values.filter(
      (name) => this.dtype(name) === dtype && this.shape(name).join() === shape.join(),
    );
    if (this.draft.below(3) > 0) return this.draft.choose.of(fitting);
    if (this.draft.rarely(2) && dtype === 'f32' && this.first === 0) {
      return this.note(
        this.draft.spread(shape as number[], (own) => this.draft.input(own)),
        4,
      );
    }
    return this.note(this.draft.input(shape, dtype), 4);
  }

  private cast(x: Name, dtype: Dtype): Name {
    const bits = this.bits.get(x);
    return this.note(this.draft.add('cast', [x], {}, { dtype, shape: this.shape(x) }), bits);
  }

  private exact(x: Name): number | undefined {
    return this.bits.get(x);
  }

  private sumBits(names: readonly Name[], count = names.length): number | undefined {
    const all = names.map((name) => this.exact(name) ?? Number.POSITIVE_INFINITY);
    const bits = Math.max(...all) + Math.ceil(Math.log2(count));
    return bits <= mostBits ? bits : undefined;
  }

  private step(): void {
    const steps = [
      () => this.move(),
      () => this.move(),
      () => this.map(),
      () => this.map(),
      () => this.reduce(),
      () => this.surround(),
      () => this.test(),
      () => this.pool(),
      () => this.normalize(),
    ];
    this.draft.choose.of(steps)();
  }

  private innerAxes(x: Name): number[] {
    return this.shape(x)
      .map((_, axis) => axis)
      .slice(this.first);
  }

  private move(): void {
    const { draft } = this;
    const x = this.any();
    const bits = this.exact(x);
    const [shape, dtype] = [this.shape(x), this.dtype(x)];
    const fixed = shape.slice(0, this.first);
    const inner = shape.slice(this.first) as number[];
    const rank = shape.length;
    switch (draft.below(5)) {
      case 0:
        this.note(draft.k.reshape(x, [...fixed, ...this.factored(inner)]), bits);
        return;
      case 1: {
        const perm = draft.permutation(inner.length).map((axis) => axis + this.first);
        this.note(draft.add('transpose', [x], { perm: [...fixed.map((_, axis) => axis), ...perm] }), bits);
        return;
      }
      case 2: {
        const count = rank >= 5 || elementCount(shape) * 3 > mostElements ? 1 : 1 + draft.below(3);
        const place = this.first + draft.below(inner.length + 1);
        const spread = [...shape.slice(0, place), count, ...shape.slice(place)];
        const axes = shape.map((_, axis) => (axis < place ? axis : axis + 1));
        this.note(draft.add('broadcast', [x], { axes }, { dtype, shape: spread }), bits);
        return;
      }
      case 3:
        this.cutOut(x);
        return;
      default: {
        const axes = this.innerAxes(x).filter(() => draft.rarely(2));
        if (axes.length > 0) this.note(draft.add('reverse', [x], { axes }), bits);
      }
    }
  }

  /** Every few elements of a box. */
  private cutOut(x: Name): void {
    const { draft } = this;
    const fixed = this.shape(x).slice(0, this.first);
    const inner = this.shape(x).slice(this.first) as number[];
    const stride = inner.map(() => 1 + draft.below(3));
    const begin = inner.map((extent) => draft.below(extent));
    const size = inner.map((extent, axis) => {
      return 1 + draft.below(Math.floor((extent - begin[axis]! - 1) / stride[axis]!) + 1);
    });
    const attrs = { begin: [...fixed.map(() => 0), ...begin], stride: [...fixed.map(() => 1), ...stride] };
    const type = { dtype: this.dtype(x), shape: [...fixed, ...size] };
    this.note(draft.add('slice', [x], attrs, type), this.exact(x));
  }

  /** The same number of elements in other extents. */
  private factored(inner: readonly number[]): number[] {
    let rest = inner.reduce((product, extent) => product * extent, 1);
    const result: number[] = [];
    while (rest > 1 && result.length < 3) {
      const left = rest;
      const divisors = Array.from({ length: left }, (_, index) => index + 1).filter((d) => left % d === 0);
      result.push(this.draft.choose.of(divisors));
      rest /= result.at(-1)!;
    }
    return [...result, rest];
  }

  private map(): void {
    const { draft } = this;
    const { k } = draft;
    const x = this.any();
    if (this.dtype(x) === 'bool') {
      if (draft.rarely(2)) this.note(draft.add('logical_not', [x]), 1);
      else this.note(draft.add(draft.choose.of(['logical_and', 'logical_or']), [x, this.like(x)]), 1);
      return;
    }
    if (this.dtype(x) === 'f32' && draft.rarely(2)) {
      this.note(k.unary(draft.choose.of(['relu', 'abs', 'neg', 'negative_part', 'sign']), x), this.exact(x));
      return;
    }
    const y = this.like(x);
    const total = (this.exact(x) ?? mostBits) + (this.exact(y) ?? mostBits);
    if (total <= mostBits && draft.rarely(3)) this.note(k.mul(x, y), total);
    else if (this.dtype(x) === 'f32' && draft.rarely(3)) {
      const parts = [x, y, ...Array.from({ length: draft.below(4) }, () => this.like(x))];
      this.note(draft.add('accumulate', parts), this.sumBits(parts));
    } else {
      const op = draft.choose.of(['add', 'sub', 'maximum', 'minimum']);
      this.note(draft.add(op, [x, y]), this.sumBits([x, y]));
    }
  }

  private reduce(): void {
    const { draft } = this;
    const x = this.number();
    const axes = this.innerAxes(x).filter(() => draft.rarely(2));
    const shape = this.shape(x);
    const count = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
    const order = draft.rarely(2) ? axes : [...axes].reverse();
    switch (draft.below(3)) {
      case 0:
        this.note(draft.add('sum', [x], { axes: order }), this.sumBits([x], count));
        return;
      case 1:
        this.note(draft.add('reduce_max', [x], { axes: order }), this.exact(x));
        return;
      default:
        this.note(draft.add('mean', [x], { axes: order }), undefined);
    }
  }

  private surround(): void {
    const { draft } = this;
    const x = this.any();
    const shape = this.shape(x);
    const axes = this.innerAxes(x);
    if (axes.length === 0 || elementCount(shape) * 4 > mostElements) return;
    const axis = draft.choose.of(axes);
    if (draft.rarely(2)) {
      const parts = Array.from({ length: 1 + draft.below(3) }, () => (draft.rarely(2) ? x : this.like(x)));
      this.note(draft.add('concat', parts, { axis }), this.sumBits(parts, 1));
      return;
    }
    const around = (most: number) => shape.map((_, each) => (each === axis ? draft.below(most) : 0));
    const value = draft.choose.of([0, 1]);
    this.note(
      draft.add('pad', [x], { low: around(3), high: around(3), interior: around(3), value }),
      this.exact(x),
    );
  }

  /** A comparison of exact values, or what it chooses. */
  private test(): void {
    const { draft } = this;
    const x = this.any();
    if (this.dtype(x) === 'bool') {
      const y = this.number();
      if (this.shape(y).join() !== this.shape(x).join()) return;
      const z = this.like(y);
      this.note(draft.add('select', [x, y, z]), this.sumBits([y, z], 1));
      return;
    }
    if (this.exact(x) === undefined) return;
    if (draft.rarely(3)) {
      this.cast(x, draft.choose.of(['i32', 'bool', 'f32']));
      return;
    }
    const y = this.like(x);
    if (this.exact(y) === undefined) return;
    this.note(draft.add(draft.choose.of(['greater', 'greater_equal', 'equal']), [x, y]), 1);
  }

  private pool(): void {
    const { draft } = this;
    const x = this.number();
    const shape = this.shape(x);
    if (shape.length < 3) return;
    const spatial = shape.slice(1, -1) as number[];
    const size = spatial.map((extent) => 1 + draft.below(Math.min(extent, 4)));
    const strides = spatial.map(() => 1 + draft.below(3));
    const padding = size.map((extent) => [draft.below(extent), draft.below(extent)] as const);
    const window = { size, strides, padding, dilations: size.map(() => 1) };
    const isFull = windowOutput(window, spatial).every(
      (output, axis) => (output - 1) * strides[axis]! - padding[axis]![0] < spatial[axis]!,
    );
    if (!isFull) return;
    const isMaximum = draft.rarely(2);
    const attrs = { window: size, strides, padding: padding.map((pair) => [...pair]) };
    this.note(
      draft.add(isMaximum ? 'max_pool' : 'avg_pool', [x], attrs),
      isMaximum ? this.exact(x) : undefined,
    );
  }

  private normalize(): void {
    const x = this.number();
    const axes = this.innerAxes(x);
    if (axes.length === 0 || !this.draft.rarely(2)) return;
    const axis = this.draft.choose.of(axes);
    const bounded = this.note(this.draft.add('clip', [x], { min: -3, max: 3 }), undefined);
    this.note(this.draft.add('softmax', [bounded], { axis }), undefined);
  }
}

/** A random program over values that share the batch, or have none. */
export function randomMovement(draft: Draft): RandomProgram {
  const rank = 1 + draft.below(4);
  const inner = Array.from({ length: rank }, () => 1 + draft.below([40, 17, 9, 6][rank - 1]!));
  return new Mover(draft, draft.rarely(2) ? ['N', ...inner] : inner).run();
}
