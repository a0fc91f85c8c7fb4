// What the relevance pass refuses: the node, its layer, the reason, and what would serve.
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import type { Attrs } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { CompositeLine } from '../../src/rules/composite.js';
import { explain } from '../../src/rules/explanation.js';
import { base, presetNamed, presets } from '../../src/rules/presets.js';
import { dialect, propagate, refusal, withRule } from './support.js';

const graphOf = (lines: readonly string[], returned = '%y') =>
  parse(['graph @model {', ...lines, `return ${returned}`, '}'].join('\n'), forward);

const x = '%x = input() : f32[N,3]';

/** The refusal of explaining a graph whose middle is `lines`. */
function refused(lines: readonly string[], preset = 'epsilon', returned = '%y') {
  return refusal(() => explain(graphOf([x, ...lines], returned), dialect, { preset: presetNamed(preset) }));
}

describe('RELC3001: no rule for an op', () => {
  it('names the node, its type, layer and call site, and what would serve', () => {
    const error = refused(['%y = exp(%x) : f32[N,3]  // head/exp at model.ts:31:9']);
    expect(error.message).toBe(
      'RELC3001: %y = exp : f32[N,3]  (head/exp at model.ts:31:9): the composite has no rule for it; ' +
        'it is of no kind that a composite names\n' +
        '  help: add a line to the composite, such as ["exp", {"op": "exp"}, rule]; ' +
        'rules that would serve: norm, pass, gradient',
    );
  });

  it('a softmax in the middle', () => {
    const error = refused(['%s = softmax(%x) {axis=1} : f32[N,3]  // attention', '%y = relu(%s) : f32[N,3]']);
    expect(error.code).toBe('RELC3001');
    expect(error.detail).toContain('%s = softmax : f32[N,3]  (attention)');
    expect(error.detail).toContain('it is of kind softmax: softmax, log-softmax');
    expect(error.hint).toContain('rules that would serve: norm, pass, gradient, softmax');
  });

  it.each([
    ['softmax', '%y = softmax(%x) {axis=1} : f32[N,3]'],
    ['a product of activations', '%y = mul(%x, %x) : f32[N,3]'],
    ['layer norm', '%y = layer_norm(%x) {epsilon=0.001} : f32[N,3]'],
  ])('names presets that have a rule for it: %s', (_name, y) => {
    const lines = [y, '%z = add(%x, %y) : f32[N,3]'];
    expect(refused(lines, 'epsilon-plus', '%z').hint).toMatch(
      /^for transformers use the preset attnlrp or cp-lrp; or add a line to the composite, such as /,
    );
    for (const preset of ['attnlrp', 'cp-lrp', 'attnlrp-gamma', 'cp-lrp-gamma']) {
      const { chosen } = explain(graphOf([x, ...lines], '%z'), dialect, { preset: presetNamed(preset) });
      expect(chosen.map(({ node }) => node)).toEqual(['y', 'z']);
    }
  });

  it.each([
    ['a product of activations', ['%y = mul(%x, %x) : f32[N,3]'], '%y = mul'],
    ['a matmul of activations', ['%y = einsum(%x, %x) {eq="bi,bj->bij"} : f32[N,3,3]'], '%y = einsum'],
    ['a division by an activation', ['%r = exp(%x) : f32[N,3]', '%y = div(%x, %r) : f32[N,3]'], '%y = div'],
    [
      'a constant divided by an activation',
      ['%c = constant() {value=1} : f32[N,3]', '%y = div(%c, %x) : f32[N,3]'],
      '%y = div',
    ],
  ])('%s', (_name, lines, node) => {
    const error = refused(lines);
    expect(error.code).toBe('RELC3001');
    expect(error.detail).toContain(node);
  });
});

