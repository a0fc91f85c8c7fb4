// The check: amounts worked by hand, causes at the nodes they belong to, and wrong rules found where they stand.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalArrived } from '../../src/api/balance.js';
import { checkConservation } from '../../src/api/check.js';
import type { ConservationReport } from '../../src/api/conservation.js';
import { canonical, compileExplanation } from '../../src/api/pipeline.js';
import { compile, dialect, evaluate, type Program, parse } from '../../src/index.js';
import type { Inputs } from '../../src/ir/evaluate.js';
import { tensor } from '../../src/ir/tensor.js';
import { presetOf, type Rules } from '../../src/rules/composite-file.js';
import type { ExplanationRequest } from '../../src/rules/explanation.js';
import { presetNamed } from '../../src/rules/presets.js';
import { type RuleDefinition, type RuleTable, ruleTable } from '../../src/rules/rules.js';
import { targetInput } from '../../src/rules/seed.js';
import { valuePresets } from '../presets.js';
import { convNet, denseNet, mixedNet, type NetShape, residualNet } from '../rules/random-nets.js';
import { exact, row } from '../rules/support.js';

/** The report on one sample, the compiled program run by the evaluator. */
async function checked(
  program: Program,
  request: Omit<ExplanationRequest, 'preset'> & { rules?: RuleTable; preset: Rules },
  inputs: Inputs,
): Promise<ConservationReport> {
  const preset = presetOf(request.preset);
  const compiled = compileExplanation(canonical(program), { ...request, preset });
  const given = { ...inputs, [targetInput]: tensor([1], [-1], 'i32') };
  const outputs = evaluate(compiled.program.graph, dialect, given, compiled.program.weights);
  return checkConservation(
    compiled,
    { inputs: given, outputs },
    { rules: preset.name, seed: request.seed ?? preset.seed },
  );
}

const programOf = (lines: string): Program => ({
  graph: parse(`graph @net {\n${lines}\n}`, dialect),
  weights: new Map(),
});

const nodeNamed = ({ nodes }: ConservationReport, name: string) => nodes.find((node) => node.name === name)!;

const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0);

/** What is over when all causes and all that arrives are taken off the start; it must be what the nodes say. */
function expectTelescoped(report: ConservationReport): void {
  const left = report.start - totalArrived(report.arrived) - sum(Object.values(report.causes));
  const own = sum(report.nodes.map(({ unexplained }) => unexplained));
  const scale = Math.abs(report.start) + sum(report.nodes.map(({ mass }) => mass));
  expect(Math.abs(left - own)).toBeLessThanOrEqual(1e-11 * scale);
}

const dense = programOf(`  %x = input() : f32[N,2]
  %w = constant() {value=[1,2,-1,3]} : f32[2,2]
  %b = constant() {value=[1,-1]} : f32[2]
  %y = einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[N,2]
  return %y`);

describe('one dense layer with a bias under epsilon', () => {
  // z = [1·1 − 2·1 + 1, 1·2 + 2·3 − 1] = [0, 7]; s = 7 / (7 + 10⁻⁶)
  const s = 7 / (7 + 1e-6);

  it('has the amounts that are worked by hand', async () => {
    const report = await checked(dense, { preset: 'epsilon' }, { x: exact([1, 2], [1, 2]) });
    expect(report.target).toBe(1);
    expect([report.start, report.unit]).toEqual([7, 'f(x)']);
    expect(report.arrived).toEqual([
      { asked: 'x', value: 'x', amount: expect.closeTo(8 * s, 12), ends: true },
    ]);
    expect(report.nodes).toHaveLength(1);
    const [node] = report.nodes;
    expect(node).toMatchObject({ name: 'y', op: 'einsum', rule: 'epsilon', arriving: 7, mass: 7 });
    expect(node!.leaving).toBeCloseTo(8 * s, 12);
    expect(node!.leaks.biases).toBeCloseTo(-s, 12);
    expect(node!.leaks.ε).toBeCloseTo(s * 1e-6, 15);
    // R = 0 at the other neuron, whose denominator is 0
    expect(node!.leaks['zero denominators']).toBe(0);
    expect(report.ok).toBe(true);
    expect(report.verdict).toMatch(
      /^epsilon: 114\.3 % of f\(x\) at the input · -14\.3 % biases · unexplained (0|\de-1\d)$/,
    );
    expectTelescoped(report);
  });

  it('is accounted for as value × gradient under gradient', async () => {
    const report = await checked(dense, { preset: 'gradient' }, { x: exact([1, 2], [1, 2]) });
    expect(report).toMatchObject({ accountedAs: 'value × gradient', start: 7, unit: 'f(x)', ok: true });
    expect(report.causes).toEqual({ biases: -1 });
    expect(totalArrived(report.arrived)).toBe(8);
  });

  it('keeps all in the zero denominator where that is where all starts', async () => {
    const compiled = await compile(dense, { rules: 'epsilon', seed: 'one' });
    const report = await compiled.check([1, 2], { target: 0 });
    compiled.dispose();
    expect(report.unit).toBe('the seed');
    expect(report.causes).toMatchObject({ 'zero denominators': 1 });
    expect(report.ok).toBe(true);
  });
});

