// compile: a model in, an explainer out.
import type { Composite } from '../rules/composite.js';
import { type Preset, presetNamed, type Seed } from '../rules/presets.js';
import type { Range } from '../rules/resolve.js';
import { type CustomRules, rulesWith } from './custom-rules.js';
import { Explainer } from './explainer.js';
import { type Model, type TraceOptions, trace } from './model.js';
import { canonical, compileExplanation } from './pipeline.js';
import { expectSeed } from './seed.js';

export interface CompileOptions extends TraceOptions {
  /** The name of a preset, `relc rules` lists them, or a composite. Defaults to `epsilon-plus`. */
  readonly rules?: string | Composite;
  /** Rules of one's own, by the names that the composite calls them by. */
  readonly customRules?: CustomRules;
  /** Which output to explain, where the model has several. */
  readonly output?: string;
  /** What relevance starts as; may be changed with each explanation. Defaults to the preset's. */
  readonly seed?: Seed;
  /** The smallest and the largest value that an input can take, or lists with one number a channel: for zB. */
  readonly range?: Range;
}

export const defaultRules = 'epsilon-plus';

/** A preset by name, or a composite as one. @throws RelcError RELC3003 */
export function presetOf(rules: string | Composite): Preset {
  if (typeof rules === 'string') return presetNamed(rules);
  return {
    name: 'custom',
    summary: 'rules of your own',
    source: 'rules',
    composite: rules,
    seed: 'logit',
    quantity: 'relevance',
    result: 'as it is',
  };
}

/**
 * Compiles an explainer: traces the model, derives the graph of its relevance under the rules, and makes it ready to
 * run on the current tfjs backend.
 *
 * @param model  a function on tensors, a `tf.LayersModel`, a `tf.GraphModel`, or the path of a `model.json`
 * @throws RelcError RELC2xxx (the model cannot be traced), RELC3xxx (the rules do not fit)
 * @example
 * const explainer = await compile(model, { input: [1, 224, 224, 3], rules: 'epsilon-plus-flat' });
 * const { scores, target, relevance } = await explainer.explain(pixels);
 */
export async function compile(model: Model, options: CompileOptions = {}): Promise<Explainer> {
  const preset = presetOf(options.rules ?? defaultRules);
  const rules = rulesWith(options.customRules ?? {});
  const forward = canonical(await trace(model, options));
  const { output, range } = options;
  const asked = { ...(output === undefined ? {} : { output }), ...(range === undefined ? {} : { range }) };
  const compileFor = (seed: Seed) => compileExplanation(forward, { preset, seed, rules, ...asked });
  const seed = expectSeed(options.seed ?? preset.seed);
  return new Explainer(compileFor(seed), preset.name, seed, compileFor);
}
