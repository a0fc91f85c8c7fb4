// Custom rules in explainers: what is computed, printed, cached and emitted, and what is refused.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CompileOptions, compile } from '../../src/api/compile.js';
import type { CustomRule, CustomRules, RuledNode } from '../../src/api/custom-rules.js';
import { emit } from '../../src/api/emit.js';
import type { ExecutionTarget } from '../../src/api/engine.js';
import type { Explainer } from '../../src/api/explainer.js';
import { trace } from '../../src/api/model.js';
import { canonical } from '../../src/api/pipeline.js';
import { evaluate } from '../../src/ir/evaluate.js';
import { parseAll } from '../../src/ir/parse.js';
import { print } from '../../src/ir/print.js';
import { type TensorData, tensor } from '../../src/ir/tensor.js';
import type { Composite, Match, RuleChoice } from '../../src/rules/composite.js';
import { presets } from '../../src/rules/presets.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { runEmitted } from '../codegen/emitted.js';
import { seededWeights } from '../codegen/nets.js';
import { backends, relativeError, sequence, useBackend } from '../codegen/support.js';
import { denseNet, denseParams } from './models.js';

beforeAll(() => useBackend('cpu'));

const random = sequence(11);
const draw = (count: number) => Array.from({ length: count }, () => 2 * random() - 1);

/** A line before those of the preset epsilon. */
const first = (name: string, match: Match, choice: string | RuleChoice): Composite => [
  [name, match, typeof choice === 'string' ? { rule: choice } : choice],
  ...presets.get('epsilon')!.composite,
];

/** A power of two: the same number in both precisions. */
const eps = 2 ** -20;
const stabilised = (z: tf.Tensor) => tf.add(z, tf.where(tf.greaterEqual(z, 0), eps, -eps));

/** R at the input in f64, after all passes and by the rule lines themselves. */
async function exactly(explainer: Explainer, model: ModelFunction, options: CompileOptions, x: TensorData) {
  const { program, stages } = explainer.compiled;
  const { weights } = canonical(await trace(model, options)).program;
  const { shape } = program.graph.nodes.get('seed.target')!.type;
  const count = typeof shape[0] === 'string' ? x.shape[0]! : shape[0]!;
  const feed = { x, 'seed.target': tensor([count], new Array<number>(count).fill(-1), 'i32') };
  return {
    lowered: evaluate(program.graph, explainer.dialect, feed, program.weights)['relevance.x']!.data,
    reference: evaluate(stages.get('relevance')!, explainer.dialect, feed, weights)['relevance.x']!.data,
  };
}

const epsilonRule: CustomRule = ([x, w]: readonly tf.Tensor[], z, relevance) =>
  tf.mul(x!, tf.matMul(tf.div(relevance, stabilised(z)), w!, false, true));

describe('ε written by hand', () => {
  const options = () => ({ input: [null, 4], params: denseParams() });
  const x = tensor([3, 4], draw(12));
  const builtIn = first('dense', { kind: 'dense' }, { rule: 'epsilon', params: { eps } });
  const custom = first('dense', { kind: 'dense' }, 'mine');

  it('is the built-in ε, in f64, after all passes and as its own reference', async () => {
    const asked = options();
    const own = await compile(denseNet, { ...asked, rules: custom, customRules: { mine: epsilonRule } });
    const wanted = await compile(denseNet, { ...asked, rules: builtIn });
    const got = await exactly(own, denseNet, asked, x);
    const judge = await exactly(wanted, denseNet, asked, x);
    expect(relativeError(got.lowered, judge.reference)).toBeLessThan(1e-12);
    expect(relativeError(got.reference, judge.reference)).toBeLessThan(1e-12);
  });

  it('gives a row of a batch what it gives the row alone', async () => {
    const own = await compile(denseNet, { ...options(), rules: custom, customRules: { mine: epsilonRule } });
    const batch = await own.explain(x.data as Float32Array);
    for (const row of [0, 1, 2]) {
      const single = await own.explain(x.data.slice(4 * row, 4 * row + 4) as Float32Array);
      const part = batch.relevance.data.slice(4 * row, 4 * row + 4);
      expect(relativeError(part, single.relevance.data)).toBeLessThan(1e-6);
    }
  });

  it('serves a model without a batch', async () => {
    const net = ((rows: tf.Tensor2D, { w }: { w: tf.Tensor2D }) =>
      tf.sum(tf.matMul(rows, w), 0)) as ModelFunction;
    const asked = { input: [3, 4], params: { w: seededWeights<tf.Tensor2D>(7, [4, 2]) }, batch: null };
    const own = await compile(net, { ...asked, rules: custom, customRules: { mine: epsilonRule } });
    const wanted = await compile(net, { ...asked, rules: builtIn });
    const got = await exactly(own, net, asked, x);
    const judge = await exactly(wanted, net, asked, x);
    expect(relativeError(got.lowered, judge.reference)).toBeLessThan(1e-12);
    expect(relativeError(got.reference, judge.reference)).toBeLessThan(1e-12);
    expect(own.stages.get('relevance')!.print()).toContain('%input0 = input() : f32[3,4]');
  });
});

