// Grad-CAM, worked by hand on a map of 2×2 places and 2 channels; the layer it looks at; what it refuses.
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { tensor, type Weights } from '../../src/ir/tensor.js';
import { explain } from '../../src/rules/explanation.js';
import { lastConvolution } from '../../src/rules/grad-cam.js';
import { presetNamed } from '../../src/rules/presets.js';
import { dialect, exact, explained, refusal, relativeError } from './support.js';

const preset = presetNamed('grad-cam');
const graphOf = (lines: readonly string[], returned = '%y') =>
  parse(['graph @cam {', ...lines, `return ${returned}`, '}'].join('\n'), forward);

const one = 'padding=[[0,0],[0,0]]';
const end = [
  '%a = relu(%c) : f32[N,2,2,2]',
  '%v = reshape(%a) : f32[N,8]',
  '%w = param() {key="w"} : f32[8,2]',
  '%y = einsum(%v, %w) {eq="bi,ij->bj"} : f32[N,2]',
];
const kernel = '%k = param() {key="k"} : f32[1,1,1,2]';

/** The channels x⁺ and (−x)⁺. */
const small = graphOf([
  '%x = input() : f32[N,2,2,1]',
  kernel,
  `%c = conv(%x, %k) {${one}, strides=[1,1]} : f32[N,2,2,2]`,
  ...end,
]);

/** The same of every other place of a larger picture. */
const large = graphOf([
  '%x = input() : f32[N,4,4,1]',
  kernel,
  `%c = conv(%x, %k) {${one}, strides=[2,2]} : f32[N,2,2,2]`,
  ...end,
]);

/** By place and channel: what class 0 and class 1 get. The mean derivatives are (2, 1) and (−1, 1/2). */
const weights: Weights = new Map([
  ['k', tensor([1, 1, 1, 2], [1, -1])],
  ['w', tensor([8, 2], [1, -1, -1, 0, 2, -1, 1, 1, 3, -1, 0, 1, 2, -1, 4, 0])],
]);

function cam(graph: Graph, x: readonly number[], target: number, layer?: string) {
  const side = Math.sqrt(x.length);
  const request = layer === undefined ? { preset } : { preset, layer };
  return explained({ graph, weights }, request, exact([1, side, side, 1], x), [target])['relevance.x']!;
}

function expectCam(found: ReturnType<typeof cam>, wanted: readonly number[]): void {
  expect(relativeError(found.data, wanted)).toBeLessThan(1e-15);
}

describe('by hand, where x = (1, 2; 3, −4): the channels are (1, 2; 3, 0) and (0, 0; 0, 4)', () => {
  const x = [1, 2, 3, -4];

  it('class 0: 2·(1, 2; 3, 0) + 1·(0, 0; 0, 4)', () => {
    expectCam(cam(small, x, 0), [2, 4, 6, 4]);
  });

  it('class 1: (−1·(1, 2; 3, 0) + 1/2·(0, 0; 0, 4))⁺', () => {
    expectCam(cam(small, x, 1), [0, 0, 0, 2]);
  });

  it('before the activation: derivatives of inactive neurons are 0, so the means are 6/4 and 4/4', () => {
    // c = (1, 2; 3, −4) and −c; ∂ = (1, 2; 3, 0) and (0, 0; 0, 4): (3/2·c − c)⁺ = (c/2)⁺
    expectCam(cam(small, x, 0, 'c'), [1 / 2, 1, 3 / 2, 0]);
  });

  it('at twice the size: between places ¾ of the nearer and ¼ of the farther, at the border the place itself', () => {
    const picture = [1, 9, 2, 9, 9, 9, 9, 9, 3, 9, -4, 9, 9, 9, 9, 9];
    const rows = [
      [2, 5 / 2, 7 / 2, 4],
      [3, 13 / 4, 15 / 4, 4],
      [5, 19 / 4, 17 / 4, 4],
      [6, 11 / 2, 9 / 2, 4],
    ];
    expectCam(cam(large, picture, 0), rows.flat());
  });

  it('is at the size of the first input that is a picture', () => {
    const graph = graphOf([
      '%age = input() : f32[N,2]',
      '%x = input() : f32[N,2,2,1]',
      kernel,
      `%c = conv(%x, %k) {${one}, strides=[1,1]} : f32[N,2,2,2]`,
      ...end.slice(0, 3),
      '%z = einsum(%v, %w) {eq="bi,ij->bj"} : f32[N,2]',
      '%y = add(%z, %age) : f32[N,2]',
    ]);
    const { outputs } = explain(graph, dialect, { preset }).graph;
    expect(Object.keys(outputs).filter((key) => key.startsWith('relevance.'))).toEqual(['relevance.x']);
  });

  it('has one channel, whatever the input has', () => {
    expect(cam(large, new Array<number>(16).fill(1), 0).shape).toEqual([1, 4, 4, 1]);
  });
});

