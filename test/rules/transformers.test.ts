// AttnLRP and conservative propagation on small transformers: what is kept, what is lost to which cause, what is stopped.
import { describe, expect, it } from 'vitest';
import { checkConservation } from '../../src/api/check.js';
import type { ConservationReport } from '../../src/api/conservation.js';
import { canonical, compileExplanation } from '../../src/api/pipeline.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Graph } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { tensor } from '../../src/ir/tensor.js';
import { presetOf, type Rules } from '../../src/rules/composite-file.js';
import { explain } from '../../src/rules/explanation.js';
import { presetNamed } from '../../src/rules/presets.js';
import { targetInput } from '../../src/rules/seed.js';
import { expectClose, holds, relevanceOfX } from './law-support.js';
import type { Net } from './random-nets.js';
import { smallTransformer, type TransformerShape } from './small-transformers.js';
import { dialect, exact, explained, propagate, row, total } from './support.js';

const exactly = { denominator: 'exact' } as const;

/** Identity on normalization and softmax, products halved, sums by contributions: as Chefer et al. hand relevance on. */
const cheferLike: Rules = {
  name: 'chefer-like',
  composite: [
    ['identity', { kind: ['softmax', 'normalization'] }, { rule: 'pass' }],
    ['product', { kind: 'product' }, { rule: 'norm', params: { ...exactly, share: 0.5 } }],
    ['layer', { kind: ['conv', 'dense'] }, { rule: 'epsilon', params: exactly }],
  ],
  extends: 'base',
};

/** The account of the first sample, and the difference of the compiled graph from it. */
async function checked(net: Net, rules: Rules): Promise<ConservationReport> {
  const preset = presetOf(rules);
  const compiled = compileExplanation(canonical(net), { preset });
  const inputs = { x: row(net.x, 0), [targetInput]: tensor([1], [-1], 'i32') };
  const outputs = evaluate(compiled.program.graph, dialect, inputs, compiled.program.weights);
  return checkConservation(compiled, { inputs, outputs }, { rules: preset.name, seed: preset.seed });
}

const families: readonly (readonly [string, Omit<TransformerShape, 'seed'>])[] = [
  ['layer norm, gelu', {}],
  ['layer norm, gelu by tanh, a mask of −1e9', { perceptron: 'gelu_tanh', mask: -1e9 }],
  ['RMS norm, gates', { normalization: 'rms_norm', perceptron: 'gated', constants: false }],
  ['layer norm, relu, three blocks', { perceptron: 'relu', blocks: 3, heads: 1 }],
];

const named = (report: ConservationReport) =>
  Object.entries(report.causes)
    .filter(([, amount]) => Math.abs(amount) > 1e-9 * Math.abs(report.start))
    .map(([cause]) => cause)
    .sort();

describe.each(families)('all that is lost has a cause: %s', (_name, shape) => {
  const net = smallTransformer({ seed: 5, ...shape });
  const constants = shape.constants === false ? [] : ['biases', 'constant operands'];

  it.each([
    ['attnlrp', 'attnlrp', ['softmax expansion']],
    ['cp-lrp', 'cp-lrp', []],
    ['attnlrp-gamma', 'attnlrp-gamma', ['softmax expansion']],
    ['a composite as of Chefer et al.', cheferLike, []],
  ] as const)('%s', async (_rules, rules, own) => {
    const report = await checked(net, rules as Rules);
    expect(report.unexplained).toBeLessThan(1e-9 * Math.abs(report.start));
    expect(report.ok, report.verdict).toBe(true);
    // Constants that are folded are rounded to f32
    expect(report.agreement.difference).toBeLessThan(1e-6);
    // Gamma has two more; a gate that is 0, or tokens that no score depends on, have nothing to lose
    const others = new Set(['ε', 'zero denominators', 'one-signed neurons']);
    expect(named(report).filter((cause) => !others.has(cause))).toEqual([...constants, ...own].sort());
  });
});

const bare = { constants: false } as const;

/** Σ over each sample. */
const sums = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }) =>
  Array.from({ length: shape[0]! }, (_, sample) => {
    const size = data.length / shape[0]!;
    return total(Array.from(data).slice(sample * size, (sample + 1) * size));
  });

describe('without biases and offsets', () => {
  it.each(['layer_norm', 'rms_norm'] as const)(
    '(L37) cp-lrp conserves: ΣR at x is the logit: %s',
    (normalization) => {
      holds(({ seed }) => {
        for (const perceptron of ['gelu', 'gated'] as const) {
          const net = smallTransformer({ seed, ...bare, normalization, perceptron });
          const { logit, ...found } = explained(net, { preset: presetNamed('cp-lrp') }, net.x);
          expectClose(sums(found['relevance.x']!), logit!.data, 1e-8);
        }
      });
    },
  );

  it('(L38) attnlrp loses to the expansions of softmax alone', async () => {
    for (const seed of [1, 2, 3]) {
      const report = await checked(smallTransformer({ seed, ...bare }), 'attnlrp');
      expect(named(report)).toEqual(['softmax expansion']);
      const arrived = report.arrived[0]!.amount;
      expect(arrived + report.causes['softmax expansion']!).toBeCloseTo(report.start, 8);
    }
  });
});

