// The verifier and the builder: each kind of broken graph gives its code and says what was got and wanted.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import { mergeDialects } from '../../src/ir/dialect.js';
import { errorCodes } from '../../src/ir/error.js';
import { forward } from '../../src/ir/forward.js';
import { type Graph, type Node, resolveAlias, straightAliases, userName } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { verify } from '../../src/ir/verify.js';
import { f32, failure } from './support.js';

const sound = parse(
  `graph @block {
  %x = input() : f32[N,4]
  %w = param() {key="w"} : f32[4,3]
  %y = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,3]  // fc2 at model.ts:31:9
  %z = relu(%y) : f32[N,3]
  return %z
}`,
  forward,
);

/** The sound graph with one node changed. */
function withNode(name: string, change: Partial<Node>): Graph {
  const nodes = new Map(sound.nodes);
  nodes.set(name, { ...nodes.get(name)!, ...change });
  return { ...sound, nodes };
}

/** The sound graph with its nodes in another order. */
function reordered(...names: string[]): Graph {
  return { ...sound, nodes: new Map(names.map((name) => [name, sound.nodes.get(name)!])) };
}

describe('verify', () => {
  it('takes a sound graph', () => {
    expect(() => verify(sound, forward)).not.toThrow();
  });

  it.each([
    ['an unknown op', withNode('z', { op: 'rlu' }), 'RELC1002', '%z = rlu: there is no such op'],
    [
      'too few operands',
      withNode('y', { args: ['x'] }),
      'RELC1003',
      '%y = einsum: got 1 operands, expected (x, w, bias?)  (fc2 at model.ts:31:9)',
    ],
    [
      'operands that do not fit',
      withNode('w', { type: f32(5, 3) }),
      'RELC1004',
      '%y = einsum: operand 1 is f32[5,3], expected dim i = 4 to match operand 0 f32[N,4]  (fc2 at model.ts:31:9)',
    ],
    [
      'a type that the op does not give',
      withNode('y', { type: f32('N', 4) }),
      'RELC1004',
      '%y = einsum states f32[N,4], but its op gives f32[N,3]',
    ],
    [
      'a dtype that the op does not give',
      withNode('z', { type: { dtype: 'i32', shape: ['N', 3] } }),
      'RELC1004',
      '%z = relu states i32[N,3], but its op gives f32[N,3]',
    ],
    [
      'an extent of no size',
      withNode('w', { type: f32(4, 0) }),
      'RELC1004',
      '%w = param: extent 0 of f32[4,0] is not a positive integer',
    ],
    [
      'an extent that is no integer',
      withNode('w', { type: f32(4, 1.5) }),
      'RELC1004',
      '%w = param: extent 1.5 of f32[4,1.5] is not a positive integer',
    ],
    [
      'a wrong attribute',
      withNode('y', { attrs: { eq: 7 } }),
      'RELC1005',
      '%y = einsum: attribute eq is 7, expected string  (fc2 at model.ts:31:9)',
    ],
    [
      'a number that does not print',
      withNode('z', { op: 'leaky_relu', attrs: { alpha: Number.NaN } }),
      'RELC1005',
      '%z = leaky_relu: attribute alpha is NaN, expected number',
    ],
    [
      'a use before the definition',
      reordered('x', 'w', 'z', 'y'),
      'RELC1006',
      '%z = relu: operand %y is not defined before its use',
    ],
    [
      'a use without a definition',
      reordered('x', 'y', 'z'),
      'RELC1006',
      '%y = einsum: operand %w is not defined before its use  (fc2 at model.ts:31:9)',
    ],
    ['a node under another name', withNode('z', { name: 'q' }), 'RELC1006', "'z' is not the name of %q"],
    [
      'an output that is not there',
      { ...sound, outputs: { top: 'q' } },
      'RELC1006',
      'output top is %q, which is not defined',
    ],
    [
      'an alias that is a value',
      { ...sound, aliases: new Map([['y', 'z']]) },
      'RELC1006',
      '%y is a value and an alias of %z',
    ],
    [
      'an alias that leads nowhere',
      { ...sound, aliases: new Map([['a', 'q']]) },
      'RELC1006',
      '%a is an alias of %q, which leads to no value',
    ],
    [
      'aliases that lead in a circle',
      {
        ...sound,
        aliases: new Map([
          ['a', 'b'],
          ['b', 'a'],
        ]),
      },
      'RELC1006',
      '%a is an alias of %b, which leads to no value',
    ],
    [
      'a graph that cannot be named',
      { ...sound, name: 'my model' },
      'RELC1006',
      "'my model' cannot name a graph",
    ],
    [
      'samples that are mixed',
      withNode('z', { op: 'sum', attrs: { axes: [0] }, type: f32(3) }),
      'RELC1007',
      '%z = sum: a reduction over the batch axis mixes the samples of the batch',
    ],
  ] as const)('refuses %s', (_, graph: Graph, code, detail) => {
    const error = failure(() => verify(graph, forward));
    expect([error.code, error.detail]).toEqual([code, detail]);
    expect(error.message.startsWith(`${code}: ${detail}`)).toBe(true);
    expect(errorCodes[error.code].length).toBeGreaterThan(0);
  });

  it('refuses a name that the text could not hold', () => {
    const nodes = new Map(sound.nodes).set('a b', { ...sound.nodes.get('x')!, name: 'a b' });
    expect(failure(() => verify({ ...sound, nodes }, forward)).code).toBe('RELC1006');
  });

  it('gives advice where there is some', () => {
    const error = failure(() => verify(withNode('z', { op: 'sum', attrs: { axes: [0] } }), forward));
    expect(error.message).toContain('\n  help: explanations are per sample; trace with batch: null');
    expect(failure(() => verify(withNode('z', { op: 'relu6' }), forward)).hint).toBe('did you mean relu?');
  });
});

