// What cannot be traced: each pitfall has its code, a message that says where, and leaves tfjs as it was.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode, RelcError } from '../../src/ir/error.js';
import { nodesWithOp } from '../../src/ir/graph.js';
import { type FunctionOptions, type ModelFunction, traceFunction } from '../../src/trace/function.js';
import { leavesTensorflowAlone, refusal, startTensorflow } from './support.js';

beforeAll(startTensorflow);

const rows: FunctionOptions = { input: [null, 4] };

/** The refusal of a function, tfjs untouched. */
function refused(model: ModelFunction, code: ErrorCode, options = rows): RelcError {
  return leavesTensorflowAlone(() => refusal(() => traceFunction(model, options), code));
}

/** A call site in this file. */
const here = /\(at test\/trace\/pitfalls\.test\.ts:\d+:\d+\)/;

describe('values of traced tensors', () => {
  const reads: readonly (readonly [string, ModelFunction])[] = [
    ['dataSync', (x: tf.Tensor) => x.relu().mul(x.dataSync()[0]!)],
    ['arraySync', (x: tf.Tensor) => x.add(tf.tensor(x.arraySync()))],
    ['bufferSync', (x: tf.Tensor) => x.add(x.bufferSync().get(0, 0))],
    ['control flow', (x: tf.Tensor) => ((x.sum().arraySync() as number) > 0 ? x.relu() : x.neg())],
    ['a dynamic shape', (x: tf.Tensor) => tf.zeros(x.toInt().arraySync() as never)],
  ];

  it.each(reads)('%s is refused', (_name, model) => {
    const { message } = refused(model, 'RELC2002');
    expect(message).toMatch(
      /^RELC2002: the values of %\S+ = \w+ .*were read while tracing .*they depend on an input/,
    );
    expect(message).toMatch(here);
    expect(message).toContain('use tf.where instead of if');
  });

  it('names the value that was read and where it was computed', () => {
    const model = (x: tf.Tensor) => {
      const hidden = tf.tidy('encoder', () => x.square().sqrt());
      return x.mul(hidden.dataSync().length);
    };
    const { message } = refused(model, 'RELC2002');
    expect(message).toMatch(
      /of %sqrt = sqrt \(encoder at test\/trace\/pitfalls\.test\.ts:\d+:\d+\) were read while tracing \(at test\/trace\/pitfalls\.test\.ts:\d+:\d+\)/,
    );
  });

  it('awaited, they are refused as reads and not for the promise alone', () => {
    const model = async (x: tf.Tensor) => x.mul((await x.relu().data())[0]!);
    expect(refused(model, 'RELC2002').message).toContain('the values of %relu = relu');
  });

  it('asked for and forgotten, they are refused too', () => {
    const model = (x: tf.Tensor) => {
      void x.data().then(() => undefined);
      return x.relu();
    };
    expect(refused(model, 'RELC2002').message).toContain('the values of %x = input');
  });

  it('kept from an earlier call, they are refused', () => {
    let kept: tf.Tensor | undefined;
    const model = (x: tf.Tensor) => {
      kept ??= tf.keep(x.mean(1, true));
      return x.sub(kept);
    };
    const { message } = refusal(() => traceFunction(model, rows), 'RELC2002');
    expect(message).toContain('a value that the model kept from an earlier trace was read');
    kept!.dispose();
  });

  it('of constants may be read', () => {
    const w = tf.tensor1d([1, 2, 3, 4]);
    const model = (x: tf.Tensor) => {
      const scale = w.mul(2).sum().arraySync() as number;
      const literal = tf.tensor1d([0.5]).dataSync()[0]!;
      return scale > 10 ? x.mul(scale + literal) : x;
    };
    const { graph } = leavesTensorflowAlone(() => traceFunction(model, rows));
    expect(nodesWithOp(graph, 'constant').map((node) => node.attrs.value)).toEqual([20.5]);
    w.dispose();
  });
});