describe('stopped values', () => {
  const text = `graph @stopped {
    %x = input() : f32[N,3]
    %y = input() : f32[N,3]
    %e = exp(%x) : f32[N,3]
    %r = reciprocal(%e) : f32[N,3]
    %p = softmax(%r) {axis=1} : f32[N,3]
    %z = mul(%p, %y) : f32[N,3]
    return %z
  }`;
  const graph = parse(text, forward);
  const linesOf = ({ nodes }: Graph) =>
    [...nodes.values()].filter(({ op }) => op.startsWith('rule.')).map(({ name, op }) => `${name}: ${op}`);

  it('what leads to them alone needs no rule: exp and reciprocal have none here', () => {
    const result = explain(graph, dialect, { preset: presetNamed('cp-lrp') });
    expect(linesOf(result.graph)).toEqual(['r.y: rule.signal']);
    expect(result.chosen.map(({ node }) => node)).toEqual(['z']);
    expect(result.notes).toContain('no relevance reaches input %x');
  });

  it('a stopped op has a line for the account, and hands nothing on', () => {
    const stopping = propagate(graph, [
      ['product', { op: 'mul' }, { rule: 'uniform' }],
      ['softmax', { op: 'softmax' }, { rule: 'stop' }],
    ]);
    expect(linesOf(stopping)).toEqual(['r.p: rule.uniform', 'r.y: rule.uniform', 'r.r: rule.stop']);
    expect(Object.keys(stopping.outputs)).toEqual(['z', 'p', 'y']);
  });
});

describe('what weighs a product', () => {
  const types = '%x = input() : f32[N,4]\n%y = input() : f32[N,4]\n';

  /** The operands of %z that signal hands relevance to, and of a dense layer's on the way none. */
  function signals(lines: string): string[] {
    const graph = parse(`graph @product {\n${types}${lines}\nreturn %z\n}`, forward);
    const composite = [
      ['product', { name: 'z' }, { rule: 'signal' }],
      ['rest', {}, { rule: 'gradient' }],
    ] as const;
    const product = [...propagate(graph, composite).nodes.values()].filter(({ op }) => op === 'rule.signal');
    return product.map(({ args, attrs }) => args[attrs.to as number]!);
  }

  it.each([
    ['a softmax', '%g = softmax(%x) {axis=1} : f32[N,4]', ['y']],
    ['a sigmoid', '%g = sigmoid(%x) : f32[N,4]', ['y']],
    ['swish', '%g = swish(%x) : f32[N,4]', ['y']],
    ['nothing', '%g = neg(%x) : f32[N,4]', ['g', 'y']],
  ])('%s', (_name, g, wanted) => {
    expect(signals(`${g}\n%z = mul(%g, %y) : f32[N,4]`)).toEqual(wanted);
    expect(signals(`${g}\n%z = mul(%y, %g) : f32[N,4]`)).toEqual([...wanted].reverse());
  });

  it('a sigmoid times a tanh goes to the tanh, whatever their order', () => {
    const both = '%g = sigmoid(%x) : f32[N,4]\n%t = tanh(%y) : f32[N,4]\n';
    expect(signals(`${both}%z = mul(%g, %t) : f32[N,4]`)).toEqual(['t']);
    expect(signals(`${both}%z = mul(%t, %g) : f32[N,4]`)).toEqual(['t']);
  });

  it('is seen through views and constant factors, not through what changes it otherwise', () => {
    const softmax = '%s = softmax(%x) {axis=1} : f32[N,4]\n%c = constant() {value=2} : f32[N,4]\n';
    const seen = '%d = div(%s, %c) : f32[N,4]\n%m = mul(%c, %d) : f32[N,4]\n%r = reshape(%m) : f32[N,4]\n';
    expect(signals(`${softmax}${seen}%z = mul(%r, %y) : f32[N,4]`)).toEqual(['y']);
    expect(signals(`${softmax}%r = add(%s, %c) : f32[N,4]\n%z = mul(%r, %y) : f32[N,4]`)).toEqual(['r', 'y']);
    expect(signals(`${softmax}%r = div(%c, %s) : f32[N,4]\n%z = mul(%r, %y) : f32[N,4]`)).toEqual(['r', 'y']);
  });
});

describe('masks', () => {
  it.each([-1e9, -3.4e38, Number.NEGATIVE_INFINITY])(
    'a score of %d gets nothing, and nothing is not a number',
    (mask) => {
      for (const name of ['attnlrp', 'cp-lrp']) {
        const net = smallTransformer({ seed: 3, mask, constants: false });
        const found = relevanceOfX(net, name);
        expect(found.data.every(Number.isFinite)).toBe(true);
        // The masked token is the last: it is read by its own queries alone, which lead to no score
        const last = Array.from(found.data).filter((_, i) => Math.floor(i / 6) % 4 === 3);
        expect(last.every((value) => value === 0)).toBe(true);
      }
    },
  );

  it('a row that is masked as a whole gets nothing', () => {
    const softmax = parse(
      'graph @row {\n%x = input() : f32[N,3]\n%z = softmax(%x) {axis=1} : f32[N,3]\nreturn %z\n}',
      forward,
    );
    const ruled = propagate(softmax, [['softmax', {}, { rule: 'softmax' }]]);
    for (const mask of [-1e9, Number.NEGATIVE_INFINITY]) {
      const x = exact([2, 3], [mask, mask, mask, 1, mask, 2]);
      const { x: r } = evaluate(ruled, dialect, { x, R: exact([2, 3], [1, 2, 3, 1, 0, -2]) }, new Map());
      expect([...r!.data.slice(0, 3)]).toEqual([0, 0, 0]);
      expect(r!.data.every(Number.isFinite)).toBe(true);
    }
  });
});
