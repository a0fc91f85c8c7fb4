// Random programs for the WebAssembly target, over numbers whose sums and products are exact in f32: a wrong index, a
// missing term or a bad lane cannot hide in rounding, and comparisons fall out the same way everywhere.
import fc from 'fast-check';
import { expect } from 'vitest';
import { uniforms } from '../../../src/api/random.js';
import { Arithmetic } from '../../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import type { Inputs } from '../../../src/ir/evaluate.js';
import type { Attrs, Graph, Name } from '../../../src/ir/graph.js';
import { denominatorModes } from '../../../src/ir/ops/quotient.js';
import { print } from '../../../src/ir/print.js';
import { sizeOf, type TensorData, tensor } from '../../../src/ir/tensor.js';
import { bindShape, type Dtype, type Shape, type TensorType } from '../../../src/ir/type.js';
import { Choices } from '../../ir/arbitrary-graph.js';
import { dialect } from '../support.js';
import { expectAgreement, expectSameBits, Loaded } from './support.js';

export interface RandomProgram {
  readonly graph: Graph;
  readonly inputs: Inputs;
  readonly weights: Map<string, TensorData>;
  readonly batch: number;
}

/** Extents around the sizes of tiles and panels, and primes. */
export const extents = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 16, 19, 31, 32, 33, 48] as const;

/** Quarters in [−2, 2]; small integers; coins. */
function gridded(shape: readonly number[], dtype: Dtype, seed: number): TensorData {
  const random = uniforms(seed);
  const draw = {
    f32: () => Math.round(16 * random() - 8) / 4,
    i32: () => Math.round(8 * random() - 4),
    bool: () => Math.round(random()),
  }[dtype];
  return tensor(shape, Array.from({ length: sizeOf(shape) }, draw), dtype);
}

/** A program in the making, whose choices shrink. */
export class Draft {
  readonly builder = new GraphBuilder('random', dialect);
  readonly k = new Arithmetic(this.builder);
  private readonly inputs: Record<Name, TensorData> = {};
  private readonly weights = new Map<string, TensorData>();

  constructor(
    readonly choose: Choices,
    readonly batch = 1,
  ) {}

  add(op: string, args: readonly Name[], attrs: Attrs = {}, type?: TensorType): Name {
    return this.builder.add(op, args, { attrs, ...(type === undefined ? {} : { type }) });
  }

  below(bound: number): number {
    return this.choose.below(bound);
  }

  /** True once in `times`. */
  rarely(times: number): boolean {
    return this.choose.below(times) === times - 1;
  }

  shape(name: Name): number[] {
    return bindShape(this.builder.typeOf(name).shape, this.batch);
  }

  input(shape: Shape, dtype: Dtype = 'f32'): Name {
    const name = this.add('input', [], {}, { dtype, shape });
    this.inputs[name] = gridded(bindShape(shape, this.batch), dtype, 1 + this.builder.nodes.size);
    return name;
  }

  weight(shape: readonly number[]): Name {
    const key = `w${this.weights.size}`;
    this.weights.set(key, gridded(shape, 'f32', 1001 + this.builder.nodes.size));
    return this.add('param', [], { key }, { dtype: 'f32', shape });
  }

  permutation(rank: number): number[] {
    const left = Array.from({ length: rank }, (_, axis) => axis);
    return Array.from({ length: rank }, (_, index) => left.splice(this.below(rank - index), 1)[0]!);
  }

  /** A source of this shape, as it lies or moved there from a source of another: both are read the same way. */
  source(shape: readonly number[], make: (shape: readonly number[]) => Name): Name {
    switch (this.below(6)) {
      case 3: {
        const perm = this.permutation(shape.length);
        const from = shape.map((_, axis) => shape[perm.indexOf(axis)]!);
        return this.k.transpose(make(from), perm);
      }
      case 4: {
        const wider = shape.map((extent) => extent + this.below(3));
        const begin = shape.map((extent, axis) => this.below(wider[axis]! - extent + 1));
        return this.add('slice', [make(wider)], { begin }, { dtype: 'f32', shape });
      }
      case 5:
        return this.spread(shape, make);
      default:
        return make(shape);
    }
  }