describe('causes stand at the nodes they belong to', () => {
  it('one-signed neurons: α2β1 gives 2R where all contributions are positive', async () => {
    const net = programOf(`  %x = input() : f32[N,1,1,2]
  %k = constant() {value=[1,2]} : f32[1,1,2,1]
  %c = conv(%x, %k) {padding=[[0,0],[0,0]], strides=[1,1]} : f32[N,1,1,1]
  %h = relu(%c) : f32[N,1,1,1]
  %f = reshape(%h) : f32[N,1]
  %w = constant() {value=[3]} : f32[1,1]
  %y = einsum(%f, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y`);
    const report = await checked(net, { preset: 'epsilon-alpha2-beta1' }, { x: exact([1, 1, 1, 2], [1, 2]) });
    const conv = nodeNamed(report, 'c');
    expect(conv.rule).toBe('alphaBeta');
    expect(conv.leaving / conv.arriving).toBeCloseTo(2, 5);
    expect(conv.leaks['one-signed neurons']! / conv.arriving).toBe(-1);
    expect(nodeNamed(report, 'y').leaks['one-signed neurons']).toBeUndefined();
    expect(report.verdict).toMatch(/200\.0 % of f\(x\) at the input · -100\.0 % one-signed neurons/);
    expectTelescoped(report);
  });

  it('constant operands: the share of what is added to an activation, as a position embedding is', async () => {
    const net = programOf(`  %x = input() : f32[N,2]
  %one = constant() {value=[1,0,0,1]} : f32[2,2]
  %v = einsum(%x, %one) {eq="bi,ij->bj"} : f32[N,2]
  %h = relu(%v) : f32[N,2]
  %p = constant() {value=[3,-1]} : f32[2]
  %pb = broadcast(%p) {axes=[1]} : f32[N,2]
  %s = add(%h, %pb) : f32[N,2]
  %t = relu(%s) : f32[N,2]
  %w = constant() {value=[1,1]} : f32[2,1]
  %y = einsum(%t, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y`);
    const report = await checked(net, { preset: 'epsilon' }, { x: exact([1, 2], [1, 2]) });
    // s = [4, 1], R = [4, 1]: the constants take 4·¾ + 1·(−1)
    expect(nodeNamed(report, 's').leaks['constant operands']).toBeCloseTo(2, 5);
    expect(totalArrived(report.arrived)).toBeCloseTo(3, 5);
    expect(report.leftConstants).toEqual(['s']);
    expect(report.ok).toBe(true);
    expectTelescoped(report);
  });

  const two = programOf(`  %a = input() : f32[N,2]
  %b = input() : f32[N,2]
  %s = add(%a, %b) : f32[N,2]
  %w = constant() {value=[1,1]} : f32[2,1]
  %y = einsum(%s, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y`);
  const inputs = { a: exact([1, 2], [1, 2]), b: exact([1, 2], [3, 4]) };

  it('stopped branches: the share of an input that is not asked for', async () => {
    const report = await checked(two, { preset: 'epsilon', relevanceOf: ['a'] }, inputs);
    expect(report.start).toBe(10);
    expect(nodeNamed(report, 's').leaks['stopped branches']).toBeCloseTo(7, 4);
    expect(report.causes['constant operands']).toBeUndefined();
    expectTelescoped(report);
  });

  it('what arrives on the way is told, and not counted twice', async () => {
    const report = await checked(two, { preset: 'epsilon', relevanceOf: ['s', 'a', 'b'] }, inputs);
    const ends = report.arrived.map(({ asked, ends: end }) => [asked, end]);
    expect(ends).toEqual([
      ['s', false],
      ['a', true],
      ['b', true],
    ]);
    expect(report.arrived[0]!.amount).toBeCloseTo(10, 4);
    expect(totalArrived(report.arrived)).toBeCloseTo(10, 4);
    expect(report.verdict).toContain('at 2 inputs');
    expectTelescoped(report);
  });

  it('grad-cam is accounted for down to the layer it looks at', async () => {
    const net = convNet({ seed: 3, depth: 1, width: 2, batch: 1 }, 'avg_pool');
    const report = await checked(net, { preset: 'grad-cam' }, { x: net.x });
    const [arrival] = report.arrived;
    expect(arrival!.asked).toBe('x');
    expect(arrival!.value).not.toBe('x');
    expect(report.verdict).toContain(`at %${arrival!.value}`);
    expect(report.ok).toBe(true);
  });
});