describe('the builder', () => {
  it('refuses what the verifier would, with the same words', () => {
    const builder = GraphBuilder.extending(sound, forward);
    const error = failure(() => builder.add('add', ['x', 'y'], { loc: { layer: 'sum' } }));
    expect([error.code, error.detail, error.hint]).toEqual([
      'RELC1004',
      '%add = add: operand 1 is f32[N,3], expected the shape of operand 0, f32[N,4]  (sum)',
      'shapes are never broadcast implicitly: add a broadcast',
    ]);
    expect(failure(() => builder.add('relu', ['q'])).detail).toBe(
      '%relu = relu: operand %q is not defined before its use',
    );
    expect(failure(() => builder.add('reshape', ['x'])).detail).toBe(
      '%reshape = reshape: the type must be stated',
    );
    expect(failure(() => builder.add('relu', ['x'], { name: 'a b' })).detail).toBe(
      "'a b' cannot be a value's name",
    );
    expect(builder.finish(sound.outputs).nodes.size).toBe(sound.nodes.size);
  });

  it('makes names unique: against values, aliases and names spoken for', () => {
    const builder = new GraphBuilder('names', forward);
    const type = f32(1);
    const names = ['x', 'x', 'x'].map((name) => builder.add('input', [], { name, type }));
    builder.alias('gone', 'x');
    builder.reserved.add('later');
    names.push(
      builder.add('input', [], { name: 'gone', type }),
      builder.add('input', [], { name: 'later', type }),
    );
    expect(names).toEqual(['x', 'x_1', 'x_2', 'gone_1', 'later_1']);
    builder.scope = 't.';
    expect([
      builder.add('neg', ['x']),
      builder.add('neg', ['x']),
      builder.add('neg', ['x'], { name: 'y' }),
    ]).toEqual(['t.neg', 't.neg_1', 'y']);
  });

  it('gives nodes its current place unless they state one', () => {
    const builder = new GraphBuilder('places', forward);
    builder.loc = { layer: 'fc1' };
    const [a, b] = [undefined, { layer: 'fc2' }].map((loc) =>
      builder.add('input', [], { type: f32(1), ...(loc === undefined ? {} : { loc }) }),
    );
    expect([builder.node(a!).loc, builder.node(b!).loc]).toEqual([{ layer: 'fc1' }, { layer: 'fc2' }]);
  });

  it('does not finish with an output that is not there', () => {
    expect(() => new GraphBuilder('g', forward).finish({ y: 'q' })).toThrow(
      'output y is %q, which is not in the graph',
    );
  });
});

describe('dialects', () => {
  it('merge unless two define the same op', () => {
    const own = { double: forward.neg };
    expect(Object.keys(mergeDialects(forward, own))).toEqual([...Object.keys(forward), 'double']);
    expect(() => mergeDialects(forward, { relu: forward.neg })).toThrow('two dialects define relu');
    expect(Object.keys(mergeDialects({ toString: forward.neg }))).toEqual(['toString']);
  });
});

describe('names and aliases', () => {
  it('userName replaces what names cannot hold and what is reserved', () => {
    expect(userName('model.layers[0]/dense 1/')).toBe('model_layers_0_/dense_1');
    expect(userName('/…/')).toBe('_');
    expect(userName('')).toBe('value');
  });

  it('aliases lead to the value that survives, over any number of steps', () => {
    const aliases = new Map([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'z'],
      ['lost', 'nothing'],
      ['round', 'around'],
      ['around', 'round'],
    ]);
    const graph = { ...sound, aliases };
    expect(['a', 'c', 'z', 'lost', 'round', 'q'].map((name) => resolveAlias(graph, name))).toEqual([
      'z',
      'z',
      'z',
      undefined,
      undefined,
      undefined,
    ]);
    expect([...straightAliases(graph)].sort()).toEqual([
      ['a', 'z'],
      ['b', 'z'],
      ['c', 'z'],
    ]);
  });
});
