// Tokens through dense layers that are written over rows, [N,T,D] as [T·N,D], and patches that become rows at once.
import { describe, expect, it } from 'vitest';
import { attentionMatrices } from '../../../src/ir/analyses/attention.js';
import { factorAfter, mergedPair } from '../../../src/ir/analyses/axes.js';
import { readoutOf, tokenLayout } from '../../../src/ir/analyses/tokens.js';
import { forward } from '../../../src/ir/forward.js';
import { nodeOf } from '../../../src/ir/graph.js';
import { parse } from '../../../src/ir/parse.js';

/** One block whose dense layers are over rows; `end` makes the scores of its result %m, [N,tokens,2]. */
const block = (embedding: string, tokens: number, end: string) =>
  parse(
    `graph @rows {
${embedding}
  %w = param() {key="w"} : f32[2,2]
  %rows = reshape(%e) : f32[${tokens}N,2]
  %qr = einsum(%rows, %w) {eq="bi,ij->bj"} : f32[${tokens}N,2]
  %q = reshape(%qr) : f32[N,${tokens},1,2]
  %qh = transpose(%q) {perm=[0,2,1,3]} : f32[N,1,${tokens},2]
  %kh = reshape(%e) : f32[N,1,${tokens},2]
  %s = einsum(%qh, %kh) {eq="bcdi,bcji->bcdj"} : f32[N,1,${tokens},${tokens}]
  %a = softmax(%s) {axis=3} : f32[N,1,${tokens},${tokens}]
  %v = einsum(%a, %kh) {eq="bcdi,bcij->bcdj"} : f32[N,1,${tokens},2]
  %vr = reshape(%v) : f32[${tokens}N,2]
  %or = einsum(%vr, %w) {eq="bi,ij->bj"} : f32[${tokens}N,2]
  %m = reshape(%or) : f32[N,${tokens},2]
${end}
  return y=%y
}`,
    forward,
    'rows',
  );

const classToken = `  %x = input() : f32[N,4,6,3]
  %k = param() {key="k"} : f32[2,2,3,2]
  %c = conv(%x, %k) {padding=[[0,0],[0,0]], strides=[2,2]} : f32[N,2,3,2]
  %p = reshape(%c) : f32[6N,2]
  %pd = reshape(%p) : f32[N,6,2]
  %cls = constant() {value=[1,2]} : f32[2]
  %first = broadcast(%cls) {axes=[2]} : f32[N,1,2]
  %e = concat(%first, %pd) {axis=1} : f32[N,7,2]`;

const first = `  %one = slice(%m) {begin=[0,0,0]} : f32[N,1,2]
  %y = reshape(%one) : f32[N,2]`;

describe('tokens in rows', () => {
  it('finds class token and grid, and which token is read', () => {
    const graph = block(classToken, 7, first);
    const [matrix] = attentionMatrices(graph);
    expect(tokenLayout(graph, matrix!)).toEqual({ count: 7, special: [0], grid: [2, 3] });
    expect(readoutOf(graph, matrix!, 'y')).toEqual({ kind: 'mean', from: 0, to: 1 });
  });

  it('reads a mean, and scores of each token also where they are rows', () => {
    const mean = block(classToken, 7, '  %y = mean(%m) {axes=[1]} : f32[N,2]');
    const [matrix] = attentionMatrices(mean);
    expect(readoutOf(mean, matrix!, 'y')).toEqual({ kind: 'mean', from: 0, to: 7 });
    const each = block(classToken, 7, '  %y = reshape(%m) : f32[7N,2]');
    expect(readoutOf(each, matrix!, 'y')).toBe('each');
  });

  it('takes no mean over tokens and channels for one over tokens', () => {
    const end = `  %f = reshape(%m) : f32[N,14]
  %y = mean(%f) {axes=[1]} : f32[N]`;
    const graph = block('  %e = input() : f32[N,7,2]', 7, end);
    const [matrix] = attentionMatrices(graph);
    expect(tokenLayout(graph, matrix!)).toEqual({ count: 7, special: [] });
    expect(readoutOf(graph, matrix!, 'y')).toBeUndefined();
  });

  it('loses tokens that a reshape tears', () => {
    const graph = block('  %e = input() : f32[N,6,2]', 6, '  %y = reshape(%m) : f32[N,4,3]');
    const tokens = { axis: 1, extent: 6, inner: 1 };
    expect(factorAfter(graph, nodeOf(graph, 'y'), 0, tokens)).toBeUndefined();
    expect(factorAfter(graph, nodeOf(graph, 'rows'), 0, tokens)).toEqual({ axis: 0, extent: 6, inner: 1 });
    expect(mergedPair(graph, nodeOf(graph, 'y'), tokens)).toBeUndefined();
  });
});
