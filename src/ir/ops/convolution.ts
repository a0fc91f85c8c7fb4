// Convolution and its transpose, channels last, any number of spatial axes, grouped and dilated.
import { Arithmetic } from '../arithmetic.js';
import { type AttrSchema, type OpDefinition, OpProblem } from '../dialect.js';
import type { Attrs, Node } from '../graph.js';
import { call, literal, type Spelling, shapeOf, value } from '../spelling.js';
import { allocate, sizeOf, type TensorData } from '../tensor.js';
import { concreteShape, printType, type TensorType } from '../type.js';
import { expectDtype, expectRank, stated, wrongShape } from './shapes.js';
import { forEachTap, groupsOf, type Window, windowOf, windowOutput } from './window.js';

const attrs: AttrSchema = { strides: 'numbers', padding: 'pairs', dilations: 'numbers?', groups: 'number?' };

function expectBias(bias: TensorType | undefined, channels: number): void {
  if (bias === undefined) return;
  if (bias.dtype !== 'f32' || bias.shape.length !== 1 || bias.shape[0] !== channels) {
    throw wrongShape(`the bias is ${printType(bias)}, expected f32[${channels}]`);
  }
}

/** Checks kernel and groups against `inputs` channels; returns the kernel's window and output channels. */
function kernelOf(w: TensorType, nodeAttrs: Attrs, inputs: number): { window: Window; outputs: number } {
  const shape = w.shape as readonly number[];
  const [perGroup, outputs] = shape.slice(-2) as [number, number];
  const groups = groupsOf(nodeAttrs);
  if (perGroup * groups !== inputs || outputs % groups !== 0) {
    throw wrongShape(
      `the kernel is ${printType(w)}, expected ${inputs} input channels in ${groups} group(s)`,
    );
  }
  return { window: windowOf(nodeAttrs, shape.slice(0, -2)), outputs };
}

function inferConv([x, w, bias]: readonly TensorType[], nodeAttrs: Attrs): TensorType {
  expectDtype(x!, 0, 'f32');
  expectDtype(w!, 1, 'f32');
  expectRank(w!, 1, x!.shape.length);
  const { window, outputs } = kernelOf(w!, nodeAttrs, x!.shape.at(-1) as number);
  expectBias(bias, outputs);
  const spatial = windowOutput(window, x!.shape.slice(1, -1));
  return { dtype: 'f32', shape: [x!.shape[0]!, ...spatial, outputs] };
}

function inferTranspose(
  [z, w, bias]: readonly TensorType[],
  nodeAttrs: Attrs,
  declared: TensorType | undefined,
): TensorType {
  const type = stated(declared);
  expectDtype(z!, 0, 'f32');
  const forward = inferConv([type, w!], nodeAttrs);
  if (forward.shape.join() !== z!.shape.join()) {
    throw wrongShape(
      `operand 0 is ${printType(z!)}, but a convolution of ${printType(type)} gives ${printType(forward)}`,
    );
  }
  expectBias(bias, type.shape.at(-1) as number);
  return type;
}

/** Visits every (output channels, input channels, kernel rows) meeting of one convolution. */
function forEachMeeting(
  narrow: readonly number[],
  wide: readonly number[],
  kernel: readonly number[],
  nodeAttrs: Attrs,
  visit: (output: number, input: number, kernelRow: number, group: number) => void,
): void {
  const window = windowOf(nodeAttrs, kernel.slice(0, -2));
  const groups = groupsOf(nodeAttrs);
  const [perGroup, outputs] = kernel.slice(-2) as [number, number];
  const outputPlaces = sizeOf(narrow.slice(1, -1));
  const inputPlaces = sizeOf(wide.slice(1, -1));
  for (let n = 0; n < wide[0]!; n++) {
    forEachTap(window, wide.slice(1, -1), narrow.slice(1, -1), (output, input, tap) => {
      for (let group = 0; group < groups; group++) {
        visit(
          (n * outputPlaces + output) * outputs + (group * outputs) / groups,
          (n * inputPlaces + input) * wide.at(-1)! + group * perGroup,
          tap * perGroup * outputs + (group * outputs) / groups,
          group,
        );
      }
    });
  }
}

function addBias(result: TensorData, bias: TensorData | undefined): TensorData {
  if (bias === undefined) return result;
  const channels = bias.data.length;
  for (let i = 0; i < result.data.length; i++) result.data[i]! += bias.data[i % channels]!;
  return result;
}