describe('random ops', () => {
  const draws: readonly (readonly [string, ModelFunction])[] = [
    ['randomNormal', (x: tf.Tensor) => x.add(tf.randomNormal([4]))],
    ['randomUniform', (x: tf.Tensor) => x.add(tf.randomUniform([4], 0, 1, 'float32', 7))],
    ['truncatedNormal', (x: tf.Tensor) => x.add(tf.truncatedNormal([4]))],
    ['randomGamma', (x: tf.Tensor) => x.add(tf.randomGamma([4], 1))],
    ['randomStandardNormal', (x: tf.Tensor) => x.add(tf.randomStandardNormal([4]))],
    ['rand', (x: tf.Tensor) => x.add(tf.rand([4], () => 0.5))],
    ['dropout', (x: tf.Tensor) => tf.dropout(x, 0.5)],
    ['Multinomial', (x: tf.Tensor2D) => tf.multinomial(x, 2)],
  ];

  it.each(draws)('%s is refused', (name, model) => {
    const { message } = refused(model, 'RELC2003');
    expect(message).toContain(`RELC2003: ${name} was called while tracing (at `);
    expect(message).toMatch(here);
  });

  it('numbers that change from call to call are found', () => {
    const { message } = refused((x: tf.Tensor) => x.mul(Math.random()), 'RELC2007');
    expect(message).toMatch(
      /%constant = constant \(at .*pitfalls.*\): an attribute or a constant depends on the batch size or changes from call to call/,
    );
  });

  it('weights that change from call to call are found', () => {
    const fresh = () => tf.tensor1d(Array.from({ length: 20 }, Math.random));
    const { message } = refused((x: tf.Tensor) => x.mul(fresh()), 'RELC2007', { input: [null, 20] });
    expect(message).toMatch(
      /the constant "test\/trace\/pitfalls\.test\.ts:\d+:\d+" depends on the batch size or changes/,
    );
  });

  it('weights that are not a number stay the same from call to call', () => {
    const w = tf.tensor1d([Number.NaN, ...Array.from({ length: 19 }, (_, i) => i)]);
    const { weights } = traceFunction((x: tf.Tensor) => x.mul(w), { input: [null, 20] });
    expect([...weights.values()][0]!.data[0]).toBeNaN();
    w.dispose();
  });
});

describe('variables', () => {
  it('may not be assigned, and keep their values', () => {
    const state = tf.variable(tf.tensor1d([1, 2, 3, 4]), true, 'state');
    const model = (x: tf.Tensor) => {
      state.assign(tf.tensor1d([5, 6, 7, 8]));
      return x.add(state);
    };
    const { message } = refused(model, 'RELC2004');
    expect(message).toContain('RELC2004: variable state was assigned while tracing');
    expect(message).toMatch(here);
    expect(Array.from(state.dataSync())).toEqual([1, 2, 3, 4]);
    state.assign(tf.tensor1d([4, 3, 2, 1]));
    expect(Array.from(state.dataSync())).toEqual([4, 3, 2, 1]);
    state.dispose();
  });
});