describe('RELC3001: what would serve', () => {
  it('says so where no rule serves at all', () => {
    const lines = ['%r = input() : f32[N,2,1]', '%v = reshape(%x) : f32[N,3,1]'];
    const unpool = '%y = max_unpool(%v, %r) {window=[2], strides=[1], padding=[[0,0]]} : f32[N,3,1]';
    expect(refused([...lines, unpool]).hint).toContain('no rule serves this op');
  });

  it('never suggests to route or to pick a winner where nothing is moved or picked', () => {
    for (const op of ['exp', 'softmax', 'square']) {
      const attrs = op === 'softmax' ? '{axis=1} ' : '';
      expect(
        refused([`%y = ${op}(%x) ${attrs}: f32[N,3]`, '%z = relu(%y) : f32[N,3]'], 'epsilon', '%z').hint,
      ).not.toMatch(/route|winner/);
    }
  });

  it('a composite without a base refuses what the base would rule', () => {
    const graph = graphOf([x, '%y = relu(%x) : f32[N,3]']);
    const error = refusal(() => propagate(graph, []));
    expect(error.code).toBe('RELC3001');
    expect(error.detail).toContain('it is of kind activation: elementwise non-linearity');
  });
});

describe('RELC3002: a rule that does not suit', () => {
  const given = (rule: CompositeLine[2]['rule'], params: Attrs): CompositeLine => [
    'mine',
    {},
    { rule, params },
  ];
  const eps = { denominator: 'signed', eps: 1e-6 };

  it.each([
    [
      'epsilon',
      eps,
      '%y = relu(%x) : f32[N,3]',
      'it is for convolutions, dense layers, sums, means and average pools',
    ],
    ['zBox', eps, '%y = add(%x, %x) : f32[N,3]', 'it is for the input of a convolution or a dense layer'],
    ['guided', {}, '%y = tanh(%x) : f32[N,3]', 'it is for relu, not for tanh'],
    ['flat', eps, '%y = relu(%x) : f32[N,3]', 'not for operand 0 of relu'],
    ['zPlus', eps, '%y = einsum(%x, %x) {eq="bi,bi->b"} : f32[N]', 'not for operand 1 of einsum'],
    ['chefer.add', eps, '%y = sub(%x, %x) : f32[N,3]', 'it is for sums, not for sub'],
    ['pass', {}, '%y = sum(%x) {axes=[1]} : f32[N]', 'sum does not keep the shape of operand 0'],
    ['route', {}, '%y = relu(%x) : f32[N,3]', 'relu does more than move elements'],
    ['winner', {}, '%y = add(%x, %x) : f32[N,3]', 'add picks no winner'],
    ['gradient', {}, '%y = sign(%x) : f32[N,3]', 'sign has no derivative'],
    ['norm', eps, '%y = step(%x) : f32[N,3]', 'step has no derivative'],
  ] as const)('%s on %s', (rule, params, y, reason) => {
    const graph = graphOf([x, y]);
    const error = refusal(() => propagate(graph, [given(rule, params)]));
    expect(error.code).toBe('RELC3002');
    expect(error.detail).toContain(`line 'mine' of the composite gives %y = `);
    expect(error.detail).toContain(reason);
  });
});

it('RELC3002: pass where the operand has another shape than the result', () => {
  const statistics = ['%s = input() : f32[3]', '%o = param() {key="o"} : f32[3]'];
  const y = '%y = batch_norm(%x, %s, %o, %o, %o) {epsilon=0.001} : f32[N,3]';
  const error = refusal(() => propagate(graphOf([x, ...statistics, y]), base));
  expect([error.code, error.detail]).toEqual([
    'RELC3002',
    "line 'constant product' of the composite gives %y = batch_norm the rule pass, but batch_norm does not keep the shape of operand 1",
  ]);
});

describe('RELC3003: unknown presets', () => {
  it('lists those there are', () => {
    const error = refusal(() => presetNamed('epsilonminus'));
    expect(error.code).toBe('RELC3003');
    expect(error.detail).toContain("'epsilonminus'");
    expect(error.hint).toBe(`presets: ${[...presets.keys()].join(', ')}`);
  });
});

