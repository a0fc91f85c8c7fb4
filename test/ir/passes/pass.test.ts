// The pass runner: verification after every pass, what is told of a failure, and what passes leave behind.
import { describe, expect, it } from 'vitest';
import { RelcError } from '../../../src/ir/error.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { type Graph, resolveAlias } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { deadCode } from '../../../src/ir/passes/dead-code.js';
import { foldConstants } from '../../../src/ir/passes/fold-constants.js';
import { graphPass, PassError, runPasses } from '../../../src/ir/passes/pass.js';
import { rewrite } from '../../../src/ir/passes/rewrite.js';
import { simplify } from '../../../src/ir/passes/simplify.js';
import { print } from '../../../src/ir/print.js';
import { verify } from '../../../src/ir/verify.js';
import { exact, expectClose, f32, failure, noWeights, single } from '../support.js';

const graph = parse(
  `graph @model {
  %x = input() : f32[N,4]
  %same = reshape(%x) : f32[N,4]
  %y = relu(%same) : f32[N,4]
  return %y
}`,
  forward,
);
const program = { graph, weights: noWeights };

/** Gives %y a type that its op does not give. */
const breaking = graphPass('breaking', 'makes a wrong type', (given: Graph) => {
  const nodes = new Map(given.nodes);
  nodes.set('y', { ...nodes.get('y')!, type: f32('N', 5) });
  return { ...given, nodes };
});

const throwing = (error: unknown) =>
  graphPass('throwing', 'throws', () => {
    throw error;
  });

describe('runPasses', () => {
  it('runs passes in order and shows each its result', () => {
    const seen: string[] = [];
    const result = runPasses(program, [simplify, deadCode], forward, (pass, after) => {
      seen.push(`${pass.name}: ${[...after.graph.nodes.keys()]}`);
    });
    expect(seen).toEqual(['simplify: x,y', 'dead-code: x,y']);
    expect(result.graph.nodes.get('y')!.args).toEqual(['x']);
    expect(graph.nodes.get('y')!.args).toEqual(['same']);
  });

  it('verifies after every pass; the message holds the text of the graph the pass was given', () => {
    const seen: string[] = [];
    const error = failure(() =>
      runPasses(program, [simplify, breaking, deadCode], forward, (pass) => seen.push(pass.name)),
    );
    expect(error).toBeInstanceOf(PassError);
    const { pass, reproducer, code, message, hint } = error as PassError;
    expect([code, pass, seen]).toEqual(['RELC1010', 'breaking', ['simplify']]);
    expect(message).toContain(
      'pass breaking failed: RELC1004: %y = relu states f32[N,5], but its op gives f32[N,4]',
    );
    expect(message).toContain(reproducer);
    expect(hint).toContain('a defect of the compiler');
    const given = parse(reproducer, forward);
    expect(print(given)).toBe(print(simplify.run(program, forward).graph));
    expect(() => runPasses({ graph: given, weights: noWeights }, [breaking], forward)).toThrow(PassError);
  });

  it('takes any other error of a pass for its own fault', () => {
    const cause = new TypeError('x is undefined');
    const error = failure(() => runPasses(program, [throwing(cause)], forward));
    expect(error.message).toContain(
      'RELC1010: pass throwing failed: x is undefined\nthe graph it was given:\ngraph @model {',
    );
    expect(error.cause).toBe(cause);
    expect(failure(() => runPasses(program, [throwing('a string')], forward)).message).toContain(
      'failed: a string',
    );
  });

  it('hands on the refusal of a program as it is', () => {
    for (const code of ['RELC1008', 'RELC2001', 'RELC3001', 'RELC4001'] as const) {
      const refusal = new RelcError(code, 'not this one');
      expect(failure(() => runPasses(program, [throwing(refusal)], forward))).toBe(refusal);
    }
    const ownFault = new RelcError('RELC1004', 'wrong shape');
    expect(failure(() => runPasses(program, [throwing(ownFault)], forward)).code).toBe('RELC1010');
  });
});

