// Batches: order, laziness, inputs that fail, sources that are closed, aborts, and what is left on the backend.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchItem, BatchOptions, InputSource } from '../../src/api/batch.js';
import { compile } from '../../src/api/compile.js';
import type { Explainer } from '../../src/api/explainer.js';
import type { Inputs } from '../../src/api/inputs.js';
import { RelcError } from '../../src/ir/error.js';
import { sequence, useBackend } from '../codegen/support.js';
import { denseNet, denseParams } from './models.js';

const random = sequence(11);
const draw = () => Array.from({ length: 4 }, () => 2 * random() - 1);
const inputs: readonly number[][] = [draw(), draw(), draw()];

let params: ReturnType<typeof denseParams>;
let explainer: Explainer;

beforeAll(async () => {
  await useBackend('cpu');
  params = denseParams();
  explainer = await compile(denseNet, { input: [null, 4], params, rules: 'epsilon' });
  await explainer.explain(inputs[0]!);
});
afterAll(() => {
  explainer.dispose();
  tf.dispose([params.fc1, params.fc2]);
});

async function all(source: InputSource, options?: BatchOptions): Promise<BatchItem[]> {
  const items: BatchItem[] = [];
  for await (const item of explainer.explainBatch(source, options)) items.push(item);
  return items;
}

const outcomes = (items: readonly BatchItem[]) =>
  items.map(({ index, error, explanation }) => [index, error?.code ?? explanation?.relevance.shape[0]]);

/** A source that keeps account of what is taken from it, and of its end. */
function watched(list: readonly Inputs[]) {
  const log: (number | 'closed')[] = [];
  function* source(): Generator<Inputs> {
    try {
      for (const [index, input] of list.entries()) {
        log.push(index);
        yield input;
      }
    } finally {
      log.push('closed');
    }
  }
  return { log, source: source() };
}

describe('results', () => {
  it('are those of each input alone, in order', async () => {
    const items = await all(inputs, { target: 1 });
    for (const [index, input] of inputs.entries()) {
      expect(items[index]).toEqual({ index, explanation: await explainer.explain(input, { target: 1 }) });
    }
    expect(items).toHaveLength(3);
  });

  it('come from sets, tensors, batches and asynchronous sources as well', async () => {
    const tensor = tf.tensor2d([inputs[0]!, inputs[1]!]);
    async function* slowly() {
      for (const input of [Float32Array.from(inputs[0]!), tensor, { x: inputs[2]! }]) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield input;
      }
    }
    expect(outcomes(await all(slowly()))).toEqual([
      [0, 1],
      [1, 2],
      [2, 1],
    ]);
    expect(outcomes(await all(new Set(inputs)))).toHaveLength(3);
    tensor.dispose();
  });

  it('of no inputs are none', async () => expect(await all([])).toEqual([]));
});

describe('progress', () => {
  const told = async (source: InputSource) => {
    const calls: [number, number | undefined][] = [];
    await all(source, { onProgress: (...call) => void calls.push(call) });
    return calls;
  };

  it('counts inputs, of all where their number is known, failed ones too', async () => {
    const counted = [
      [1, 3],
      [2, 3],
      [3, 3],
    ];
    expect(await told([inputs[0]!, [1], inputs[2]!])).toEqual(counted);
    expect(await told(new Set(inputs))).toEqual(counted);
    expect(await told(watched(inputs).source)).toEqual(counted.map(([done]) => [done, undefined]));
  });
});

