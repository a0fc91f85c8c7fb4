// Custom rules as definitions among relc's own: expansion against reference, at any shape, and the account of losses.
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CustomRule, rulesWith } from '../../src/api/custom-rules.js';
import { dialectWith } from '../../src/api/pipeline.js';
import { evaluate, type Inputs } from '../../src/ir/evaluate.js';
import { type Graph, nodesWithOp } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { bindShape, type Dim, printShape } from '../../src/ir/type.js';
import { verify } from '../../src/ir/verify.js';
import { addAccount, expectedCauses } from '../../src/rules/account.js';
import { ruleGraphs } from '../../src/rules/custom.js';
import { expandRules } from '../../src/rules/expand.js';
import type { RuleTable } from '../../src/rules/rules.js';
import { noWeights, relativeError, sequence, total, uniform } from './support.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Powers of two are the same numbers in both precisions. */
const eps = 2 ** -20;
const signed = `denominator="signed" eps=${eps}`;
const stabilised = (z: tf.Tensor) => tf.add(z, tf.where(tf.greaterEqual(z, 0), eps, -eps));

const half: CustomRule = ([a, b]: readonly tf.Tensor[], z, relevance) => {
  const shares = tf.mul(tf.mul(a!, b!), tf.div(relevance, stabilised(z))).mul(0.5);
  return [shares, shares];
};

/** ε on a layer, with an account of what the bias and the stabiliser take. */
const dense: CustomRule = {
  relevances: ([x, w]: readonly tf.Tensor[], z, relevance) =>
    tf.mul(x!, tf.matMul(tf.div(relevance, stabilised(z)), w!, false, true)),
  lost([, , bias]: readonly tf.Tensor[], z, relevance) {
    const quotient = tf.div(relevance, stabilised(z));
    return tf.add(tf.sub(relevance, tf.mul(z, quotient)), tf.mul(bias!, quotient));
  },
};

const first: CustomRule = (_inputs, _z, relevance) => relevance;

const table = rulesWith({ half, dense, first });

function inputsFor(graph: Graph, batch: number, seed: number): Inputs {
  const random = sequence(seed);
  const entries = nodesWithOp(graph, 'input').map((node) => [
    node.name,
    uniform(bindShape(node.type.shape, batch), random),
  ]);
  return Object.fromEntries(entries) as Inputs;
}

/** Every output by the rule lines themselves, and by what they expand to. */
function bothWays(graph: Graph, rules: RuleTable, batch: number, seed: number) {
  const ops = dialectWith(rules);
  const inputs = inputsFor(graph, batch, seed);
  const expanded = expandRules(graph, ops, rules);
  verify(expanded, ops);
  return {
    reference: evaluate(graph, ops, inputs, noWeights),
    expansion: evaluate(expanded, ops, inputs, noWeights),
  };
}

/**
 * A rule on the node %z of some lines, one rule line for each operand asked for; R is an input.
 * @param rule  its name, and its parameters where it has any: `norm share=0.5`
 */
function ruled(lines: string, rule: string, slots: readonly number[]): Graph {
  const typeOf = (name: string) =>
    lines
      .split('\n')
      .find((line) => line.startsWith(`${name} = `))!
      .split(' : ')[1]!;
  const [, op, list] = /%z = (\w+)\(([^)]*)\)/.exec(lines)!;
  const [name, ...params] = rule.split(' ');
  const ruleLines = slots.map((slot) => {
    const attrs = [...params, `of="${op}"`, `to=${slot}`].join(', ');
    return `%r.${slot} = rule.${name}(${list}, %z, %R) {${attrs}} : ${typeOf(list!.split(', ')[slot]!)}`;
  });
  const results = slots.map((slot) => `%r.${slot}`).join(', ');
  const all = [lines, `%R = input() : ${typeOf('%z')}`, ...ruleLines, `return ${results}`];
  return parse(`graph @one {\n${all.join('\n')}\n}`, dialectWith(table));
}

const extents = fc.constantFrom(1, 2, 3, 5, 7);
const firstDim = fc.constantFrom<Dim>('N', '2N', '3N', 4);
const batches = fc.constantFrom(1, 2, 3);

