// The scalar expressions of elementwise ops against their evaluation: every op of the table, every dtype it takes.
import { describe, expect, it } from 'vitest';
import { OpProblem } from '../../src/ir/dialect.js';
import { type ForwardOp, forward } from '../../src/ir/forward.js';
import type { Attrs } from '../../src/ir/graph.js';
import { denominatorModes } from '../../src/ir/ops/quotient.js';
import { evaluateScalar, operand, type Scalar, scalar } from '../../src/ir/scalar.js';
import type { Precision } from '../../src/ir/tensor.js';
import { type Dtype, dtypes, type TensorType } from '../../src/ir/type.js';
import { apply, booleans, exact, integers, single } from './support.js';

/** The ops that work element by element: those of the trait, and `cast`, which any dtype comes of. */
const ops = (Object.keys(forward) as ForwardOp[]).filter(
  (op) => forward[op].traits?.elementwise || op === 'cast',
);

const attrsOf: Partial<Record<ForwardOp, readonly Attrs[]>> = {
  clip: [
    { min: -1, max: 0.75 },
    { min: 0, max: 6 },
    { min: '-inf', max: 2 },
  ],
  leaky_relu: [{ alpha: 0.125 }, { alpha: 0.3 }, { alpha: 0 }],
  quotient: denominatorModes.flatMap((mode) => [{ mode, eps: 1e-6 }, { mode, eps: 0.25 }, { mode }]),
};

/** Arithmetic on truth values has no meaning. */
const arithmetic: readonly ForwardOp[] = ['add', 'sub', 'mul', 'div', 'pow'];

/** What an op takes by its type but not by its meaning: a quotient needs an ε from somewhere, unless it is exact. */
function isMeaningless(op: ForwardOp, attrs: Attrs, operands: readonly Dtype[]): boolean {
  if (op === 'quotient') return operands.length === 2 && attrs.eps === undefined && attrs.mode !== 'exact';
  return operands.includes('bool') && arithmetic.includes(op);
}

const infinity = Number.POSITIVE_INFINITY;
const floats = [0, -0, 1e-30, -1e-30, 1e-6, 0.25, -0.25, -0.3, 1, -1, 2.5, -2.5, 20, -20, 1e3, -1e3];
const samples: Readonly<Record<Dtype, readonly number[]>> = {
  f32: [...floats, Number.NaN, infinity, -infinity],
  i32: [-70000, -7, -1, 0, 1, 2, 3, 70000],
  bool: [0, 1],
};

interface Case {
  readonly op: ForwardOp;
  readonly attrs: Attrs;
  readonly operands: readonly Dtype[];
  readonly type: TensorType;
}

/** Operand counts an op takes: without and with an optional one, several of any number. */
function countsOf(op: ForwardOp): readonly number[] {
  const names = forward[op].operands;
  const least = names.filter((name) => !/[?*]$/.test(name)).length;
  if (least === names.length) return [least];
  return names.at(-1)!.endsWith('*') ? [least, least + 1, least + 3] : [least, least + 1];
}

/** The result's type where the op takes operands of these dtypes. */
function inferred(op: ForwardOp, operands: readonly Dtype[], attrs: Attrs, stated: Dtype) {
  const typed = (dtype: Dtype): TensorType => ({ dtype, shape: [1] });
  try {
    return forward[op].infer(operands.map(typed), attrs, typed(stated));
  } catch (error) {
    if (error instanceof OpProblem) return undefined;
    throw error;
  }
}

function casesOf(op: ForwardOp): readonly Case[] {
  const cases = new Map<string, Case>();
  for (const attrs of attrsOf[op] ?? [{}]) {
    for (const count of countsOf(op)) {
      for (const first of dtypes) {
        for (const rest of dtypes) {
          const operands = Array.from({ length: count }, (_, slot) => (slot === 0 ? first : rest));
          if (isMeaningless(op, attrs, operands)) continue;
          for (const stated of dtypes) {
            const type = inferred(op, operands, attrs, stated);
            if (type) cases.set(JSON.stringify([attrs, operands, type]), { op, attrs, operands, type });
          }
        }
      }
    }
  }
  return [...cases.values()];
}

