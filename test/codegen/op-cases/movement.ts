// Sources, movement, indexing and reductions.
import { type OpCase, opCase, x } from './op-case.js';

const sources = [
  opCase('constant of one value', x('f32[N,3]'), 'constant() {value=2.5} : f32[N,3]'),
  opCase('constant', x('f32[N,3]'), 'constant() {value=[1, -2.5, 1e-9, 0]} : f32[2,2]'),
  opCase('constant scalar', x('f32[N,3]'), 'constant() {value=[7]} : f32[]'),
  opCase('constant of integers', x('f32[N,3]'), 'constant() {value=[1, 2]} : i32[2]'),
  opCase('constant of truths', x('f32[N,3]'), 'constant() {value=[1, 0]} : bool[2]'),
];

const movement = [
  opCase('reshape', x('f32[N,2,3]'), 'reshape(%x) : f32[2N,3]'),
  opCase('transpose', x('f32[N,2,3,4]'), 'transpose(%x) {perm=[0,3,1,2]} : f32[N,4,2,3]'),
  opCase('transpose of rank 5', x('f32[2,2,3,1,4]'), 'transpose(%x) {perm=[4,0,3,2,1]} : f32[4,2,1,3,2]'),
  opCase('broadcast', x('f32[N,3]'), 'broadcast(%x) {axes=[0,2]} : f32[N,4,3]'),
  opCase('broadcast of a column', x('f32[N,3]'), 'broadcast(%x) {axes=[0,1]} : f32[N,3,4]'),
  opCase('broadcast of an axis of one', x('f32[N,1,3]'), 'broadcast(%x) {axes=[0,1,2]} : f32[N,4,3]'),
  opCase('broadcast of a scalar', { x: 'w f32[]' }, 'broadcast(%x) {axes=[]} : f32[2,3]'),
  opCase('slice', x('f32[N,5,4]'), 'slice(%x) {begin=[0,1,2]} : f32[N,3,2]'),
  opCase('slice with strides', x('f32[N,7,4]'), 'slice(%x) {begin=[0,1,0], stride=[1,3,2]} : f32[N,2,2]'),
  opCase(
    'slice with strides of rank 5',
    x('f32[N,4,4,4,2]'),
    'slice(%x) {begin=[0,1,0,1,0], stride=[1,2,2,2,1]} : f32[N,2,2,2,2]',
  ),
  opCase('pad', x('f32[N,2,3]'), 'pad(%x) {high=[0,0,2], low=[0,1,0]} : f32[N,3,5]'),
  opCase('pad with a value', x('f32[N,2]'), 'pad(%x) {high=[0,1], low=[0,1], value=-3.5} : f32[N,4]'),
  opCase(
    'pad with −∞ of positives',
    { x: 'positive f32[N,2]', y: 'in f32[N,4]' },
    '%p = pad(%x) {high=[0,1], low=[0,1], value="-inf"} : f32[N,4]',
    'maximum(%p, %y) : f32[N,4]',
  ),
  opCase(
    'pad between',
    x('f32[N,2,3]'),
    'pad(%x) {high=[0,0,0], interior=[0,1,2], low=[0,0,0]} : f32[N,3,7]',
  ),
  opCase(
    'pad between and around',
    x('f32[N,2,3,2]'),
    'pad(%x) {high=[0,1,0,0], interior=[0,2,1,0], low=[0,1,2,0]} : f32[N,6,7,2]',
  ),
  opCase(
    'pad between in three axes',
    x('f32[N,2,3,2,2]'),
    'pad(%x) {high=[0,0,0,0,0], interior=[0,1,2,1,0], low=[0,1,0,0,0]} : f32[N,4,7,3,2]',
  ),
  opCase(
    'pad of nothing',
    x('f32[N,3]'),
    '%y = exp(%x) : f32[N,3]',
    'pad(%y) {high=[0,0], interior=[0,0], low=[0,0]} : f32[N,3]',
  ),
  opCase('concat', { x: 'in f32[N,2,3]', y: 'in f32[N,4,3]' }, 'concat(%x, %y, %x) {axis=1} : f32[N,8,3]'),
  opCase(
    'concat of views',
    { x: 'in f32[N,3]', c: 'constant() {value=2} : f32[N,2]', y: 'w f32[2]' },
    '%r = broadcast(%y) {axes=[1]} : f32[N,2]',
    'concat(%c, %x, %r) {axis=1} : f32[N,7]',
  ),
  opCase('reverse', x('f32[N,2,3,4]'), 'reverse(%x) {axes=[1,3]} : f32[N,2,3,4]'),
];

const indexing = [
  opCase('gather', { x: 'in f32[N,3,2]', i: 'index i32[4]' }, 'gather(%x, %i) {axis=1} : f32[N,4,2]'),
  opCase('gather of rows', { x: 'w f32[3,2]', i: 'index i32[N,4]' }, 'gather(%x, %i) {axis=0} : f32[N,4,2]'),
  opCase(
    'scatter_add',
    { x: 'in f32[N,4,2]', i: 'index i32[4]' },
    'scatter_add(%x, %i) {axis=1} : f32[N,3,2]',
  ),
  opCase(
    'scatter_add of rows',
    { x: 'in f32[N,4,2]', i: 'index i32[N,4]' },
    'scatter_add(%x, %i) {axis=0} : f32[5,2]',
  ),
  opCase('one_hot', { i: 'index i32[N,2]' }, 'one_hot(%i) {depth=3} : f32[N,2,3]'),
  opCase('one_hot out of range', { i: 'index i32[N,2]' }, 'one_hot(%i) {depth=2} : f32[N,2,2]'),
  opCase('one_hot of depth 1', { i: 'index i32[N]' }, 'one_hot(%i) {depth=1} : f32[N,1]'),
  opCase('argmax', { x: 'ties f32[N,5,3]' }, 'argmax(%x) {axis=2} : i32[N,5]'),
  opCase('argmax of an inner axis', { x: 'ties f32[N,5,3]' }, 'argmax(%x) {axis=1} : i32[N,3]'),
];

const reductions = [
  ...['sum', 'mean', 'reduce_max'].flatMap((op) => [
    opCase(op, x('f32[N,3,4]'), `${op}(%x) {axes=[2]} : f32[N,3]`),
    opCase(`${op} over inner axes`, x('f32[N,3,4,2]'), `${op}(%x) {axes=[1,2]} : f32[N,2]`),
    opCase(`${op} over nothing`, x('f32[N,3]'), `${op}(%x) {axes=[]} : f32[N,3]`),
    opCase(`${op} over everything`, { x: 'w f32[3,4]' }, `${op}(%x) {axes=[0,1]} : f32[]`),
  ]),
  ...['softmax', 'log_softmax'].flatMap((op) => [
    opCase(op, x('f32[N,3,4]'), `${op}(%x) {axis=2} : f32[N,3,4]`),
    opCase(`${op} over an inner axis`, x('f32[N,3,4]'), `${op}(%x) {axis=1} : f32[N,3,4]`),
  ]),
  opCase(
    'batch_norm',
    { x: 'in f32[N,3,4]', s: 'w f32[4]', o: 'w f32[4]', m: 'w f32[4]', v: 'w+ f32[4]' },
    'batch_norm(%x, %s, %o, %m, %v) {epsilon=0.001} : f32[N,3,4]',
  ),
];

export const movementCases: readonly OpCase[] = [...sources, ...movement, ...indexing, ...reductions];