describe('a rule on a convolution', () => {
  const net = ((picture: tf.Tensor4D, { kernel }: { kernel: tf.Tensor4D }) =>
    tf.sum(tf.conv2d(picture, kernel, 1, 'valid'), [1, 2])) as ModelFunction;
  /** z⁺ of a picture that is nowhere negative. */
  const zPlus: CustomRule = ([x, w]: readonly tf.Tensor[], _z, relevance) => {
    const [picture, kernel] = [x as tf.Tensor4D, tf.relu(w as tf.Tensor4D)];
    const shares = tf.div<tf.Tensor4D>(relevance, stabilised(tf.conv2d(picture, kernel, 1, 'valid')));
    return tf.mul(picture, tf.conv2dTranspose(shares, kernel, picture.shape, 1, 'valid'));
  };

  it('is made of tf.conv2d and tf.conv2dTranspose, and is the built-in z⁺', async () => {
    const options = {
      input: [null, 5, 5, 2],
      params: { kernel: seededWeights<tf.Tensor4D>(3, [3, 3, 2, 4]) },
    };
    const x = tensor(
      [2, 5, 5, 2],
      draw(100).map((value) => Math.abs(value)),
    );
    const rules = first('convolution', { kind: 'conv' }, 'mine');
    const own = await compile(net, { ...options, rules, customRules: { mine: zPlus } });
    const builtIn = first('convolution', { kind: 'conv' }, { rule: 'zPlus', params: { eps } });
    const wanted = await compile(net, { ...options, rules: builtIn });
    const got = await exactly(own, net, options, x);
    const judge = await exactly(wanted, net, options, x);
    expect(relativeError(got.lowered, judge.lowered)).toBeLessThan(1e-12);
    expect(relativeError(got.reference, judge.reference)).toBeLessThan(1e-12);
  });
});

const gatedParams = () => ({
  kernel: seededWeights<tf.Tensor4D>(1, [3, 3, 3, 6]),
  down: seededWeights<tf.Tensor2D>(2, [6, 2]),
  up: seededWeights<tf.Tensor2D>(3, [2, 6]),
  head: seededWeights<tf.Tensor2D>(4, [6, 4]),
});

/** Convolution, squeeze and excitation, mean, classes. */
const gatedNet = ((picture: tf.Tensor4D, { kernel, down, up, head }: ReturnType<typeof gatedParams>) => {
  const features = tf.relu(tf.conv2d(picture, kernel, 1, 'same'));
  const squeezed = tf.relu(tf.matMul(tf.mean(features, [1, 2]) as tf.Tensor2D, down));
  const gate = tf.tidy('excite', () => tf.sigmoid(tf.matMul(squeezed as tf.Tensor2D, up)));
  const scaled = tf.tidy('scale', () => tf.mul(features, tf.reshape(gate, [-1, 1, 1, 6])));
  return tf.matMul(tf.mean(scaled, [1, 2]) as tf.Tensor2D, head);
}) as ModelFunction;

const signalTakesAll: CustomRule = (_inputs, _output, relevance, { operands }) =>
  operands.map(({ op }) => (op === 'broadcast' ? null : relevance));

/** By squares: features and gate receive as their squares are to each other. It has ops of its own to be emitted. */
const bySquares: CustomRule = (inputs, _output, relevance) => {
  const squares = inputs.map((input) => tf.square(input));
  const total = tf.add(tf.add(squares[0]!, squares[1]!), tf.tensor1d([1, 2, 3, 4, 5, 6]).mul(eps));
  return squares.map((part) => tf.div(tf.mul(part, relevance), total));
};

const gatedOptions = () => ({ input: [null, 8, 8, 3], params: gatedParams() });
const gated = (gate: CustomRule, target: ExecutionTarget = 'tfjs') => {
  const rules = first('gates', { kind: 'product' }, 'gate');
  return compile(gatedNet, { ...gatedOptions(), rules, customRules: { gate }, target });
};