describe('at any shape', () => {
  it('half of a product is the rule norm with the share ½', () => {
    const shapes = fc.tuple(firstDim, fc.array(extents, { maxLength: 3 }));
    fc.assert(
      fc.property(shapes, batches, fc.nat(1000), ([head, rest], batch, seed) => {
        const type = `f32${printShape([head, ...rest])}`;
        const lines = `%a = input() : ${type}\n%b = input() : ${type}\n%z = mul(%a, %b) : ${type}`;
        const own = bothWays(ruled(lines, 'half', [0, 1]), table, batch, seed);
        const judge = bothWays(ruled(lines, `norm ${signed} share=0.5`, [0, 1]), table, batch, seed);
        for (const key of ['r.0', 'r.1']) {
          expect(own.reference[key]!.shape).toEqual(judge.reference[key]!.shape);
          expect(relativeError(own.reference[key]!.data, judge.reference[key]!.data)).toBeLessThan(1e-12);
          expect(relativeError(own.expansion[key]!.data, judge.reference[key]!.data)).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 40, seed: 1 },
    );
  });

  it('ε on a dense layer is the built-in one', () => {
    fc.assert(
      fc.property(firstDim, extents, extents, batches, (rows, before, after, batch) => {
        const lines = denseLines(rows, before, after);
        const own = bothWays(ruled(lines, 'dense', [0]), table, batch, before);
        const judge = bothWays(ruled(lines, `epsilon ${signed}`, [0]), table, batch, before);
        expect(relativeError(own.reference['r.0']!.data, judge.reference['r.0']!.data)).toBeLessThan(1e-12);
        expect(relativeError(own.expansion['r.0']!.data, judge.reference['r.0']!.data)).toBeLessThan(1e-12);
      }),
      { numRuns: 40, seed: 2 },
    );
  });
});

/** A layer, its weights inputs of their own, without a batch. */
const denseLines = (rows: Dim, before: number, after: number) =>
  [
    `%x = input() : f32[${rows},${before}]`,
    `%w = input() : f32[${before},${after}]`,
    `%b = input() : f32[${after}]`,
    `%z = einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[${rows},${after}]`,
  ].join('\n');

/** What is left of each sample's R when what leaves and what is lost is taken away, and the causes. */
function balance(graph: Graph, rules: RuleTable, batch: number) {
  const ops = dialectWith(rules);
  const account = addAccount(graph, ops, {
    seed: { value: 'z', relevance: 'R' },
    quantity: 'relevance',
    rules,
  });
  const values = evaluate(account.graph, ops, inputsFor(graph, batch, 3), noWeights);
  const [entry] = account.entries;
  const of = (key: string) => Array.from(values[key]!.data);
  const lost = [...entry!.leaks!].map(([, key]) => of(key));
  const left = of(entry!.arriving).map(
    (arrived, sample) =>
      arrived - of(entry!.leaving)[sample]! - total(lost.map((amounts) => amounts[sample]!)),
  );
  return { left, lost: new Map([...entry!.leaks!].map(([cause, key]) => [cause, of(key)])) };
}

const product = '%a = input() : f32[N,3]\n%b = input() : f32[N,3]\n%z = mul(%a, %b) : f32[N,3]';

describe('the account', () => {
  const constantGate = [
    '%a = input() : f32[N,3]',
    '%g = constant() {value=[1, 2, 3]} : f32[3]',
    '%b = broadcast(%g) {axes=[1]} : f32[N,3]',
    '%z = mul(%a, %b) : f32[N,3]',
  ].join('\n');

  it('has what a rule says it loses, sample by sample, as a cause of its own', () => {
    const { left, lost } = balance(ruled(denseLines('N', 4, 3), 'dense', [0]), table, 3);
    expect([...lost.keys()]).toEqual(['custom rules']);
    expect(left.length).toBe(3);
    for (const rest of left) expect(Math.abs(rest)).toBeLessThan(1e-12);
  });

  it('has what a rule hands to a constant, and to what leads nowhere', () => {
    const graph = ruled(constantGate, 'half', [0]);
    const { left, lost } = balance(graph, table, 2);
    expect([...lost.keys()]).toEqual(['constant operands']);
    for (const rest of left) expect(Math.abs(rest)).toBeLessThan(1e-5);
    const stopped = balance(ruled(product, 'half', [1]), table, 2);
    expect([...stopped.lost.keys()]).toEqual(['stopped branches']);
  });

  it('names causes without running anything; for gradients there is no formula', () => {
    const graph = ruled(denseLines('N', 4, 3), 'dense', [0]);
    const causes = (quantity: 'relevance' | 'gradient') =>
      expectedCauses(graph, dialectWith(table), { quantity, rules: table }).get('r.0');
    expect(causes('relevance')).toEqual(['custom rules']);
    expect(causes('gradient')).toBeUndefined();
  });

  it('is refused a loss that is no number for each sample', () => {
    const wrong = rulesWith({
      dense: { relevances: dense.relevances, lost: () => tf.scalar(0) },
    });
    const graph = ruled(denseLines('N', 4, 3), 'dense', [0]);
    expect(() => balance(graph, wrong, 1)).toThrow(
      /RELC3009: custom rule 'dense' on %z = einsum: what is lost is f32\[\], expected f32 numbers for each sample/,
    );
  });
});

describe('operands that receive nothing', () => {
  it('are given zeros where a rule line asks for them', () => {
    const graph = ruled(product, 'first', [0, 1]);
    const { reference, expansion } = bothWays(graph, table, 2, 5);
    for (const values of [reference, expansion]) {
      expect(values['r.0']!.data).toEqual(inputsFor(graph, 2, 5).R!.data);
      expect(Array.from(values['r.1']!.data)).toEqual([0, 0, 0, 0, 0, 0]);
    }
    expect(ruleGraphs(graph, table).map(({ name, outputs }) => [name, Object.keys(outputs)])).toEqual([
      ['rule.first', ['relevance0']],
    ]);
  });
});
