// Elementwise kernels: taken from the op table where names agree, the rest spelled with its ops.
import { OpProblem } from '../../ir/dialect.js';
import { forward } from '../../ir/forward.js';
import type { Attr, Name } from '../../ir/graph.js';
import type { Recorder } from '../recorder.js';
import {
  aligned,
  broadcastTo,
  elements,
  type KernelCall,
  listOf,
  need,
  numberAttr,
  reshape,
  spelledNumber,
  type TranslationTable,
} from './kernel.js';

/** Kernels that an op's entry names itself: operands in order, attributes of the same names. */
const fromTable: TranslationTable = Object.fromEntries(
  Object.entries(forward).flatMap(([op, definition]) => {
    const { kernel, traits, attrs } = definition;
    if (kernel === undefined || !traits?.elementwise) return [];
    const keys = definition.operands.length === 1 ? ['x'] : ['a', 'b'];
    const translation = (call: KernelCall) => {
      const operands = keys.map((key) => need(call, key));
      const given = Object.keys(attrs ?? {}).map((name) => [name, call.attrs[name] as Attr]);
      return call.r.add(op, aligned(call.r, operands), Object.fromEntries(given));
    };
    return [[kernel, translation]];
  }),
);

const swapped = (op: string) => (call: KernelCall) =>
  call.r.add(op, aligned(call.r, [need(call, 'b'), need(call, 'a')]));

const elementwise: TranslationTable = {
  ...fromTable,
  Less: swapped('greater'),
  LessEqual: swapped('greater_equal'),
  NotEqual: (call) => call.r.add('logical_not', [fromTable.Equal!(call) as string]),
  LogicalNot: (call) => call.r.add('logical_not', [need(call, 'x')]),
  SquaredDifference: (call) => call.r.add('square', [fromTable.Sub!(call) as string]),
  Relu6: (call) => call.r.add('clip', [need(call, 'x')], { min: 0, max: 6 }),
  ClipByValue: (call) =>
    call.r.add('clip', [need(call, 'x')], {
      min: spelledNumber(call, 'clipValueMin'),
      max: spelledNumber(call, 'clipValueMax'),
    }),
  Step(call) {
    if (numberAttr(call, 'alpha', 0) !== 0)
      throw new OpProblem('RELC2001', 'step with a slope is not supported');
    return call.r.add('step', [need(call, 'x')]);
  },
  Prelu(call) {
    const [x, alpha] = aligned(call.r, [need(call, 'x'), need(call, 'alpha')]);
    return call.r.add('prelu', [x!, alpha!]);
  },
  Select(call) {
    return call.r.add('select', aligned(call.r, [need(call, 'condition'), need(call, 't'), need(call, 'e')]));
  },
  AddN: (call) => listOf(call).reduce((sum, term) => call.r.add('add', aligned(call.r, [sum, term]))),
  Identity: (call) => need(call, 'x'),
  Cast(call) {
    const x = need(call, 'x');
    const type = call.r.typeOf(x);
    const dtypes = { float32: 'f32', int32: 'i32', bool: 'bool' } as const;
    const dtype = dtypes[call.attrs.dtype as keyof typeof dtypes];
    if (dtype === undefined)
      throw new OpProblem('RELC2001', `a cast to ${String(call.attrs.dtype)} is not supported`);
    return dtype === type.dtype ? x : call.r.add('cast', [x], {}, { ...type, dtype });
  },
  ZerosLike: (call) => call.r.builder.splat(0, call.r.typeOf(need(call, 'x'))),
  OnesLike: (call) => call.r.builder.splat(1, call.r.typeOf(need(call, 'x'))),
  FusedBatchNorm: (call) => batchNorm(call),
};

/** The value before tfjs put axes of extent 1 in front of it: so the batch stays on its axis. */
function beforeReshape(r: Recorder, x: Name): Name {
  const { op, args } = r.builder.node(x);
  return op === 'reshape' && r.shapeOf(args[0]!).at(-1) === r.shapeOf(x).at(-1) ? args[0]! : x;
}

/** Batch normalization proper where all statistics are constants; else the arithmetic it stands for. */
function batchNorm(call: KernelCall): Name {
  const { r } = call;
  const x = beforeReshape(r, need(call, 'x'));
  const channels = r.shapeOf(x).at(-1)!;
  const vector = { dtype: 'f32', shape: [channels] } as const;
  const statistics = [
    call.inputs.scale?.name ?? r.builder.splat(1, vector),
    call.inputs.offset?.name ?? r.builder.splat(0, vector),
    need(call, 'mean'),
    need(call, 'variance'),
  ];
  const perChannel = statistics.every((name) => r.isConstant(name) && elements(r.shapeOf(name)) === channels);
  const epsilon = numberAttr(call, 'varianceEpsilon');
  const result = perChannel
    ? r.add('batch_norm', [x, ...statistics.map((name) => reshape(r, name, [channels]))], { epsilon })
    : normalized(r, x, statistics, epsilon);
  return reshape(r, result, r.shapeOf(need(call, 'x')));
}

/** (x − mean)/√(variance + ε) · scale + offset */
function normalized(r: Recorder, x: Name, statistics: readonly Name[], epsilon: number): Name {
  const [scale, offset, mean, variance] = statistics.map((name) => statistic(r, name, r.shapeOf(x)));
  const deviation = r.add('rsqrt', [r.add('add', [variance!, r.k.constant(epsilon, variance!)])]);
  const normal = r.add('mul', [r.add('sub', [x, mean!]), deviation]);
  return r.add('add', [r.add('mul', [normal, scale!]), offset!]);
}

/** A statistic in the shape of what it normalizes. Of other sizes tfjs's backends make different things. */
function statistic(r: Recorder, name: Name, shape: readonly number[]): Name {
  const own = r.shapeOf(name);
  const size = elements(own);
  if (size === elements(shape)) return reshape(r, name, shape);
  if (size === shape.at(-1)) return broadcastTo(r, reshape(r, name, [size]), shape);
  throw new OpProblem(
    'RELC2001',
    `a statistic of shape [${own}] is neither one number a channel nor one an element of [${shape}]`,
    'tile it to the shape of the value, or write the normalization as arithmetic',
  );
}

export { elementwise };
