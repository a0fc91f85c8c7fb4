// Composites: what kind a node is, which line matches it, and how lines read.
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { parse } from '../../src/ir/parse.js';
import {
  type Composite,
  chooseLine,
  type Kind,
  kindOf,
  type Match,
  matches,
  printChoice,
  printMatch,
} from '../../src/rules/composite.js';
import { presets } from '../../src/rules/presets.js';
import { surroundingsOf } from '../../src/rules/relevance.js';
import { type RuleName, ruleTable } from '../../src/rules/rules.js';

/** One node a line, each of the kind its comment says. */
const text = `graph @kinds {
  %x = input() : f32[N,4]
  %half = constant() {value=0.5} : f32[N,4]
  %scaled = mul(%x, %half) : f32[N,4]  // preprocess
  %shifted = sub(%scaled, %half) : f32[N,4]  // preprocess
  %folded = reshape(%shifted) : f32[N,2,2]  // route
  %unfolded = reshape(%folded) : f32[N,4]  // route
  %turned = neg(%unfolded) : f32[N,4]  // preprocess
  %w = param() {key="w"} : f32[4,4]
  %fc = einsum(%turned, %w) {eq="bi,ij->bj"} : f32[N,4]  // dense
  %act = gelu(%fc) : f32[N,4]  // activation
  %gated = mul(%act, %half) : f32[N,4]  // scale
  %minus = neg(%gated) : f32[N,4]  // scale
  %over = div(%minus, %half) : f32[N,4]  // scale
  %under = div(%half, %act) : f32[N,4]  // other
  %biased = add(%over, %half) : f32[N,4]  // add
  %sum = add(%biased, %x) : f32[N,4]  // add
  %difference = sub(%sum, %x) : f32[N,4]  // add
  %product = mul(%difference, %x) : f32[N,4]  // product
  %scores = einsum(%product, %x) {eq="bi,bj->bij"} : f32[N,4,4]  // product
  %p = softmax(%scores) {axis=2} : f32[N,4,4]  // softmax
  %lp = log_softmax(%scores) {axis=2} : f32[N,4,4]  // softmax
  %top = reduce_max(%p) {axes=[2]} : f32[N,4]  // max
  %larger = maximum(%top, %x) : f32[N,4]  // max
  %s = sum(%lp) {axes=[1]} : f32[N,4]  // mean
  %square = reshape(%s) : f32[N,2,2,1]  // route
  %k = param() {key="k"} : f32[1,1,1,3]
  %c = conv(%square, %k) {padding=[[0,0],[0,0]], strides=[1,1]} : f32[N,2,2,3]  // conv
  %v = param() {key="v"} : f32[3]
  %n = batch_norm(%c, %v, %v, %v, %v) {epsilon=0.001} : f32[N,2,2,3]  // scale
  %mp = max_pool(%n) {padding=[[0,0],[0,0]], strides=[1,1], window=[2,2]} : f32[N,1,1,3]  // max
  %ap = avg_pool(%n) {padding=[[0,0],[0,0]], strides=[1,1], window=[2,2]} : f32[N,1,1,3]  // mean
  %up = resize(%mp) {mode="nearest"} : f32[N,4,4,3]  // mean
  %both = concat(%mp, %ap) {axis=3} : f32[N,1,1,6]  // route
  %e = exp(%both) : f32[N,1,1,6]  // other
  return %e, %up, %larger, %under
}`;

const graph = parse(text, forward);
const around = surroundingsOf(graph.nodes, ['x']);
const node = (name: string) => graph.nodes.get(name)!;

describe('kinds', () => {
  const said = [...graph.nodes.values()].filter(({ loc }) => loc.layer !== undefined);

  it.each(said.map(({ name, loc }) => [name, loc.layer as Kind] as const))('%s is %s', (name, kind) => {
    expect(kindOf(node(name), around)).toBe(kind);
  });

  it('an affine op whose weight is not constant is no layer', () => {
    const inputs = ['%x = input() : f32[N,4,1]', '%w = input() : f32[2,1,1]', '%b = input() : f32[1]'];
    const conv = parse(
      [
        'graph @dynamic {',
        ...inputs,
        '%y = conv(%x, %w) {padding=[[0,0]], strides=[1]} : f32[N,3,1]',
        'return %y',
        '}',
      ].join('\n'),
      forward,
    );
    expect(kindOf(conv.nodes.get('y')!, surroundingsOf(conv.nodes, ['x']))).toBe('other');
    // Constancy decides, not what happens to be explained
    expect(kindOf(conv.nodes.get('y')!, surroundingsOf(conv.nodes, []))).toBe('other');
  });
});

