// Costs: every preset takes as few contractions as its rules need, on a convolutional network with ReLUs.
import { describe, expect, it } from 'vitest';
import { canonical, compileExplanation } from '../../src/api/pipeline.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { forward } from '../../src/ir/forward.js';
import type { Name } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { type Costs, costsOf, printCosts } from '../../src/rules/costs.js';
import { base, presetNamed, type Seed } from '../../src/rules/presets.js';
import { resolved } from '../../src/rules/resolve.js';
import { ruleTable } from '../../src/rules/rules.js';
import { valuePresets } from '../presets.js';

const still = [
  [1, 1],
  [1, 1],
];

/** VGG16 for pictures of 224 by 224: thirteen convolutions and three dense layers. Kernels are never looked at. */
function vgg16(): Program {
  const builder = new GraphBuilder('VGG16', forward);
  const weights = new Map<string, TensorData>();
  const param = (name: Name, shape: readonly number[]) => {
    if (shape.length === 1) weights.set(name, tensor(shape, new Float32Array(shape[0]!)));
    return builder.add('param', [], { name, attrs: { key: name }, type: { dtype: 'f32', shape } });
  };
  const layer = (x: Name, name: Name, op: string, kernel: readonly number[], attrs = {}) => {
    const args = [x, param(`${name}/kernel`, kernel), param(`${name}/bias`, kernel.slice(-1))];
    return builder.add(op, args, { name, attrs });
  };
  let x = builder.add('input', [], { name: 'x', type: { dtype: 'f32', shape: ['N', 224, 224, 3] } });
  let channels = 3;
  for (const [block, widths] of [
    [64, 64],
    [128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [512, 512, 512],
  ].entries()) {
    for (const [index, width] of widths.entries()) {
      const attrs = { strides: [1, 1], padding: still };
      const z = layer(x, `block${block + 1}/conv${index + 1}`, 'conv', [3, 3, channels, width], attrs);
      x = builder.add('relu', [z]);
      channels = width;
    }
    const window = { window: [2, 2], strides: [2, 2], padding: still.map(() => [0, 0]) };
    x = builder.add('max_pool', [x], { attrs: window });
  }
  x = builder.add('reshape', [x], { type: { dtype: 'f32', shape: ['N', 25088] } });
  for (const [index, width] of [4096, 4096, 1000].entries()) {
    const inputs = builder.typeOf(x).shape[1] as number;
    x = layer(x, `fc${index + 1}`, 'einsum', [inputs, width], { eq: 'bi,ij->bj' });
    x = builder.add(index < 2 ? 'relu' : 'softmax', [x], index < 2 ? {} : { attrs: { axis: 1 } });
  }
  return { graph: builder.finish({ scores: x }), weights };
}

const model = canonical(vgg16());

function costs(name: string, seed?: Seed): Costs {
  const range = [-124, 152] as const;
  const preset = presetNamed(name);
  const { stages, program } = compileExplanation(model, {
    preset,
    range,
    ...(seed === undefined ? {} : { seed }),
  });
  const ruled = stages.get('specialize')!;
  return costsOf(ruled, program.graph, stages.get('relevance')!.outputs.scores!);
}

describe('VGG16', () => {
  it.each(valuePresets)('%s is at its floor', (name) => {
    const { layers, total, floor } = costs(name);
    expect(layers).toHaveLength(16);
    for (const { layer, total: own, floor: least } of layers) {
      // The last transpose is a row of the weight, which no contraction computes
      const isLast = layer === 'fc3';
      expect(own / least!, layer).toBeLessThanOrEqual(1 + 1e-9);
      if (!isLast) expect(own / least!, layer).toBeGreaterThanOrEqual(1 - 1e-9);
    }
    expect(total / floor!).toBeLessThanOrEqual(1);
    expect(total / floor!).toBeGreaterThan(0.999);
  });

  it.each([
    ['epsilon', '16 + 15 contractions, 2.00 × forward, floor 2.00'],
    ['epsilon-plus', '16 + 30 contractions, 3.00 × forward, floor 3.00'],
    ['epsilon-plus-flat', '16 + 27 contractions, 2.98 × forward, floor 2.98'],
    ['epsilon-alpha2-beta1', '16 + 45 contractions, 4.01 × forward, floor 4.01'],
    ['epsilon-gamma-box', '16 + 28 contractions, 2.99 × forward, floor 2.99'],
  ])('%s: %s', (name, wanted) => {
    expect(printCosts(costs(name))).toBe(wanted);
  });

  it('needs no forward of its own for a denominator without the bias', () => {
    const composite = resolved(
      [['layers', { kind: ['conv', 'dense'] }, { rule: 'epsilon', params: { zeroBias: true } }], ...base],
      ruleTable,
    );
    const preset = { ...presetNamed('epsilon'), composite };
    const { stages, program } = compileExplanation(model, { preset });
    const found = costsOf(stages.get('specialize')!, program.graph, stages.get('relevance')!.outputs.scores!);
    expect(printCosts(found)).toBe('16 + 15 contractions, 2.00 × forward, floor 2.00');
  });

  it('takes the whole last transpose where relevance starts at all scores', () => {
    const { layers } = costs('epsilon', 'outputs');
    const last = layers.at(-1)!;
    expect([last.layer, last.total / last.forward, last.floor! / last.forward]).toEqual(['fc3', 2, 2]);
  });
});

describe('by layer', () => {
  it('what is below the last value that is asked for costs its forward alone', () => {
    const preset = presetNamed('epsilon-plus');
    const { stages, program } = compileExplanation(model, { preset, relevanceOf: ['block3/conv1'] });
    const { layers } = costsOf(
      stages.get('specialize')!,
      program.graph,
      stages.get('relevance')!.outputs.scores!,
    );
    expect(layers.map(({ total, forward: own }) => Math.round(total / own))).toEqual([
      ...[1, 1, 1, 1, 1],
      ...[3, 3, 3, 3, 3, 3, 3, 3],
      ...[2, 2, 1],
    ]);
  });
});