describe('the source', () => {
  it('is asked for the next input only when the next result is', async () => {
    const { log, source } = watched(inputs);
    const batch = explainer.explainBatch(source);
    expect(log).toEqual([]);
    await batch.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(log).toEqual([0]);
    await batch.next();
    expect(log).toEqual([0, 1]);
    await batch.return();
    expect(log).toEqual([0, 1, 'closed']);
  });

  it('is closed when the loop is left', async () => {
    const { log, source } = watched(inputs);
    for await (const { index } of explainer.explainBatch(source)) if (index === 1) break;
    expect(log).toEqual([0, 1, 'closed']);
  });

  it('fails with its own error, also where that is a RelcError', async () => {
    for (const error of [new TypeError('the disk is gone'), new RelcError('RELC4002', 'its own')]) {
      async function* failing() {
        yield inputs[0]!;
        throw error;
      }
      const batch = explainer.explainBatch(failing());
      expect((await batch.next()).value).toMatchObject({ index: 0 });
      await expect(batch.next()).rejects.toBe(error);
    }
  });

  it.each([
    ['numbers', inputs[0]],
    ['a typed array', new Float32Array(4)],
    ['nothing', undefined],
  ])('is no %s', async (_what, source) => {
    await expect(all(source as unknown as InputSource)).rejects.toThrow(
      /RELC4002: explainBatch got .*\n.*\[pixels/,
    );
  });
});

describe('an input that fails', () => {
  it('is a result, and the rest go on', async () => {
    const source = [inputs[0]!, [1, 2], [0, Number.NaN, 0, 0], { y: inputs[0]! }, inputs[1]!];
    const items = await all(source);
    expect(outcomes(items)).toEqual([
      [0, 1],
      [1, 'RELC4002'],
      [2, 'RELC4002'],
      [3, 'RELC4002'],
      [4, 1],
    ]);
    expect(items[1]!.error).toBeInstanceOf(RelcError);
    expect(items[1]!.error!.detail).toContain('has 2 elements');
  });

  it('may be one of which the class does not fit', async () => {
    const [top] = (await explainer.explain(inputs[0]!)).targets;
    const other = (top! + 1) % 3;
    const items = await all([inputs[0]!, [...inputs[0]!, ...inputs[1]!]], { target: [other] });
    expect(outcomes(items)).toEqual([
      [0, 1],
      [1, 'RELC4003'],
    ]);
  });

  it('is told from what no input can change, and from defects, which are thrown', async () => {
    const { log, source } = watched(inputs);
    await expect(all(source, { seed: 'one', against: 1 })).rejects.toThrow('RELC3004');
    expect(log).toEqual([0, 'closed']);
    const disposed = await compile(denseNet, { input: [null, 4], params, rules: 'epsilon' });
    disposed.dispose();
    await expect(disposed.explainBatch(inputs).next()).rejects.toThrow('RELC4004');
    const hostile = new Proxy<Record<string, number[]>>({}, { ownKeys: () => [1] as unknown as string[] });
    await expect(all([inputs[0]!, hostile])).rejects.toThrow(TypeError);
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  it('before the first input leaves the source alone', async () => {
    const { log, source } = watched(inputs);
    await expect(all(source, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(log).toEqual([]);
  });

  it('between two inputs throws its reason and closes the source', async () => {
    const [{ log, source }, controller] = [watched(inputs), new AbortController()];
    const batch = explainer.explainBatch(source, { signal: controller.signal });
    await batch.next();
    controller.abort(reason);
    await expect(batch.next()).rejects.toBe(reason);
    expect(log).toEqual([0, 'closed']);
    expect((await batch.next()).done).toBe(true);
  });

  it('while an input is waited for stops before it is explained', async () => {
    const controller = new AbortController();
    async function* source() {
      yield inputs[0]!;
      controller.abort(reason);
      yield inputs[1]!;
    }
    const progress: number[] = [];
    const options = { signal: controller.signal, onProgress: (done: number) => void progress.push(done) };
    await expect(all(source(), options)).rejects.toBe(reason);
    expect(progress).toEqual([1]);
  });

  it('by a timer gets its turn, although every run is computed at once', async () => {
    const long = new Array(5000).fill(inputs[0]!);
    await expect(all(long, { signal: AbortSignal.timeout(30) })).rejects.toThrow(/aborted|timeout/i);
  });
});

it('leaves no tensor behind, however it ends', async () => {
  const before = tf.memory().numTensors;
  await all([inputs[0]!, [1], inputs[1]!]);
  for await (const _ of explainer.explainBatch(inputs)) break;
  const controller = new AbortController();
  const batch = explainer.explainBatch(inputs, { signal: controller.signal });
  await batch.next();
  controller.abort();
  await expect(batch.next()).rejects.toThrow('aborted');
  expect(tf.memory().numTensors).toBe(before);
});
