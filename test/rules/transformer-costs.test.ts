// Costs of transformers: every method takes as few contractions as it needs, on the rows and blocks that it needs.
import { describe, expect, it } from 'vitest';
import { type Compiled, canonical, compileExplanation } from '../../src/api/pipeline.js';
import { contractions } from '../../src/ir/analyses/multiply-adds.js';
import { removeDeadCode } from '../../src/ir/passes/dead-code.js';
import type { AttentionOptions } from '../../src/rules/attention/method.js';
import { type Costs, costsOf, printCosts } from '../../src/rules/costs.js';
import { servedValue } from '../../src/rules/expand.js';
import { presetNamed } from '../../src/rules/presets.js';
import { bertBase, textEncoder, visionTransformer, vitBase } from './transformer.js';

type Forward = ReturnType<typeof canonical>;

const compiled = (model: Forward, name: string, attention?: AttentionOptions): Compiled =>
  compileExplanation(model, { preset: presetNamed(name), ...(attention && { attention }) });

function costs({ stages, program }: Compiled): Costs {
  return costsOf(stages.get('specialize')!, program.graph, stages.get('relevance')!.outputs.scores!);
}

const total = (list: readonly { readonly multiplyAdds: number }[]) =>
  list.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

/** Multiply–adds before values are cropped, without what no output needs. */
const uncropped = ({ stages }: Compiled) =>
  contractions(removeDeadCode(stages.get('common-subexpressions')!));

const vit = canonical(visionTransformer(vitBase));
const bert = canonical(textEncoder(bertBase));

interface Expected {
  readonly what: string;
  readonly model: Forward;
  readonly lines: readonly (readonly [preset: string, line: string])[];
}

const expected: readonly Expected[] = [
  {
    what: 'ViT-B/16, 197 tokens',
    model: vit,
    lines: [
      ['attnlrp', '98 + 121 contractions, 1.90 × forward, floor 1.90'],
      ['cp-lrp', '98 + 61 contractions, 1.69 × forward, floor 1.69'],
      ['transformer-attribution', '98 + 448 contractions, 5.41 × forward, floor 5.41'],
      ['rollout', '98 + 334 contractions, 4.47 × forward, floor 4.47'],
      ['full', '98 + 342 contractions, 4.58 × forward, floor 4.58'],
      ['last-layer', '98 + 15 contractions, 0.93 × forward, floor 0.93'],
    ],
  },
  {
    what: 'BERT-base, 128 tokens',
    model: bert,
    lines: [
      ['attnlrp', '98 + 122 contractions, 1.89 × forward, floor 1.89'],
      ['cp-lrp', '98 + 62 contractions, 1.69 × forward, floor 1.69'],
      ['transformer-attribution', '98 + 456 contractions, 5.45 × forward, floor 5.45'],
      ['attention-rollout', '98 + 11 contractions, 0.93 × forward, floor 0.93'],
    ],
  },
];

describe.each(expected)('$what', ({ model, lines }) => {
  it.each(lines.map(([name, line]) => ({ name, line })))('$name: $line', ({ name, line }) => {
    const explanation = compiled(model, name);
    const found = costs(explanation);
    expect(printCosts(found)).toBe(line);
    expect(found.total / found.floor!).toBeLessThan(1.001);
    // What is cropped is computed no more often than it was
    const [before, after] = [uncropped(explanation), contractions(explanation.program.graph)];
    expect(after.length).toBe(before.length);
    expect(total(after)).toBeLessThan(0.96 * total(before));
  });
});

const small = canonical(
  visionTransformer({ blocks: 3, width: 12, heads: 2, classes: 5, picture: 8, patch: 4 }),
);

/** How many contractions each layer takes beyond its forward, by name; layers without one are left out. */
function added(explanation: Compiled): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { layer } of costs(explanation).layers) counts[layer] = -1;
  for (const { node } of contractions(explanation.program.graph)) {
    const layer = servedValue(node.name);
    if (counts[layer] !== undefined) counts[layer]++;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

const under = (counts: Record<string, number>, prefix: string) =>
  Object.fromEntries(
    Object.entries(counts).flatMap(([layer, count]) =>
      layer.startsWith(prefix) ? [[layer.slice(prefix.length), count]] : [],
    ),
  );

describe('floors', () => {
  it('count every pass over a layer, also where two start at one seed', () => {
    const { layers } = costs(compiled(small, 'transformer-attribution'));
    const head = layers.find(({ layer }) => layer === 'head')!;
    const classes = 5;
    // The forward; two halves by sign, forwards; of these and of the derivative one row of five, back
    expect(head.floor! / head.forward).toBeCloseTo(1 + 2 + 2 / classes + 1 / classes, 12);
    expect(head.total / head.forward).toBe(3);
  });
});

describe('dead parts', () => {
  it('of a rollout: all below its first block, and below the matrix there', () => {
    const counts = added(compiled(small, 'transformer-attribution', { block: 1 }));
    expect([under(counts, 'block0/'), under(counts, 'patches')]).toEqual([{}, {}]);
    // The derivative and the relevance of the weights: a transpose each
    expect(under(counts, 'block1/attention/')).toEqual({ mixed: 2, output: 5 });
    expect(under(counts, 'block2/attention/')).toEqual({
      ...{ query: 5, key: 5, value: 5, output: 5 },
      ...{ scores: 4, mixed: 4 },
    });
  });

  it.each(['last-layer', 'last-layer-ablation'])('of %s: all below the last block', (name) => {
    const counts = added(compiled(small, name));
    expect([under(counts, 'block0/'), under(counts, 'block1/')]).toEqual([{}, {}]);
    expect(Object.keys(under(counts, 'block2/attention/')).sort()).toEqual(['mixed', 'output']);
  });

  it('of cp-lrp: queries and keys', () => {
    const counts = added(compiled(small, 'cp-lrp'));
    for (const block of ['block0', 'block1', 'block2']) {
      const own = under(counts, `${block}/attention/`);
      expect(own).toEqual({ value: 1, mixed: 1, output: 1 });
    }
  });

  it('of a rollout: all rows but one', () => {
    const { program } = compiled(small, 'attention-rollout');
    const tokens = 5;
    const products = contractions(program.graph).filter(({ node }) => node.attrs.eq === 'ni,nij->nj');
    expect(products.map(({ multiplyAdds }) => multiplyAdds)).toEqual([tokens ** 2, tokens ** 2]);
  });

  it('of the last block: all rows but the class token of what follows its keys and values', () => {
    const found = costs(compiled(small, 'transformer-attribution'));
    const forwards = found.layers.filter(({ layer }) => layer.startsWith('block2/'));
    const share = Object.fromEntries(
      forwards.map(({ layer, forward, total: all }) => [layer.slice('block2/'.length), (5 * all) / forward]),
    );
    // One of five rows in every pass; keys and values in all of them
    expect(share).toMatchObject({
      ...{ 'attention/query': 6, 'attention/key': 30, 'attention/value': 30, 'attention/output': 6 },
      ...{ 'attention/scores': 5, 'attention/mixed': 5, 'mlp/fc1': 6, 'mlp/fc2': 6 },
    });
  });
});
