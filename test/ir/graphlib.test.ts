// The view for graphlib: values, operand slots as edge names, layers as nested parents.
import { alg } from '@dagrejs/graphlib';
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { toGraphlib } from '../../src/ir/graphlib.js';
import { parse } from '../../src/ir/parse.js';

const graph = parse(
  `graph @model {
  %x = input() : f32[N,4]
  %h = relu(%x) : f32[N,4]  // block/act
  %y = add(%h, %h) : f32[N,4]  // block/sum/inner
  %z = mul(%y, %x) : f32[N,4]  // head at f.ts:1:2
  %s = neg(%z) : f32[N,4]  // at f.ts:2:2
  return %s
}`,
  forward,
);
const view = toGraphlib(graph);

describe('toGraphlib', () => {
  it('is a directed compound multigraph with the name of the graph', () => {
    expect([view.isDirected(), view.isCompound(), view.isMultigraph()]).toEqual([true, true, true]);
    expect(view.graph()).toBe('model');
  });

  it('has a node for each value, labelled with it', () => {
    for (const [name, node] of graph.nodes) expect(view.node(name)).toBe(node);
    expect(view.nodes().filter((name) => !name.startsWith('layer '))).toEqual([...graph.nodes.keys()]);
  });

  it('has an edge for each operand slot: x + x twice', () => {
    expect(view.outEdges('h', 'y')).toEqual([
      { v: 'h', w: 'y', name: '0' },
      { v: 'h', w: 'y', name: '1' },
    ]);
    expect(view.edge('x', 'z', '1')).toBe(1);
    expect(view.edgeCount()).toBe(6);
  });

  it('nests layers by the parts of their path', () => {
    const parents = [
      'h',
      'layer block/act',
      'y',
      'layer block/sum/inner',
      'layer block/sum',
      'layer block',
      'z',
      's',
      'x',
    ];
    expect(parents.map((name) => view.parent(name))).toEqual([
      'layer block/act',
      'layer block',
      'layer block/sum/inner',
      'layer block/sum',
      'layer block',
      undefined,
      'layer head',
      undefined,
      undefined,
    ]);
    expect(view.children('layer block')).toEqual(['layer block/act', 'layer block/sum']);
  });

  it('keeps a value apart from the layer of its name', () => {
    const text = 'graph @g {\n%layer:fc = input() : f32[1]  // fc\nreturn %layer:fc\n}';
    const nested = toGraphlib(parse(text, forward));
    expect([nested.nodes(), nested.parent('layer:fc')]).toEqual([['layer:fc', 'layer fc'], 'layer fc']);
  });

  it('serves graphlib’s algorithms', () => {
    expect(alg.isAcyclic(view)).toBe(true);
    expect(view.predecessors('z')!.sort()).toEqual(['x', 'y']);
  });
});
