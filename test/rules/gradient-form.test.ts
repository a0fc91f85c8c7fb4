// The gradient form: the same relevance as rule by rule, by a backward pass without quotients.
import { describe, expect, it } from 'vitest';
import { canonical, compileExplanation, dialect } from '../../src/api/pipeline.js';
import { contractions } from '../../src/ir/analyses/multiply-adds.js';
import { Arithmetic } from '../../src/ir/arithmetic.js';
import { GraphBuilder } from '../../src/ir/builder.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import { bindShape } from '../../src/ir/type.js';
import { presetOf, type Rules } from '../../src/rules/composite-file.js';
import { explain } from '../../src/rules/explanation.js';
import { convertToGradientForm } from '../../src/rules/gradient-form.js';
import { presetNamed, presets, type Seed, seeds } from '../../src/rules/presets.js';
import { type RuleName, ruleTable } from '../../src/rules/rules.js';
import { familyOf } from './families.js';
import { expectClose } from './law-support.js';
import { convNet, mixedNet, type Net, residualNet } from './random-nets.js';
import { singleOps } from './single-ops.js';
import { smallTransformer } from './small-transformers.js';
import { exact, lower, noWeights, propagate, relativeError, sequence, uniform } from './support.js';
import { activeOperands, ruleNames } from './trials.js';

const shape = { seed: 3, depth: 2, width: 2, batch: 2 };

const nets: readonly (readonly [string, Net])[] = [
  ['transformer, layer norm, gelu', smallTransformer({ seed: 1 })],
  ['transformer, gelu by tanh, masked', smallTransformer({ seed: 2, perceptron: 'gelu_tanh', mask: -1e9 })],
  [
    'transformer, RMS norm, gates',
    smallTransformer({ seed: 3, normalization: 'rms_norm', perceptron: 'gated' }),
  ],
  ['transformer, relu, no constants', smallTransformer({ seed: 4, perceptron: 'relu', constants: false })],
  ['convolutions with everything on the way', mixedNet(shape)],
  ['convolutions, max pool', convNet(shape, 'max_pool')],
  ['residual, tanh', residualNet(shape, 'tanh')],
];

const inputsOf = ({ x }: Net) => ({
  x,
  'seed.target': tensor([x.shape[0]!], new Array<number>(x.shape[0]!).fill(-1), 'i32'),
});

/** What both stages give, all outputs, rule by rule and in the gradient form. */
function both(net: Net, rules: Rules, request: { relevanceOf?: readonly Name[]; seed?: Seed } = {}) {
  const { stages, weights } = compileExplanation(canonical(net), { preset: presetOf(rules), ...request });
  const [plain, converted] = (['specialize', 'gradient-form'] as const).map((stage) =>
    lower(stages.get(stage)!),
  ) as [Graph, Graph];
  const [wanted, got] = [plain, converted].map((graph) =>
    evaluate(graph, dialect, inputsOf(net), weights),
  ) as [Record<string, TensorData>, Record<string, TensorData>];
  return { plain, converted, wanted, got };
}

const count = ({ nodes }: Graph, op: string) => [...nodes.values()].filter((node) => node.op === op).length;

describe.each(nets)('%s', (_name, net) => {
  it.each(['attnlrp', 'cp-lrp', 'attnlrp-gamma', 'cp-lrp-gamma'])(
    '(L39) %s: the gradient form is what the rules say, to rounding',
    (preset) => {
      const { wanted, got } = both(net, preset);
      expectClose(got['relevance.x']!.data, wanted['relevance.x']!.data, 1e-11);
    },
  );
});

describe('what it costs', () => {
  const multiplyAdds = (graph: Graph) =>
    contractions(graph).reduce((sum, { multiplyAdds: cost }) => sum + cost, 0);

  it.each(nets)('no quotient of relevances, and the contractions of a derivative: %s', (_name, net) => {
    const { plain, converted } = both(net, 'attnlrp');
    expect(count(plain, 'quotient')).toBeGreaterThan(0);
    // What is left is z / x of activations
    const activations = [...net.graph.nodes.values()].filter(({ op }) =>
      ['gelu', 'gelu_tanh', 'tanh', 'clip'].includes(op),
    );
    expect(count(converted, 'quotient')).toBe(activations.length);
    const derivative = lower(
      compileExplanation(canonical(net), { preset: presetNamed('gradient') }).stages.get('specialize')!,
    );
    expect(multiplyAdds(converted)).toBe(multiplyAdds(derivative));
    expect(contractions(converted)).toHaveLength(contractions(derivative).length);
    expect(converted.nodes.size).toBeLessThan(plain.nodes.size);
  });

  it('conservative propagation needs less than a derivative', () => {
    const net = smallTransformer({ seed: 1 });
    const [attention, conservative] = ['attnlrp', 'cp-lrp'].map((preset) => both(net, preset).converted);
    // In each block: nothing back through q·k, nor to the weights, nor through the layers of q and k
    expect(contractions(attention!).length - contractions(conservative!).length).toBe(2 * 5);
  });
});

