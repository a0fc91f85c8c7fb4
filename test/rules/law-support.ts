// What the laws share: networks drawn by fast-check, presets with what they need, one op on data.
import fc from 'fast-check';
import { expect } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Name } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import type { TensorData } from '../../src/ir/tensor.js';
import type { ExplanationRequest } from '../../src/rules/explanation.js';
import { type Preset, presetNamed } from '../../src/rules/presets.js';
import type { RuleName } from '../../src/rules/rules.js';
import { valuePresets } from '../presets.js';
import { convNet, denseNet, mixedNet, type Net, type NetShape, residualNet } from './random-nets.js';
import { dialect, explained, lower, noWeights, relativeError, withDenominator, withRule } from './support.js';

const shapes: fc.Arbitrary<NetShape> = fc.record({
  seed: fc.integer(),
  depth: fc.integer({ min: 1, max: 3 }),
  width: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 3 }),
});

/** Runs a property on few, but seeded and shrinkable, networks. */
export function holds(property: (shape: NetShape) => void, numRuns = 12): void {
  fc.assert(fc.property(shapes, property), { numRuns, seed: 20 });
}

export type NetKind = readonly [name: string, draw: (shape: NetShape) => Net];

/** Networks without biases. */
export const kinds: readonly NetKind[] = [
  ['dense', denseNet],
  ['conv with max pool', (shape) => convNet(shape, 'max_pool')],
  ['conv with average pool', (shape) => convNet(shape, 'avg_pool')],
  ['residual', (shape) => residualNet(shape)],
];

/** And one with biases, and with everything else that relevance passes. */
export const allKinds: readonly NetKind[] = [
  ...kinds,
  [
    'mixed',
    (shape) => mixedNet({ ...shape, depth: Math.min(shape.depth, 2), width: Math.min(shape.width, 2) }),
  ],
];

export const presetNames = valuePresets;

/** Every preset on every kind of network that it can be asked of: Grad-CAM needs a picture. */
export const everyPreset = presetNames.flatMap((name) =>
  allKinds
    .filter(([kind]) => name !== 'grad-cam' || kind.startsWith('conv') || kind === 'mixed')
    .map(([kind, draw]) => [name, kind, draw] as const),
);

/** A preset with what it has to be told. */
export const requestFor = (preset: Preset | string): ExplanationRequest => ({
  preset: typeof preset === 'string' ? presetNamed(preset) : preset,
  range: [-1, 1],
});

/** A preset without stabilisers: what laws are exact for. */
export const unstabilised = (name: string): Preset =>
  withDenominator(presetNamed(name), { denominator: 'exact' });

export const relevanceOfX = (net: Net, preset: Preset | string): TensorData =>
  explained(net, requestFor(preset), net.x)['relevance.x']!;

export function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, within = 1e-9): void {
  expect(relativeError(got, wanted)).toBeLessThan(within);
}

/** Bit by bit, but for the sign of zero. */
export function expectSame(got: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(Array.from(got, (value) => value + 0)).toEqual(Array.from(wanted, (value) => value + 0));
}

/** One op `%z` on data: what a rule gives to operand `to`. */
export function given(
  z: string,
  inputs: Readonly<Record<Name, TensorData>>,
  rule: RuleName,
  params: Attrs,
  to = 0,
): TensorData {
  const lines = Object.entries(inputs)
    .filter(([name]) => name !== 'R')
    .map(([name, { shape }]) => `%${name} = input() : f32[N,${shape.slice(1)}]`);
  const graph = parse(['graph @single {', ...lines, `%z = ${z}`, 'return %z', '}'].join('\n'), forward);
  return evaluate(lower(withRule(graph, rule, params, to)), dialect, inputs, noWeights).r!;
}

export const exactly = { denominator: 'exact' } as const;
