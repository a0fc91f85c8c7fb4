// Canonicalization keeps every value: in 64 bits, before weights are rounded, on all cases and on random nets.
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftConstants } from '../../../src/ir/analyses/left-constants.js';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph } from '../../../src/ir/graph.js';
import { canonicalForm, canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import { print } from '../../../src/ir/print.js';
import { verify } from '../../../src/ir/verify.js';
import { expectClose, inputsFor, neededActiveValues } from '../support.js';
import { affineNets } from './affine-nets.js';
import { readCase } from './case-file.js';

const tolerance = 1e-12;

function expectExact(before: Program): Program {
  const after = { graph: canonicalForm(before, forward), weights: before.weights };
  verify(after.graph, forward);
  const inputs = inputsFor(before.graph, 2, 5);
  const wanted = evaluate(before.graph, forward, inputs, before.weights);
  const got = evaluate(after.graph, forward, inputs, after.weights);
  for (const [key, value] of Object.entries(wanted))
    expectClose(got[key]!, value, tolerance, `output ${key}:`);
  return after;
}

/** Where something else reads a value, moving a constant into it would make a second one beside it. */
const affineCount = (graph: Graph) =>
  [...graph.nodes.values()].filter(({ op }) => forward[op as 'conv'].traits?.affine === true).length;

describe('the canonical form of the cases', () => {
  const folder = new URL('../../cases/', import.meta.url);
  const files = readdirSync(folder).filter((name) => /^canonicalize-.*\.relc$/.test(name));

  it.each(files)('%s: has the same values in 64 bits', (file) => {
    for (const program of readCase(new URL(file, folder), [canonicalize], forward).programs) {
      expectExact(program);
    }
  });
});

describe('the canonical form of random nets', () => {
  it('has the same values in 64 bits, no more affine ops, and is its own canonical form', () => {
    const moved: Record<string, number> = { scaled: 0, biased: 0, bare: 0, pads: 0, all: 0, some: 0 };
    const count = (what: string, is: boolean) => {
      moved[what]! += Number(is);
    };
    fc.assert(
      fc.property(affineNets, (before) => {
        const after = expectExact(before);
        expect(print(canonicalForm(after, forward))).toBe(print(after.graph));
        expect(affineCount(after.graph)).toBeLessThanOrEqual(affineCount(before.graph));
        const names = [...after.graph.nodes.keys()];
        for (const suffix of ['scaled', 'biased', 'bare']) {
          count(
            suffix,
            names.some((name) => name.includes(`.${suffix}`)),
          );
        }
        const pads = (program: Program) =>
          neededActiveValues(program.graph).filter((name) => program.graph.nodes.get(name)!.op === 'pad');
        count('pads', pads(after).length < pads(before).length);
        const [given, left] = [leftConstants(before.graph).length, leftConstants(after.graph).length];
        count('all', given > 0 && left === 0);
        count('some', left > 0 && left < given);
      }),
      { numRuns: 1500, seed: 3 },
    );
    for (const [what, nets] of Object.entries(moved)) expect(nets, what).toBeGreaterThan(40);
  });
});
