// The case files: every pass gives the expected graph, keeps every value, and leaves an alias for what it removes.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../src/ir/evaluate.js';
import { forward } from '../../../src/ir/forward.js';
import { resolveAlias } from '../../../src/ir/graph.js';
import { canonicalize } from '../../../src/ir/passes/canonicalize/canonicalize.js';
import { commonSubexpressions } from '../../../src/ir/passes/common-subexpressions.js';
import { crop } from '../../../src/ir/passes/crop/crop.js';
import { deadCode } from '../../../src/ir/passes/dead-code.js';
import { decompose } from '../../../src/ir/passes/decompose.js';
import { foldConstants } from '../../../src/ir/passes/fold-constants.js';
import { joinSlices } from '../../../src/ir/passes/join-slices.js';
import { oneHot } from '../../../src/ir/passes/one-hot.js';
import type { Program } from '../../../src/ir/passes/pass.js';
import { shareBiasless } from '../../../src/ir/passes/share-biasless.js';
import { shareHalves } from '../../../src/ir/passes/share-halves.js';
import { simplify } from '../../../src/ir/passes/simplify.js';
import { expectClose, inputsFor, neededActiveValues } from '../support.js';
import { printAll, readCase, runCase } from './case-file.js';

const folder = new URL('../../cases/', import.meta.url);
const passes = [
  decompose,
  simplify,
  shareBiasless,
  shareHalves,
  oneHot,
  joinSlices,
  commonSubexpressions,
  crop,
  deadCode,
  foldConstants,
  canonicalize,
];
const blessing = process.env.BLESS === '1';

/** Outputs agree on fresh inputs; folded weights are stored in 32 bits. */
function expectSameValues(before: Program, after: Program): void {
  for (const seed of [1, 2]) {
    const inputs = inputsFor(before.graph, 3, seed);
    const wanted = evaluate(before.graph, forward, inputs, before.weights);
    const got = evaluate(after.graph, forward, inputs, after.weights);
    expect(Object.keys(got)).toEqual(Object.keys(wanted));
    for (const [key, value] of Object.entries(wanted)) expectClose(got[key]!, value, 1e-6, `output ${key}:`);
  }
}

/** Every value that mattered is there, or its name leads to one that is. Temporaries and quotients are nobody's to ask for. */
function expectNamesKept(before: Program, after: Program): void {
  for (const name of neededActiveValues(before.graph)) {
    if (!/^[ts]\./.test(name)) expect(resolveAlias(after.graph, name), `%${name}`).toBeDefined();
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.relc'))) {
  describe(`test/cases/${file}`, () => {
    const given = readCase(new URL(file, folder), passes, forward);
    const results = runCase(given, forward);

    it('gives the expected graphs', () => {
      const text = printAll(results.map(({ graph }) => graph));
      if (blessing) given.bless(text);
      else expect(text).toBe(given.expected);
    });

    it('changes no value', () => {
      for (const [index, program] of given.programs.entries()) expectSameValues(program, results[index]!);
    });

    it('leaves an alias for each value it removes', () => {
      for (const [index, program] of given.programs.entries()) expectNamesKept(program, results[index]!);
    });

    it('has nothing left to do when it runs again', () => {
      const again = runCase({ ...given, programs: results }, forward);
      expect(printAll(again.map(({ graph }) => graph))).toBe(printAll(results.map(({ graph }) => graph)));
    });
  });
}

describe('the case files', () => {
  it('have at least one case for every pass', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.relc'));
    const tested = files.map((file) => readCase(new URL(file, folder), passes, forward).pass.name);
    expect([...new Set(tested)].sort()).toEqual(passes.map((pass) => pass.name).sort());
  });
});
