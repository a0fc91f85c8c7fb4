// Elementwise ops: arithmetic, activations, logic, quotients, sums of relevance; constants and views written inline.
import { type OpCase, opCase, x } from './op-case.js';

const unaries = [
  'neg',
  'abs',
  'sign',
  'square',
  'exp',
  'erf',
  'sin',
  'cos',
  'step',
  'negative_part',
  'relu',
  'elu',
  'selu',
  'sigmoid',
  'tanh',
  'softplus',
  'gelu',
  'gelu_tanh',
  'swish',
].map((op) => opCase(op, x('f32[N,3,4]'), `${op}(%x) : f32[N,3,4]`));

const edges = { x: 'constant() {value=[-80, -1, -1e-30, 0, 1e-30, 1, 80]} : f32[7]' };

const atTheEdges = [
  'abs',
  'sign',
  'step',
  'erf',
  'relu',
  'elu',
  'selu',
  'sigmoid',
  'tanh',
  'softplus',
  'gelu',
  'gelu_tanh',
  'swish',
]
  .map((op) => opCase(`${op} of extremes`, edges, `${op}(%x) : f32[7]`))
  .concat(
    ['softmax', 'log_softmax'].map((op) => opCase(`${op} of extremes`, edges, `${op}(%x) {axis=0} : f32[7]`)),
  );

const ofPositives = ['sqrt', 'rsqrt', 'reciprocal', 'log'].map((op) =>
  opCase(op, { x: 'positive f32[N,7]' }, `${op}(%x) : f32[N,7]`),
);

const binaries = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'pow'].flatMap((op) => {
  const both = { x: 'positive f32[N,4]', y: 'positive f32[N,4]' };
  const type = 'f32[N,4]';
  const row = '%r = broadcast(%y) {axes=[1]} : f32[N,4]';
  return [
    opCase(op, both, `${op}(%x, %y) : ${type}`),
    opCase(
      `${op} of a constant`,
      { x: both.x, c: 'constant() {value=1.5} : f32[N,4]' },
      `${op}(%x, %c) : ${type}`,
    ),
    opCase(
      `${op} on a constant`,
      { x: both.x, c: 'constant() {value=1.5} : f32[N,4]' },
      `${op}(%c, %x) : ${type}`,
    ),
    opCase(`${op} of a row`, { x: both.x, y: 'positive f32[4]' }, row, `${op}(%x, %r) : ${type}`),
    opCase(`${op} on a row`, { x: both.x, y: 'positive f32[4]' }, row, `${op}(%r, %x) : ${type}`),
  ];
});

const integers = [
  opCase(
    'add of integers and a constant',
    { x: 'index i32[N,3]', c: 'constant() {value=2} : i32[N,3]' },
    'add(%x, %c) : i32[N,3]',
  ),
  opCase(
    'select of integers and a constant',
    { x: 'index i32[N,3]', b: 'coin bool[N,3]', c: 'constant() {value=2} : i32[N,3]' },
    'select(%b, %x, %c) : i32[N,3]',
  ),
  opCase('add of integers', { x: 'index i32[N,3]', y: 'index i32[N,3]' }, 'add(%x, %y) : i32[N,3]'),
];

const withParameters = [
  opCase('clip', x('f32[N,9]'), 'clip(%x) {max=0.5, min=-1} : f32[N,9]'),
  opCase('clip with one end', x('f32[N,9]'), 'clip(%x) {max="inf", min=-0.5} : f32[N,9]'),
  opCase('leaky_relu', x('f32[N,9]'), 'leaky_relu(%x) {alpha=0.2} : f32[N,9]'),
  opCase('prelu', { x: 'in f32[N,3,4]', y: 'in f32[N,3,4]' }, 'prelu(%x, %y) : f32[N,3,4]'),
  opCase(
    'prelu with one slope a channel',
    { x: 'in f32[N,3,4]', y: 'w f32[4]' },
    '%s = broadcast(%y) {axes=[2]} : f32[N,3,4]',
    'prelu(%x, %s) : f32[N,3,4]',
  ),
  opCase(
    'prelu with one slope a row',
    { x: 'in f32[N,3,4]', y: 'w f32[3]' },
    '%s = broadcast(%y) {axes=[1]} : f32[N,3,4]',
    'prelu(%x, %s) : f32[N,3,4]',
  ),
  opCase(
    'prelu of a row, with a slope for each element',
    { x: 'w f32[4]', y: 'in f32[N,3,4]' },
    '%r = broadcast(%x) {axes=[2]} : f32[N,3,4]',
    'prelu(%r, %y) : f32[N,3,4]',
  ),
];

const bools = { a: 'coin bool[N,6]', b: 'coin bool[N,6]' };

