// Targets in process: chosen by name, and an explainer needs of an engine what the interface says and no more.
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { requestFor } from '../../src/api/compile.js';
import { type Engine, engineFactory } from '../../src/api/engine.js';
import { EnginePool } from '../../src/api/engine-pool.js';
import { tfjsEngine } from '../../src/api/engines/tfjs.js';
import { Explainer } from '../../src/api/explainer.js';
import { canonical, compileExplanation } from '../../src/api/pipeline.js';
import {
  compile,
  dialect,
  type ExecutionTarget,
  evaluate,
  executionTargets,
  trace,
} from '../../src/index.js';
import type { Program } from '../../src/ir/passes/pass.js';
import type { ModelFunction } from '../../src/trace/function.js';
import { relativeError, sequence, useBackend } from '../codegen/support.js';
import { denseNet, denseParams } from './models.js';

const random = sequence(11);
const x = Array.from({ length: 8 }, () => 2 * random() - 1);

let params: ReturnType<typeof denseParams>;
beforeAll(async () => {
  await useBackend('cpu');
  params = denseParams();
});
afterAll(() => tf.dispose([params.fc1, params.fc2]));

const options = () => ({ input: [null, 4], params, rules: 'epsilon' });

/** The reference evaluator as an engine: slow to answer, and it fails where a call overlaps another. */
function evaluatorEngine({ graph, weights }: Program): Engine {
  let running = false;
  return {
    async run(inputs, varied) {
      if (running) throw new Error('called before the call before has ended');
      running = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      const outputs = varied.map((own) => evaluate(graph, dialect, { ...inputs, ...own }, weights));
      running = false;
      return outputs;
    },
    dispose() {},
  };
}

describe('an explainer', () => {
  it('runs on any engine: it explains as on tfjs, without tfjs, also at once', async () => {
    const onTfjs = await compile(denseNet, options());
    const forward = canonical(await trace(denseNet, options()));
    const request = requestFor(options());
    const engines = new EnginePool(
      (seed) => compileExplanation(forward, { ...request, seed }),
      async (program) => evaluatorEngine(program),
    );
    const explainer = new Explainer(await engines.compiled(request.seed), request, engines);
    const requests = [{}, { target: 0 }, { seed: 'one' }, { against: [0, 1], target: 2 }] as const;
    const wanted = await onTfjs.explainEach(x, requests);
    const kernels = vi.spyOn(tf.engine(), 'runKernel');
    const [together, ...alone] = await Promise.all([
      explainer.explainEach(x, requests),
      ...requests.map((each) => explainer.explainEach(x, [each])),
    ]);
    expect(kernels).not.toHaveBeenCalled();
    kernels.mockRestore();
    for (const [index, one] of [...together, ...alone.flat()].entries()) {
      const { relevance, targets, starts } = wanted[index % requests.length]!;
      expect(one).toMatchObject({ targets, relevance: { shape: relevance.shape } });
      expect(one.relevance.data).toBeInstanceOf(Float32Array);
      expect(relativeError(one.relevance.data, relevance.data)).toBeLessThan(1e-5);
      expect(relativeError(one.starts, starts)).toBeLessThan(1e-5);
    }
    for (const each of [onTfjs, explainer]) each.dispose();
  });
});

describe('a target', () => {
  it.each(executionTargets)('`%s` explains, and no target is tfjs', async (target) => {
    const [named, usual] = [
      await compile(denseNet, { ...options(), target }),
      await compile(denseNet, options()),
    ];
    const [a, b] = [await named.explain(x), await usual.explain(x)];
    expect(relativeError(a.relevance.data, b.relevance.data)).toBeLessThan(1e-5);
    for (const each of [named, usual]) each.dispose();
    expect(engineFactory('tfjs')).toBe(tfjsEngine);
  });

  it('holds the weights from compile on', async () => {
    const empty = tf.memory().numTensors;
    const explainer = await compile(denseNet, { ...options(), target: 'tfjs' });
    const held = tf.memory().numTensors;
    expect(held).toBeGreaterThan(empty);
    await explainer.explain(x);
    expect(tf.memory().numTensors).toBe(held);
    explainer.dispose();
    expect(tf.memory().numTensors).toBe(empty);
  });

  it.each(['webgl', 'toString', ''])('RELC4007: `%s`, before anything is traced', async (name) => {
    let traced = false;
    const model = (input: tf.Tensor) => {
      traced = true;
      return input;
    };
    const target = name as ExecutionTarget;
    await expect(compile(model as ModelFunction, { input: [null, 4], target })).rejects.toThrow(
      new RegExp(`RELC4007: there is no target '${name}'\n.*targets: tfjs`),
    );
    expect(traced).toBe(false);
  });
});
