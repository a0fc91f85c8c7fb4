// Random composites: any rule that suits, for every layer by its number and every other kind of op.
import fc from 'fast-check';
import type { Composite, CompositeLine, RuleChoice } from '../../src/rules/composite.js';
import { base } from '../../src/rules/presets.js';
import { resolved } from '../../src/rules/resolve.js';
import { ruleTable } from '../../src/rules/rules.js';

const choices = (names: readonly string[]): fc.Arbitrary<RuleChoice> =>
  fc.constantFrom(...names).map((rule) => ({
    rule,
    params: rule === 'zBox' ? { low: -1, high: 2 } : {},
  }));

const layerRules = [
  'epsilon',
  'zero',
  'zPlus',
  'alphaBeta',
  'gamma',
  'captum.gamma',
  'captum.alpha1Beta0',
  'chefer.conv',
  'zBox',
  'chefer.zBox',
  'wSquare',
  'flat',
  'norm',
  'gradient',
];

/** For networks of at most ten layers, without products of activations. */
export const composites: fc.Arbitrary<Composite> = fc
  .record({
    layers: fc.array(choices(layerRules), { minLength: 10, maxLength: 10 }),
    activation: choices(['pass', 'pass', 'pass', 'gradient', 'norm']),
    relu: choices(['pass', 'pass', 'guided', 'deconv']),
    add: choices(['norm', 'chefer.add', 'chefer.addBatch', 'zPlus', 'gradient', 'gamma']),
    max: choices(['winner', 'norm', 'gradient']),
    mean: choices(['norm', 'zPlus', 'gamma', 'gradient', 'alphaBeta']),
    route: choices(['route', 'norm', 'gradient']),
  })
  .map(({ layers, relu, ...rest }) => {
    const byNumber = layers.map(
      (choice, at): CompositeLine => [`layer ${at}`, { kind: ['conv', 'dense'], layers: [at, at] }, choice],
    );
    const byKind = Object.entries(rest).map(
      ([kind, choice]): CompositeLine => [kind, { kind: kind as 'add' }, choice],
    );
    return resolved([...byNumber, ['relu', { op: 'relu' }, relu], ...byKind, ...base], ruleTable);
  });
