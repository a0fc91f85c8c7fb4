// What the compiler makes, on the WebAssembly target: rules op by op, every preset on random networks, recorded models.
import { describe, expect, it } from 'vitest';
import { compileExplanation } from '../../../src/api/pipeline.js';
import type { Inputs } from '../../../src/ir/evaluate.js';
import type { Graph } from '../../../src/ir/graph.js';
import { tensor, type Weights } from '../../../src/ir/tensor.js';
import { targetInput } from '../../../src/rules/seed.js';
import { explainerOf, wholeModels } from '../../rules/conformance/whole-models.js';
import { everyPreset, requestFor } from '../../rules/law-support.js';
import { dataFor, flavours } from '../../rules/single-ops.js';
import { lower, withRule } from '../../rules/support.js';
import { printed, promised, ruleNames, trials } from '../../rules/trials.js';
import { judgeOf, sequence } from '../support.js';
import { expectAgreement, runOnWasm } from './support.js';

function expectRight(graph: Graph, inputs: Inputs, weights: Weights): void {
  expectAgreement(graph, inputs, weights, runOnWasm(graph, inputs, weights));
}

/** Whether f32 is near f64: near a zero denominator no target can be held to anything. */
const isConditioned = (graph: Graph, inputs: Inputs, weights: Weights) =>
  judgeOf({ graph, weights }, inputs).bounds.r! < 1e-2;

describe('a rule on the ops that it suits', () => {
  it.each(ruleNames)('%s', (name) => {
    const random = sequence(6);
    const some = trials.filter(({ rule }) => rule === name && random() < 1 / 4);
    let judged = 0;
    for (const [index, trial] of some.entries()) {
      const { rule, params, single, operand } = trial;
      const { inputs, weights } = promised(trial, dataFor(single, flavours[index % 3]!, 1));
      const graph = lower(withRule(single.graph, rule, params, operand));
      if (!isConditioned(graph, inputs, weights)) continue;
      try {
        expectRight(graph, inputs, weights);
      } catch (error) {
        throw new Error(`${single.name}, operand ${operand}, ${printed(params)}`, { cause: error });
      }
      judged++;
    }
    expect(judged).toBeGreaterThanOrEqual(0.8 * some.length);
  });
});

describe('an explainer', () => {
  it.each(everyPreset)('by %s of a network: %s', (preset, _kind, draw) => {
    const net = draw({ seed: 1, depth: 3, width: 5, batch: 2 });
    const { program } = compileExplanation({ program: net, stages: new Map() }, requestFor(preset));
    const inputs = { x: net.x, [targetInput]: tensor([2], [-1, 1], 'i32') };
    expectRight(program.graph, inputs, program.weights);
  });

  const recorded = wholeModels.flatMap((whole) =>
    whole.model.model.runs.map(
      (run) => [`${whole.suite.peer} ${whole.suite.name}`, run.id, whole, run] as const,
    ),
  );
  it.each(recorded)('of the recorded model %s: %s', (_model, _id, whole, run) => {
    const { program, inputs } = explainerOf(whole, run);
    expectRight(program.graph, inputs, program.weights);
  });
});