/** relc's rules with z⁺ wrong at one node: a part is lost there that its formula does not know of. */
function leaking(at: string, part = 0.1): RuleTable {
  const { zPlus } = ruleTable;
  const wrong: RuleDefinition = {
    ...zPlus,
    expand(expansion) {
      const { builder, k, name, node } = expansion;
      if (node.name !== at) return zPlus.expand(expansion);
      const whole = zPlus.expand({ ...expansion, name: builder.fresh('t.whole') });
      return k.mul(whole, k.constant(1 - part, whole), name);
    },
  };
  return { ...ruleTable, zPlus: wrong };
}

describe('what no formula explains', () => {
  const net = convNet({ seed: 5, depth: 2, width: 3, batch: 1 }, 'max_pool');

  it('is found at exactly the node whose rule is wrong', async () => {
    const right = await checked(net, { preset: 'epsilon-plus' }, { x: net.x });
    const convs = right.nodes.filter(({ rule }) => rule === 'zPlus').map(({ name }) => name);
    expect(convs).toHaveLength(3);
    expect(right.ok).toBe(true);
    for (const name of convs) {
      const report = await checked(net, { preset: 'epsilon-plus', rules: leaking(name) }, { x: net.x });
      expect(report.nodes.filter(({ ok }) => !ok).map((node) => node.name)).toEqual([name]);
      const node = nodeNamed(report, name);
      const received = sum([node.arriving, ...Object.values(node.leaks).map((amount) => -amount)]);
      expect(node.unexplained).toBeCloseTo(0.1 * received, 9);
      expect(report).toMatchObject({ ok: false, worst: name });
      expect(report.verdict).toContain(`most of it at %${name} (zPlus)`);
      expectTelescoped(report);
    }
  });

  it('is found where next to nothing is lost', async () => {
    const request = { preset: 'epsilon-plus', rules: leaking('conv', 1e-8) };
    const report = await checked(net, request, { x: net.x });
    expect(report).toMatchObject({ ok: false, worst: 'conv' });
    expect(report.unexplained).toBeLessThan(1e-6 * Math.abs(report.start));
  });

  it('is all that an op without a formula loses', async () => {
    const softmax = programOf(`  %x = input() : f32[N,2]
  %p = softmax(%x) {axis=1} : f32[N,2]
  %w = constant() {value=[1,3]} : f32[2,1]
  %y = einsum(%p, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y`);
    const shares: Rules = {
      composite: [['softmax', { kind: 'softmax' }, { rule: 'norm' }]],
      extends: 'epsilon',
    };
    const report = await checked(softmax, { preset: shares }, { x: exact([1, 2], [1, 2]) });
    expect(report.ok).toBe(false);
    expect(nodeNamed(report, 'p')).toMatchObject({ hasFormula: false, leaks: {}, ok: false });
    expect(nodeNamed(report, 'p').unexplained).toBeCloseTo(report.unexplained, 12);
    expect(nodeNamed(report, 'y').ok).toBe(true);
    expectTelescoped(report);
  });

  it('is what is not a number', async () => {
    const nan = programOf(`  %x = input() : f32[N,2]
  %w = constant() {value=["nan",3]} : f32[2,1]
  %y = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,1]
  return %y`);
    const report = await checked(nan, { preset: 'epsilon' }, { x: exact([1, 2], [1, 2]) });
    expect(report).toMatchObject({ ok: false, worst: 'y', start: Number.NaN });
    expect(report.verdict).toContain('UNEXPLAINED NaN of f(x), most of it at %y (epsilon)');
  });

  it('a run of the compiled explainer that gives another relevance is told apart', async () => {
    const compiled = compileExplanation(canonical(dense), { preset: presetNamed('epsilon') });
    const given = { x: exact([1, 2], [1, 2]), [targetInput]: tensor([1], [-1], 'i32') };
    const outputs = evaluate(compiled.program.graph, dialect, given, new Map());
    const wrong = { ...outputs, 'relevance.x': exact([1, 2], [2, 0]) };
    const told = { rules: 'epsilon', seed: 'logit' } as const;
    const report = await checkConservation(compiled, { inputs: given, outputs: wrong }, told);
    expect(report.agreement.difference).toBeCloseTo(1, 5);
    expect(report.agreement.rounding).toBeLessThan(1e-6);
    expect([report.agreement.ok, report.ok]).toEqual([false, true]);
    const lost = { ...outputs, 'relevance.x': exact([1, 2], [Number.NaN, 0]) };
    const nan = await checkConservation(compiled, { inputs: given, outputs: lost }, told);
    expect(nan.ok).toBe(false);
    expect(nan.verdict).toMatch(/ · NOT A NUMBER$/);
  });
});

