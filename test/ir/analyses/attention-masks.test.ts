// Attention masks: which inputs only say what tokens see, by the ways that masks join scores.
import { describe, expect, it } from 'vitest';
import { attentionMasks } from '../../../src/ir/analyses/attention-masks.js';
import { forward } from '../../../src/ir/forward.js';
import { parse } from '../../../src/ir/parse.js';

/** One head on %x with logits %l made of the scores %s by `lines`; %y is what comes out. */
const head = (lines: readonly string[], end: readonly string[] = ['return %y']) =>
  parse(
    `graph @g {
  %x = input() : f32[N,4,3]
  %mask = input() : f32[N,4]
  %m = broadcast(%mask) {axes=[0,2]} : f32[N,4,4]
  %c = constant() {value=-1e9} : f32[N,4,4]
  %s = einsum(%x, %x) {eq="bqd,bkd->bqk"} : f32[N,4,4]
  ${lines.join('\n  ')}
  %p = softmax(%l) {axis=2} : f32[N,4,4]
  %y = einsum(%p, %x) {eq="bqk,bkd->bqd"} : f32[N,4,3]
  ${end.join('\n  ')}
}`,
    forward,
  );

const joined: Readonly<Record<string, readonly string[]>> = {
  'an addend': ['%far = mul(%m, %c) : f32[N,4,4]', '%l = add(%s, %far) : f32[N,4,4]'],
  'an addend on the left, before the scale': [
    '%far = mul(%m, %c) : f32[N,4,4]',
    '%a = add(%far, %s) : f32[N,4,4]',
    '%l = mul(%a, %c) : f32[N,4,4]',
  ],
  'a condition': ['%b = cast(%m) : bool[N,4,4]', '%l = select(%b, %s, %c) : f32[N,4,4]'],
  'a factor': ['%l = mul(%s, %m) : f32[N,4,4]'],
  'what is taken off, behind a reshape': [
    '%r = reshape(%s) : f32[N,16]',
    '%f = reshape(%m) : f32[N,16]',
    '%d = sub(%r, %f) : f32[N,16]',
    '%l = reshape(%d) : f32[N,4,4]',
  ],
  'the other branch of a condition': [
    '%zero = constant() {value=0} : f32[N,4,4]',
    '%b = greater(%m, %zero) : bool[N,4,4]',
    '%l = select(%b, %s, %m) : f32[N,4,4]',
  ],
};

describe('an input only masks attention', () => {
  it.each(Object.entries(joined))('as %s', (_name, lines) => {
    expect(attentionMasks(head(lines))).toEqual(['mask']);
  });
});

describe('an input is more than a mask', () => {
  const addend = joined['an addend']!;

  it('where another way leads from it to an output', () => {
    const values = [
      '%w = broadcast(%mask) {axes=[0,1]} : f32[N,4,3]',
      '%z = mul(%y, %w) : f32[N,4,3]',
      'return %z',
    ];
    expect(attentionMasks(head(addend, values))).toEqual([]);
    expect(attentionMasks(head(addend, ['return y=%y, m=%m']))).toEqual([]);
  });

  it('where the softmax is no attention but the end', () => {
    const graph = parse(
      `graph @g {
  %x = input() : f32[N,4]
  %mask = input() : f32[N,4]
  %l = add(%x, %mask) : f32[N,4]
  %y = softmax(%l) {axis=1} : f32[N,4]
  return %y
}`,
      forward,
    );
    expect(attentionMasks(graph)).toEqual([]);
  });

  it('where it is a factor of the scores themselves', () => {
    const lines = ['%k = einsum(%s, %m) {eq="bqk,bjk->bqj"} : f32[N,4,4]', '%l = add(%k, %c) : f32[N,4,4]'];
    expect(attentionMasks(head(lines))).toEqual([]);
  });

  it('where no output depends on it', () => {
    expect(attentionMasks(head(['%l = add(%s, %c) : f32[N,4,4]']))).toEqual([]);
  });
});
