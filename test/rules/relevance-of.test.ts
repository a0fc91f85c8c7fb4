// Relevance at values inside the model: by name, by alias, and the same whatever else is asked for.
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { explain } from '../../src/rules/explanation.js';
import { presetNamed } from '../../src/rules/presets.js';
import { valuePresets } from '../presets.js';
import { mixedNet } from './random-nets.js';
import { dialect, explained, refusal } from './support.js';

const parsed = parse(
  `graph @model {
    %x = input() : f32[N,3]
    %w = param() {key="w"} : f32[3,3]
    %block/fc = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,3]
    %block/relu = relu(%block/fc) : f32[N,3]
    %side = tanh(%block/fc) : f32[N,3]
    %y = einsum(%block/relu, %w) {eq="bi,ij->bj"} : f32[N,3]
    return %y, %side
  }`,
  forward,
);

/** What passes leave of values that they merged. */
const aliases = new Map([
  ['block/biased', 'block/fc'],
  ['block/identity', 'block/biased'],
  ['lost', 'nowhere'],
]);
const graph: Graph = { ...parsed, aliases };

const preset = presetNamed('epsilon');
const ask = (...relevanceOf: string[]) => explain(graph, dialect, { preset, output: 'y', relevanceOf });
const refused = (...relevanceOf: string[]) => refusal(() => ask(...relevanceOf));

describe('what is asked for', () => {
  it('is read under the name that it was asked by', () => {
    const { graph: whole, explained: read } = ask('block/relu', 'x');
    expect([...read]).toEqual([
      ['block/relu', 'block/relu'],
      ['x', 'x'],
    ]);
    expect(whole.outputs).toMatchObject({ 'relevance.block/relu': 'r.block/relu', 'relevance.x': 'r.x' });
  });

  it('is found by the name of a value that a pass merged, through one name or several', () => {
    for (const name of ['block/biased', 'block/identity']) {
      const { graph: whole, explained: read } = ask(name);
      expect(read.get(name)).toBe('block/fc');
      expect(whole.outputs[`relevance.${name}`]).toBe('r.block/fc');
    }
  });

  it('computes nothing below it', () => {
    const { graph: whole, chosen } = ask('block/relu');
    expect(chosen.map(({ node }) => node)).toEqual(['y']);
    expect(whole.nodes.has('r.block/fc')).toBe(false);
  });

  it('may be where relevance starts', () => {
    expect(ask('y').graph.outputs['relevance.y']).toBe('r.y');
  });

  it('is noted where no relevance reaches it, and refused where it reaches nothing at all', () => {
    const { notes } = ask('side', 'x');
    expect(notes).toEqual(['no relevance reaches %side']);
    const error = refused('side');
    expect([error.code, error.detail, error.hint]).toEqual([
      'RELC3005',
      'output %y depends on none of side through floating-point values',
      'ask for values that the output depends on',
    ]);
  });
});

describe('RELC3008', () => {
  it('no such value: with names that hold it or its last part, or are near it, or else the first that carry relevance', () => {
    const error = refused('encoder/relu');
    expect([error.code, error.detail]).toEqual(['RELC3008', "the model has no value 'encoder/relu'"]);
    expect(error.hint).toBe('values: block/relu');
    expect(refused('block/fc/weird').hint).toContain('block/fc');
    expect(refused('q').hint).toContain('x, block/fc, block/relu, side, y');
  });

  it('an alias that leads nowhere', () => {
    expect(refused('lost').detail).toBe("the model has no value 'lost'");
  });

  it('a constant', () => {
    const error = refused('w');
    expect([error.code, error.detail]).toEqual(['RELC3008', '%w depends on no input']);
  });
});

describe('(L30) the relevance of a value does not depend on what else is asked for', () => {
  const names = valuePresets.filter((name) => name !== 'grad-cam');

  it.each(names)('%s', (name) => {
    const net = mixedNet({ seed: 5, depth: 1, width: 2, batch: 2 });
    const values = ['x', 'c1', 'joined', 'pooled', 'hidden'];
    const found = (relevanceOf: readonly string[]) =>
      explained(net, { preset: presetNamed(name), range: [-1, 1], relevanceOf }, net.x);
    const together = found(values);
    for (const value of values) {
      const key = `relevance.${value}`;
      expect([...found([value])[key]!.data], value).toEqual([...together[key]!.data]);
    }
  });
});