  /** A value of a shape that repeats a smaller one. */
  spread(shape: readonly number[], make: (shape: readonly number[]) => Name): Name {
    const axes = shape.flatMap((_, axis) => (this.below(2) === 0 ? [axis] : []));
    return this.k.broadcast(make(axes.map((axis) => shape[axis]!)), axes, { dtype: 'f32', shape });
  }

  /** A weight as rules modify it. */
  modified(w: Name): Name {
    const { k } = this;
    const zero = () => k.constant(0, w);
    switch (this.below(9)) {
      case 3:
        return k.binary('maximum', w, zero());
      case 4:
        return k.binary('minimum', w, zero());
      case 5:
        return k.unary('abs', w);
      case 6:
        return k.add(k.scale(w, 0.5), k.binary('maximum', w, zero()));
      case 7:
        return k.mul(
          w,
          this.spread(this.shape(w), (shape) => this.weight(shape)),
        );
      case 8:
        return k.unary('square', w);
      default:
        return w;
    }
  }

  /**
   * What rules and models do with the result of a linear op; returns every value that may be asked for.
   * @param isExact  whether z has no rounding in it, so that what jumps at some z jumps everywhere alike
   */
  epilogue(z: Name, isExact: boolean): Name[] {
    const values = [z];
    for (let steps = this.below(4); steps > 0; steps--) values.push(this.after(values, isExact));
    return values;
  }

  private after(values: readonly Name[], isExact: boolean): Name {
    const { k } = this;
    const last = values.at(-1)!;
    const { shape } = this.builder.typeOf(last);
    switch (this.below(isExact ? 9 : 6)) {
      case 0:
        return k.unary('relu', last);
      case 1:
        return this.add('accumulate', [last, this.input(shape), this.choose.of(values)]);
      case 2:
        return k.mul(
          last,
          this.spread(this.shape(last), (own) => this.input(own)),
        );
      case 3:
        return k.add(
          last,
          this.spread(this.shape(last), (own) => this.weight(own)),
        );
      case 4:
        return k.binary('maximum', last, k.scale(this.choose.of(values), 0.5));
      case 5:
        return k.sub(this.input(shape), last);
      case 6: {
        const isAbove = this.add('greater', [values[0]!, k.constant(0.25, last)]);
        return this.add('select', [isAbove, last, k.unary('neg', this.choose.of(values))]);
      }
      default: {
        const mode = this.choose.of(denominatorModes);
        const numerator = this.rarely(2) ? last : this.input(shape);
        return this.add('quotient', [numerator, values[0]!], { mode, eps: 0.3 });
      }
    }
  }

  /** The program that returns some of the values, the last one always. */
  finish(values: readonly Name[]): RandomProgram {
    const asked = values.filter((_, index) => index === values.length - 1 || this.rarely(2));
    const graph = this.builder.finish(Object.fromEntries(asked.map((name, index) => [`y${index}`, name])));
    return { graph, inputs: this.inputs, weights: this.weights, batch: this.batch };
  }
}

/** Right, whatever lies in memory, in whichever order chunks run. */
export function expectRight({ graph, inputs, weights, batch }: RandomProgram): void {
  const loaded = new Loaded({ graph, weights }, batch);
  const outputs = loaded.run(inputs);
  expectAgreement(graph, inputs, weights, outputs);
  loaded.spoil();
  expectSameBits(loaded.runBackwards(inputs), outputs);
  expect(loaded.isScratchOfOthersKept).toBe(true);
}

const numbers = fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 20, maxLength: 120, size: 'max' });

/** Asks that every program that `make` drafts passes `check`; the text of one that does not is part of the failure. */
export function forPrograms(
  make: (draft: Draft) => RandomProgram,
  numRuns: number,
  check: (program: RandomProgram) => void,
): void {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 3 }), (list, batch) => {
      const program = make(new Draft(new Choices(list), batch));
      try {
        check(program);
      } catch (error) {
        throw new Error(`${print(program.graph)}\n${(error as Error).message}`, { cause: error });
      }
    }),
    { numRuns, seed: 3 },
  );
}
