// Maps and reductions on the WebAssembly target: views in chains, every dtype, pools, pads and concatenations.
import { expect, it } from 'vitest';
import { randomMovement } from './random-movement.js';
import { expectRight, forPrograms } from './random-program.js';

it('computes random programs of movement, maps and reductions', () => {
  const tried = new Map<string, number>();
  forPrograms(randomMovement, 600, (program) => {
    expectRight(program);
    for (const { op } of program.graph.nodes.values()) tried.set(op, (tried.get(op) ?? 0) + 1);
  });
  for (const [op, count] of tried) expect(count, op).toBeGreaterThan(5);
});
