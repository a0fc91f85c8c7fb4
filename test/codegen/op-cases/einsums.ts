// Contractions: dense layers, batched products and attention, in many layouts.
import { type OpCase, opCase } from './op-case.js';

/** Equations with the shapes of both factors and of the result. */
const equations: readonly (readonly [string, string, string, string])[] = [
  ['bi,ij->bj', 'N,4', '4,3', 'N,3'],
  ['bi,ji->bj', 'N,4', '3,4', 'N,3'],
  ['bti,ij->btj', 'N,5,4', '4,3', 'N,5,3'],
  ['bi,jki->bjk', 'N,4', '3,2,4', 'N,3,2'],
  ['bxyc,cd->bxyd', 'N,2,3,4', '4,5', 'N,2,3,5'],
  ['bxc,xcd->bd', 'N,2,3', '2,3,4', 'N,4'],
  ['bcx,xcd->bd', 'N,3,2', '2,3,4', 'N,4'],
  ['bi,bj->bij', 'N,3', 'N,4', 'N,3,4'],
  ['bi,bi->b', 'N,3', 'N,3', 'N'],
  ['bi,bi->bi', 'N,3', 'N,3', 'N,3'],
  ['bhqd,bhkd->bhqk', 'N,2,3,4', 'N,2,5,4', 'N,2,3,5'],
  ['bhqk,bhkd->bhqd', 'N,2,3,5', 'N,2,5,4', 'N,2,3,4'],
  ['bqhd,bkhd->bhqk', 'N,3,2,4', 'N,5,2,4', 'N,2,3,5'],
  ['bhqk,bkhd->bqhd', 'N,2,3,5', 'N,5,2,4', 'N,3,2,4'],
  ['bij,bjk->bki', 'N,2,3', 'N,3,4', 'N,4,2'],
  ['ij,kj->ik', '2,3', '4,3', '2,4'],
  ['ji,jk->ki', '3,2', '3,4', '4,2'],
  ['ij,ij->', '2,3', '2,3', ''],
  ['i,j->ij', '2', '3', '2,3'],
];

export const einsumCases: readonly OpCase[] = [
  ...equations.map(([eq, a, b, out]) =>
    opCase(
      `einsum ${eq}`,
      { x: `in f32[${a}]`, w: `in f32[${b}]` },
      `einsum(%x, %w) {eq="${eq}"} : f32[${out}]`,
    ),
  ),
  ...equations
    .filter(([, , b]) => !b.includes('N'))
    .map(([eq, a, b, out]) =>
      opCase(
        `einsum ${eq} of a weight`,
        { x: `in f32[${a}]`, w: `w f32[${b}]` },
        `einsum(%x, %w) {eq="${eq}"} : f32[${out}]`,
      ),
    ),
  opCase(
    'einsum of a weight on the left',
    { x: 'w f32[3,4]', y: 'in f32[N,4]' },
    'einsum(%x, %y) {eq="ij,bj->bi"} : f32[N,3]',
  ),
  opCase(
    'einsum with a bias',
    { x: 'in f32[N,4]', w: 'w f32[4,3]', b: 'w f32[3]' },
    'einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[N,3]',
  ),
  opCase(
    'einsum with a bias, turned',
    { x: 'in f32[N,4]', w: 'w f32[3,4]', b: 'w f32[3]' },
    'einsum(%x, %w, %b) {eq="bi,ji->bj"} : f32[N,3]',
  ),
  opCase(
    'einsum with a bias of inner axes',
    { x: 'in f32[N,5,4]', w: 'w f32[4,3,2]', b: 'w f32[3,2]' },
    'einsum(%x, %w, %b) {eq="bti,ihd->bhtd"} : f32[N,3,5,2]',
  ),
  opCase(
    'einsum with a bias of all axes in front',
    { x: 'in f32[2,4]', w: 'w f32[4,3]', b: 'w f32[3]' },
    'einsum(%x, %w, %b) {eq="bi,ij->jb"} : f32[3,2]',
  ),
  opCase(
    'einsum of views',
    { x: 'in f32[N,4]', w: 'w f32[3]' },
    '%v = broadcast(%w) {axes=[1]} : f32[4,3]',
    'einsum(%x, %v) {eq="bi,ij->bj"} : f32[N,3]',
  ),
];