describe('rewrite', () => {
  it('keeps an alias leading on when the temporary it led to is replaced', () => {
    const temporary = rewrite(graph, forward, (node, { builder }) =>
      node.op === 'reshape' ? builder.add('transpose', ['x'], { attrs: { perm: [0, 1] } }) : undefined,
    );
    expect([...temporary.aliases]).toEqual([['same', 't.transpose']]);
    const replaced = rewrite(temporary, forward, (node) => (node.op === 'transpose' ? 'x' : undefined));
    verify(replaced, forward);
    expect([...replaced.nodes.keys()]).toEqual(['x', 'y']);
    expect(resolveAlias(replaced, 'same')).toBe('x');
  });

  it('never gives the name of what was replaced to another value', () => {
    const once = rewrite(graph, forward, (node, { builder }) =>
      node.op === 'reshape' ? builder.add('abs', ['x']) : undefined,
    );
    const twice = rewrite(once, forward, (node, { builder }) => {
      if (node.op === 'abs') return 'x';
      return node.op === 'relu' ? builder.add('abs', node.args) : undefined;
    });
    expect([...twice.nodes.keys()]).toEqual(['x', 't.abs_1']);
    expect([...twice.aliases]).toEqual([
      ['same', 'x'],
      ['y', 't.abs_1'],
    ]);
  });

  it('keeps the place of the node whose stead others take', () => {
    const placed = parse(
      'graph @g {\n%x = input() : f32[1]\n%y = neg(%x) : f32[1]  // head at f.ts:1:2\nreturn %y\n}',
      forward,
    );
    const { nodes } = rewrite(placed, forward, (node, { builder }) =>
      node.op === 'neg' ? builder.add('abs', node.args, { name: node.name }) : undefined,
    );
    expect(nodes.get('y')!.loc).toEqual({ layer: 'head', site: 'f.ts:1:2' });
  });
});

describe('folding', () => {
  const folding = parse(
    `graph @model {
  %x = input() : f32[N,2]
  %w = param() {key="w"} : f32[2]
  %unused = param() {key="unused"} : f32[2]
  %third = constant() {value=3} : f32[2]
  %y.w = div(%w, %third) : f32[2]
  %y = einsum(%x, %y.w) {eq="bi,i->b"} : f32[N]
  return %y
}`,
    forward,
  );

  it('stores results in 32 bits under a fresh key and drops weights that nothing uses', () => {
    const weights = new Map([
      ['w', single([2], [1, 2])],
      ['unused', single([2], [0, 0])],
      ['y.w', single([2], [7, 7])],
    ]);
    const folded = runPasses({ graph: folding, weights }, [foldConstants], forward);
    expect([...folded.weights]).toEqual([['y.w_1', single([2], [1 / 3, 2 / 3])]]);
    expect(folded.graph.nodes.get('y.w')).toMatchObject({ op: 'param', args: [], attrs: { key: 'y.w_1' } });
    expect([...weights.keys()]).toEqual(['w', 'unused', 'y.w']);
  });
});

describe('canonicalize', () => {
  it('folds a batch norm into the exact weights by hand', () => {
    const text = `graph @bn {
  %x = input() : f32[N,1]
  %w = constant() {value=[2,4]} : f32[1,2]
  %gamma = constant() {value=[3,5]} : f32[2]
  %beta = constant() {value=[1,-1]} : f32[2]
  %mean = constant() {value=[10,20]} : f32[2]
  %variance = constant() {value=[3,0]} : f32[2]
  %fc = einsum(%x, %w) {eq="bi,ij->bj"} : f32[N,2]
  %bn = batch_norm(%fc, %gamma, %beta, %mean, %variance) {epsilon=1} : f32[N,2]
  return %bn
}`;
    const { graph: after, weights } = runPasses(
      { graph: parse(text, forward), weights: noWeights },
      [canonicalize],
      forward,
    );
    expect([...after.nodes.values()].map((node) => node.op)).toEqual(['input', 'param', 'param', 'einsum']);
    expect(weights.get('bn.w')!.data).toEqual(Float32Array.of(3, 20));
    expect(weights.get('bn.offset')!.data).toEqual(Float32Array.of(1 - 15, -1 - 100));
    const { bn } = evaluate(after, forward, { x: exact([1, 1], [2]) }, weights);
    expectClose(bn!, exact([1, 2], [-8, -61]), 1e-12);
    expect(resolveAlias(after, 'fc')).toBe('bn');
  });
});
