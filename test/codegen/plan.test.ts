// Plans: what is computed once, what is written inline, and when each value is disposed of.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { compile } from '../../src/api/compile.js';
import { trace } from '../../src/api/model.js';
import { divideRun, type Plan, planFor, type Statement } from '../../src/codegen/typescript/plan.js';
import { Identifiers, printExpression } from '../../src/codegen/typescript/print.js';
import { toTfjs, Walker } from '../../src/codegen/typescript/walk.js';
import { activeValues, type Name } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import type { Expression } from '../../src/ir/spelling.js';
import { isBatched } from '../../src/ir/type.js';
import { valuePresets } from '../presets.js';
import { chain, smallConvNet } from './nets.js';
import { dataFor, dialect, graphOf, lowered, planOf, type Sources, useBackend, walked } from './support.js';

beforeAll(() => useBackend('cpu'));

async function explanationOf(rules: string): Promise<Program> {
  const { model, input, params, dispose } = smallConvNet();
  const explainer = await compile(model, { input, params, rules, range: [-1, 1] });
  dispose();
  return explainer.compiled.program;
}

function valuesIn(expression: Expression): Name[] {
  if (expression.kind === 'value') return [expression.name];
  if (expression.kind === 'call') return expression.args.flatMap(valuesIn);
  return expression.kind === 'list' ? expression.items.flatMap(valuesIn) : [];
}

/** Walks the statements as a target does: whatever is read must have been computed and not disposed of. */
function liveAtTheEnd(statements: readonly Statement[], given: readonly Name[]): Set<Name> {
  const live = new Set(given);
  for (const { node, expression, dead } of statements) {
    for (const name of valuesIn(expression)) expect(live, `%${name} in %${node.name}`).toContain(name);
    live.add(node.name);
    for (const name of dead) expect(live.delete(name), `%${name} dies once, at %${node.name}`).toBe(true);
  }
  return live;
}

/** What a plan prints, a line a statement. */
function lines(statements: readonly Statement[]): string[] {
  const identifiers = new Identifiers();
  return statements.map(({ node, expression }) => {
    const text = printExpression(expression, identifiers);
    return `${identifiers.of(node.name)} = ${text}`;
  });
}

function planOfText(sources: Sources, ...text: readonly string[]): Plan {
  return planOf({ graph: graphOf(sources, ...text).graph, weights: new Map() });
}

describe.each(valuePresets)('the plan of a conv net under %s', (rules) => {
  it('computes in the load phase what depends on weights alone, and nothing of it in a run', async () => {
    const { graph } = lowered(await explanationOf(rules));
    const plan = planFor(graph, dialect);
    const active = activeValues(graph);
    for (const { node } of plan.load) expect(active).not.toContain(node.name);
    const late = plan.run.filter(({ node }) => !active.has(node.name) && !isBatched(node.type));
    expect(late.map(({ node }) => node.name)).toEqual([]);
  });

  it('disposes of every value after its last use, once; outputs and constants stay', async () => {
    const plan = planOf(await explanationOf(rules));
    const params = plan.params.map(({ name }) => name);
    const loaded = liveAtTheEnd(plan.load, params);
    for (const name of plan.kept) expect(loaded).toContain(name);
    const inputs = plan.inputs.map(({ name }) => name);
    const left = liveAtTheEnd(plan.run, [...plan.kept, ...inputs]);
    expect([...left].sort()).toEqual(
      [...new Set([...plan.kept, ...inputs, ...Object.values(plan.graph.outputs)])].sort(),
    );
  });
});

