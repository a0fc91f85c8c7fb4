// What is known of signs, and every pass after it, saves work and changes no relevance.
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawPicture } from '../../examples/shapes/draw.js';
import { exampleSeed } from '../../examples/shapes/example.js';
import { trace } from '../../src/api/model.js';
import { type Compiled, canonical, compileExplanation } from '../../src/api/pipeline.js';
import { evaluate } from '../../src/ir/evaluate.js';
import type { Graph } from '../../src/ir/graph.js';
import type { Program } from '../../src/ir/passes/pass.js';
import { type TensorData, tensor, type Weights } from '../../src/ir/tensor.js';
import type { Composite } from '../../src/rules/composite.js';
import { ruleLineOf } from '../../src/rules/dialect.js';
import { type Preset, presetNamed } from '../../src/rules/presets.js';
import { targetInput } from '../../src/rules/seed.js';
import { everyPreset, expectClose, expectSame, holds, presetNames, requestFor } from './law-support.js';
import { composites } from './random-composites.js';
import { mixedNet } from './random-nets.js';
import { dialect, exact, lower } from './support.js';

interface Stages extends Compiled {
  /** The weights before constants are folded into them, in 32 bits. */
  readonly exactWeights: Weights;
}

function compile(program: Program, preset: Preset | string): Stages {
  const forward = canonical(program);
  return { ...compileExplanation(forward, requestFor(preset)), exactWeights: forward.program.weights };
}

/**
 * Relevance of the input by the graph of rules as chosen; by the one that knows signs; by the one in which work is
 * shared; and by the finished one, whose constants are folded.
 */
function byStage(
  { program, stages, exactWeights }: Stages,
  name: string,
  x: TensorData,
): ArrayLike<number>[] {
  const target = tensor([x.shape[0]!], new Array<number>(x.shape[0]!).fill(-1), 'i32');
  const run = (graph: Graph, weights: Weights) =>
    evaluate(graph, dialect, { [name]: x, [targetInput]: target }, weights)[`relevance.${name}`]!.data;
  return [
    run(lower(stages.get('relevance')!), exactWeights),
    run(lower(stages.get('specialize')!), exactWeights),
    run(stages.get('common-subexpressions')!, exactWeights),
    run(program.graph, program.weights),
  ];
}

describe('(L11) specialization changes no relevance', () => {
  it.each(everyPreset)('%s, %s', (name, _kind, draw) => {
    holds((shape) => {
      const net = draw(shape);
      const [plain, special, shared] = byStage(compile(net, name), 'x', net.x);
      // Only terms that are zero are left out
      expectSame(special!, plain!);
      // Sums are reassociated: of halves, of slices, of one-hot rows
      expectClose(shared!, plain!);
    }, 5);
  });

  it('nor under any other rules', () => {
    const check = (seed: number, composite: Composite) => {
      const net = mixedNet({ seed, depth: 1, width: 2, batch: 2 });
      const [plain, special, shared] = byStage(
        compile(net, { ...presetNamed('epsilon'), composite }),
        'x',
        net.x,
      );
      expectSame(special!, plain!);
      expectClose(shared!, plain!);
    };
    fc.assert(fc.property(fc.integer(), composites, check), { numRuns: 60, seed: 8 });
  });

  it('and there is something to specialize', () => {
    const told = (preset: string, attr: string) => {
      const { stages } = compile(mixedNet({ seed: 1, depth: 1, width: 2, batch: 1 }), preset);
      const rules = [...stages.get('specialize')!.nodes.values()].filter(({ attrs }) => attrs[attr] === true);
      return rules.map((line) => ruleLineOf(line).z);
    };
    // All but the first: after relu, relu6, a slice of a relu, a max pool
    expect(told('epsilon-plus', 'nonnegative')).toEqual(['conv_3', 'conv_2', 'conv_1', 'conv']);
    // Under relu or relu6, but not as a term of a sum
    expect(told('epsilon-gamma-box', 'vanishing')).toEqual(['conv_3', 'conv_2', 'conv']);
  });
});

describe('(L11) on the trained network of the example', async () => {
  const file = fileURLToPath(new URL('../../examples/shapes/model/model.json', import.meta.url));
  const program = await trace(file);
  const { pixels, width, height } = drawPicture(exampleSeed);
  const picture = exact(
    [1, height, width, 3],
    Float64Array.from(pixels, (value) => value / 127.5 - 1),
  );
  const [input] = [...program.graph.nodes.values()].filter(({ op }) => op === 'input');

  it.each(presetNames)('%s', (name) => {
    const [plain, special, shared, finished] = byStage(compile(program, name), input!.name, picture);
    expect(plain!.length).toBeGreaterThan(0);
    expectSame(special!, plain!);
    expectClose(shared!, plain!);
    expectClose(finished!, plain!, 1e-4);
  });
});