describe('on random networks nothing is unexplained, under any preset', () => {
  const shapes: fc.Arbitrary<NetShape> = fc.record({
    seed: fc.nat(1e6),
    depth: fc.integer({ min: 1, max: 3 }),
    width: fc.integer({ min: 1, max: 3 }),
    batch: fc.constant(1),
  });
  const convNets = [
    mixedNet,
    (shape: NetShape) => convNet(shape, 'max_pool'),
    (shape: NetShape) => convNet(shape, 'avg_pool'),
  ];
  const nets = [...convNets, denseNet, residualNet, (shape: NetShape) => residualNet(shape, 'gelu')];

  it.each(valuePresets)('%s', async (preset) => {
    const drawn = preset === 'grad-cam' ? convNets : nets;
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(...drawn), async (shape, draw) => {
        const net = draw(shape);
        const report = await checked(net, { preset, range: [-1, 1] }, { x: row(net.x, 0) });
        expect(report.nodes.filter(({ ok }) => !ok)).toEqual([]);
        expect(report.ok).toBe(true);
        expect(report.agreement.ok).toBe(true);
        expectTelescoped(report);
      }),
      { numRuns: 20, seed: 1 },
    );
  });
});

describe('explainer.check', () => {
  const level = programOf(`  %x = input() : f32[N,2]
  %w = constant() {value=[1,2,-1,3]} : f32[2,2]
  %b = constant() {value=[2,-1]} : f32[2]
  %y = einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[N,2]
  return %y`);

  it('takes one sample', async () => {
    const explainer = await compile(dense, { rules: 'epsilon' });
    await expect(explainer.check([1, 2, 3, 4])).rejects.toMatchObject({
      code: 'RELC4002',
      detail: 'a check takes one sample, but 2 were given',
    });
    explainer.dispose();
    await expect(explainer.check([1, 2])).rejects.toMatchObject({ code: 'RELC4004' });
  });

  it('explains the class and the seed that are asked for, and agrees with explain', async () => {
    const explainer = await compile(dense, { rules: 'epsilon' });
    const report = await explainer.check([3, 1], { target: 0, seed: 'one' });
    expect(report).toMatchObject({ target: 0, seed: 'one', start: 1, rules: 'epsilon', ok: true });
    const { relevance } = await explainer.explain([3, 1], { target: 0, seed: 'one' });
    expect(totalArrived(report.arrived)).toBeCloseTo(sum([...relevance.data]), 5);
    expect(report.agreement).toMatchObject({ ok: true, difference: expect.closeTo(0, 6) });
    explainer.dispose();
  });

  it.each([
    ['logit', {}, 5, 'f(x)'],
    ['one', {}, 1, 'the seed'],
    ['outputs', {}, 10, 'the seed'],
    ['contrast', {}, 0, 'f(x) − f(x′)'],
    ['tensor', { seed: [3, -1] }, 2, 'the seed'],
  ] as const)('accounts for the seed %s', async (seed, options, start, unit) => {
    // z = [3 − 0 + 2, 6 + 0 − 1]: with the bias [2, −1] both classes score 5
    const explainer = await compile(level, { rules: 'epsilon', seed });
    const report = await explainer.check([3, 0], options);
    expect(report).toMatchObject({ seed, start, unit, ok: true });
    expect(report.agreement.ok).toBe(true);
    expectTelescoped(report);
    explainer.dispose();
  });

  it('accounts for values that are asked for in place of the inputs', async () => {
    const explainer = await compile(dense, { rules: 'epsilon', relevanceOf: ['y'] });
    const report = await explainer.check([1, 2]);
    expect(report.arrived).toEqual([{ asked: 'y', value: 'y', amount: 7, ends: true }]);
    expect(report.nodes).toEqual([]);
    expect(report.verdict).toBe('epsilon: 100.0 % of f(x) at %y · unexplained 0');
    explainer.dispose();
  });

  it('tells how far it is, and stops when it is told to', async () => {
    const explainer = await compile(dense, { rules: 'epsilon' });
    const told: [number, number][] = [];
    await explainer.check([1, 2], { onProgress: (done, total) => told.push([done, total]) });
    const [done, total] = told.at(-1)!;
    expect(done).toBe(total);
    const stopped = AbortSignal.abort(new Error('enough'));
    await expect(explainer.check([1, 2], { signal: stopped })).rejects.toThrow('enough');
    explainer.dispose();
  });
});