const logic = [
  ...['greater', 'greater_equal', 'equal'].flatMap((op) => [
    opCase(op, { x: 'ties f32[N,6]', y: 'ties f32[N,6]' }, `${op}(%x, %y) : bool[N,6]`),
    opCase(
      `${op} of integers and a constant`,
      { x: 'index i32[N,6]', c: 'constant() {value=1} : i32[N,6]' },
      `${op}(%x, %c) : bool[N,6]`,
    ),
  ]),
  opCase('logical_and', bools, 'logical_and(%a, %b) : bool[N,6]'),
  opCase('logical_or', bools, 'logical_or(%a, %b) : bool[N,6]'),
  opCase('logical_not', bools, 'logical_not(%a) : bool[N,6]'),
  opCase(
    'logical_and of a constant',
    { a: bools.a, c: 'constant() {value=1} : bool[N,6]' },
    'logical_and(%a, %c) : bool[N,6]',
  ),
  opCase('select', { b: bools.b, x: 'in f32[N,6]', y: 'in f32[N,6]' }, 'select(%b, %x, %y) : f32[N,6]'),
  opCase(
    'select of a constant and a row',
    { b: bools.b, c: 'constant() {value=0} : f32[N,6]', y: 'w f32[6]' },
    '%r = broadcast(%y) {axes=[1]} : f32[N,6]',
    'select(%b, %c, %r) : f32[N,6]',
  ),
  opCase(
    'select by one condition a row',
    { b: 'coin bool[N]', x: 'in f32[N,6]', y: 'in f32[N,6]' },
    '%s = broadcast(%b) {axes=[0]} : bool[N,6]',
    'select(%s, %x, %y) : f32[N,6]',
  ),
  opCase('cast to i32', x('f32[N,6]'), 'cast(%x) : i32[N,6]'),
  opCase('cast to f32', bools, 'cast(%a) : f32[N,6]'),
];

const relevance = [
  opCase(
    'accumulate',
    { r: 'in f32[N,3]', s: 'in f32[N,3]', t: 'in f32[N,3]' },
    'accumulate(%r, %s, %t) : f32[N,3]',
  ),
  opCase('batch total', x('f32[N,3]'), 'batch_total(%x) : f32[N,3]'),
  opCase(
    'batch total of a constant',
    { ...x('f32[N,3]'), c: 'constant() {value=2} : f32[N,3]' },
    '%t = batch_total(%c) : f32[N,3]',
    'mul(%x, %t) : f32[N,3]',
  ),
  opCase('accumulate of one', { r: 'in f32[N,3]' }, '%s = exp(%r) : f32[N,3]', 'accumulate(%s) : f32[N,3]'),
  opCase(
    'accumulate with a constant',
    { r: 'in f32[N,3]', c: 'constant() {value=2} : f32[N,3]' },
    'accumulate(%c, %r, %c) : f32[N,3]',
  ),
];

/** Views of views, written into the op that uses them. */
const views = [
  opCase(
    'a row of a row',
    { x: 'in f32[N,3,4]', y: 'w f32[4]' },
    '%a = broadcast(%y) {axes=[1]} : f32[3,4]',
    '%b = broadcast(%a) {axes=[1,2]} : f32[N,3,4]',
    'mul(%x, %b) : f32[N,3,4]',
  ),
  opCase(
    'a row across',
    { x: 'in f32[2,3,4]', y: 'w f32[4]' },
    '%a = broadcast(%y) {axes=[1]} : f32[2,4]',
    '%b = broadcast(%a) {axes=[0,2]} : f32[2,3,4]',
    'mul(%x, %b) : f32[2,3,4]',
  ),
  opCase(
    'a column across',
    { x: 'in f32[2,3,4]', y: 'w f32[2]' },
    '%a = broadcast(%y) {axes=[0]} : f32[2,4]',
    '%b = broadcast(%a) {axes=[0,2]} : f32[2,3,4]',
    'mul(%x, %b) : f32[2,3,4]',
  ),
  opCase(
    'a column of each sample',
    { x: 'in f32[N,3,4]', y: 'in f32[N,3]' },
    '%a = broadcast(%y) {axes=[0,1]} : f32[N,3,4]',
    'mul(%x, %a) : f32[N,3,4]',
  ),
  opCase(
    'a number of each sample',
    { x: 'in f32[N,3,4]', y: 'in f32[N]' },
    '%a = broadcast(%y) {axes=[0]} : f32[N,3,4]',
    'sub(%a, %x) : f32[N,3,4]',
  ),
  opCase(
    'a view of a constant',
    { x: 'in f32[N,3]', c: 'constant() {value=2} : f32[3]' },
    '%a = broadcast(%c) {axes=[1]} : f32[N,3]',
    'sub(%a, %x) : f32[N,3]',
  ),
  opCase(
    'views alone',
    { x: 'w f32[3]', y: 'w f32[4]' },
    '%a = broadcast(%x) {axes=[0]} : f32[3,4]',
    '%b = broadcast(%y) {axes=[1]} : f32[3,4]',
    'sub(%a, %b) : f32[3,4]',
  ),
  opCase(
    'a view used twice',
    { x: 'in f32[N,3]', y: 'w f32[3]' },
    '%a = broadcast(%y) {axes=[1]} : f32[N,3]',
    '%b = mul(%x, %a) : f32[N,3]',
    '%c = concat(%a, %b) {axis=1} : f32[N,6]',
    'mul(%c, %c) : f32[N,6]',
  ),
];

export const elementwiseCases: readonly OpCase[] = [
  ...unaries,
  ...atTheEdges,
  ...ofPositives,
  ...binaries,
  ...integers,
  ...withParameters,
  ...logic,
  ...relevance,
  ...views,
];
