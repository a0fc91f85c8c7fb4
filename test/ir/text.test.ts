// The text of graphs: the parser gives back what was printed, and says where a text is wrong.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse, parseAll } from '../../src/ir/parse.js';
import { print, printNode } from '../../src/ir/print.js';
import { verify } from '../../src/ir/verify.js';
import { graphs } from './arbitrary-graph.js';
import { f32, failure } from './support.js';

/** All of a graph as plain data, in order; without places they are left out. */
function plain({ name, nodes, outputs, aliases }: Graph, locs: boolean) {
  return {
    name,
    nodes: [...nodes].map(([key, node]) => [key, { ...node, loc: locs ? node.loc : {} }]),
    outputs: Object.entries(outputs),
    aliases: [...aliases],
  };
}

const runs = { numRuns: 300, seed: 20240607 };

describe('parse(print(g)) is g', () => {
  it('for random graphs', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        verify(graph, forward);
        const text = print(graph);
        const back = parse(text, forward);
        expect(plain(back, true)).toEqual(plain(graph, false));
        expect(print(back)).toBe(text);
      }),
      runs,
    );
  });

  it('with the places of nodes where they are printed', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const back = parse(print(graph, { locs: true }), forward);
        expect(plain(back, true)).toEqual(plain(graph, true));
      }),
      runs,
    );
  });

  it('with notes, which are skipped, alone or behind places', () => {
    const note = () => 'leaks: biases, at most // 3 %: all';
    fc.assert(
      fc.property(graphs, (graph) => {
        expect(plain(parse(print(graph, { note }), forward), true)).toEqual(plain(graph, false));
        const back = parse(print(graph, { locs: true, note }), forward);
        expect(plain(back, true)).toEqual(plain(graph, true));
      }),
      { ...runs, numRuns: 50 },
    );
  });

  it('for random graphs of every op, with batches, non-finite numbers and odd strings', () => {
    const seen = new Set<string>();
    const texts = fc.sample(graphs, runs).map((graph) => {
      for (const node of graph.nodes.values()) seen.add(node.op);
      return print(graph);
    });
    expect([...seen].sort()).toEqual(Object.keys(forward).sort());
    const all = texts.join('');
    for (const part of [
      'f32[N',
      '[2N',
      '"inf"',
      '"-inf"',
      '"nan"',
      '\\n',
      '// no comment',
      'alias %gone.0 = %',
    ]) {
      expect(all).toContain(part);
    }
  });

  it('for several graphs in one text', () => {
    fc.assert(
      fc.property(fc.array(graphs, { minLength: 2, maxLength: 4 }), (several) => {
        const back = parseAll(several.map((graph) => print(graph)).join('\n'), forward);
        expect(back.map((graph) => plain(graph, true))).toEqual(several.map((graph) => plain(graph, false)));
      }),
      { ...runs, numRuns: 30 },
    );
  });
});

describe('print', () => {
  const builder = new GraphBuilder('example', forward);
  const x = builder.add('input', [], { name: 'x', type: f32('N', 4) });
  const loc = { layer: 'block/act', site: 'model.ts:3:7' };
  const h = builder.add('clip', [x], { name: 'h', attrs: { min: '-inf', max: 6 }, loc });
  const z = builder.add('add', [h, h], { name: 'r.h' });
  builder.alias('gone', h);
  const graph = builder.finish({ 'r.h': z, inner: h, 'of two': x });

  it('writes one node a line with sorted attributes, then aliases, then outputs', () => {
    expect(print(graph)).toBe(`graph @example {
  %x = input() : f32[N,4]
  %h = clip(%x) {max=6, min="-inf"} : f32[N,4]
  %r.h = add(%h, %h) : f32[N,4]
  alias %gone = %h
  return %r.h, inner=%h, "of two"=%x
}
`);
  });

  it('appends the place of a node on demand', () => {
    expect(printNode(builder.node('h'), { locs: true })).toBe(
      '%h = clip(%x) {max=6, min="-inf"} : f32[N,4]  // block/act at model.ts:3:7',
    );
    expect(printNode(builder.node('x'), { locs: true })).toBe('%x = input() : f32[N,4]');
  });

  it('a graph without outputs reads back too', () => {
    const empty = new GraphBuilder('empty', forward).finish({});
    expect(print(empty)).toBe('graph @empty {\n  return\n}\n');
    expect(plain(parse(print(empty), forward), true)).toEqual(plain(empty, true));
  });
});

describe('parse', () => {
  it('takes comments, blank lines, other spacing and Windows line ends', () => {
    const text = `
      // A comment.
      graph @g {   // the head
        %x=input( ):f32[ N , 4 ]

        // in between
        %y = clip( %x ){ min = -1 ,max=1e2 } : f32[N,4] // act at f.ts:1:2
        return  z = %y , %x // both
      } // the end
    `.replaceAll('\n', '\r\n');
    const graph = parse(text, forward);
    expect(graph.nodes.get('y')).toEqual({
      name: 'y',
      op: 'clip',
      args: ['x'],
      attrs: { min: -1, max: 100 },
      type: f32('N', 4),
      loc: { layer: 'act', site: 'f.ts:1:2' },
    });
    expect(graph.outputs).toEqual({ z: 'y', x: 'x' });
  });

  it('reads 1N as N', () => {
    const graph = parse('graph @g {\n%x = input() : f32[1N]\nreturn %x\n}', forward);
    expect(graph.nodes.get('x')!.type).toEqual(f32('N'));
  });

  it('asks for exactly one graph', () => {
    const error = failure(() => parse('// nothing', forward, 'empty.relc'));
    expect([error.code, error.detail]).toEqual(['RELC1001', 'empty.relc: expected one graph, got 0']);
    const one = 'graph @g {\n%x = input() : f32[]\nreturn %x\n}\n';
    expect(failure(() => parse(one + one, forward)).detail).toBe('text: expected one graph, got 2');
  });

  it('names the column, what was expected and what was there', () => {
    const error = failure(() => parse('graph @g {\n  %x = input() : g32[4]\n', forward, 'model.relc'));
    expect([error.code, error.detail]).toEqual([
      'RELC1001',
      "model.relc:2:18: expected a dtype: f32, i32, bool, got 'g32[4]'",
    ]);
  });
});