describe('RELC3004: wrong parameters', () => {
  const dense = graphOf(
    [x, '%w = param() {key="w"} : f32[3,2]', '%z = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,2]'],
    '%z',
  );
  const signed = { denominator: 'signed', eps: 1e-6 };

  it.each([
    [
      'epsilon',
      { denominator: 'sgined', eps: 1e-6 },
      'denominator is "sgined", expected one of signed, clip',
    ],
    ['epsilon', { denominator: 'signed' }, 'expected a number above 0'],
    ['epsilon', { denominator: 'plain', eps: 0 }, 'eps is 0, expected a number above 0'],
    ['zPlus', { denominator: 'clip', eps: -1 }, 'eps is -1'],
    ['zero', { denominator: 'signed' }, 'expected a number above 0 for the denominator "signed"'],
    ['alphaBeta', { ...signed, alpha: 2, beta: 0 }, 'expected α − β = 1'],
    ['alphaBeta', { ...signed, alpha: 0.5, beta: -0.5 }, 'neither below 0'],
  ] as const)('%s %j', (rule, params, reason) => {
    const error = refusal(() => withRule(dense, rule, params, 0));
    expect(error.code).toBe('RELC3004');
    expect(error.detail).toContain(`%r.x = rule.${rule}`);
    expect(error.detail).toContain(reason);
  });

  it('a parameter that the rule does not have is refused with those it has', () => {
    const error = refusal(() => withRule(dense, 'epsilon', { ...signed, gamma: 1 }, 0));
    expect([error.code, error.hint]).toEqual([
      'RELC1005',
      'attributes of this op: of, to, denominator, eps, normScale, zeroBias',
    ]);
  });
});

describe('RELC3005: nothing to explain', () => {
  const two = ['%a = relu(%x) : f32[N,3]', '%b = tanh(%x) : f32[N,3]'];

  it('several outputs and no choice', () => {
    const error = refused(two, 'epsilon', '%a, scores=%b');
    expect([error.code, error.detail]).toEqual(['RELC3005', 'the model has several outputs']);
    expect(error.hint).toBe('name one with the option output: a, scores');
  });

  it('a choice that is not there', () => {
    const graph = graphOf([x, ...two], '%a, scores=%b');
    const error = refusal(() => explain(graph, dialect, { preset: presetNamed('epsilon'), output: 'c' }));
    expect([error.code, error.detail]).toEqual(['RELC3005', "the model has no output 'c'"]);
  });

  it('an output that depends on no input, or that is no score', () => {
    const constant = refused(['%y = constant() {value=1} : f32[N,3]']);
    expect([constant.code, constant.detail]).toEqual([
      'RELC3005',
      'output %y depends on no input through floating-point values',
    ]);
    const index = refused(['%y = argmax(%x) {axis=1} : i32[N]']);
    expect([index.code, index.detail]).toEqual(['RELC3005', 'output %y is i32[N]']);
  });
});

describe('rule lines in a text', () => {
  const lineOf = (args: string, attrs: string) =>
    refusal(() =>
      parse(
        `graph @ruled {\n${x}\n%y = relu(%x) : f32[N,3]\n%r = rule.pass(${args}) {${attrs}} : f32[N,3]\nreturn %r\n}`,
        dialect,
      ),
    );

  it('name the operand they rule', () => {
    expect(lineOf('%x, %y, %x', 'of="relu", to=1').code).toBe('RELC1003');
    expect(lineOf('%x, %y, %x', 'of="relu", to=1').detail).toContain('to=1 names no operand of the ruled op');
  });

  it('take R in the shape of z', () => {
    const graph = `graph @ruled {\n${x}\n%y = sum(%x) {axes=[1]} : f32[N]\n`;
    const error = refusal(() =>
      parse(`${graph}%r = rule.gradient(%x, %y, %x) {of="sum", to=0} : f32[N,3]\nreturn %r\n}`, dialect),
    );
    expect([error.code, error.detail]).toEqual([
      'RELC1004',
      'text:4: %r = rule.gradient: R is f32[N,3], but z is f32[N]',
    ]);
  });
});

it('every preset but the gradients ends in a line for what only moves', () => {
  for (const { name, composite } of presets.values()) {
    const rules = composite.map(([, , { rule }]) => rule);
    expect(rules.includes('route') || rules.includes('gradient'), name).toBe(true);
  }
  expect(base.map(([line]) => line)).toContain('structure');
});
