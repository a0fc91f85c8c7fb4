// Vanishing: which relevances R of a value v are known to be 0 wherever v ≤ 0, case by case and by property.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nonnegativeValues } from '../../src/ir/analyses/signs.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { type Graph, type Name, nodesWithOp } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { vanishingRelevances } from '../../src/rules/analyses/vanishing.js';
import type { Composite, CompositeLine } from '../../src/rules/composite.js';
import { isRuleLine, ruleLineOf } from '../../src/rules/dialect.js';
import { base } from '../../src/rules/presets.js';
import { resolved } from '../../src/rules/resolve.js';
import { ruleTable } from '../../src/rules/rules.js';
import { specializeRules } from '../../src/rules/specialize.js';
import { expectSame } from './law-support.js';
import { composites } from './random-composites.js';
import { mixedNet, type Net, residualNet } from './random-nets.js';
import { dialect, lower, propagate, sequence, uniform } from './support.js';

/** The vanishing relevances of a graph with rule lines, by their names. */
const vanishingIn = (graph: Graph) => vanishingRelevances(graph, nonnegativeValues(graph, dialect));

const x = '%x = input() : f32[N,4]';
const weight = '%w = param() {key="w"} : f32[4,4]';
const dense = (name: Name, of: Name) => `%${name} = einsum(%${of}, %w) {eq="bi,ij->bj"} : f32[N,4]`;
const op = (name: Name, text: string) => `%${name} = ${text} : f32[N,4]`;

/** The values, of those with a relevance, whose relevance is known to vanish. */
function vanishing(lines: readonly string[], composite: Composite, returned = 'y'): Name[] {
  const text = ['graph @vanishing {', x, weight, ...lines, `return %${returned}`, '}'].join('\n');
  const names = vanishingIn(propagate(parse(text, forward), composite));
  return [...names].map((name) => name.replace(/^r\./, '')).sort();
}

const layer = (rule: string, params = {}): Composite =>
  resolved([['layer', { kind: ['dense', 'conv'] }, { rule, params }], ...base], ruleTable);
const epsilon = layer('epsilon');

/** x → h → a → y, a the relu of h. */
const plain = [dense('h', 'x'), op('a', 'relu(%h)'), dense('y', 'a')];

describe('under a relu', () => {
  it.each([
    ['epsilon'],
    ['zero'],
    ['zPlus'],
    ['alphaBeta'],
    ['gamma'],
    ['captum.gamma'],
    ['captum.alpha1Beta0'],
    ['chefer.conv'],
    ['norm'],
  ])('vanishes where %s above multiplies by its input', (rule) => {
    expect(vanishing(plain, layer(rule))).toEqual(['a', 'h']);
  });

  it.each([
    ['flat', {}],
    ['wSquare', {}],
    ['zBox', { low: 0, high: 1 }],
    ['chefer.zBox', {}],
    ['gradient', {}],
  ])('does not under %s', (rule, params) => {
    expect(vanishing(plain, layer(rule, params))).toEqual([]);
  });

  it('does not straight under the seed', () => {
    expect(vanishing([dense('h', 'x'), op('y', 'relu(%h)')], epsilon)).toEqual([]);
  });

  it('does where a derivative is taken at the relu: it is not asked for there', () => {
    const gradient: CompositeLine = ['activation', { kind: 'activation' }, { rule: 'gradient', params: {} }];
    expect(vanishing(plain, [gradient, ...epsilon])).toEqual(['a']);
  });
});

describe('under other activations', () => {
  it('relu6 is a relu, and so is any clip at 0; a clip at another bound is none', () => {
    const clipped = (attrs: string) =>
      vanishing([dense('h', 'x'), op('a', `clip(%h) {${attrs}}`), dense('y', 'a')], epsilon);
    expect(clipped('min=0, max=6')).toEqual(['a', 'h']);
    expect(clipped('min=0, max=1')).toEqual(['a', 'h']);
    expect(clipped('min=-1, max=6')).toEqual([]);
    // Never below 1: its relevance vanishes nowhere, and so where it is ≤ 0
    expect(clipped('min=1, max=6')).toEqual(['a']);
  });

  it.each(['sigmoid', 'softplus'])('%s is above 0 where its input is not', (name) => {
    expect(vanishing([dense('h', 'x'), op('a', `${name}(%h)`), dense('y', 'a')], epsilon)).toEqual(['a']);
  });

  it.each(['tanh', 'gelu', 'elu', 'leaky_relu'])('%s has both signs', (name) => {
    const attrs = name === 'leaky_relu' ? ' {alpha=0.1}' : '';
    expect(vanishing([dense('h', 'x'), op('a', `${name}(%h)${attrs}`), dense('y', 'a')], epsilon)).toEqual(
      [],
    );
  });
});