const rows = ops.flatMap((op) => (forward[op].formula ? casesOf(op) : []));
const titleOf = ({ op, attrs, operands, type }: Case) =>
  `${op}(${operands}) ${JSON.stringify(attrs)} → ${type.dtype}`;
const titled = rows.map((row) => [titleOf(row), row] as const);

const expressionOf = ({ op, attrs, operands, type }: Case): Scalar =>
  forward[op].formula!(
    operands.map((dtype, index) => operand(index, dtype)),
    { attrs, type },
  );

/** A NaN has no truth value. */
const isCovered = ({ type, operands }: Case, values: readonly number[]) =>
  !(type.dtype === 'bool' && operands.length === 1 && Number.isNaN(values[0]));

/** All combinations of sample values; of three operands and more, fewer of each. */
function gridOf(row: Case, round: (value: number) => number): readonly (readonly number[])[] {
  const grid = row.operands.reduce<number[][]>(
    (places, dtype, slot) => {
      const values = samples[dtype].filter((_, index) => slot < 2 || dtype !== 'f32' || index % 4 === 0);
      return places.flatMap((place) =>
        values.map((value) => [...place, dtype === 'f32' ? round(value) : value]),
      );
    },
    [[]],
  );
  return grid.filter((values) => isCovered(row, values));
}

/** What the op's own evaluation makes of every place of the grid. */
function evaluated(row: Case, grid: readonly (readonly number[])[], precision: Precision): Float64Array {
  const float = precision === 'f64' ? exact : single;
  const make = { f32: float, i32: integers, bool: booleans };
  const args = row.operands.map((dtype, slot) =>
    make[dtype](
      [grid.length],
      grid.map((values) => values[slot]!),
    ),
  );
  const type: TensorType = { dtype: row.type.dtype, shape: [grid.length] };
  const result = apply(row.op, args, { attrs: row.attrs, type, precision });
  expect(result.dtype).toBe(row.type.dtype);
  return Float64Array.from(result.data);
}

/** Compares place by place: equal, both NaN, or within the tolerance of the place. */
function expectSame(row: Case, precision: Precision, toleranceOf: (wanted: number, x: number) => number) {
  const round = precision === 'f32' ? Math.fround : (value: number) => value;
  const grid = gridOf(row, round);
  const wanted = evaluated(row, grid, precision);
  const expression = expressionOf(row);
  for (const [place, values] of grid.entries()) {
    const [got, want] = [evaluateScalar(expression, values, round), wanted[place]!];
    const same = got === want || (Number.isNaN(got) && Number.isNaN(want));
    const near = Number.isFinite(want) && Math.abs(got - want) <= toleranceOf(want, values[0]!);
    if (!same && !near) {
      expect.fail(`at ${values}: ${got}, expected ${want}`);
    }
  }
}

/** Every application in an expression, each object once. */
function applications(root: Scalar): ReadonlySet<Extract<Scalar, { kind: 'apply' }>> {
  const found = new Set<Extract<Scalar, { kind: 'apply' }>>();
  const visit = (expression: Scalar) => {
    if (expression.kind !== 'apply' || found.has(expression)) return;
    found.add(expression);
    expression.args.forEach(visit);
  };
  visit(root);
  return found;
}

describe('formulas', () => {
  it.each(ops)('%s has one if it reaches targets', (op) => {
    expect(forward[op].formula !== undefined).toBe(forward[op].tfjs !== undefined);
    if (forward[op].formula) expect(casesOf(op).length).toBeGreaterThan(0);
  });

  it('stand at no other op', () => {
    const others = (Object.keys(forward) as ForwardOp[]).filter((op) => !ops.includes(op));
    expect(others.filter((op) => forward[op].formula)).toEqual([]);
  });
});

describe('the formula is the evaluation in f64', () => {
  it.each(titled)('%s', (_, row) => expectSame(row, 'f64', (wanted) => 1e-12 * Math.abs(wanted)));
});