describe('asynchronous functions', () => {
  it('are refused', () => {
    const { message } = refused(async (x: tf.Tensor) => x.relu(), 'RELC2005');
    expect(message).toContain('RELC2005: the model function returned a promise');
    expect(message).toContain('load and await beforehand');
  });

  it('are refused for the promise where they await a constant', () => {
    refused(async (x: tf.Tensor) => x.mul((await tf.scalar(2).data())[0]!), 'RELC2005');
  });

  it('are refused where they fail later on', async () => {
    refused(async () => Promise.reject(new Error('later')), 'RELC2005');
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

describe('shapes that depend on values', () => {
  const boxes = tf.tensor2d([[0, 0, 1, 1]]);
  const searches: readonly (readonly [string, ModelFunction])[] = [
    ['whereAsync', (x: tf.Tensor) => tf.whereAsync(x.greater(0))],
    ['whereAsync', async (x: tf.Tensor) => x.gather((await tf.whereAsync(x.greater(0))).as1D())],
    ['booleanMaskAsync', (x: tf.Tensor) => tf.booleanMaskAsync(x, x.sum(1).greater(0) as tf.Tensor1D)],
    ['nonMaxSuppressionAsync', (x: tf.Tensor2D) => tf.image.nonMaxSuppressionAsync(x, x.sum(1), 3)],
    ['NonMaxSuppressionV3', (x: tf.Tensor2D) => tf.image.nonMaxSuppression(x, x.sum(1), 3)],
    ['NonMaxSuppressionV5', (x: tf.Tensor2D) => tf.image.nonMaxSuppressionWithScore(x, x.sum(1), 3)],
    ['Unique', (x: tf.Tensor) => tf.unique(x.reshape([-1])).values],
  ];

  it.each(searches)('%s is refused', (name, model) => {
    const { message } = refused(model, 'RELC2006');
    expect(message).toMatch(
      new RegExp(`^RELC2006: ${name} \\(at test/trace/pitfalls.test.ts:\\d+:\\d+\\): the shape of`),
    );
    expect(message).toContain('explain the part of the model before this op');
  });

  it('are fine where the values are constants', () => {
    const model = (x: tf.Tensor) => x.mul(tf.image.nonMaxSuppression(boxes, tf.tensor1d([1]), 1).size);
    leavesTensorflowAlone(() => traceFunction(model, rows));
  });
});

describe('the batch size', () => {
  const dependences: readonly (readonly [string, ModelFunction, RegExp])[] = [
    [
      'which op runs',
      (x: tf.Tensor) => (x.shape[0]! > 5 ? x.relu() : x.tanh()),
      /which op runs \(tanh or relu\)/,
    ],
    [
      'whether an op runs',
      (x: tf.Tensor) => (x.shape[0]! > 5 ? x.relu() : x.relu().abs()),
      /whether this op runs/,
    ],
    [
      'an op more',
      (x: tf.Tensor) => (x.shape[0]! > 5 ? x.relu().abs() : x.relu()),
      /%abs = abs .*whether this op runs/,
    ],
    ['a constant', (x: tf.Tensor) => x.div(x.shape[0]!), /a constant depends on the batch size/],
    ['an attribute', (x: tf.Tensor) => x.clipByValue(0, x.shape[0]!), /an attribute or a constant depends/],
    [
      'a shape',
      (x: tf.Tensor) =>
        x.pad([
          [0, 1],
          [0, 0],
        ]),
      /the type, f32\[6,4\] at batch 5 and f32\[8,4\] at 7/,
    ],
    ['a table', (x: tf.Tensor) => x.add(tf.range(0, x.shape[0]!).expandDims(1)), /depends on the batch size/],
  ];

  it.each(dependences)('%s may not depend on it', (_name, model, message) => {
    const error = refused(model, 'RELC2007');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(here);
    expect(error.message).toContain('trace with batch: null');
  });

  const mixtures: readonly (readonly [string, ModelFunction])[] = [
    ['the mean over the batch', (x: tf.Tensor) => x.sub(x.mean(0))],
    ['the statistics of a batch', (x: tf.Tensor) => x.sub(tf.moments(x, 0).mean)],
    ['products of samples', (x: tf.Tensor2D) => tf.matMul(x, x, false, true)],
    ['a flattened batch', (x: tf.Tensor) => x.reshape([1, -1])],
  ];

  it.each(mixtures)('%s mixes samples', (_name, model) => {
    const { message } = refused(model, 'RELC1007');
    expect(message).toMatch(here);
    expect(message).toContain('trace with batch: null');
  });

  it('is free where the function has no batch', () => {
    const model = (x: tf.Tensor2D) => tf.matMul(x, x, false, true).mean(0).mul(x.shape[0]);
    const { graph } = leavesTensorflowAlone(() => traceFunction(model, { input: [6, 4], batch: null }));
    expect(graph.nodes.get(graph.outputs.output!)!.type.shape).toEqual([6]);
  });
});

describe('the option input', () => {
  const relu = (x: tf.Tensor) => x.relu();
  const wrong: readonly (readonly [string, FunctionOptions, RegExp])[] = [
    ['left out', {} as FunctionOptions, /without the shape of its input.*\n.*input: \[1, …shape\]/],
    [
      'an open dimension',
      { input: [null, null, 3] },
      /input x has shape \[null,null,3\]: every dimension after the batch/,
    ],
    ['a fraction', { input: [null, 2.5] }, /must be a positive integer/],
    ['nothing at all', { input: [] as number[] }, /input x has shape \[\]/],
    ['no names', { input: {} }, /no input is stated/],
    [
      'an open dimension without a batch',
      { input: [null, 3], batch: null },
      /every dimension must be a positive integer/,
    ],
    ['a foreign dtype', { input: { shape: [null, 3], dtype: 'bool' } }, /dtype bool; expected f32 or i32/],
  ];

  it.each(wrong)('%s is refused', (_name, options, message) => {
    expect(refused(relu, 'RELC2008', options).message).toMatch(message);
  });
});

describe('the result', () => {
  const wrong: readonly (readonly [string, ModelFunction, string])[] = [
    ['nothing', () => undefined as never, 'returned undefined, expected tensors'],
    ['a number', () => 3 as never, 'returned 3, expected tensors'],
    ['an empty list', () => [], 'expected tensors'],
    [
      'a number among tensors',
      (x: tf.Tensor) => ({ a: x, b: 2 }) as never,
      "returned 2 under 'b', expected tensors",
    ],
  ];

  it.each(wrong)('%s is refused', (_name, model, message) => {
    expect(refused(model, 'RELC2009').message).toContain(message);
  });
});

describe('unknown kernels', () => {
  const unknown: readonly (readonly [string, ModelFunction])[] = [
    ['Cumsum', (x: tf.Tensor) => tf.tidy('running', () => tf.cumsum(x, 1))],
    ['FFT', (x: tf.Tensor) => tf.tidy('running', () => tf.real(tf.fft(tf.complex(x, x))))],
    ['TopK', (x: tf.Tensor) => tf.tidy('running', () => tf.topk(x, 2).values)],
  ];

  it.each(unknown)('%s is told with its name and place', (name, model) => {
    const { message } = refused(model, 'RELC2001');
    const kernel = name === 'FFT' ? 'Complex' : name;
    expect(message).toMatch(
      new RegExp(
        `^RELC2001: ${kernel} \\(running at test/trace/pitfalls.test.ts:\\d+:\\d+\\): there is no op for this kernel`,
      ),
    );
  });

  it('strings are refused', () => {
    const model = (x: tf.Tensor) => x.mul(tf.tensor(['a', 'b']).size);
    expect(refused(model, 'RELC2001').message).toContain('a tensor of strings was made while tracing');
  });
});

describe('what the function throws itself', () => {
  it('comes through as it is', () => {
    const model = (x: tf.Tensor2D) =>
      tf.tidy(() => {
        throw new Error(`no layer for ${x.relu().shape[1]}`);
      });
    leavesTensorflowAlone(() => {
      expect(() => traceFunction(model, rows)).toThrow('no layer for 4');
    });
  });

  it('where shapes do not fit, the operands are told', () => {
    const model = (x: tf.Tensor2D) => tf.matMul(x, tf.zeros<tf.Rank.R2>([3, 3]));
    const { message } = refused(model, 'RELC1004');
    expect(message).toContain('operand 1 is f32[3,3], expected dim i = 4 to match operand 0 f32[5,4]');
    expect(message).toMatch(here);
  });

  it('leaves no trace of a trace: the next one works', () => {
    refused((x: tf.Tensor) => tf.cumsum(x, 1), 'RELC2001');
    const { graph } = leavesTensorflowAlone(() => traceFunction((x: tf.Tensor) => x.relu(), rows));
    expect([...graph.nodes.keys()]).toEqual(['x', 'relu']);
  });
});
