// The ops that relevance brings with it: the stabilised quotient, what its stabiliser adds, and the fan-out sum.
import { attrNumber, keepsSign, type OpDefinition, OpProblem } from '../dialect.js';
import { scalar } from '../scalar.js';
import { call, literal, value } from '../spelling.js';
import { allocate } from '../tensor.js';
import { concreteShape } from '../type.js';
import { elementwise } from './elementwise.js';
import { denominatorModes, quotientFormula, stabilisedQuotient, stabiliserOf } from './quotient.js';
import { expectDtype, expectSameShape } from './shapes.js';

const quotient = elementwise({
  summary:
    'r / den(z), the stabilised quotient of a relevance rule; a third operand is an ε for each element',
  operands: ['r', 'z', 'epsilon?'],
  operand: 'f32',
  attrs: { mode: 'string', eps: 'number?' },
  scalar: (r, z, epsilon, attrs, round) =>
    stabilisedQuotient(r, z, attrs.mode as string, attrNumber(attrs.eps) ?? epsilon, round),
  formula: ([r, z, epsilon], { attrs }) => {
    const eps = epsilon ?? scalar.number(attrNumber(attrs.eps) ?? 0);
    return quotientFormula(r!, z!, attrs.mode as string, eps);
  },
  tfjs: (node) => {
    const [r, z, epsilon] = node.args;
    const eps = epsilon === undefined ? literal(node.attrs.eps ?? 0) : value(epsilon);
    return call('rt.quotient', value(r!), value(z!), literal(node.attrs.mode!), eps);
  },
});

const stabiliser = elementwise({
  summary: 'den(z) − z: what the stabiliser of a quotient adds; for accounts, it never reaches a target',
  operands: ['z', 'epsilon?'],
  operand: 'f32',
  attrs: { mode: 'string', eps: 'number?' },
  scalar: (z, epsilon, _, attrs) => stabiliserOf(z, attrs.mode as string, attrNumber(attrs.eps) ?? epsilon),
  formula: null,
  tfjs: null,
});

/** The op with its denominator's attributes checked; `operands` is their number where ε is one of them. */
function checkingMode(op: OpDefinition, operands: number): OpDefinition {
  return {
    ...op,
    infer(args, attrs, declared) {
      const modes: readonly string[] = denominatorModes;
      if (!modes.includes(attrs.mode as string)) {
        throw new OpProblem('RELC1005', `mode is "${attrs.mode}", expected one of ${modes.join(', ')}`);
      }
      if (attrs.eps !== undefined && args.length === operands) {
        throw new OpProblem('RELC1005', 'eps is given as an attribute and as an operand');
      }
      return op.infer(args, attrs, declared);
    },
  };
}

export const relevanceOps = {
  quotient: checkingMode(quotient, 3),
  stabiliser: checkingMode(stabiliser, 2),
  batch_total: {
    summary:
      'the sum of all elements of all samples, at every element: for the one published rule that mixes them',
    operands: ['x'],
    nonnegative: keepsSign,
    infer([x]) {
      expectDtype(x!, 0, 'f32');
      return x!;
    },
    evaluate([x], node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      const round = context.precision === 'f32' ? Math.fround : (sum: number) => sum;
      let total = 0;
      for (const element of x!.data) total = round(total + element);
      result.data.fill(total);
      return result;
    },
    vjp: ({ builder, cotangent }) => builder.add('batch_total', [cotangent]),
    tfjs: ({ args: [x] }) => call('tf.add', call('tf.zerosLike', value(x!)), call('tf.sum', value(x!))),
  },
  accumulate: {
    summary: 'the sum of what came back to one value from its users, where Clone used to stand',
    operands: ['r', 'r*'],
    traits: { elementwise: true },
    nonnegative: keepsSign,
    infer(args) {
      expectSameShape(args);
      args.forEach((type, index) => {
        expectDtype(type, index, 'f32');
      });
      return args[0]!;
    },
    evaluate(args, node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      for (const { data } of args) {
        for (let i = 0; i < result.data.length; i++) result.data[i] = result.data[i]! + data[i]!;
      }
      return result;
    },
    vjp: ({ cotangent }) => cotangent,
    formula: (operands) => operands.reduce(scalar.add),
    tfjs: (node) =>
      node.args.slice(1).reduce((sum, arg) => call('tf.add', sum, value(arg)), value(node.args[0]!)),
  },
} satisfies Record<string, OpDefinition>;
