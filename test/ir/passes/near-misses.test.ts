// Near misses: arithmetic that is almost a composite is left alone, and it is said why.
import { describe, expect, it } from 'vitest';
import { forward } from '../../../src/ir/forward.js';
import { nodesWithOp } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { nearMisses, raiseComposites } from '../../../src/ir/passes/canonicalize/raise/raise.js';
import { removeDeadCode } from '../../../src/ir/passes/dead-code.js';
import type { TensorData } from '../../../src/ir/tensor.js';

const raisedOps = ['layer_norm', 'rms_norm', 'gelu', 'gelu_tanh', 'swish', 'softmax', 'log_softmax'];

const noWeights: ReadonlyMap<string, TensorData> = new Map();

/** (x − μ)/√(σ² + ε) of rows; every two axes have one extent, so that only the axes tell them apart. */
const layerNorm = `graph @g {
  %x = input() : f32[N,4,4]
  %mean = mean(%x) {axes=[2]} : f32[N,4]
  %means = broadcast(%mean) {axes=[0,1]} : f32[N,4,4]
  %centred = sub(%x, %means) : f32[N,4,4]
  %squared = square(%centred) : f32[N,4,4]
  %variance = mean(%squared) {axes=[2]} : f32[N,4]
  %eps = constant() {value=0.001} : f32[N,4]
  %sum = add(%variance, %eps) : f32[N,4]
  %inverse = rsqrt(%sum) : f32[N,4]
  %inverses = broadcast(%inverse) {axes=[0,1]} : f32[N,4,4]
  %y = mul(%centred, %inverses) : f32[N,4,4]
  return %y
}`;

const gelu = `graph @g {
  %x = input() : f32[N,3]
  %root = constant() {value=1.4142135623730951} : f32[N,3]
  %u = div(%x, %root) : f32[N,3]
  %erf = erf(%u) : f32[N,3]
  %one = constant() {value=1} : f32[N,3]
  %sum = add(%erf, %one) : f32[N,3]
  %half = constant() {value=0.5} : f32[N,3]
  %p = mul(%x, %half) : f32[N,3]
  %y = mul(%p, %sum) : f32[N,3]
  return %y
}`;

const geluTanh = `graph @g {
  %x = input() : f32[N,3]
  %square = square(%x) : f32[N,3]
  %cube = mul(%square, %x) : f32[N,3]
  %third = constant() {value=0.044715} : f32[N,3]
  %small = mul(%cube, %third) : f32[N,3]
  %inner = add(%x, %small) : f32[N,3]
  %slope = constant() {value=0.7978845608} : f32[N,3]
  %u = mul(%inner, %slope) : f32[N,3]
  %tanh = tanh(%u) : f32[N,3]
  %one = constant() {value=1} : f32[N,3]
  %sum = add(%tanh, %one) : f32[N,3]
  %half = constant() {value=0.5} : f32[N,3]
  %p = mul(%x, %half) : f32[N,3]
  %y = mul(%p, %sum) : f32[N,3]
  return %y
}`;

const swish = `graph @g {
  %x = input() : f32[N,3]
  %slope = constant() {value=1} : f32[N,3]
  %u = mul(%x, %slope) : f32[N,3]
  %gate = sigmoid(%u) : f32[N,3]
  %y = mul(%gate, %x) : f32[N,3]
  return %y
}`;

const softmax = `graph @g {
  %x = input() : f32[N,4,4]
  %exp = exp(%x) : f32[N,4,4]
  %total = sum(%exp) {axes=[2]} : f32[N,4]
  %totals = broadcast(%total) {axes=[0,1]} : f32[N,4,4]
  %y = div(%exp, %totals) : f32[N,4,4]
  return %y
}`;

/** A text with parts of it replaced; every part must be there. */
function changed(text: string, ...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((source, [from, to]) => {
    expect(source).toContain(from);
    return source.replace(from, to);
  }, text);
}

const raised = (text: string) => {
  const graph = parse(text, forward);
  return removeDeadCode(raiseComposites(graph, forward, noWeights));
};

/** The composites in a graph, and what is said of the rest. */
function outcome(text: string) {
  const graph = raised(text);
  const found = raisedOps.filter((op) => nodesWithOp(graph, op).length > 0);
  const missed = nearMisses(graph, forward, noWeights).map(({ name, reason }) => `%${name}: ${reason}`);
  return [found, missed];
}

it.each([
  ['layer_norm', layerNorm],
  ['gelu', gelu],
  ['gelu_tanh', geluTanh],
  ['swish', swish],
  ['softmax', softmax],
])('%s is raised as it stands here', (op, text) => {
  expect(outcome(text)).toEqual([[op], []]);
});