const evaluateConv: OpDefinition['evaluate'] = ([x, w, bias], node, { precision }) => {
  const shape = concreteShape(node.type);
  const result = allocate('f32', shape, precision);
  const [perGroup, outputs] = w!.shape.slice(-2) as [number, number];
  const width = outputs / groupsOf(node.attrs);
  const single = precision === 'f32';
  forEachMeeting(shape, x!.shape, w!.shape, node.attrs, (output, input, kernelRow) => {
    for (let i = 0; i < perGroup; i++) {
      const activation = x!.data[input + i]!;
      const row = kernelRow + i * outputs;
      for (let o = 0; o < width; o++) {
        const product = activation * w!.data[row + o]!;
        result.data[output + o]! += single ? Math.fround(product) : product;
      }
    }
  });
  return addBias(result, bias);
};

const evaluateTranspose: OpDefinition['evaluate'] = ([z, w, bias], node, { precision }) => {
  const shape = concreteShape(node.type);
  const result = allocate('f32', shape, precision);
  const [perGroup, outputs] = w!.shape.slice(-2) as [number, number];
  const width = outputs / groupsOf(node.attrs);
  const single = precision === 'f32';
  forEachMeeting(z!.shape, shape, w!.shape, node.attrs, (output, input, kernelRow) => {
    for (let i = 0; i < perGroup; i++) {
      const row = kernelRow + i * outputs;
      let sum = result.data[input + i]!;
      for (let o = 0; o < width; o++) {
        const product = z!.data[output + o]! * w!.data[row + o]!;
        sum = single ? Math.fround(sum + Math.fround(product)) : sum + product;
      }
      result.data[input + i] = sum;
    }
  });
  return addBias(result, bias);
};

function biasDerivative(k: Arithmetic, cotangent: string): string {
  return k.sum(
    cotangent,
    k.builder
      .typeOf(cotangent)
      .shape.slice(0, -1)
      .map((_, axis) => axis),
  );
}

const constantKernel = () =>
  new OpProblem('RELC1008', 'no derivative with respect to the kernel: it must be a constant');

/** The call of the runtime's convolution: it chooses tfjs's kernel by rank, groups and padding. */
const spellConv: Spelling = (node) => withBias(node, call('rt.conv', ...operands(node), ...geometry(node)));

const spellTranspose: Spelling = (node) =>
  withBias(node, call('rt.convTranspose', ...operands(node), shapeOf(node.type.shape), ...geometry(node)));

const operands = (node: Node) => [value(node.args[0]!), value(node.args[1]!)];

const geometry = (node: Node) => [
  literal(node.attrs.strides!),
  literal(node.attrs.padding!),
  literal(node.attrs.dilations ?? (node.attrs.strides as readonly number[]).map(() => 1)),
  literal(groupsOf(node.attrs)),
];

const withBias = (node: Node, product: ReturnType<typeof call>) =>
  node.args[2] === undefined ? product : call('tf.add', product, value(node.args[2]));

export const convolutionOps = {
  conv: {
    summary: 'convolution of [n, …spatial, c] with a kernel [...window, c / groups, outputs]',
    operands: ['x', 'w', 'bias?'],
    attrs,
    traits: { affine: true },
    infer: inferConv,
    evaluate: evaluateConv,
    vjp({ builder, node, operand, cotangent }) {
      if (operand === 1) throw constantKernel();
      if (operand === 2) return biasDerivative(new Arithmetic(builder), cotangent);
      const type = builder.typeOf(node.args[0]!);
      return builder.add('conv_transpose', [cotangent, node.args[1]!], { attrs: node.attrs, type });
    },
    tfjs: spellConv,
  },
  conv_transpose: {
    summary: 'the transpose of conv: spreads [n, …, outputs] back over the input that the type states',
    operands: ['z', 'w', 'bias?'],
    attrs,
    traits: { affine: true },
    infer: inferTranspose,
    evaluate: evaluateTranspose,
    vjp({ builder, node, operand, cotangent }) {
      if (operand === 1) throw constantKernel();
      if (operand === 2) return biasDerivative(new Arithmetic(builder), cotangent);
      return builder.add('conv', [cotangent, node.args[1]!], { attrs: node.attrs });
    },
    tfjs: spellTranspose,
  },
} satisfies Record<string, OpDefinition>;
