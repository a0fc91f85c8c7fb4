// Stabilised quotients in every mode, by tensors, views and constants.
import { type OpCase, opCase } from './op-case.js';

export const quotientCases: readonly OpCase[] = [
  'signed',
  'clip',
  'plain',
  'chefer',
  'zero-only',
  'exact',
].flatMap((mode) => {
  const type = 'f32[N,6]';
  const attrs = `{eps=0.25, mode="${mode}"}`;
  const r = 'in f32[N,6]';
  return [
    opCase(`quotient ${mode}`, { r, d: 'ties f32[N,6]' }, `quotient(%r, %d) ${attrs} : ${type}`),
    opCase(
      `quotient ${mode}, ε an operand`,
      { r, d: 'ties f32[N,6]', e: 'positive f32[N,6]' },
      `quotient(%r, %d, %e) {mode="${mode}"} : ${type}`,
    ),
    opCase(
      `quotient ${mode}, one ε`,
      { r, d: 'ties f32[N,6]', e: 'constant() {value=0.5} : f32[N,6]' },
      `quotient(%r, %d, %e) {mode="${mode}"} : ${type}`,
    ),
    opCase(
      `quotient ${mode} by a row`,
      { r, d: 'ties f32[6]' },
      '%v = broadcast(%d) {axes=[1]} : f32[N,6]',
      `quotient(%r, %v) ${attrs} : ${type}`,
    ),
    opCase(
      `quotient ${mode} of a row`,
      { r: 'in f32[6]', d: 'ties f32[N,6]' },
      '%v = broadcast(%r) {axes=[1]} : f32[N,6]',
      `quotient(%v, %d) ${attrs} : ${type}`,
    ),
    opCase(
      `quotient ${mode} of a constant`,
      { r: 'constant() {value=3} : f32[N,6]', d: 'ties f32[N,6]' },
      `quotient(%r, %d) ${attrs} : ${type}`,
    ),
    opCase(
      `quotient ${mode} by a constant`,
      { r, d: 'constant() {value=-3} : f32[N,6]' },
      `quotient(%r, %d) ${attrs} : ${type}`,
    ),
  ];
});