describe('where it does not apply', () => {
  const net = mixedNet(shape);
  const exactOnes = ['attnlrp', 'cp-lrp'];
  const others = [...presets.values()].filter(
    ({ name, result }) => !name.startsWith('attnlrp') && !name.startsWith('cp-lrp') && result !== 'attention',
  );

  it.each(others.map((preset) => [preset.name, preset] as const))('%s is as it was', (_name, preset) => {
    const { graph } = explain(net.graph, dialect, { preset, range: [-1, 1] });
    expect(convertToGradientForm(graph, dialect)).toBe(graph);
  });

  it.each(exactOnes)('%s with a stabiliser is as it was', (name) => {
    const stabilised = presetNamed(name).composite.map(
      ([line, match, { rule, params = {} }]) =>
        [
          line,
          match,
          {
            rule,
            params: params.denominator === 'exact' ? { ...params, denominator: 'plain', eps: 1e-6 } : params,
          },
        ] as const,
    );
    const { graph } = explain(net.graph, dialect, { preset: presetOf(stabilised) });
    expect(convertToGradientForm(graph, dialect)).toBe(graph);
  });

  it('a rule without one in the middle gets R, and what is below goes on in either form', () => {
    const transformer = smallTransformer({ seed: 6, perceptron: 'relu' });
    for (const rule of ['zPlus', 'epsilon', 'gamma', 'flat']) {
      const params = rule === 'epsilon' ? { denominator: 'signed', eps: 1e-6 } : {};
      const { wanted, got } = both(transformer, {
        composite: [['some layers', { kind: 'dense', layers: [3, 5] }, { rule, params }]],
        extends: 'attnlrp',
      });
      expectClose(got['relevance.x']!.data, wanted['relevance.x']!.data, 1e-11);
    }
  });
});

describe('what is asked for', () => {
  const net = smallTransformer({ seed: 8 });

  it('relevance of any value, a value that is used several times among them', () => {
    const inner = [...net.graph.nodes.values()]
      .filter(({ op }) => ['add', 'softmax', 'einsum', 'gelu', 'layer_norm'].includes(op))
      .map(({ name }) => name);
    const { wanted, got } = both(net, 'attnlrp', { relevanceOf: ['x', ...inner] });
    expect(inner.length).toBeGreaterThan(20);
    for (const value of ['x', ...inner]) {
      const key = `relevance.${value}`;
      expectClose(got[key]!.data, wanted[key]!.data, 1e-11);
    }
  });

  it.each(seeds)('the seed %s', (seed) => {
    const { stages, weights } = compileExplanation(canonical(net), { preset: presetNamed('attnlrp'), seed });
    const inputs = {
      ...inputsOf(net),
      'seed.against': tensor([2], [-1, -1], 'i32'),
      'seed.relevance': uniform([2, 3], sequence(1)),
    };
    const [wanted, got] = (['specialize', 'gradient-form'] as const).map(
      (stage) => evaluate(lower(stages.get(stage)!), dialect, inputs, weights)['relevance.x']!.data,
    );
    expectClose(got!, wanted!, 1e-11);
  });
});

it('where z is exactly 0 it is the limit: a sum that cancels hands on what cancels', () => {
  const text = `graph @cancelling {
    %x = input() : f32[N,2]
    %w = constant() {value=[1,1]} : f32[2,1]
    %m = neg(%x) : f32[N,2]
    %h = constant() {value=2} : f32[N,2]
    %d = mul(%x, %h) : f32[N,2]
    %s = add(%d, %m) : f32[N,2]
    %r = add(%s, %m) : f32[N,2]
    %y = einsum(%r, %w) {eq="bi,ij->bj"} : f32[N,1]
    return %y
  }`;
  const net = { graph: parse(text, forward), weights: noWeights, x: exact([1, 2], [1, 3]) };
  const { wanted, got } = both(net, 'attnlrp', { relevanceOf: ['d', 's'], seed: 'one' });
  expect([...wanted['relevance.d']!.data]).toEqual([0, 0]);
  // R of %y, 1 of z = 0, is dropped by the one quotient that is left
  expect([...got['relevance.d']!.data]).toEqual([0, 0]);
  const logit = both(net, 'attnlrp', { relevanceOf: ['d'] });
  expect([...logit.wanted['relevance.d']!.data]).toEqual([0, 0]);
  expect([...logit.got['relevance.d']!.data]).toEqual([2, 6]);
});

