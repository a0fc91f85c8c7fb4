// Log-softmax: tfjs has no kernel for it, so it arrives as arithmetic and is raised to one op again.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { print } from '../../src/ir/print.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { expectTraced, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const traced: readonly (readonly [string, readonly (number | null)[], ModelFunction, number])[] = [
  ['of rows', [null, 5], (x: tf.Tensor) => tf.logSoftmax(x.mul(20)), 1],
  ['of sequences', [null, 3, 5], (x: tf.Tensor) => x.logSoftmax(), 2],
  ['of one row', [null, 1, 5], (x: tf.Tensor) => x.logSoftmax(), 2],
  ['in a named tidy', [null, 5], (x: tf.Tensor) => tf.tidy('scores', () => tf.logSoftmax(x)), 1],
];

describe('tf.logSoftmax', () => {
  it.each(traced)('%s is one op', (_name, input, model, axis) => {
    const program = expectTraced(model, { input });
    const { graph } = runPasses(program, [canonicalize], forward);
    const [node, ...others] = nodesWithOp(graph, 'log_softmax');
    expect([node!.attrs, others.length, node!.loc]).toEqual([
      { axis },
      0,
      program.graph.nodes.get(node!.name)!.loc,
    ]);
    expect(Object.values(graph.outputs)).toEqual([node!.name]);
    expect(nodesWithOp(graph, 'exp')).toEqual([]);
  });
});

/** Log-softmax along axis 2 of three, two of which have one extent: only the axes tell them apart. */
const text = `graph @g {
  %x = input() : f32[N,4,4]
  %top = reduce_max(%x) {axes=[2]} : f32[N,4]
  %tops = broadcast(%top) {axes=[0,1]} : f32[N,4,4]
  %s = sub(%x, %tops) : f32[N,4,4]
  %e = exp(%s) : f32[N,4,4]
  %total = sum(%e) {axes=[2]} : f32[N,4]
  %log = log(%total) : f32[N,4]
  %logs = broadcast(%log) {axes=[0,1]} : f32[N,4,4]
  %y = sub(%s, %logs) : f32[N,4,4]
  return %y
}`;

/** The ops of a text once it is canonicalized. */
function canonicalOps(source: string): string[] {
  const program = { graph: parse(source, forward), weights: new Map() };
  return [...runPasses(program, [canonicalize], forward).graph.nodes.values()].map((node) => node.op);
}

/** The text with some of its parts replaced; every part must be there. */
function changed(...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((source, [from, to]) => {
    expect(source).toContain(from);
    return source.replace(from, to);
  }, text);
}

const same: readonly (readonly [string, string])[] = [
  ['as it stands', text],
  [
    'along another axis, both times',
    text.replaceAll('{axes=[2]}', '{axes=[1]}').replaceAll('{axes=[0,1]}', '{axes=[0,2]}'),
  ],
  [
    'with the axis kept at extent 1',
    changed(
      [
        '%log = log(%total) : f32[N,4]',
        '%kept = reshape(%total) : f32[N,4,1]\n  %log = log(%kept) : f32[N,4,1]',
      ],
      ['%logs = broadcast(%log) {axes=[0,1]}', '%logs = broadcast(%log) {axes=[0,1,2]}'],
    ),
  ],
  [
    'with the maximum spread in two steps',
    changed([
      '%tops = broadcast(%top) {axes=[0,1]}',
      '%wide = broadcast(%top) {axes=[0,1]} : f32[N,4,1,4]\n  %tops = reshape(%wide)',
    ]),
  ],
];

describe('the arithmetic of a log-softmax', () => {
  it.each(same)('%s is one op', (_name, source) => {
    expect(canonicalOps(source)).toEqual(['input', 'log_softmax']);
  });
});

const different: readonly (readonly [string, string])[] = [
  ['the maximum along another axis', changed(['reduce_max(%x) {axes=[2]}', 'reduce_max(%x) {axes=[1]}'])],
  ['another function than the exponential', changed(['exp(%s)', 'tanh(%s)'])],
  [
    'the maximum along another axis and spread over it',
    changed(
      ['reduce_max(%x) {axes=[2]}', 'reduce_max(%x) {axes=[1]}'],
      ['broadcast(%top) {axes=[0,1]}', 'broadcast(%top) {axes=[0,2]}'],
    ),
  ],
  ['the sum along another axis', changed(['sum(%e) {axes=[2]}', 'sum(%e) {axes=[1]}'])],
  [
    'the maximum spread over another axis',
    changed(['broadcast(%top) {axes=[0,1]}', 'broadcast(%top) {axes=[0,2]}']),
  ],
  [
    'the logarithm spread over another axis',
    changed(['broadcast(%log) {axes=[0,1]}', 'broadcast(%log) {axes=[0,2]}']),
  ],
  ['the exponential of what is not shifted', changed(['exp(%s)', 'exp(%x)'])],
  ['the difference from what is not shifted', changed(['sub(%s, %logs)', 'sub(%x, %logs)'])],
  ['a sum instead of the difference', changed(['sub(%s, %logs)', 'add(%s, %logs)'])],
  ['the difference the other way round', changed(['sub(%s, %logs)', 'sub(%logs, %s)'])],
  ['a mean instead of the sum', changed(['sum(%e)', 'mean(%e)'])],
  ['a mean instead of the maximum', changed(['reduce_max(%x)', 'mean(%x)'])],
  ['no logarithm', changed(['broadcast(%log)', 'broadcast(%total)'])],
  ['another function than the logarithm', changed(['log(%total)', 'sqrt(%total)'])],
  [
    'two logarithms',
    changed(['broadcast(%log)', 'broadcast(%log2)'], ['  %logs', '  %log2 = log(%log) : f32[N,4]\n  %logs']),
  ],
  [
    'the maximum of another value',
    changed(['  %top =', '  %z = tanh(%x) : f32[N,4,4]\n  %top ='], ['reduce_max(%x)', 'reduce_max(%z)']),
  ],
  [
    'a constant more in the sum',
    changed([
      '%log = log(%total)',
      '%c = constant() {value=0.001} : f32[N,4]\n  %more = add(%total, %c) : f32[N,4]\n  %log = log(%more)',
    ]),
  ],
  [
    'a constant instead of the maximum',
    changed(['%tops = broadcast(%top) {axes=[0,1]}', '%tops = constant() {value=2}']),
  ],
  [
    'sums over both axes',
    changed(
      ['sum(%e) {axes=[2]} : f32[N,4]', 'sum(%e) {axes=[1,2]} : f32[N]'],
      ['log(%total) : f32[N,4]', 'log(%total) : f32[N]'],
      ['broadcast(%log) {axes=[0,1]}', 'broadcast(%log) {axes=[0]}'],
    ),
  ],
];

describe('what only looks like a log-softmax', () => {
  it.each(different)('%s is left alone', (_name, source) => {
    const ops = canonicalOps(source);
    expect(ops).not.toContain('log_softmax');
    expect(ops).toContain('sub');
  });

  it('what else uses the parts keeps them', () => {
    const source = changed(['return %y', 'return y=%y, shifted=%s']);
    const program = { graph: parse(source, forward), weights: new Map() };
    const { graph } = runPasses(program, [canonicalize], forward);
    expect(print(graph)).toContain('%y = log_softmax(%x) {axis=2}');
    expect([...graph.nodes.keys()]).toEqual(['x', 'top', 'tops', 's', 'y']);
  });
});