const rows: readonly (readonly [string, string, string])[] = [
  [
    'means along another axis',
    changed(
      layerNorm,
      ['mean(%x) {axes=[2]}', 'mean(%x) {axes=[1]}'],
      ['mean(%squared) {axes=[2]}', 'mean(%squared) {axes=[1]}'],
    ),
    '%inverse: its mean runs over axes [1], expected the last alone, [2]',
  ],
  [
    'a mean spread along another axis',
    changed(
      layerNorm,
      ['broadcast(%mean) {axes=[0,1]}', 'broadcast(%mean) {axes=[0,2]}'],
      ['square(%centred)', 'square(%x)'],
    ),
    '%inverse: it does not divide %x, times a constant vector along the last axis, and nothing else',
  ],
  [
    'a variance about another mean',
    changed(layerNorm, [
      '%squared = square(%centred)',
      '%other = mul(%x, %centred) : f32[N,4,4]\n  %mo = mean(%other) {axes=[2]} : f32[N,4]\n  %mob = broadcast(%mo) {axes=[0,1]} : f32[N,4,4]\n  %away = sub(%x, %mob) : f32[N,4,4]\n  %squared = square(%away)',
    ]),
    '%inverse: it does not divide %away, times a constant vector along the last axis, and nothing else',
  ],
  [
    'an ε that depends on the input',
    changed(layerNorm, ['%eps = constant() {value=0.001}', '%eps = abs(%mean)']),
    '%inverse: the root is not of a mean of squares of one value plus a constant number',
  ],
  [
    'an ε taken off',
    changed(layerNorm, ['value=0.001', 'value=-0.001']),
    '%inverse: -0.001 is added to the mean of squares, expected a number ≥ 0',
  ],
  [
    'a variance of all but one',
    changed(layerNorm, [
      '%sum = add(%variance, %eps)',
      '%more = constant() {value=1.25} : f32[N,4]\n  %unbiased = mul(%variance, %more) : f32[N,4]\n  %sum = add(%unbiased, %eps)',
    ]),
    '%inverse: the mean of squares is taken 1.25000 times, expected once',
  ],
  [
    'another exponent',
    changed(layerNorm, [
      '%inverse = rsqrt(%sum)',
      '%third = constant() {value=-0.25} : f32[N,4]\n  %inverse = pow(%sum, %third)',
    ]),
    '%inverse: its exponent is -0.25, expected 0.5 or −0.5',
  ],
  [
    'a deviation that divides another value',
    changed(layerNorm, ['mul(%centred, %inverses)', 'mul(%x, %inverses)']),
    '%inverse: it does not divide %x less its mean, times a constant vector along the last axis, and nothing else',
  ],
  [
    'a gate of another slope',
    changed(gelu, ['value=1.4142135623730951', 'value=1.5']),
    '%erf: erf is of 0.6666667 x with x = %x, expected 0.7071068 x',
  ],
  [
    'a whole gate',
    changed(gelu, ['value=0.5', 'value=0.25']),
    '%erf: it stands in another expression of %x than x · (1 + erf(x/√2)) / 2',
  ],
  [
    'another cubic',
    changed(geluTanh, ['value=0.044715', 'value=0.05']),
    '%tanh: tanh is of 0.7978846 x + 0.03989423 x^3 with x = %x, expected 0.7978846 x + 0.03567741 x^3',
  ],
  [
    'a sigmoid of more than x',
    changed(swish, ['value=1}', 'value=1.702}']),
    '%gate: sigmoid is of 1.702 x with x = %x, expected 1 x',
  ],
  [
    'a sum along another axis than it is spread along',
    changed(softmax, ['broadcast(%total) {axes=[0,1]}', 'broadcast(%total) {axes=[0,2]}']),
    '%exp: it is divided by something else than its sum along one axis',
  ],
  [
    'a sum with an ε',
    changed(softmax, [
      '%y = div(%exp, %totals)',
      '%eps = constant() {value=0.001} : f32[N,4,4]\n  %more = add(%totals, %eps) : f32[N,4,4]\n  %y = div(%exp, %more)',
    ]),
    '%exp: it is divided by something else than its sum along one axis',
  ],
];

describe('is left alone', () => {
  it.each(rows)('%s', (_name, text, reason) => {
    expect(outcome(text)).toEqual([[], [reason]]);
  });

  it('and nothing is said of ops that only look alike', () => {
    const plain = `graph @g {
      %x = input() : f32[N,3]
      %g = input() : f32[N,3]
      %s = sigmoid(%g) : f32[N,3]
      %t = tanh(%x) : f32[N,3]
      %p = mul(%s, %t) : f32[N,3]
      %q = square(%p) : f32[N,3]
      %r = sqrt(%q) : f32[N,3]
      %y = exp(%r) : f32[N,3]
      return %y
    }`;
    expect(outcome(plain)).toEqual([[], []]);
  });

  it('with the place of what was missed', () => {
    const text = changed(
      swish,
      ['value=1}', 'value=1.702}'],
      ['%gate = sigmoid(%u) : f32[N,3]', '%gate = sigmoid(%u) : f32[N,3] // act at net.ts:3:9'],
    );
    const [miss] = nearMisses(raised(text), forward, noWeights);
    expect(miss).toMatchObject({
      op: 'sigmoid',
      composites: ['swish'],
      loc: { layer: 'act', site: 'net.ts:3:9' },
    });
  });
});
