// Sources: graph inputs, weights and constants.
import { attrNumber, type OpDefinition } from '../dialect.js';
import { call, literal, shapeOf } from '../spelling.js';
import { allocate } from '../tensor.js';
import { concreteShape, elementCount, isBatched } from '../type.js';
import { stated, wrongShape } from './shapes.js';

export const sourceOps = {
  input: {
    summary: 'an input of the graph, by its name',
    operands: [],
    infer: (_args, _attrs, declared) => stated(declared),
    evaluate() {
      throw new Error('inputs are given, not evaluated');
    },
  },
  param: {
    summary: 'a weight, by its key beside the graph',
    operands: [],
    attrs: { key: 'string' },
    infer(_args, _attrs, declared) {
      const type = stated(declared);
      if (isBatched(type)) throw wrongShape('a weight cannot have a batch dimension');
      return type;
    },
    evaluate() {
      throw new Error('weights are given, not evaluated');
    },
  },
  constant: {
    summary: 'the values written in it; one number stands for every element',
    operands: [],
    attrs: { value: 'value' },
    nonnegative: ({ value }) =>
      (Array.isArray(value) ? value : [value]).every((item) => attrNumber(item)! >= 0),
    infer(_args, attrs, declared) {
      const type = stated(declared);
      if (Array.isArray(attrs.value)) {
        if (isBatched(type)) throw wrongShape('only a constant of one value can have a batch dimension');
        if (attrs.value.length !== elementCount(type.shape)) {
          throw wrongShape(`${attrs.value.length} values for ${elementCount(type.shape)} elements`);
        }
      }
      return type;
    },
    evaluate(_args, node, context) {
      const result = allocate(node.type.dtype, concreteShape(node.type), context.precision);
      const { value } = node.attrs;
      if (Array.isArray(value)) result.data.set(value.map((item) => attrNumber(item)!));
      else result.data.fill(attrNumber(value)!);
      return result;
    },
    tfjs(node) {
      const dtype = literal({ f32: 'float32', i32: 'int32', bool: 'bool' }[node.type.dtype]);
      const { value } = node.attrs;
      return Array.isArray(value)
        ? call('tf.tensor', literal(value), shapeOf(node.type.shape), dtype)
        : call('tf.fill', shapeOf(node.type.shape), literal(value!), dtype);
    },
  },
} satisfies Record<string, OpDefinition>;