describe('the last convolution', () => {
  const x = '%x = input() : f32[N,2,2,1]';
  const square = '%k = param() {key="k"} : f32[1,1,1,1]';
  const conv = (name: string, of: string) =>
    `%${name} = conv(%${of}, %k) {${one}, strides=[1,1]} : f32[N,2,2,1]`;
  const unary = (op: string, name: string, of: string) => `%${name} = ${op}(%${of}) : f32[N,2,2,1]`;
  const chosen = (lines: readonly string[], at = 'y', returned = '%y') =>
    lastConvolution(graphOf([x, square, ...lines], returned), at);

  it('is looked at behind its activation', () => {
    expect(
      chosen([
        conv('c', 'x'),
        unary('relu', 'a', 'c'),
        conv('d', 'a'),
        unary('gelu', 'b', 'd'),
        unary('exp', 'y', 'b'),
      ]),
    ).toBe('b');
  });

  it('is looked at itself where something else follows, or something else uses it too', () => {
    expect(chosen([conv('c', 'x'), unary('exp', 'y', 'c')])).toBe('c');
    const twice = [conv('c', 'x'), unary('relu', 'a', 'c'), '%y = add(%a, %c) : f32[N,2,2,1]'];
    expect(chosen(twice)).toBe('c');
    expect(chosen([conv('y', 'x')])).toBe('y');
  });

  it('is the last that leads to what is explained, not what another output makes of it', () => {
    const lines = [conv('c', 'x'), unary('tanh', 'y', 'c'), conv('z', 'y'), unary('sigmoid', 'p', 'z')];
    expect(chosen(lines, 'y', '%y, %p')).toBe('y');
    expect(chosen(lines, 'c', '%c, %p')).toBe('c');
    expect(chosen(lines, 'z', '%z, %p')).toBe('z');
  });

  it('may be a transposed one', () => {
    const lines = [
      conv('c', 'x'),
      `%d = conv_transpose(%c, %k) {${one}, strides=[1,1]} : f32[N,2,2,1]`,
      unary('relu', 'y', 'd'),
    ];
    expect(chosen(lines)).toBe('y');
  });
});

describe('refusals', () => {
  const dense = ['%w = param() {key="w"} : f32[4,2]', '%y = einsum(%v, %w) {eq="bi,ij->bj"} : f32[N,2]'];
  const flat = graphOf(['%v = input() : f32[N,4]', ...dense]);

  it('RELC3005: a model without a convolution', () => {
    const error = refusal(() => explain(flat, dialect, { preset }));
    expect([error.code, error.detail]).toEqual([
      'RELC3005',
      'grad-cam looks at the last convolution, and the model has none',
    ]);
    expect(error.hint).toContain('option layer');
  });

  it('RELC3002: a layer or an input that is no picture', () => {
    const error = refusal(() => explain(small, dialect, { preset, layer: 'v' }));
    expect(error.code).toBe('RELC3002');
    expect(error.detail).toContain('grad-cam takes the layer %v and the input %x, f32[N,8] and f32[N,2,2,1]');
    const sequence = graphOf([
      '%x = input() : f32[N,4,1]',
      '%k = param() {key="k"} : f32[2,1,1]',
      '%y = conv(%x, %k) {padding=[[0,0]], strides=[1]} : f32[N,3,1]',
    ]);
    expect(refusal(() => explain(sequence, dialect, { preset })).code).toBe('RELC3002');
  });

  it('RELC3008: a layer that is not there; RELC3005: the option for another preset', () => {
    expect(refusal(() => explain(small, dialect, { preset, layer: 'q' })).code).toBe('RELC3008');
    const other = { preset: presetNamed('epsilon'), layer: 'a' };
    const error = refusal(() => explain(small, dialect, other));
    expect([error.code, error.hint]).toEqual(['RELC3005', 'use relevanceOf']);
  });

  it('a layer that the explained output does not depend on is noted, and nothing is left to explain', () => {
    const side = graphOf(
      [
        '%x = input() : f32[N,2,2,1]',
        '%k = param() {key="k"} : f32[1,1,1,1]',
        `%y = conv(%x, %k) {${one}, strides=[1,1]} : f32[N,2,2,1]`,
        '%p = relu(%y) : f32[N,2,2,1]',
      ],
      '%y, %p',
    );
    expect(refusal(() => explain(side, dialect, { preset, output: 'y', layer: 'p' })).code).toBe('RELC3005');
    const { explained: read } = explain(side, dialect, { preset, output: 'y' });
    expect([...read]).toEqual([['x', 'y']]);
  });
});
