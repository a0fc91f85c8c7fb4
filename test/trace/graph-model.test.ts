// Graph models: values equal the model's own, nodes name the values, and what cannot be traced says where.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { nodesWithOp, resolveAlias } from '../../src/ir/graph.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { type Program, runPasses } from '../../src/ir/passes/pass.js';
import { traceGraphModel } from '../../src/trace/graph-model.js';
import {
  convolution,
  type GraphNode,
  integer,
  loadGraph,
  placeholder,
  texts,
  type Weight,
} from './graph-models.js';
import {
  type Comparison,
  expectOwnValues,
  leavesTensorflowAlone,
  refusal,
  startTensorflow,
} from './support.js';

beforeAll(startTensorflow);

type Nodes = readonly GraphNode[];
type WeightsByName = Readonly<Record<string, Weight>>;

/** Traces a graph model and compares it with its own execution. */
async function expectExecution(
  nodes: Nodes,
  weights: WeightsByName,
  comparison?: Comparison,
): Promise<Program> {
  const model = await loadGraph(nodes, weights);
  const program = leavesTensorflowAlone(() => traceGraphModel(model, {}));
  const names = model.outputs.map((output) => output.name);
  expectOwnValues(
    program,
    (inputs) => {
      const results = [model.execute(inputs, names)].flat();
      return Object.fromEntries(results.map((result, index) => [names[index]!, result]));
    },
    comparison,
  );
  model.dispose();
  return program;
}

const indices = (...whole: number[]): Weight => ({ whole });

/** Shape → StridedSlice → Pack → Reshape: how a converter writes a reshape that keeps the batch. */
function dynamicReshape(rest: number): { nodes: Nodes; weights: WeightsByName } {
  const nodes: Nodes = [
    placeholder('x', [-1, 4, 3]),
    { name: 'shape', op: 'Shape', input: ['x'], attr: { out_type: { type: 'DT_INT32' } } },
    {
      name: 'batch',
      op: 'StridedSlice',
      input: ['shape', 'begin', 'end', 'step'],
      attr: { shrink_axis_mask: integer(1) },
    },
    { name: 'target', op: 'Pack', input: ['batch', 'rest'], attr: { axis: integer(0) } },
    { name: 'flat', op: 'Reshape', input: ['x', 'target'] },
    { name: 'product', op: 'MatMul', input: ['flat', 'w'] },
    { name: 'biased', op: 'BiasAdd', input: ['product', 'b'] },
    { name: 'scores', op: 'Softmax', input: ['biased'] },
  ];
  const constants = { begin: indices(0), end: indices(1), step: indices(1), rest: { whole: rest } };
  return { nodes, weights: { ...constants, w: [12, 5], b: [5] } };
}

describe('a reshape by arithmetic on shapes', () => {
  it.each([12, -1])('to [batch, %i] is a plain reshape', async (rest) => {
    const { nodes, weights } = dynamicReshape(rest);
    const { graph } = await expectExecution(nodes, weights);
    const ops = [...graph.nodes.values()].filter((node) => node.op !== 'param').map((node) => node.op);
    expect(ops).toEqual(['input', 'reshape', 'einsum', 'broadcast', 'add', 'softmax']);
    expect(graph.nodes.get('flat')!.type.shape).toEqual(['N', 12]);
    expect(nodesWithOp(graph, 'param').map((node) => node.attrs.key)).toEqual(['w', 'b']);
  });
});

/** A residual block as grappler leaves it: the bias of the block's end behind the sum, scales behind convolutions. */
const residual: { readonly nodes: Nodes; readonly weights: WeightsByName } = {
  nodes: [
    placeholder('net/x', [-1, 6, 6, 3]),
    convolution('net/block/stem', 'net/x', 'net/w1'),
    { name: 'net/block/active', op: 'Relu6', input: ['net/block/stem'] },
    convolution('net/block/deep', 'net/block/active', 'net/w2', 'DepthwiseConv2dNative'),
    { name: 'net/block/scaled', op: 'Mul', input: ['net/block/deep', 'net/scale'] },
    { name: 'net/block/shifted', op: 'AddV2', input: ['net/block/scaled', 'net/shift'] },
    { name: 'net/block/relu', op: 'Relu', input: ['net/block/shifted'] },
    convolution('net/block/wide', 'net/block/relu', 'net/w3'),
    { name: 'net/block/sum', op: 'AddN', input: ['net/block/wide', 'net/block/active'] },
    { name: 'net/block/bias', op: 'BiasAdd', input: ['net/block/sum', 'net/b'] },
    {
      name: 'net/mean',
      op: 'Mean',
      input: ['net/block/bias', 'net/axes'],
      attr: { keep_dims: { b: false } },
    },
  ],
  weights: {
    'net/w1': [3, 3, 3, 4],
    'net/w2': [3, 3, 4, 2],
    'net/w3': [1, 1, 8, 4],
    'net/scale': [8],
    'net/shift': [8],
    'net/b': [4],
    'net/axes': indices(1, 2),
  },
};