describe('first layers', () => {
  it('are the affine ops that the input reaches through no other', () => {
    const affine = ['fc', 'scores', 'c'];
    expect(affine.filter((name) => around.first.has(name))).toEqual(['fc', 'scores']);
    expect([...around.first].every((name) => affine.includes(name))).toBe(true);
  });

  it('depend on what is explained', () => {
    expect([...surroundingsOf(graph.nodes, ['square']).first]).toEqual(['c']);
  });
});

describe('matching', () => {
  const holds = (match: Match, name: string) => matches(match, node(name), around);

  it('needs all that is stated; one of a list is enough', () => {
    expect(holds({}, 'e')).toBe(true);
    expect(holds({ kind: 'dense' }, 'fc')).toBe(true);
    expect(holds({ kind: ['conv', 'dense'], op: 'einsum' }, 'fc')).toBe(true);
    expect(holds({ kind: 'dense', op: ['conv', 'mul'] }, 'fc')).toBe(false);
    expect(holds({ kind: 'dense', first: true }, 'fc')).toBe(true);
    expect(holds({ kind: 'conv', first: true }, 'c')).toBe(false);
  });

  it('takes * in a name for any run of characters, and all else as it stands', () => {
    expect(holds({ name: 'sc*' }, 'scores')).toBe(true);
    expect(holds({ name: '*' }, 'scores')).toBe(true);
    expect(holds({ name: 's*r*s' }, 'scores')).toBe(true);
    expect(holds({ name: 'score' }, 'scores')).toBe(false);
    expect(holds({ name: 's.ores' }, 'scores')).toBe(false);
    expect(holds({ name: 'core*' }, 'scores')).toBe(false);
  });

  it('the first line that matches wins', () => {
    const composite: Composite = [
      ['by name', { name: 'fc' }, { rule: 'gradient', params: {} }],
      ['by kind', { kind: 'dense' }, { rule: 'pass', params: {} }],
      ['rest', {}, { rule: 'route', params: {} }],
    ];
    const chosen = (lines: Composite, name: string) => chooseLine(lines, node(name), around)?.[0];
    expect(chosen(composite, 'fc')).toBe('by name');
    expect(chosen(composite.slice(1), 'fc')).toBe('by kind');
    expect(chosen(composite, 'e')).toBe('rest');
    expect(chosen(composite.slice(0, 2), 'e')).toBeUndefined();
  });
});

describe('preprocessing', () => {
  const kindIn = (lines: readonly string[], name: string) => {
    const { nodes } = parse(['graph @input {', ...lines, `return %${name}`, '}'].join('\n'), forward);
    return kindOf(nodes.get(name)!, surroundingsOf(nodes, ['x']));
  };
  const pixels = '%x = input() : f32[N,2,2,3]';
  const mean = '%m = constant() {value=0.5} : f32[N,2,2,3]';

  it('goes on through whatever moves all of it: channels taken apart, exchanged and joined', () => {
    const channel = (name: string, begin: number) =>
      `%${name} = slice(%x) {begin=[0,0,0,${begin}], stride=[1,1,1,1]} : f32[N,2,2,1]`;
    const joined = '%j = concat(%b, %g, %r) {axis=3} : f32[N,2,2,3]';
    const split = [pixels, channel('r', 0), channel('g', 1), channel('b', 2), joined, mean];
    expect(kindIn([...split, '%y = sub(%j, %m) : f32[N,2,2,3]'], 'y')).toBe('preprocess');
    const reversed = '%j = reverse(%x) {axes=[3]} : f32[N,2,2,3]';
    expect(kindIn([pixels, reversed, mean, '%y = mul(%j, %m) : f32[N,2,2,3]'], 'y')).toBe('preprocess');
  });

  it('does not begin at rows that tokens pick', () => {
    const place = '%m = constant() {value=0.5} : f32[N,3,3]';
    const rows = ['%t = input() : i32[N,3]', '%e = param() {key="e"} : f32[5,3]'];
    const gathered = '%j = gather(%e, %t) {axis=0} : f32[N,3,3]';
    expect(kindIn([...rows, gathered, place, '%y = add(%j, %m) : f32[N,3,3]'], 'y')).toBe('add');
  });
});