describe('each rule on each op that it has a form for', () => {
  const params: Partial<Record<RuleName, readonly Attrs[]>> = {
    zero: [{ denominator: 'exact' }, { denominator: 'exact', zeroBias: true }],
    epsilon: [{ denominator: 'exact' }, { denominator: 'exact', zeroBias: true }],
    norm: [{ denominator: 'exact' }, { denominator: 'exact', share: 0.5 }],
    layerNorm: [{ denominator: 'exact' }, { denominator: 'exact', zeroBias: true }],
    signal: [{ denominator: 'exact' }],
    softmax: [{ masked: -1e6 }, { masked: -0.5 }],
  };
  const withForm = ruleNames.filter((rule) => ruleTable[rule].gradientForm !== undefined);
  const cases = withForm.flatMap((rule) =>
    singleOps.flatMap((single) =>
      activeOperands(single)
        .filter((operand) => ruleTable[rule].unsuited(single.node, operand) === undefined)
        .flatMap((operand) => (params[rule] ?? [{}]).map((attrs) => ({ rule, single, operand, attrs }))),
    ),
  );

  /** x ⊙ q′ and the rule's own result, from R = z ⊙ q; undefined where there is no form. */
  function compared({ rule, single, operand, attrs }: (typeof cases)[number], knowsGradient: boolean) {
    const builder = GraphBuilder.extending(single.graph, forward);
    const k = new Arithmetic(builder);
    const q = builder.add('input', [], { name: 'q', type: single.node.type });
    const relevance = k.mul('z', q, 'R');
    const site = { builder, k, node: single.node, operand, relevance, attrs };
    const own = ruleTable[rule].gradientForm!({ ...site, gradient: knowsGradient ? q : undefined });
    if (own === undefined) return undefined;
    const x = single.node.args[operand]!;
    const outputs = { got: k.mul(x, own), wanted: ruleTable[rule].expand({ ...site, name: 'r.x' }) };
    const random = sequence(operand + 5);
    const inputs: Record<Name, TensorData> = {};
    const weights = new Map<string, TensorData>();
    for (const { op, name, type } of builder.nodes.values()) {
      const low = single.positive || name === 'variance' ? 0.5 : -2;
      const data = uniform(bindShape(type.shape, 2), random, low, 2);
      if (op === 'input') inputs[name] = data;
      if (op === 'param') weights.set(name, data);
    }
    return evaluate(builder.finish(outputs), forward, inputs, weights);
  }

  it.each(withForm)('%s', (rule) => {
    for (const each of cases.filter((candidate) => candidate.rule === rule)) {
      for (const knowsGradient of [true, false]) {
        const found = compared(each, knowsGradient);
        if (found === undefined) continue;
        expect(relativeError(found.got!.data, found.wanted!.data), each.single.name).toBeLessThan(1e-11);
      }
    }
  });

  it('passing has one where z / x is bounded', () => {
    const forms = cases.filter((each) => each.rule === 'pass' && compared(each, true) !== undefined);
    expect([...new Set(forms.map(({ single }) => familyOf(single)))].sort()).toEqual(
      [
        'neg',
        'relu',
        'leaky_relu',
        'clip',
        'elu',
        'selu',
        'tanh',
        'gelu',
        'gelu_tanh',
        'swish',
        'prelu',
        'rms_norm',
      ].sort(),
    );
  });

  it('from R alone, the rules that divide by z', () => {
    const forms = cases.filter((each) => each.rule !== 'stop' && compared(each, false) !== undefined);
    expect([...new Set(forms.map(({ rule }) => rule))].sort()).toEqual(
      ['zero', 'epsilon', 'norm', 'layerNorm', 'signal'].sort(),
    );
  });
});

it('a graph of rule lines reads as before where nothing divides exactly, q where something does', () => {
  const graph = propagate(smallTransformer({ seed: 1, blocks: 1 }).graph, presetNamed('cp-lrp').composite);
  const converted = convertToGradientForm(graph, dialect);
  expect([...graph.nodes.values()].some(({ op }) => op === 'rule.layerNorm')).toBe(true);
  expect([...converted.nodes.values()].filter(({ op }) => op.startsWith('rule.'))).toEqual([]);
});
