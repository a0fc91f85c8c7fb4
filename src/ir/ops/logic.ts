// Comparisons, logic, selection and casts.
import { Arithmetic } from '../arithmetic.js';
import { keepsSign, type OpDefinition, OpProblem } from '../dialect.js';
import type { Node } from '../graph.js';
import { scalar } from '../scalar.js';
import { call, literal, spelled, value } from '../spelling.js';
import { allocate } from '../tensor.js';
import { concreteShape } from '../type.js';
import { binary, comparison, unary } from './elementwise.js';
import { expectDtype, expectSameShape, stated, wrongShape } from './shapes.js';

const castTo = (node: Node) =>
  call(
    'tf.cast',
    value(node.args[0]!),
    literal({ f32: 'float32', i32: 'int32', bool: 'bool' }[node.type.dtype]),
  );

export const logicOps = {
  greater: comparison('x > y', 'Greater', 'tf.greater', (x, y) => x > y, scalar.greater),
  greater_equal: comparison(
    'x ≥ y',
    'GreaterEqual',
    'tf.greaterEqual',
    (x, y) => x >= y,
    scalar.greaterEqual,
  ),
  equal: comparison('x = y', 'Equal', 'tf.equal', (x, y) => x === y, scalar.equal),
  logical_and: binary('x and y', 'LogicalAnd', 'tf.logicalAnd', (x, y) => x & y, scalar.and, null, {
    operand: 'bool',
  }),
  logical_or: binary('x or y', 'LogicalOr', 'tf.logicalOr', (x, y) => x | y, scalar.or, null, {
    operand: 'bool',
  }),
  logical_not: unary('not x', 'LogicalNot', 'tf.logicalNot', (x) => 1 - x, scalar.not, null, {
    operand: 'bool',
  }),
  select: {
    summary: 'y where the condition holds, else z',
    operands: ['condition', 'y', 'z'],
    traits: { elementwise: true, routes: true },
    nonnegative: keepsSign,
    infer(args) {
      expectSameShape(args);
      expectDtype(args[0]!, 0, 'bool');
      if (args[1]!.dtype !== args[2]!.dtype) throw wrongShape('operands 1 and 2 differ in dtype');
      return args[1]!;
    },
    evaluate([condition, x, y], node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      for (let i = 0; i < result.data.length; i++) {
        result.data[i] = condition!.data[i] ? x!.data[i]! : y!.data[i]!;
      }
      return result;
    },
    vjp({ builder, node, operand, cotangent }) {
      if (operand === 0) throw new OpProblem('RELC1008', 'no derivative with respect to the condition');
      const zero = new Arithmetic(builder).constant(0, cotangent);
      const [yes, no] = operand === 1 ? [cotangent, zero] : [zero, cotangent];
      return builder.add('select', [node.args[0]!, yes, no]);
    },
    formula: ([condition, y, z]) => scalar.select(condition!, y!, z!),
    tfjs: spelled('tf.where'),
  },
  cast: {
    summary: 'x in another dtype',
    operands: ['x'],
    infer(args, _attrs, declared) {
      const type = stated(declared);
      expectSameShape([args[0]!, type]);
      return type;
    },
    evaluate([x], node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      const truncate =
        node.type.dtype === 'i32' ? Math.trunc : node.type.dtype === 'bool' ? Boolean : (v: number) => v;
      for (let i = 0; i < result.data.length; i++) result.data[i] = Number(truncate(x!.data[i]!));
      return result;
    },
    formula: ([x], { type }) => scalar.cast(x!, type.dtype),
    tfjs: castTo,
  },
} satisfies Record<string, OpDefinition>;
