// Explanations: which class, what the seed is, which outputs and notes come out.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { type Graph, nodesWithOp } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { tensor, type Weights } from '../../src/ir/tensor.js';
import { explain } from '../../src/rules/explanation.js';
import { prefixes, presetNamed } from '../../src/rules/presets.js';
import { targetInput } from '../../src/rules/seed.js';
import { dialect, exact, explained, lower, noWeights, relativeError } from './support.js';

const graphOf = (lines: readonly string[], returned = '%y') =>
  parse(['graph @model {', ...lines, `return ${returned}`, '}'].join('\n'), forward);

const epsilon = presetNamed('epsilon');
const weights: Weights = new Map([['w', tensor([2, 3], [1, 2, -3, 4, -5, 6])]]);

/** x = (1, 2) scores (9, −8, 9) with contributions (1, 8), (2, −10), (−3, 12). */
const scores = ['%x = input() : f32[N,2]', '%w = param() {key="w"} : f32[2,3]'];
const dense = '{eq="bi,ij->bj"} : f32[N,3]';
const linear = graphOf([...scores, `%y = einsum(%x, %w) ${dense}`]);
const x = exact([1, 2], [1, 2]);

const of = (graph: Graph, more = {}) => ({
  program: { graph, weights },
  request: { preset: epsilon, ...more },
});

describe('the target', () => {
  const explainedAt = (target: number) => {
    const { program, request } = of(linear);
    return explained(program, request, x, [target]);
  };

  it('−1 is the arg-max, the first of equals', () => {
    const { target, logit, scores: all, ...rest } = explainedAt(-1);
    expect([[...target!.data], [...logit!.data], [...all!.data]]).toEqual([[0], [9], [9, -8, 9]]);
    expect(relativeError(rest['relevance.x']!.data, [1, 8])).toBeLessThan(1e-6);
  });

  it.each([
    [1, -8, [2, -10]],
    [2, 9, [-3, 12]],
  ])('%i explains that class', (target, logit, wanted) => {
    const found = explainedAt(target);
    expect([[...found.target!.data], [...found.logit!.data]]).toEqual([[target], [logit]]);
    expect(relativeError(found['relevance.x']!.data, wanted)).toBeLessThan(1e-6);
  });

  it('is chosen for each sample', () => {
    const { program, request } = of(linear);
    const two = exact([2, 2], [1, 2, 1, 2]);
    const found = explained(program, request, two, [2, -1]);
    expect([...found.target!.data]).toEqual([2, 0]);
    expect(relativeError(found['relevance.x']!.data, [-3, 12, 1, 8])).toBeLessThan(1e-6);
  });
});

describe('the seed', () => {
  it('is the logit, or 1 on the target', () => {
    const { program, request } = of(linear, { seed: 'one' });
    const found = explained(program, request, x, [2]);
    expect(relativeError(found['relevance.x']!.data, [-3 / 9, 12 / 9])).toBeLessThan(1e-6);
    expect([...found.logit!.data]).toEqual([9]);
  });

  it('is what the preset says unless it is asked for', () => {
    const start = (name: string, seed?: 'logit' | 'one') => {
      const request = { preset: presetNamed(name), ...(seed === undefined ? {} : { seed }) };
      const { nodes } = explain(linear, dialect, request).graph;
      return nodes.get(`${prefixes[request.preset.quantity]}y`)!.args[0];
    };
    expect(start('epsilon')).toBe('seed.scores_at_target');
    expect(start('chefer')).toBe('seed.hot');
    expect(start('gradient')).toBe('seed.hot');
    expect(start('epsilon', 'one')).toBe('seed.hot');
    expect(start('gradient', 'logit')).toBe('seed.scores_at_target');
  });
});