/** Where steps cancel, what counts is the error beside the operand: gelu adds 1 and an erf or a tanh near −1. */
const cancelling: readonly ForwardOp[] = ['gelu', 'gelu_tanh'];

describe('the formula rounded step by step is the evaluation in f32, up to its steps', () => {
  it.each(titled)('%s', (_, row) => {
    const steps = applications(expressionOf(row)).size;
    const unit = 2 ** -24 * (row.op === 'quotient' || steps === 1 ? 0 : 2 * steps);
    expectSame(
      row,
      'f32',
      (wanted, x) => unit * (cancelling.includes(row.op) ? Math.abs(x) : Math.abs(wanted)),
    );
  });
});

describe('expressions are well formed', () => {
  it.each(titled)('%s', (_, row) => {
    const root = expressionOf(row);
    expect(root.dtype).toBe(row.type.dtype);
    for (const { fn, args, dtype } of applications(root)) {
      const alike = fn === 'select' ? args.slice(1) : args;
      expect(new Set(alike.map((arg) => arg.dtype)).size, fn).toBe(1);
      if (fn === 'select') expect(args[0]!.dtype).toBe('bool');
      if (['and', 'or', 'not'].includes(fn)) expect(dtype).toBe('bool');
      if (fn === 'max' || fn === 'min') expect(args[0]!.kind, 'a value stands first').not.toBe('number');
    }
  });

  it('what is used twice is one object', () => {
    const [r, z] = [operand(0, 'f32'), operand(1, 'f32')];
    const type: TensorType = { dtype: 'f32', shape: [1] };
    const chefer = forward.quotient.formula!([r, z], { attrs: { mode: 'chefer', eps: 1 }, type });
    const functions = [...applications(chefer)].map(({ fn }) => fn).sort();
    expect(functions).toEqual(
      ['mul', 'div', 'select', 'equal', 'add', 'max', 'min', 'to_f32', 'not', 'equal'].sort(),
    );
  });
});

describe('constructors', () => {
  const x = operand(0, 'f32');

  it('negate numbers at once', () => {
    expect(scalar.neg(scalar.number(2))).toEqual(scalar.number(-2));
    expect(scalar.neg(x)).toEqual({ kind: 'apply', fn: 'neg', args: [x], dtype: 'f32' });
  });

  it('leave a cast to the same dtype out', () => {
    expect(scalar.cast(x, 'f32')).toBe(x);
    expect(scalar.cast(x, 'bool')).toEqual({ kind: 'apply', fn: 'to_bool', args: [x], dtype: 'bool' });
  });
});

describe('evaluation', () => {
  const [x, y] = [operand(0, 'f32'), operand(1, 'f32')];
  const plain = (value: number) => value;

  it('rounds numbers and each step', () => {
    const tenth = scalar.number(0.1);
    expect(evaluateScalar(scalar.add(x, tenth), [0.2], plain)).toBe(0.2 + 0.1);
    expect(evaluateScalar(scalar.add(x, tenth), [Math.fround(0.2)], Math.fround)).toBe(
      Math.fround(Math.fround(0.2) + Math.fround(0.1)),
    );
  });

  it('keeps NaN in max and min', () => {
    for (const fn of [scalar.max, scalar.min]) {
      expect(evaluateScalar(fn(x, scalar.number(0)), [Number.NaN], plain)).toBeNaN();
      expect(evaluateScalar(fn(x, y), [Number.NaN, 0], plain)).toBeNaN();
      expect(evaluateScalar(fn(x, y), [0, Number.NaN], plain)).toBeNaN();
    }
  });

  it('wraps integers', () => {
    const [i, j] = [operand(0, 'i32'), operand(1, 'i32')];
    expect(evaluateScalar(scalar.mul(i, j), [70000, 70000], plain)).toBe(Math.imul(70000, 70000));
    expect(evaluateScalar(scalar.div(i, j), [-7, 2], plain)).toBe(-3);
    expect(evaluateScalar(scalar.div(i, j), [7, 0], plain)).toBe(0);
    expect(evaluateScalar(scalar.cast(x, 'i32'), [-1.7], plain)).toBe(-1);
  });
});