/** Four layers, of which l1 and l2 lie side by side; the scores are the sum of what l2 and l3 make of them. */
const layered = parse(
  `graph @layered {
    %x = input() : f32[N,4]
    %w = param() {key="w"} : f32[4,4]
    %l0 = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,4]
    %h = relu(%l0) : f32[N,4]
    %l1 = einsum(%h, %w) {eq="bi,ij->bj"} : f32[N,4]
    %l2 = einsum(%h, %w) {eq="bi,ij->bj"} : f32[N,4]
    %product = einsum(%h, %h) {eq="bi,bi->b"} : f32[N]
    %a = relu(%l1) : f32[N,4]
    %l3 = einsum(%a, %w) {eq="bi,ij->bj"} : f32[N,4]
    %y = add(%l3, %l2) : f32[N,4]
    return %y, %product
  }`,
  forward,
);

describe('last layers', () => {
  const from = (end?: string) => [...surroundingsOf(layered.nodes, ['x'], end).last].sort();

  it('are the affine ops that lead to what is explained through no other', () => {
    expect(from('y')).toEqual(['l2', 'l3']);
    expect(from('a')).toEqual(['l1']);
    expect(from('h')).toEqual(['l0']);
    expect(from()).toEqual([]);
  });

  it('are matched as such', () => {
    const surroundings = surroundingsOf(layered.nodes, ['x'], 'y');
    const found = [...layered.nodes.values()].filter((each) => matches({ last: true }, each, surroundings));
    expect(found.map(({ name }) => name)).toEqual(['l2', 'l3']);
    expect(matches({ last: true, first: true }, layered.nodes.get('l3')!, surroundings)).toBe(false);
  });
});

describe('layers by number', () => {
  const surroundings = surroundingsOf(layered.nodes, ['x'], 'y');
  const between = (from: number, to: number) =>
    [...layered.nodes.values()]
      .filter((each) => matches({ layers: [from, to] }, each, surroundings))
      .map(({ name }) => name);

  it.each<[number, number, string[]]>([
    [0, 0, ['l0']],
    [1, 2, ['l1', 'l2']],
    [0, -1, ['l0', 'l1', 'l2', 'l3']],
    [-1, -1, ['l3']],
    [-2, -1, ['l2', 'l3']],
    [1, -2, ['l1', 'l2']],
    [-9, 0, ['l0']],
    [2, 9, ['l2', 'l3']],
    [2, 1, []],
    [4, 9, []],
  ])('%i to %i', (from, to, names) => {
    expect(between(from, to)).toEqual(names);
  });

  it('count no product of activations, and no op whose weight is not constant', () => {
    const { nodes } = parse(
      `graph @turned {
        %x = input() : f32[N,4]
        %w = param() {key="w"} : f32[3,4]
        %turned = einsum(%w, %x) {eq="ji,bi->bj"} : f32[N,3]
        return %turned
      }`,
      forward,
    );
    expect([...surroundings.layers.keys()]).toEqual(['l0', 'l1', 'l2', 'l3']);
    expect([...surroundingsOf(nodes, ['x']).layers]).toEqual([]);
  });

  it('are read with their bounds', () => {
    expect(printMatch({ kind: 'conv', last: true, layers: [1, -2] })).toBe(
      'conv · last layer · layers 1 to -2',
    );
  });
});

describe('reading', () => {
  it('a match', () => {
    expect(printMatch({ kind: ['conv', 'dense'], first: true })).toBe('conv, dense · first layer');
    expect(printMatch({ op: 'add', name: 'block*' })).toBe('op add · name block*');
    expect(printMatch({})).toBe('anything');
  });

  it('a choice', () => {
    const params = { eps: 1e-6, alpha: 2, beta: 1, denominator: 'signed' };
    expect(printChoice({ rule: 'alphaBeta', params })).toBe(
      'alphaBeta(alpha=2, beta=1, denominator="signed", eps=0.000001)',
    );
    expect(printChoice({ rule: 'pass', params: {} })).toBe('pass');
  });
});

describe('presets', () => {
  const lines = [...presets.values()].flatMap(({ name, composite }) =>
    composite.map(([line, , choice]) => [`${name}: ${line}`, choice] as const),
  );

  it.each(lines)('%s states parameters its rule has', (_title, { rule, params = {} }) => {
    const { attrs } = ruleTable[rule as RuleName];
    const needed = Object.entries(attrs).filter(([, kind]) => !kind.endsWith('?'));
    expect(Object.keys(params).every((name) => name in attrs)).toBe(true);
    expect(needed.every(([name]) => name in params)).toBe(true);
  });
});