describe('the end of the model', () => {
  it.each([
    ['softmax', ['%l = softmax(%z) {axis=1} : f32[N,3]', '%y = reshape(%l) : f32[N,3]']],
    ['log-softmax', ['%y = log_softmax(%z) {axis=1} : f32[N,3]']],
    [
      'softmax',
      [
        '%v = reshape(%z) : f32[N,1,3]',
        '%s = softmax(%v) {axis=2} : f32[N,1,3]',
        '%y = reshape(%s) : f32[N,3]',
      ],
    ],
  ])('starts before a %s at the end, and says so', (name, end) => {
    const graph = graphOf([...scores, `%z = einsum(%x, %w) ${dense}`, ...end]);
    const { notes } = explain(graph, dialect, { preset: epsilon });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(`the ${name} %`);
    expect(notes[0]).toContain('is taken off for the seed');
    const { program, request } = of(graph);
    const found = explained(program, request, x, [2]);
    expect([...found.logit!.data]).toEqual([9]);
    expect(relativeError(found['relevance.x']!.data, [-3, 12])).toBeLessThan(1e-6);
    expect(found.scores!.data).toHaveLength(3);
  });

  it('counts the classes of an output of rank 4 in row-major order', () => {
    const graph = graphOf(['%x = input() : f32[N,2,1,2]', '%y = relu(%x) : f32[N,2,1,2]']);
    const picture = exact([1, 2, 1, 2], [5, 1, 7, 3]);
    const run = (target: number) =>
      explained({ graph, weights: noWeights }, { preset: epsilon }, picture, [target]);
    expect([...run(-1).target!.data]).toEqual([2]);
    expect([...run(-1)['relevance.x']!.data]).toEqual([0, 0, 7, 0]);
    expect([...run(3)['relevance.x']!.data]).toEqual([0, 0, 0, 3]);
  });
});

describe('what is explained', () => {
  it('every floating-point input that the output depends on; the others are noted', () => {
    const graph = graphOf([
      '%x = input() : f32[N,2]',
      '%u = input() : f32[N,2]',
      '%v = input() : f32[N,2]',
      '%y = add(%x, %u) : f32[N,2]',
    ]);
    const { graph: whole, notes } = explain(graph, dialect, { preset: epsilon });
    expect(Object.keys(whole.outputs)).toEqual([
      'scores',
      'target',
      'logit',
      'start',
      'relevance.x',
      'relevance.u',
    ]);
    expect(notes).toEqual(['no relevance reaches input %v']);
  });

  it('a chosen output', () => {
    const graph = graphOf(
      ['%x = input() : f32[N,2]', '%a = relu(%x) : f32[N,2]', '%b = tanh(%x) : f32[N,2]'],
      '%a, %b',
    );
    const { graph: whole } = explain(graph, dialect, { preset: epsilon, output: 'b' });
    expect(whole.outputs.scores).toBe('b');
    expect(whole.nodes.get('r.x')).toMatchObject({ op: 'rule.pass', args: ['x', 'b', 'r.b'] });
  });
});