describe('a residual block', () => {
  it('computes what it executes', async () => {
    const program = await expectExecution(residual.nodes, residual.weights);
    const { graph } = runPasses(program, [canonicalize], forward);
    expect(nodesWithOp(graph, 'mul')).toEqual([]);
    // The bias behind the sum has gone into the convolution before it; the sum of the two branches stays.
    expect(nodesWithOp(graph, 'add')).toHaveLength(1);
    expect(nodesWithOp(graph, 'conv').map((node) => node.args.length)).toEqual([2, 3, 3]);
  });

  it('names values after nodes, without the path they all share', async () => {
    const model = await loadGraph(residual.nodes, residual.weights);
    const { graph } = traceGraphModel(model, {});
    const computed = [...graph.nodes.values()].filter((node) => node.loc.layer !== undefined);
    for (const name of ['block/stem', 'block/active', 'block/deep', 'block/sum', 'mean']) {
      expect(computed.map((node) => node.name)).toContain(name);
    }
    expect(Object.entries(graph.outputs)).toEqual([['net/mean', 'mean']]);
    expect(nodesWithOp(graph, 'input').map((node) => node.name)).toEqual(['net/x']);
    model.dispose();
  });

  it('executes as before once it is traced', async () => {
    const model = await loadGraph(residual.nodes, residual.weights);
    const x = tf.ones([2, 6, 6, 3]);
    const before = (model.execute(x) as tf.Tensor).dataSync();
    traceGraphModel(model, {});
    expect((model.execute(x) as tf.Tensor).dataSync()).toEqual(before);
    x.dispose();
    model.dispose();
  });
});

const fusedOps = (...ops: string[]) => ({ fused_ops: texts(...ops), num_args: integer(1) });

interface Case {
  readonly name: string;
  readonly nodes: Nodes;
  readonly weights: WeightsByName;
  readonly comparison?: Comparison;
}

const fused: Case = {
  name: 'fused convolutions and products',
  nodes: [
    placeholder('x', [-1, 4, 4, 3]),
    { ...fusedConvolution('conv', 'x', 'w1', 'b1', 'Relu6'), op: '_FusedConv2D' },
    { ...fusedConvolution('deep', 'conv', 'w2', 'b2', 'Relu'), op: 'FusedDepthwiseConv2dNative' },
    { name: 'flat', op: 'Reshape', input: ['deep', 'target'] },
    { name: 'dense', op: '_FusedMatMul', input: ['flat', 'w3', 'b3'], attr: fusedOps('BiasAdd', 'Elu') },
  ],
  weights: {
    w1: [3, 3, 3, 2],
    b1: [2],
    w2: [3, 3, 2, 1],
    b2: [2],
    target: indices(-1, 32),
    w3: [32, 4],
    b3: [4],
  },
};

const others: readonly Case[] = [
  {
    name: 'an embedding of integers',
    nodes: [
      placeholder('words', [-1, 3], 'DT_INT32'),
      {
        name: 'embedding',
        op: 'GatherV2',
        input: ['table', 'words', 'axis'],
        attr: { batch_dims: integer(0) },
      },
      { name: 'mean', op: 'Mean', input: ['embedding', 'axes'] },
    ],
    weights: { table: [6, 4], axis: { whole: 0 }, axes: indices(1) },
    comparison: { integers: 6 },
  },
  {
    name: 'parts of a split, joined again',
    nodes: [
      placeholder('x', [-1, 4]),
      { name: 'halves', op: 'Split', input: ['axis', 'x'], attr: { num_split: integer(2) } },
      { name: 'product', op: 'Mul', input: ['halves', 'halves:1'] },
      { name: 'joined', op: 'ConcatV2', input: ['halves:1', 'product', 'axis'], attr: { N: integer(2) } },
    ],
    weights: { axis: { whole: 1 } },
  },
  {
    name: 'two inputs and two outputs',
    nodes: [
      placeholder('a', [-1, 4]),
      placeholder('b', [-1, 4]),
      { name: 'sum', op: 'AddV2', input: ['a', 'b'] },
      { name: 'left', op: 'Tanh', input: ['sum'] },
      { name: 'right', op: 'LogSoftmax', input: ['sum'] },
    ],
    weights: {},
  },
];