describe.each(['epsilon-plus', 'gradient'])('a run of %s that is divided', (rules) => {
  it('computes each value in one of its parts, and disposes of none that the other part reads', async () => {
    const plan = planOf(await explanationOf(rules));
    const { once, each } = divideRun(plan, new Set(['seed.target']));
    expect([...once, ...each].map(({ node }) => node.name).sort()).toEqual(
      plan.run.map(({ node }) => node.name).sort(),
    );
    const shared = liveAtTheEnd(once, [...plan.kept, 'x']);
    const outputs = new Set(Object.values(plan.graph.outputs));
    const read = new Set(each.flatMap(({ reads }) => reads));
    const kept = new Set(plan.kept);
    for (const name of shared)
      expect(read.has(name) || outputs.has(name) || kept.has(name) || name === 'x').toBe(true);
    const left = liveAtTheEnd(each, [...shared, 'seed.target']);
    for (const name of shared) expect(left).toContain(name);
    const own = new Set(each.map(({ node }) => node.name));
    expect([...left].filter((name) => own.has(name) && !outputs.has(name))).toEqual([]);
    expect(once.some(({ node }) => node.op === 'conv')).toBe(true);
    expect(each.some(({ node }) => node.name.startsWith('seed.'))).toBe(true);
  });
});

it('is divided anew for other inputs that vary', () => {
  const { graph } = graphOf(
    { a: 'in f32[N,2]', b: 'in f32[N,2]' },
    '%s = exp(%a) : f32[N,2]',
    '%z = add(%s, %b) : f32[N,2]',
  );
  const walker = new Walker(planFor(graph, dialect), new Map());
  const of = (value: number) => tf.fill([1, 2], value);
  const sums = (fixed: string, varied: string) =>
    walker
      .runEach({ [fixed]: of(0) }, [{ [varied]: of(0) }, { [varied]: of(1) }])
      .map((outputs) => Object.values(outputs)[0]!.dataSync()[0]!);
  expect(sums('a', 'b')).toEqual([1, 2]);
  const [zero, one] = sums('b', 'a');
  expect([zero, one! - Math.E < 1e-6]).toEqual([1, true]);
  expect(one).toBeGreaterThan(2.7);
  walker.dispose();
});

it('keeps flipped kernels and halves of kernels, computed from the weights once', async () => {
  const plan = planOf(await explanationOf('epsilon-plus'));
  const ops = new Set(plan.load.map(({ node }) => node.op));
  expect([...ops]).toEqual(expect.arrayContaining(['reverse', 'transpose']));
  expect(plan.run.some(({ node }) => node.op === 'reverse')).toBe(false);
});

describe('a chain of fifty ops', () => {
  /** The most tensors that there are while a kernel runs. */
  function peakOf(action: () => void): number {
    const engine = tf.engine();
    const runKernel = engine.runKernel.bind(engine);
    let peak = 0;
    const spy = vi.spyOn(engine, 'runKernel').mockImplementation((...args) => {
      const result = runKernel(...args);
      peak = Math.max(peak, tf.memory().numTensors);
      return result;
    });
    action();
    spy.mockRestore();
    return peak;
  }

  it('holds no more than a few tensors at a time', async () => {
    const program = await trace(chain, { input: [null, 4] });
    expect(program.graph.nodes.size).toBeGreaterThan(50);
    const walker = new Walker(planOf(program), program.weights);
    const x = tf.ones([2, 4]);
    const before = tf.memory().numTensors;
    const peak = peakOf(() => tf.dispose(walker.run({ x })));
    expect(peak - before).toBeGreaterThan(0);
    expect(peak - before).toBeLessThan(6);
    expect(tf.memory().numTensors).toBe(before);
    walker.dispose();
    x.dispose();
  });
});