describe('integer inputs', () => {
  const lookups = [
    '%t = input() : i32[N,2]',
    '%e = param() {key="e"} : f32[5,3]',
    '%p = param() {key="p"} : f32[5,3]',
  ];

  it('the rows that an integer input picks, a number each; of several lookups the first, and a note', () => {
    const graph = graphOf([
      ...lookups,
      '%g = gather(%e, %t) {axis=0} : f32[N,2,3]',
      '%h = gather(%p, %t) {axis=0} : f32[N,2,3]',
      '%y = add(%g, %h) : f32[N,2,3]',
    ]);
    const { graph: whole, notes } = explain(graph, dialect, { preset: epsilon });
    expect(whole.nodes.get(whole.outputs['relevance.t']!)).toMatchObject({
      ...{ name: 'r.t', op: 'sum', args: ['r.g'], attrs: { axes: [2] }, type: { shape: ['N', 2] } },
    });
    expect(notes).toEqual(['input %t is explained at %g alone, not at %h']);
  });

  it('of a derivative its length: its sum says nothing', () => {
    const graph = graphOf([
      ...lookups.slice(0, 2),
      '%g = gather(%e, %t) {axis=0} : f32[N,2,3]',
      '%w = constant() {value=[3, -4, 0]} : f32[3,1]',
      '%y = einsum(%g, %w) {eq="nti,ij->ntj"} : f32[N,2,1]',
    ]);
    const inputs = { t: tensor([1, 2], [4, 0], 'i32'), [targetInput]: tensor([1], [1], 'i32') };
    const table = exact([5, 3], [...Array(15).keys()]);
    const tables = new Map([['e', table]]);
    const resultOf = (name: string) => {
      const { graph: whole } = explain(graph, dialect, { preset: presetNamed(name) });
      return [...evaluate(lower(whole), dialect, inputs, tables)['relevance.t']!.data];
    };
    // The second score is that of the second token, row 0 of the table: 3 · 0 − 4 · 1, with the derivative (3, −4, 0)
    expect(resultOf('gradient')).toEqual([0, 5]);
    expect(resultOf('gradient-times-input')).toEqual([0, -4]);
  });

  it('an integer picture where it becomes floating point', () => {
    const graph = graphOf([
      '%x = input() : i32[N,2]',
      '%f = cast(%x) : f32[N,2]',
      '%y = relu(%f) : f32[N,2]',
    ]);
    const { graph: whole } = explain(graph, dialect, { preset: epsilon });
    expect(whole.outputs['relevance.x']).toBe('r.f');
  });
});

describe('gradients', () => {
  it('a gradient times the input, under the name of a relevance', () => {
    const { program } = of(linear);
    const found = explained(program, { preset: presetNamed('gradient-times-input') }, x, [2]);
    expect([...found['relevance.x']!.data]).toEqual([-3, 12]);
    const gradient = explained(program, { preset: presetNamed('gradient') }, x, [2]);
    expect([...gradient['relevance.x']!.data]).toEqual([-3, 6]);
  });
});

describe('where rules come from', () => {
  const graph = graphOf([...scores, `%z = einsum(%x, %w) ${dense}  // head`, '%y = relu(%z) : f32[N,3]']);

  it('each node of the way is listed with the line that chose its rule', () => {
    const { chosen } = explain(graph, dialect, { preset: epsilon });
    expect(chosen.map(({ node, line: [name] }) => [node, name])).toEqual([
      ['z', 'affine'],
      ['y', 'activation'],
    ]);
  });

  it('a rule line has the place of the node it rules', () => {
    const { graph: whole } = explain(graph, dialect, { preset: epsilon });
    expect(whole.nodes.get('r.x')!.loc).toEqual({ layer: 'head' });
  });

  it('conditions and indices that depend on the input get no relevance', () => {
    const choosing = graphOf([
      '%x = input() : f32[N,3]',
      '%t = tanh(%x) : f32[N,3]',
      '%c = greater(%t, %x) : bool[N,3]',
      '%s = select(%c, %t, %x) : f32[N,3]',
      '%i = argmax(%s) {axis=1} : i32[N]',
      '%h = one_hot(%i) {depth=3} : f32[N,3]',
      '%y = mul(%s, %h) : f32[N,3]',
    ]);
    const { chosen } = explain(choosing, dialect, { preset: presetNamed('gradient') });
    expect(chosen.map(({ node }) => node)).toEqual(['t', 's', 'y']);
  });

  it('what does not lead from an input to the output is left alone', () => {
    const more = graphOf([
      ...scores,
      `%z = einsum(%x, %w) ${dense}`,
      '%dead = exp(%z) : f32[N,3]',
      '%s = input() : f32[3]',
      '%c = broadcast(%s) {axes=[1]} : f32[N,3]',
      '%y = add(%z, %c) : f32[N,3]',
    ]);
    const { graph: whole, chosen } = explain(more, dialect, { preset: epsilon });
    expect(chosen.map(({ node }) => node)).toEqual(['z', 'c', 'y']);
    expect(nodesWithOp(whole, 'accumulate')).toEqual([]);
  });
});