function fusedConvolution(name: string, x: string, w: string, b: string, activation: string): GraphNode {
  const node = convolution(name, x, w);
  return { ...node, input: [x, w, b], attr: { ...node.attr, ...fusedOps('BiasAdd', activation) } };
}

describe('graph models', () => {
  it.each([fused, ...others])('$name', async ({ nodes, weights, comparison }) => {
    await expectExecution(nodes, weights, comparison);
  });

  it('a node of several values has an alias to the last', async () => {
    const model = await loadGraph(fused.nodes, fused.weights);
    const { graph } = traceGraphModel(model, {});
    expect(resolveAlias(graph, 'dense')).toBe('dense/elu');
    expect(graph.outputs).toEqual({ dense: 'dense/elu' });
    model.dispose();
  });
});

describe('the batch of a graph model', () => {
  const relu = { name: 'relu', op: 'Relu', input: ['x'] };

  it('of one picture is one sample', async () => {
    const model = await loadGraph([placeholder('x', [1, 4]), relu], {});
    const { graph } = traceGraphModel(model, {});
    expect(graph.nodes.get('relu')!.type.shape).toEqual([1, 4]);
  });

  it('of several fixed ones is refused', async () => {
    const model = await loadGraph([placeholder('x', [8, 4]), relu], {});
    expect(refusal(() => traceGraphModel(model, {}), 'RELC2008').message).toContain(
      'converted for batches of 8',
    );
    expect(traceGraphModel(model, { batch: null }).graph.nodes.get('relu')!.type.shape).toEqual([8, 4]);
  });

  it('of an open shape has to be stated', async () => {
    const model = await loadGraph([placeholder('x', [-1, -1, 3]), relu], {});
    const { message } = refusal(() => traceGraphModel(model, {}), 'RELC2008');
    expect(message).toContain('leaves the shape of input x open: [null,null,3]');
    expect(traceGraphModel(model, { input: [null, 5, 3] }).graph.nodes.get('relu')!.type.shape).toEqual([
      'N',
      5,
      3,
    ]);
  });

  it('of an unknown rank has to be stated', async () => {
    const model = await loadGraph([placeholder('x', undefined), relu], {});
    expect(refusal(() => traceGraphModel(model, {}), 'RELC2008').message).toContain('open: [unknown]');
    expect(traceGraphModel(model, { input: [null, 5] }).graph.nodes.get('relu')!.type.shape).toEqual([
      'N',
      5,
    ]);
  });
});

describe('what cannot be traced', () => {
  it('an op without a translation is told with its node', async () => {
    const nodes: Nodes = [
      placeholder('net/x', [-1, 4]),
      { name: 'net/top/running', op: 'Cumsum', input: ['net/x', 'net/axis'] },
    ];
    const model = await loadGraph(nodes, { 'net/axis': { whole: 1 } });
    const error = leavesTensorflowAlone(() => refusal(() => traceGraphModel(model, {}), 'RELC2001'));
    expect(error.message).toContain('RELC2001: Cumsum (running): there is no op for this kernel');
  });

  it('an op whose result has no fixed shape is told with its node', async () => {
    const model = await loadGraph(
      [placeholder('x', [-1, 4]), { name: 'places', op: 'Where', input: ['x'] }],
      {},
    );
    const error = leavesTensorflowAlone(() => refusal(() => traceGraphModel(model, {}), 'RELC2006'));
    expect(error.message).toContain('RELC2006: Where (places): the shape of a result');
  });

  it('a shape computed from values of the input is told with its node', async () => {
    const nodes: Nodes = [
      placeholder('x', [-1, 2], 'DT_INT32'),
      placeholder('y', [-1, 2]),
      { name: 'shape', op: 'Reshape', input: ['x', 'flat'] },
      { name: 'moved', op: 'Reshape', input: ['y', 'shape'] },
    ];
    const model = await loadGraph(nodes, { flat: indices(-1) });
    const error = leavesTensorflowAlone(() => refusal(() => traceGraphModel(model, {}), 'RELC2002'));
    expect(error.message).toMatch(
      /the values of %reshape = reshape \(shape\) were read while tracing \(moved\)/,
    );
  });
});
