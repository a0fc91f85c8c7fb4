// Plain functions: the forms of their inputs, results and weights, and how values and weights are named.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp, resolveAlias } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/tensor.js';
import { type ModelFunction, traceFunction } from '../../src/trace/function.js';
import { leavesTensorflowAlone, randomTensor, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const rows = { input: [null, 4] } as const;
const lines = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n');

/** `test/trace/function.test.ts:line` of the one line of this file that ends in the comment `// mark`. */
function siteOf(mark: string): string {
  const line = lines.findIndex((text) => text.endsWith(`// ${mark}`));
  return `test/trace/function.test.ts:${line + 1}`;
}

/** Sites without their columns. */
const lineOf = (site: string | undefined) => site?.replace(/:\d+$/, '');

describe('inputs', () => {
  it('one shape is one tensor, called x', () => {
    const { graph } = traceFunction((x: tf.Tensor) => x.relu(), { input: [1, 4] });
    expect(graph.nodes.get('x')!.type).toEqual({ dtype: 'f32', shape: ['N', 4] });
  });

  it('a list of shapes is a list of tensors', () => {
    const model = ([a, b]: [tf.Tensor, tf.Tensor]) => a.sub(b);
    const { graph } = traceFunction(model, { input: [[null, 4], { shape: [null, 4], dtype: 'f32' }] });
    expect(graph.nodes.get('sub')!.args).toEqual(['x0', 'x1']);
  });

  it('shapes by name are tensors by name', () => {
    const model = ({ query, key }: { query: tf.Tensor; key: tf.Tensor }) => query.sub(key);
    const { graph } = traceFunction(model, { input: { key: [null, 4], query: [null, 4] } });
    expect(graph.nodes.get('sub')!.args).toEqual(['query', 'key']);
  });

  it('a name that no value can have is made one', () => {
    const model = (given: Record<string, tf.Tensor>) => given['left.side']!.relu();
    const { graph } = traceFunction(model, { input: { 'left.side': [null, 4] } });
    expect(graph.nodes.get('relu')!.args).toEqual(['left_side']);
  });

  it('an input that the function does not use stays in its signature', () => {
    const model = ([a]: [tf.Tensor, tf.Tensor]) => a.relu();
    const { graph } = traceFunction(model, {
      input: [
        [null, 4],
        [null, 2],
      ],
    });
    expect(nodesWithOp(graph, 'input').map((node) => node.name)).toEqual(['x0', 'x1']);
  });
});

describe('results', () => {
  const forms: readonly (readonly [string, ModelFunction, object])[] = [
    ['one tensor', (x: tf.Tensor) => x.relu(), { output: 'relu' }],
    ['a list', (x: tf.Tensor) => [x.relu(), x.neg()], { output0: 'relu', output1: 'neg' }],
    ['tensors by name', (x: tf.Tensor) => ({ scores: x.relu(), input: x }), { scores: 'relu', input: 'x' }],
    [
      'one value twice',
      (x: tf.Tensor) => tf.tidy(() => [x.relu()].flatMap((y) => [y, y])),
      { output0: 'relu', output1: 'relu' },
    ],
  ];

  it.each(forms)('%s', (_name, model, outputs) => {
    const { graph } = leavesTensorflowAlone(() => traceFunction(model, rows));
    expect(graph.outputs).toEqual(outputs);
  });

  it('the graph has the name of the function', () => {
    const classify_2 = (x: tf.Tensor) => x.relu();
    expect(traceFunction(classify_2, rows).graph.name).toBe('classify_2');
    expect(traceFunction((x: tf.Tensor) => x.relu(), rows).graph.name).toBe('model');
  });

  it('what no output needs is left out, its weights too', () => {
    const model = (x: tf.Tensor, { unused }: { unused: tf.Tensor }) => {
      x.add(unused);
      return x.relu();
    };
    const unused = randomTensor(1, [4]);
    const { graph, weights } = traceFunction(model, { ...rows, params: { unused } });
    expect([...graph.nodes.keys()]).toEqual(['x', 'relu']);
    expect(weights.size).toBe(0);
    unused.dispose();
  });
});

type Layer = { kernel: tf.Tensor2D; bias: tf.Tensor1D };

describe('weights', () => {
  it('are named by their path among the params', () => {
    const params = {
      blocks: [
        { kernel: randomTensor<tf.Tensor2D>(1, [4, 4]), bias: randomTensor<tf.Tensor1D>(2, [4]) },
        { kernel: randomTensor<tf.Tensor2D>(3, [4, 4]), bias: randomTensor<tf.Tensor1D>(4, [4]) },
      ],
      'head.top': { kernel: randomTensor<tf.Tensor2D>(5, [4, 2]) },
    };
    const model = (x: tf.Tensor2D, p: { blocks: Layer[]; 'head.top': { kernel: tf.Tensor2D } }) => {
      const hidden = p.blocks.reduce((h, { kernel, bias }) => tf.relu(tf.add(tf.matMul(h, kernel), bias)), x);
      return tf.matMul(hidden, p['head.top'].kernel);
    };
    const { graph, weights } = leavesTensorflowAlone(() => traceFunction(model, { ...rows, params }));
    const keys = ['blocks/0/kernel', 'blocks/0/bias', 'blocks/1/kernel', 'blocks/1/bias', 'head.top/kernel'];
    expect([...weights.keys()]).toEqual(keys);
    const names = nodesWithOp(graph, 'param').map((node) => node.name);
    expect(names).toEqual([...keys.slice(0, 4), 'head_top/kernel']);
    expect(weights.get('blocks/1/bias')!.data).toEqual(params.blocks[1]!.bias.dataSync());
    tf.dispose(params);
  });

  it('are copied: later changes do not reach the graph', () => {
    const w = tf.variable(tf.tensor1d([1, 2, 3, 4]), true, 'copied');
    const { weights } = traceFunction((x: tf.Tensor) => x.mul(w), { ...rows, params: { w } });
    w.assign(tf.zeros([4]));
    expect([...weights.get('w')!.data]).toEqual([1, 2, 3, 4]);
    w.dispose();
  });

  it('used twice are one weight, in one shape or in two', () => {
    const w = randomTensor(1, [4]);
    const row = (x: tf.Tensor) => x.mul(w.reshape([1, 4])).add(w.reshape([1, 4]));
    const options = { ...rows, params: { scale: w } };
    expect([...traceFunction(row, options).weights.keys()]).toEqual(['scale']);
    const both = traceFunction((x: tf.Tensor) => row(x.mul(w)), options);
    expect([...both.weights].map(([key, { data }]) => [key, data])).toEqual([
      ['scale', w.dataSync()],
      ['scale_1', w.dataSync()],
    ]);
    w.dispose();
  });

  it('that are results keep their shape', () => {
    const w = randomTensor(1, [1, 4]);
    const model = (x: tf.Tensor) => ({ row: w, y: x.mul(w) });
    const { graph } = traceFunction(model, { ...rows, params: { w } });
    expect(graph.nodes.get(graph.outputs.row!)!.type.shape).toEqual([1, 4]);
    w.dispose();
  });

  it('a captured variable is named after itself', () => {
    const kernel = tf.variable(randomTensor(1, [4, 8]), false, 'dense/kernel');
    const { graph, weights } = traceFunction((x: tf.Tensor2D) => tf.matMul(x, kernel as tf.Tensor2D), rows);
    expect([...weights.keys()]).toEqual(['dense/kernel']);
    expect(graph.nodes.get('einsum')!.args).toEqual(['x', 'dense/kernel']);
    kernel.dispose();
  });

  it('a captured tensor is named after the place that first uses it', () => {
    const kernel = randomTensor<tf.Tensor2D>(1, [4, 8]);
    const model = (x: tf.Tensor2D) => tf.matMul(x, kernel); // captured
    const { graph, weights } = traceFunction(model, rows);
    expect([...weights.keys()].map(lineOf)).toEqual([siteOf('captured')]);
    expect(nodesWithOp(graph, 'param')[0]!.name).toMatch(/^test\/trace\/function_test_ts:\d+:\d+$/);
    kernel.dispose();
  });

  it('in a named tidy a captured tensor is named after that', () => {
    const kernel = randomTensor<tf.Tensor2D>(1, [4, 8]);
    const model = (x: tf.Tensor2D) => tf.tidy('encoder', () => tf.matMul(x, kernel));
    const { weights } = traceFunction(model, rows);
    expect([...weights.keys()]).toEqual(['encoder/constant']);
    kernel.dispose();
  });

  it('two captured tensors of one place have names of their own', () => {
    const tables = [randomTensor(1, [20]), randomTensor(2, [20])];
    const model = (x: tf.Tensor) => tf.tidy('t', () => tables.reduce((sum, table) => sum.add(table), x));
    const { weights } = traceFunction(model, { input: [null, 20] });
    expect([...weights.keys()]).toEqual(['t/constant', 't/constant_1']);
    expect(weights.get('t/constant_1')!.data).toEqual(tables[1]!.dataSync());
    tf.dispose(tables);
  });
});

describe('constants', () => {
  it('a few numbers are written out, many equal ones as one', () => {
    const model = (x: tf.Tensor) => x.add(tf.tensor1d([1, 2, 3, 4])).mul(tf.fill([4], 0.5));
    const { graph, weights } = traceFunction(model, rows);
    expect(nodesWithOp(graph, 'constant').map((node) => node.attrs.value)).toEqual([[1, 2, 3, 4], 0.5]);
    expect(weights.size).toBe(0);
  });

  it('grow with the batch where every row is the same', () => {
    const model = (x: tf.Tensor) =>
      x.add(tf.zeros([x.shape[0]!, 4])).add(tf.tile(tf.tensor2d([[1, 2, 3, 4]]), [x.shape[0]!, 1]));
    const { graph } = traceFunction(model, rows);
    expect(graph.nodes.get(graph.outputs.output!)!.type.shape).toEqual(['N', 4]);
    const inputs = { x: tensor([3, 4], new Float32Array(12)) };
    const { output } = evaluate(graph, forward, inputs, new Map(), 'f32');
    expect([...output!.data]).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
  });

  it('computed while tracing become weights, computed on the real backend', () => {
    const kernel = randomTensor<tf.Tensor2D>(1, [4, 8]);
    const normalize = (w: tf.Tensor2D) => w.div<tf.Tensor2D>(w.norm('euclidean', 0, true));
    const model = (x: tf.Tensor2D) => tf.tidy('dense', () => tf.matMul(x, normalize(kernel)));
    const { graph, weights } = leavesTensorflowAlone(() =>
      traceFunction(model, { ...rows, params: { kernel } }),
    );
    expect(nodesWithOp(graph, 'div')).toEqual([]);
    const wanted = tf.tidy(() => normalize(kernel).dataSync());
    expect(weights.get('dense/constant')!.data).toEqual(wanted);
    kernel.dispose();
  });

  it('are counted right where tensors share their data', () => {
    const model = (x: tf.Tensor) => {
      const literal = tf.tensor1d([1, 2, 3, 4]);
      const copy = literal.clone();
      const view = literal.reshape([1, 4]);
      literal.dispose();
      return x.add(copy).mul(view);
    };
    const { graph } = leavesTensorflowAlone(() => traceFunction(model, rows));
    expect(nodesWithOp(graph, 'constant').map((node) => node.attrs.value)).toContainEqual([1, 2, 3, 4]);
  });

  it('that a variable is made of stay in it', () => {
    let state: tf.Variable | undefined;
    const model = (x: tf.Tensor) => {
      state ??= tf.variable(tf.tensor1d([1, 2, 3, 4]), false, 'made while tracing');
      return x.add(state);
    };
    const { graph } = traceFunction(model, rows);
    expect(nodesWithOp(graph, 'constant').map((node) => node.attrs.value)).toEqual([[1, 2, 3, 4]]);
    expect([...state!.dataSync()]).toEqual([1, 2, 3, 4]);
    state!.dispose();
  });

  it('kept by the model across calls stay readable', () => {
    let table: tf.Tensor | undefined;
    const model = (x: tf.Tensor) => {
      table ??= tf.keep(tf.tensor1d([1, 2, 3, 4]));
      return x.add(table);
    };
    traceFunction(model, rows);
    expect([...table!.dataSync()]).toEqual([1, 2, 3, 4]);
    expect([...tf.tidy(() => table!.add(1).dataSync())]).toEqual([2, 3, 4, 5]);
    table!.dispose();
  });
});

describe('places', () => {
  it('are the lines of the function, through helpers and libraries', () => {
    const helper = (x: tf.Tensor) => x.square(); // helper
    const model = (x: tf.Tensor) => {
      const hidden = tf.relu(x); // relu
      return helper(hidden).sum(1); // sum
    };
    const { graph } = traceFunction(model, rows);
    const sites = ['relu', 'square', 'sum'].map((name) => lineOf(graph.nodes.get(name)!.loc.site));
    expect(sites).toEqual([siteOf('relu'), siteOf('helper'), siteOf('sum')]);
  });

  it('named tidies are layers, nested ones paths', () => {
    const block = (x: tf.Tensor) => tf.tidy('mlp', () => x.square().add(1));
    const model = (x: tf.Tensor) => tf.tidy('block', () => tf.tidy(() => block(x.relu()))).neg();
    const { graph } = traceFunction(model, rows);
    const computed = [...graph.nodes.values()].filter((node) => !['input', 'constant'].includes(node.op));
    expect(computed.map((node) => [node.name, node.loc.layer])).toEqual([
      ['block', 'block'],
      ['block/mlp/square', 'block/mlp'],
      ['block/mlp/add', 'block/mlp'],
      ['neg', undefined],
    ]);
    expect(resolveAlias(graph, 'block/mlp')).toBe('block/mlp/add');
  });

  it('a tidy entered twice has its values numbered, the alias leads to the last', () => {
    const layer = (x: tf.Tensor) => tf.tidy('layer', () => x.square().relu());
    const { graph } = traceFunction((x: tf.Tensor) => layer(layer(x)), rows);
    const names = [...graph.nodes.keys()];
    expect(names).toEqual(['x', 'layer/square', 'layer/relu', 'layer/square_1', 'layer/relu_1']);
    expect(resolveAlias(graph, 'layer')).toBe('layer/relu_1');
  });

  it('dots are the compiler’s: those of layers are replaced', () => {
    const model = (x: tf.Tensor) => tf.tidy('blocks.0 (first)', () => x.relu());
    const { graph } = traceFunction(model, rows);
    expect(graph.outputs.output).toBe('blocks_0_first_');
  });

  it('a layer called like an input does not take its name', () => {
    const model = (x: tf.Tensor) => tf.tidy('x', () => x.relu());
    const { graph } = traceFunction(model, rows);
    expect([...graph.nodes.keys()]).toEqual(['x', 'x_1']);
  });
});