describe('squeeze and excitation', () => {
  const pictures = tensor([2, 8, 8, 3], draw(384));

  it('is refused without a rule and explained with one', async () => {
    await expect(compile(gatedNet, { ...gatedOptions(), rules: 'epsilon' })).rejects.toThrow(
      /RELC3001: %scale\/mul = mul .*\(scale at /,
    );
    const explainer = await gated(signalTakesAll);
    const { relevance, logits } = await explainer.explain(pictures.data as Float32Array);
    for (const [sample, logit] of logits.entries()) {
      const own = relevance.data.subarray(192 * sample, 192 * sample + 192);
      expect(
        own.reduce((sum, value) => sum + value, 0),
        'all of f(x) arrives',
      ).toBeCloseTo(logit, 3);
    }
  });

  it('leaves out the way back through layers that receive nothing', async () => {
    const text = (await gated(signalTakesAll)).stages.get('relevance')!.print();
    expect(text).toContain('= rule.gate(%relu, %scale/broadcast, %scale/mul, %r.scale/mul) {of="mul", to=0}');
    expect(text).not.toContain('%r.excite');
  });

  it('loses all relevance, and shows it, where no operand receives any', async () => {
    const explainer = await gated(() => [null, null]);
    expect(explainer.stages.get('relevance')!.print()).toMatch(
      /rule\.gate\(.*to=0\}.*\n.*rule\.gate\(.*to=1\}/,
    );
    const { relevance } = await explainer.explain(pictures.data as Float32Array);
    expect(Math.max(...relevance.data.map(Math.abs))).toBe(0);
  });

  it('says of a gate that is an input of its own that no relevance reaches it', async () => {
    const net = (({ x, by }: Record<'x' | 'by', tf.Tensor>) =>
      tf.mul(x, tf.reshape(by, [-1, 1, 3]))) as ModelFunction;
    const explainer = await compile(net, {
      input: { x: [null, 2, 3], by: [null, 3] },
      rules: first('gates', { kind: 'product' }, 'gate'),
      customRules: { gate: signalTakesAll },
    });
    expect(explainer.notes).toEqual(['no relevance reaches input %by']);
  });

  it('is all ops after expansion: nothing remembers the function', async () => {
    const explainer = await gated(bySquares);
    const { graph } = explainer.stages.get('expand')!;
    expect([...graph.nodes.values()].filter(({ op }) => op.startsWith('rule.'))).toEqual([]);
    const own = [...graph.nodes.values()].filter(({ name }) => name.startsWith('t.scale/mul.'));
    expect(own.map(({ op }) => op)).toContain('square');
    expect(own.every(({ loc }) => loc.layer === 'scale' && /custom-rules\.test\.ts/.test(loc.site!))).toBe(
      true,
    );
    const final = explainer.stages.get('dead-code')!.graph.nodes.values();
    const squares = [...final].filter(({ op }) => op === 'square');
    expect(squares.length, 'both operands share the squares').toBe(2);
  });

  it.each([
    ['signal takes all', signalTakesAll],
    ['by squares', bySquares],
  ])('%s: emitted, in process and evaluated it is one result', async (_name, gate) => {
    const explainer = await gated(gate);
    const files = await emit(explainer, 'typescript');
    const ran = await runEmitted({ gated: { files, inputs: { x: pictures } } }, backends);
    const wanted = await exactly(explainer, gatedNet, gatedOptions(), pictures);
    expect(relativeError(wanted.lowered, wanted.reference)).toBeLessThan(1e-12);
    for (const backend of backends) {
      await useBackend(backend);
      const { relevance } = await explainer.explain(pictures.data as Float32Array);
      const emitted = ran[`${backend} gated`]!;
      expect(emitted.outputs['relevance.x']!.data).toEqual(relevance.data);
      expect(relativeError(relevance.data, wanted.lowered)).toBeLessThan(1e-5);
      expect([emitted.leaked, emitted.left]).toEqual([0, 0]);
    }
    const onWasm = await gated(gate, 'wasm');
    const { relevance } = await onWasm.explain(pictures.data as Float32Array);
    expect(relativeError(relevance.data, wanted.lowered)).toBeLessThan(1e-5);
    onWasm.dispose();
    await useBackend('cpu');
  });

  it('also serves a normalization that is written as a product', async () => {
    const normalized = ((x: tf.Tensor2D, { w }: { w: tf.Tensor2D }) => {
      const centred = tf.sub(x, tf.mean(x, 1, true));
      const scale = tf.reciprocal(tf.add(tf.mean(tf.abs(centred), 1, true), 1e-3));
      return tf.matMul(tf.mul<tf.Tensor2D>(centred, scale), w);
    }) as ModelFunction;
    const explainer = await compile(normalized, {
      input: [null, 4],
      params: { w: seededWeights<tf.Tensor2D>(5, [4, 3]) },
      rules: first('deviation', { kind: 'product' }, 'gate'),
      customRules: { gate: signalTakesAll },
    });
    const { relevance, logit } = await explainer.explain([1, 2, -1, 0.5]);
    expect(relevance.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(logit, 4);
  });
});

describe('a sum', () => {
  it('of several operands, one of them twice, is shared as the rule says', async () => {
    const net = ((x: tf.Tensor) => tf.add(tf.add(x, x), tf.mul(x, 3))) as ModelFunction;
    const halves: CustomRule = (_inputs, _z, relevance) => [tf.mul(relevance, 0.25), tf.mul(relevance, 0.75)];
    const rules = first('sums', { op: 'add' }, 'halves');
    const explainer = await compile(net, { input: [null, 3], rules, customRules: { halves } });
    const { relevance, logit } = await explainer.explain([1, 2, 3]);
    // The top class is the last; 1/4 reaches x by way of x + x, all of it, and 3/4 by way of 3x.
    expect([...relevance.data]).toEqual([0, 0, logit]);
    expect(explainer.stages.get('relevance')!.print()).toContain('accumulate(');
  });
});

describe('the text of a stage', () => {
  it('holds the graph of each rule after its own, once for each combination of types', async () => {
    const explainer = await compile(denseNet, {
      input: [null, 4],
      params: denseParams(),
      rules: first('dense', { kind: 'dense' }, 'mine'),
      customRules: { mine: epsilonRule },
    });
    const { graph, print: printed } = explainer.stages.get('relevance')!;
    const all = parseAll(printed(), explainer.dialect);
    expect(all.map(({ name }) => name)).toEqual([graph.name, 'rule.mine', 'rule.mine']);
    expect(all.map((each) => print(each)).join('\n')).toBe(printed());
    expect(print(all[0]!)).toBe(print(graph));
    expect(printed().match(/%input1 = input\(\) : \S+/g)).toEqual([
      '%input1 = input() : f32[6,3]',
      '%input1 = input() : f32[4,6]',
    ]);
    expect(explainer.stages.get('expand')!.print()).not.toContain('graph @rule.');
  });
});

describe('tracing', () => {
  it('calls the function at two batch sizes for every node, and never again', async () => {
    const seen: { node: RuledNode; batch: number }[] = [];
    const watched: CustomRule = (inputs, output, relevance, node) => {
      seen.push({ node, batch: relevance.shape[0]! });
      return (epsilonRule as (...given: unknown[]) => tf.Tensor)(inputs, output, relevance);
    };
    const explainer = await compile(denseNet, {
      input: [null, 4],
      params: denseParams(),
      rules: first('dense', { kind: 'dense' }, 'mine'),
      customRules: { mine: watched },
    });
    expect(new Set(seen.map(({ node, batch }) => `${node.name} ${batch}`)).size).toBe(4);
    expect(seen.length).toBe(4);
    expect(seen[0]!.node).toMatchObject({ op: 'einsum', attrs: { eq: 'bi,ij->bj' } });
    expect(seen[0]!.node.operands.map(({ op }) => op)).toEqual(['relu', 'param', 'param']);
    await explainer.explain([1, 2, 3, 4], { seed: 'one' });
    explainer.stages.get('relevance')!.print();
    expect(seen.length).toBe(4);
  });

  it('writes captured tensors into the graph', async () => {
    const captured = tf.tensor2d(draw(24), [4, 6]);
    const mine: CustomRule = ([x]: readonly tf.Tensor[], z, relevance) =>
      tf.mul(x!, tf.matMul(tf.div(relevance, stabilised(z)), captured, false, true));
    const net = ((x: tf.Tensor2D, { w }: { w: tf.Tensor2D }) => tf.matMul(x, w)) as ModelFunction;
    const options = { input: [null, 4], params: { w: captured } };
    const rules = first('dense', { kind: 'dense' }, 'mine');
    const own = await compile(net, { ...options, rules, customRules: { mine } });
    const wanted = await compile(net, { ...options, rules, customRules: { mine: epsilonRule } });
    const x = tensor([1, 4], draw(4));
    const [got, judge] = [await exactly(own, net, options, x), await exactly(wanted, net, options, x)];
    expect(relativeError(got.lowered, judge.lowered)).toBeLessThan(1e-12);
    const text = own.stages.get('relevance')!.print();
    expect(text.slice(text.indexOf('graph @rule.mine'))).toMatch(
      /constant\(\) \{value=\[.*\]\} : f32\[4,6\]/,
    );
    captured.dispose();
  });

  it('leaves no tensors behind', async () => {
    const params = gatedParams();
    const tensors = tf.memory().numTensors;
    const own = await compile(gatedNet, {
      input: [null, 8, 8, 3],
      params,
      rules: first('gates', { kind: 'product' }, 'gate'),
      customRules: { gate: bySquares },
    });
    own.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

describe('refusals', () => {
  const at = String.raw`custom rule 'gate' on %scale/mul = mul \(scale at \S+custom-rules\.test\.ts:\d+:\d+\): `;
  const wrong: readonly (readonly [string, unknown, string])[] = [
    ['no tensor', () => 3, `RELC3009: ${at}it returned 3, expected a tensor`],
    [
      'no tensor in a list',
      (_i: unknown, _o: unknown, r: tf.Tensor) => [r, 0],
      `RELC3009: ${at}the relevance of operand 1 is 0, expected a tensor`,
    ],
    [
      'too few relevances',
      (_i: unknown, _o: unknown, r: tf.Tensor) => [r],
      `RELC3009: ${at}it returned 1 relevances for 2 operands`,
    ],
    [
      'a wrong shape',
      (_i: unknown, _o: unknown, r: tf.Tensor) => [tf.sum(r, [1, 2]), null],
      String.raw`RELC3009: ${at}the relevance of operand 0 is f32\[N,6\], expected f32\[N,8,8,6\]`,
    ],
    [
      'a wrong dtype',
      (_i: unknown, _o: unknown, r: tf.Tensor) => tf.cast(r, 'int32'),
      String.raw`RELC3009: ${at}the relevance of operand 0 is i32\[`,
    ],
    [
      'mixed samples',
      (_i: unknown, _o: unknown, r: tf.Tensor) => tf.add(r, tf.sum(r, 0, true)),
      `RELC3009: ${at}%sum = sum: .*mixes the samples of the batch.*\n.*such as weights`,
    ],
    [
      'its own error',
      () => {
        throw new TypeError('no such thing');
      },
      String.raw`RELC3009: ${at}it failed on inputs, output and relevance of shapes \[5,8,8,6\], .*: no such thing`,
    ],
    [
      'values that are read',
      (_i: unknown, _o: unknown, r: tf.Tensor) => (r.dataSync()[0]! > 0 ? r : tf.neg(r)),
      `RELC2002: ${at}the values of %relevance = input were read`,
    ],
    [
      'a promise',
      async (_i: unknown, _o: unknown, r: tf.Tensor) => r,
      `RELC2005: ${at}it returned a promise`,
    ],
    [
      'an op that is not suited',
      { relevances: () => null, unsuited: ({ op }: { op: string }) => `${op} is no gate` },
      "RELC3002: line 'gates' of the composite gives %scale/mul = mul the rule gate, but mul is no gate",
    ],
  ];

  it.each(wrong)('%s', async (_what, rule, message) => {
    await expect(gated(rule as CustomRule)).rejects.toThrow(new RegExp(message));
  });

  it('a constant of more than 4096 elements', async () => {
    const large = tf.tensor1d(draw(5000));
    const mine: CustomRule = (_inputs, _z, relevance) => tf.mul(relevance, large);
    const net = ((x: tf.Tensor) => tf.relu(x)) as ModelFunction;
    const rules = first('activation', { op: 'relu' }, 'mine');
    await expect(compile(net, { input: [null, 5000], rules, customRules: { mine } })).rejects.toThrow(
      /RELC3009: custom rule 'mine' on %relu = relu .*f32\[5000\]: 5000 elements, at most 4096/,
    );
  });

  const named: readonly (readonly [string, CustomRules, RegExp])[] = [
    ['the name of a rule', { epsilon: () => [] }, /RELC3009: .*'epsilon' has a name of the rule epsilon/],
    [
      'another name of a rule',
      { ZPlusRule: () => [] },
      /RELC3009: .*'ZPlusRule' has a name of the rule zPlus/,
    ],
    ['a name in other letters', { Z_plus: () => [] }, /RELC3009: .*has a name of the rule zPlus/],
    [
      'two names that are one',
      { gate: () => [], Gate: () => [] },
      /RELC3009: .*'Gate' has a name of the rule gate/,
    ],
    ['an impossible name', { 'my rule': () => [] }, /RELC3009: 'my rule' cannot name a rule/],
    ['what is no rule', { gate: 3 as never }, /RELC3009: the custom rule 'gate' is neither a function/],
  ];

  it.each(named)('%s', async (_what, customRules, message) => {
    const options = { input: [null, 4], params: denseParams(), customRules };
    await expect(compile(denseNet, options)).rejects.toThrow(message);
  });
});
