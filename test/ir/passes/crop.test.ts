// Cropping: no value changes, no contraction is added and none grows, whatever rows are read and whatever rows are zero.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contractions } from '../../../src/ir/analyses/multiply-adds.js';
import { GraphBuilder } from '../../../src/ir/builder.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { crop } from '../../../src/ir/passes/crop/crop.js';
import { removeDeadCode } from '../../../src/ir/passes/dead-code.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { Choices } from '../arbitrary-graph.js';
import { expectClose, f32, inputsFor, weightsFor } from '../support.js';

const [tokens, width] = [4, 3];
const rowsType = f32('N', tokens, width);

/** Random rows [N, tokens, width]: layers, attention, sums, and single rows that are read and padded. */
class Rows {
  readonly builder = new GraphBuilder('rows', forward);
  readonly rows: Name[] = [];

  constructor(private readonly choose: Choices) {
    for (const name of ['x', 'y']) this.rows.push(this.builder.add('input', [], { name, type: rowsType }));
  }

  /** One that is there, the later ones more often. */
  private pick = (): Name =>
    this.rows.at(-1 - Math.min(this.choose.below(4), this.choose.below(this.rows.length)))!;

  private op = (op: string, args: readonly Name[], attrs: Attrs = {}, type = rowsType) =>
    this.builder.add(op, args, { attrs, type });

  private slice(x: Name, begin: number, count: number): Name {
    return this.op('slice', [x], { begin: [0, begin, 0] }, f32('N', count, width));
  }

  private readonly makers: readonly (() => Name)[] = [
    () => {
      const [begin, count] = [this.choose.below(tokens), 1 + this.choose.below(2)];
      const end = Math.min(begin + count, tokens);
      const part = this.slice(this.pick(), begin, end - begin);
      const low = this.choose.below(tokens - (end - begin) + 1);
      return this.op('pad', [part], { low: [0, low, 0], high: [0, tokens - low - (end - begin), 0] });
    },
    () => this.op('einsum', [this.pick(), this.weight()], { eq: 'bti,ij->btj' }),
    () => this.op('einsum', [this.pick(), this.weight()], { eq: 'btj,ij->bti' }),
    () => {
      const bias = this.builder.add('param', [], { attrs: { key: 'b' }, type: f32(width) });
      return this.op('einsum', [this.pick(), this.weight(), bias], { eq: 'bti,ij->btj' });
    },
    () => {
      const square = f32('N', tokens, tokens);
      const scores = this.op('einsum', [this.pick(), this.pick()], { eq: 'bqd,bkd->bqk' }, square);
      const a = this.choose.below(2) === 0 ? scores : this.op('softmax', [scores], { axis: 2 }, square);
      return this.op('einsum', [a, this.pick()], {
        eq: this.choose.below(2) === 0 ? 'bqk,bkd->bqd' : 'bqk,bqd->bkd',
      });
    },
    () => this.op(this.choose.of(['relu', 'gelu', 'neg', 'tanh', 'sigmoid', 'square']), [this.pick()]),
    () => this.op(this.choose.of(['add', 'sub', 'mul', 'maximum']), [this.pick(), this.pick()]),
    () => this.op('quotient', [this.pick(), this.pick()], { mode: 'signed', eps: 0.5 }),
    () => this.op('accumulate', [this.pick(), this.pick(), this.pick()]),
    () => {
      const condition = this.op('greater', [this.pick(), this.pick()]);
      return this.op('select', [condition, this.pick(), this.pick()]);
    },
    () => {
      const axis = 1 + this.choose.below(2);
      const kept = axis === 1 ? f32('N', width) : f32('N', tokens);
      const reduced = this.op(
        this.choose.of(['sum', 'mean', 'reduce_max']),
        [this.pick()],
        { axes: [axis] },
        kept,
      );
      return this.op('broadcast', [reduced], { axes: [0, 3 - axis] });
    },
    () => this.op('layer_norm', [this.pick()], { epsilon: 0.1 }),
    () => this.op('reverse', [this.pick()], { axes: [1] }),
    () => {
      const flat = this.op('reshape', [this.pick()], {}, f32('N', tokens * width));
      return this.op('reshape', [flat]);
    },
    () => {
      const turned = this.op('transpose', [this.pick()], { perm: [0, 2, 1] }, f32('N', width, tokens));
      return this.op('transpose', [turned], { perm: [0, 2, 1] });
    },
    () => {
      const first = this.choose.below(tokens - 1) + 1;
      const parts = [this.slice(this.pick(), 0, first), this.slice(this.pick(), first, tokens - first)];
      return this.op('concat', this.choose.below(2) === 0 ? parts : [...parts].reverse(), { axis: 1 });
    },
    () => this.op('constant', [], { value: this.choose.below(2) }),
  ];

  private weight = () =>
    this.builder.add('param', [], { attrs: { key: `w${this.choose.below(2)}` }, type: f32(width, width) });

  /** Adds rows until the choices are used up, and reads one row and all of two others. */
  graph(): Graph {
    while (!this.choose.isDone) this.rows.push(this.choose.of(this.makers)());
    const [a, b] = [this.pick(), this.pick()];
    const row = this.slice(a, this.choose.below(tokens), 1);
    return this.builder.finish(this.choose.below(2) === 0 ? { row } : { row, b });
  }
}

const graphs = fc
  .array(fc.nat({ max: 2 ** 30 }), { minLength: 10, maxLength: 80, size: 'max' })
  .map((numbers) => new Rows(new Choices(numbers)).graph());

const costs = (graph: Graph) => contractions(graph).map(({ multiplyAdds }) => multiplyAdds);
const total = (list: readonly number[]) => list.reduce((sum, cost) => sum + cost, 0);

const cropped = (graph: Graph) =>
  removeDeadCode(runPasses({ graph, weights: new Map() }, [crop], forward).graph);

describe('crop', () => {
  it('changes no value of random rows, adds no contraction and lets none grow', () => {
    let saved = 0;
    fc.assert(
      fc.property(graphs, (graph) => {
        const weights = weightsFor(graph, 3);
        const inputs = inputsFor(graph, 2, 5);
        const after = cropped(graph);
        const [old, own] = [removeDeadCode(graph), after].map(costs) as [number[], number[]];
        expect(own.length).toBeLessThanOrEqual(old.length);
        expect(total(own)).toBeLessThanOrEqual(total(old));
        if (total(own) < total(old)) saved++;
        const wanted = evaluate(graph, forward, inputs, weights);
        const got = evaluate(after, forward, inputs, weights);
        for (const [key, value] of Object.entries(wanted)) expectClose(got[key]!, value, 1e-10);
      }),
      { numRuns: 250, seed: 11 },
    );
    expect(saved).toBeGreaterThan(60);
  });

  it('has nothing left to do when it runs again', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const once = cropped(graph);
        expect(total(costs(cropped(once)))).toBe(total(costs(once)));
      }),
      { numRuns: 100, seed: 12 },
    );
  });

  it('leaves out terms of a sum that are zero where it is read', () => {
    const graph = parse(
      `graph @sum {
        %a = input() : f32[N,1,2]
        %b = input() : f32[N,1,2]
        %first = pad(%a) {high=[0,1,0], low=[0,0,0]} : f32[N,2,2]
        %second = pad(%b) {high=[0,0,0], low=[0,1,0]} : f32[N,2,2]
        %sum = accumulate(%first, %second) : f32[N,2,2]
        %row = slice(%sum) {begin=[0,1,0]} : f32[N,1,2]
        return %row
      }`,
      forward,
    );
    expect(Object.values(cropped(graph).outputs)).toEqual(['b']);
  });
});