describe('what is written inline', () => {
  it('is a number for a constant of one value', () => {
    const { run } = planOfText(
      { x: 'in f32[N,3]', c: 'constant() {value=0.5} : f32[N,3]', d: 'constant() {value="-inf"} : f32[N,3]' },
      '%y = mul(%x, %c) : f32[N,3]',
      '%z = maximum(%d, %y) : f32[N,3]',
    );
    expect(lines(run)).toEqual(['y = tf.mul(x, 0.5)', 'z = tf.maximum(-Infinity, y)']);
  });

  it('is a view: as it is along the last axes, with 1s elsewhere', () => {
    const { load, run } = planOfText(
      { x: 'in f32[N,3,4]', y: 'in f32[N,3]', w: 'w f32[4]' },
      '%a = broadcast(%w) {axes=[2]} : f32[N,3,4]',
      '%b = broadcast(%y) {axes=[0,1]} : f32[N,3,4]',
      '%c = add(%x, %a) : f32[N,3,4]',
      '%z = mul(%b, %c) : f32[N,3,4]',
    );
    expect(load).toEqual([]);
    expect(lines(run)).toEqual(['c = tf.add(x, w)', 'z = tf.mul(tf.reshape(y, [batch, 3, 1]), c)']);
  });

  it('is a view of a view of the first value', () => {
    const { run } = planOfText(
      { x: 'in f32[2,3,4]', w: 'w f32[2]' },
      '%a = broadcast(%w) {axes=[0]} : f32[2,4]',
      '%b = broadcast(%a) {axes=[0,2]} : f32[2,3,4]',
      '%z = mul(%x, %b) : f32[2,3,4]',
    );
    expect(lines(run)).toEqual(['z = tf.mul(x, tf.reshape(w, [2, 1, 1]))']);
  });

  it('is none of what other ops take, of integers, or where no operand has the full shape', () => {
    const plan = planOfText(
      {
        i: 'index i32[N,2]',
        c: 'constant() {value=1} : i32[N,2]',
        v: 'w f32[2]',
        w: 'w f32[3]',
      },
      '%j = add(%i, %c) : i32[N,2]',
      '%f = cast(%j) : f32[N,2]',
      '%a = broadcast(%v) {axes=[0]} : f32[2,3]',
      '%b = broadcast(%w) {axes=[1]} : f32[2,3]',
      '%d = mul(%a, %b) : f32[2,3]',
      '%z = einsum(%f, %d) {eq="bi,ij->bj"} : f32[N,3]',
    );
    expect(lines(plan.load)).toEqual([
      'a = rt.broadcast(v, [2, 1], [2, 3])',
      'b = rt.broadcast(w, [1, 3], [2, 3])',
      'd = tf.mul(a, b)',
    ]);
    expect(lines(plan.run)).toEqual([
      "c = tf.fill([batch, 2], 1, 'int32')",
      'j = tf.add(i, c)',
      "f = tf.cast(j, 'float32')",
      'z = tf.matMul(f, d)',
    ]);
  });
});

it('gives every value a tensor of its own', () => {
  const { run } = planOfText(
    { x: 'in f32[N,3]' },
    '%y = exp(%x) : f32[N,3]',
    '%s = accumulate(%y) : f32[N,3]',
    '%z = mul(%s, %x) : f32[N,3]',
  );
  expect(lines(run)[1]).toBe('s = tf.clone(y)');
});

it('reads an output that is a weight, an input or a constant', () => {
  const drawn = graphOf({ x: 'in f32[N,3]', w: 'w f32[2]' }, '%z = constant() {value=3} : f32[N,3]');
  const { inputs, weights } = dataFor(drawn);
  const graph = { ...drawn.graph, outputs: { x: 'x', w: 'w', z: 'z' } };
  const outputs = walked({ graph, weights }, inputs);
  expect([...outputs.x!.data]).toEqual([...inputs.x!.data]);
  expect([...outputs.w!.data]).toEqual([...weights.get('w')!.data]);
  expect([...outputs.z!.data]).toEqual([3, 3, 3, 3, 3, 3]);
});

it('refuses an op without a spelling, and names the node', () => {
  const text = '%z = rule.pass(%x, %x, %x) {of="relu", to=0} : f32[N,3]';
  expect(() => planOfText({ x: 'in f32[N,3]' }, text)).toThrow(
    /RELC4001: %z = rule\.pass: rule\.pass has no spelling in tfjs/,
  );
});

it('runs any batch size with one walker', () => {
  const drawn = graphOf(
    { x: 'in f32[2N,3]', c: 'constant() {value=2} : f32[N,6]' },
    '%y = reshape(%x) : f32[N,6]',
    '%z = concat(%y, %c) {axis=1} : f32[N,12]',
  );
  const walker = new Walker(planOf({ graph: drawn.graph, weights: new Map() }), new Map());
  for (const batch of [1, 3]) {
    const x = toTfjs(dataFor(drawn, batch).inputs.x!);
    const { z } = walker.run({ x });
    expect(z!.shape).toEqual([batch, 12]);
    tf.dispose([x, z!]);
  }
});