describe('on the way to the relu', () => {
  it('goes through what only moves, and through a max pool', () => {
    const lines = [
      dense('h', 'x'),
      op('a', 'relu(%h)'),
      '%m = reshape(%a) : f32[N,4,1]',
      '%t = transpose(%m) {perm=[0,2,1]} : f32[N,1,4]',
      '%b = reshape(%t) : f32[N,4,1]',
      '%p = max_pool(%b) {window=[2], strides=[1], padding=[[1,0]]} : f32[N,4,1]',
      '%f = reshape(%p) : f32[N,4]',
      dense('y', 'f'),
    ];
    expect(vanishing(lines, epsilon)).toEqual(['a', 'b', 'f', 'h', 'm', 'p', 't']);
  });

  it('goes on below the relu, through a max pool there', () => {
    const pool = (of: Name) => [
      `%q = reshape(%${of}) : f32[N,4,1]`,
      '%p = max_pool(%q) {window=[1], strides=[1], padding=[[0,0]]} : f32[N,4,1]',
      '%f = reshape(%p) : f32[N,4]',
    ];
    const before = [dense('h', 'x'), ...pool('h'), op('a', 'relu(%f)'), dense('y', 'a')];
    expect(vanishing(before, epsilon)).toEqual(['a', 'f', 'h', 'p', 'q']);
  });

  it('of a sum of relus, every term; of a sum before a relu, the sum but not its terms', () => {
    const after = [
      dense('h', 'x'),
      op('a', 'relu(%h)'),
      op('b', 'relu(%x)'),
      op('s', 'add(%a, %b)'),
      dense('y', 's'),
    ];
    expect(vanishing(after, epsilon)).toEqual(['a', 'b', 'h', 's', 'x.b']);
    const before = [dense('h', 'x'), op('s', 'add(%h, %x)'), op('a', 'relu(%s)'), dense('y', 'a')];
    expect(vanishing(before, epsilon)).toEqual(['a', 's']);
  });

  it('of a value with several users, where the part of each vanishes', () => {
    const both = [
      dense('h', 'x'),
      op('a', 'relu(%h)'),
      dense('u', 'a'),
      dense('v', 'a'),
      op('y', 'add(%u, %v)'),
    ];
    expect(vanishing(both, epsilon)).toEqual(['a', 'a.u', 'a.v', 'h']);
    // One of them flat: its part does not vanish, nor does the sum
    const flat: CompositeLine = ['one', { name: 'v' }, { rule: 'flat', params: { denominator: 'exact' } }];
    expect(vanishing(both, [flat, ...epsilon])).toEqual(['a.u']);
    // One of them past the relu: the value itself has both signs
    const past = [
      dense('h', 'x'),
      op('a', 'relu(%h)'),
      dense('u', 'a'),
      dense('v', 'h'),
      op('y', 'add(%u, %v)'),
    ];
    expect(vanishing(past, epsilon)).toEqual(['a', 'h.a']);
  });
});

/** The value that each relevance of a graph belongs to. */
function valuesOf(graph: Graph): ReadonlyMap<Name, Name> {
  const values = new Map<Name, Name>();
  for (const node of graph.nodes.values()) {
    if (isRuleLine(node)) values.set(node.name, ruleLineOf(node).args[ruleLineOf(node).operand]!);
  }
  for (const { name, args } of nodesWithOp(graph, 'accumulate')) {
    const value = values.get(args[0]!);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** Where a relevance that is known to vanish does not. */
function exceptions(net: Net, composite: Composite): { claimed: number; wrong: string[] } {
  const graph = propagate(net.graph, composite);
  const values = valuesOf(graph);
  const claims = [...vanishingIn(graph)];
  const outputs = claims.flatMap((name) => [name, values.get(name)!]);
  const read = { ...graph, outputs: Object.fromEntries(outputs.map((name) => [name, name])) };
  const R = uniform([net.x.shape[0]!, 3], sequence(4));
  const found = evaluate(lower(read), dialect, { x: net.x, R }, net.weights);
  const wrong = claims.filter((name) => {
    const value = found[values.get(name)!]!.data;
    return found[name]!.data.some((r, i) => value[i]! <= 0 && r !== 0);
  });
  return { claimed: claims.length, wrong };
}

describe('(L31) what is known to vanish does', () => {
  it.each([
    ['mixed', (seed: number) => mixedNet({ seed, depth: 2, width: 2, batch: 2 })],
    ['residual', (seed: number) => residualNet({ seed, depth: 3, width: 3, batch: 2 })],
  ])('under any rules: %s', (_kind, draw) => {
    let claimed = 0;
    const check = (seed: number, composite: Composite) => {
      const found = exceptions(draw(seed), composite);
      claimed += found.claimed;
      expect(found.wrong).toEqual([]);
    };
    fc.assert(fc.property(fc.integer(), composites, check), { numRuns: 60, seed: 3 });
    expect(claimed).toBeGreaterThan(60);
  });

  it('and rules told of it, and of signs, give what they give untold', () => {
    const told = { nonnegative: 0, vanishing: 0 };
    const check = (seed: number, composite: Composite) => {
      const net = mixedNet({ seed, depth: 1, width: 2, batch: 2 });
      const graph = propagate(net.graph, composite);
      const special = specializeRules(graph, dialect);
      for (const { attrs } of special.nodes.values()) {
        if (attrs.nonnegative === true) told.nonnegative++;
        if (attrs.vanishing === true) told.vanishing++;
      }
      const inputs = { x: net.x, R: uniform([2, 3], sequence(4)) };
      const [wanted, got] = [graph, special].map(
        (each) => evaluate(lower(each), dialect, inputs, net.weights).x!.data,
      );
      expectSame(got!, wanted!);
    };
    fc.assert(fc.property(fc.integer(), composites, check), { numRuns: 60, seed: 5 });
    expect(told.nonnegative).toBeGreaterThan(60);
    expect(told.vanishing).toBeGreaterThan(10);
  });
});
