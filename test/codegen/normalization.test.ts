// Normalizations on every target: decomposed first, as compile does, then judged against the op itself.
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { decompose } from '../../src/ir/passes/decompose.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { type Drawn, dataFor, dialect, expectJudged, graphOf } from './support.js';
import { targets } from './targets.js';

const sources = { x: 'in f32[N,3,8]', s: 'w+ f32[8]', o: 'w f32[8]' };
const cases: readonly (readonly [string, Drawn])[] = [
  'layer_norm(%x, %s, %o)',
  'layer_norm(%x)',
  'rms_norm(%x, %s)',
].map((text) => [text, graphOf(sources, `%z = ${text} {epsilon=0.001} : f32[N,3,8]`)]);

describe.each(targets)('on $name', (target) => {
  beforeAll(() => target.start());

  it.each(cases)('%s', (_text, drawn) => {
    const { inputs, weights } = dataFor(drawn);
    const program = runPasses({ graph: drawn.graph, weights }, [decompose], dialect);
    const got = target.run(program, inputs).z!;
    expectJudged(got, program, inputs, 'z');
    const whole = evaluate(drawn.graph, dialect, inputs, weights).z!;
    const difference = Math.max(...Array.from(got.data, (value, i) => Math.abs(value - whole.data[i]!)));
    expect(difference).toBeLessThan(1e-5);
  });
});
