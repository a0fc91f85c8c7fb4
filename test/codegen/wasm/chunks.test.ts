// Division between threads: chunks cover everything, each on its own, and no bit depends on their order.
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { dataFor, graphOf, type Sources } from '../support.js';
import { expectAgreement, expectSameBits, Loaded } from './support.js';

interface Case {
  readonly what: string;
  readonly sources: Sources;
  readonly lines: readonly string[];
}

/** @param type  of x, the one input, and of the result z of the one line */
const map = (what: string, type: string, line: string): Case => ({
  what,
  sources: { x: `in ${type}` },
  lines: [`%z = ${line}`],
});

const dense = (what: string, eq: string, [x, w, z]: readonly [string, string, string]): Case => ({
  what,
  sources: { x: `in f32[${x}]`, w: `w f32[${w}]` },
  lines: [`%z = einsum(%x, %w) {eq="${eq}"} : f32[${z}]`],
});

const cases: readonly Case[] = [
  map('a map of a prime number of elements', 'f32[199999]', 'square(%x) : f32[199999]'),
  map('a map of a multiple of a block', 'f32[65536]', 'square(%x) : f32[65536]'),
  map('a transpose', 'f32[301,333]', 'transpose(%x) {perm=[1,0]} : f32[333,301]'),
  map('every third column', 'f32[300,3,500]', 'slice(%x) {begin=[0,1,0], stride=[1,1,3]} : f32[300,1,167]'),
  map('sums of rows', 'f32[701,257]', 'sum(%x) {axes=[1]} : f32[701]'),
  map('sums of columns', 'f32[257,701]', 'sum(%x) {axes=[0]} : f32[701]'),
  map('sums of inner columns', 'f32[11,97,101]', 'sum(%x) {axes=[1]} : f32[11,101]'),
  map('maxima of columns', 'f32[257,701]', 'reduce_max(%x) {axes=[0]} : f32[701]'),
  map(
    'a pool',
    'f32[N,43,43,24]',
    'max_pool(%x) {padding=[[1,1],[1,1]], strides=[1,2], window=[3,3]} : f32[N,43,22,24]',
  ),
  dense('rows in unequal splits', 'bi,ij->bj', ['1699,5', '5,20', '1699,20']),
  dense('rows in equal splits', 'bi,ij->bj', ['2048,4', '4,7', '2048,7']),
  dense('batches, panels and splits', 'hbi,hij->hbj', ['2,1031,5', '2,5,33', '2,1031,33']),
  dense('a large matrix read once, by one row', 'bi,ij->bj', ['1,301', '301,1027', '1,1027']),
  dense('a large matrix read once, by three rows', 'bi,ij->bj', ['3,521', '521,515', '3,515']),
  dense('a large matrix read once, by its rows', 'bi,ji->bj', ['2,521', '515,521', '2,515']),
  map('maxima of long columns', 'f32[3,131,1030]', 'reduce_max(%x) {axes=[1]} : f32[3,1030]'),
  dense('one row a batch of many', 'bti,bij->btj', ['40,4,9', '40,9,31', '40,4,31']),
  {
    what: 'a large modified matrix read once, with a bias',
    sources: { x: 'in f32[1,9,30]', w: 'w f32[9,30,1031]', b: 'w f32[1031]', s: 'w f32[30]' },
    lines: [
      '%r = broadcast(%s) {axes=[1]} : f32[9,30,1031]',
      '%m = mul(%w, %r) : f32[9,30,1031]',
      '%c = einsum(%x, %m, %b) {eq="bij,ijk->bk"} : f32[1,1031]',
      '%z = relu(%c) : f32[1,1031]',
    ],
  },
  {
    what: 'rows of a picture, the last split shorter',
    sources: { x: 'in f32[N,40,41,3]', w: 'w f32[3,3,3,20]' },
    lines: ['%z = conv(%x, %w) {padding=[[1,1],[1,1]], strides=[1,1]} : f32[N,40,41,20]'],
  },
  {
    what: 'phases of a transposed convolution',
    sources: { x: 'in f32[N,40,41,3]', w: 'w f32[3,3,20,3]' },
    lines: ['%z = conv_transpose(%x, %w) {padding=[[1,1],[1,1]], strides=[2,2]} : f32[N,79,81,20]'],
  },
];

it.each(cases)('$what', ({ sources, lines }) => {
  const drawn = graphOf(sources, ...lines);
  const { inputs, weights } = dataFor(drawn, 1);
  const loaded = new Loaded({ graph: drawn.graph, weights }, 1);
  expect(loaded.mostChunks).toBeGreaterThan(1);
  const outputs = loaded.run(inputs);
  expectAgreement(drawn.graph, inputs, weights, outputs);
  loaded.spoil();
  expectSameBits(loaded.runBackwards(inputs), outputs);
});

/** Runs a module that believes to have help in a thread of its own: if it waits for ever, only the thread does. */
const helper = `
const { parentPort, workerData: { module, memory, scratch, end } } = require('node:worker_threads');
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
exports.scratch.value = scratch;
exports.workers.value = 1;
exports.run(0, end);
parentPort.postMessage('done');
`;

it('of more chunks than a state can count are computed by one thread', async () => {
  const drawn = graphOf(
    { x: 'in f32[65540,4,4]', y: 'in f32[65540,4,4]' },
    '%z = einsum(%x, %y) {eq="bti,bij->btj"} : f32[65540,4,4]',
  );
  const loaded = new Loaded({ graph: drawn.graph, weights: new Map() }, 1);
  expect(loaded.mostChunks).toBeGreaterThan(0xffff);
  const { wasm } = loaded;
  const memory = new WebAssembly.Memory({ initial: wasm.pages, maximum: wasm.pages, shared: true });
  const module = new WebAssembly.Module(wasm.bytes);
  const workerData = { module, memory, scratch: wasm.scratch.address, end: wasm.steps.end };
  const worker = new Worker(helper, { eval: true, workerData });
  const message = await new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
    setTimeout(() => resolve('waits'), 20_000).unref();
  });
  await worker.terminate();
  expect(message).toBe('done');
});
