// compile: a model in, an explainer out.
import type { Composite } from '../rules/composite.js';
import type { ExplanationRequest } from '../rules/explanation.js';
import { type Preset, presetNamed, type Seed } from '../rules/presets.js';
import type { Range } from '../rules/resolve.js';
import { type CustomRules, rulesWith } from './custom-rules.js';
import { Explainer } from './explainer.js';
import { type Model, type TraceOptions, trace } from './model.js';
import { canonical, compileExplanation } from './pipeline.js';
import { expectSeed } from './seed.js';

export interface CompileOptions extends TraceOptions {
  /** The name of a preset (`relc rules` lists them), a preset, or a composite. Defaults to `epsilon-plus`. */
  readonly rules?: string | Preset | Composite;
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

function presetOf(rules: string | Preset | Composite): Preset {
  if (typeof rules === 'string') return presetNamed(rules);
  if ('composite' in rules) return rules;
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
 * What options ask the compiler for.
 * @throws RelcError RELC3003 (no such preset), RELC3004 (no such seed), RELC3009 (a custom rule that is none)
 */
export function requestFor(
  options: Omit<CompileOptions, keyof TraceOptions>,
): ExplanationRequest & { readonly seed: Seed } {
  const preset = presetOf(options.rules ?? defaultRules);
  const { output, range } = options;
  return {
    preset,
    rules: rulesWith(options.customRules ?? {}),
    seed: expectSeed(options.seed ?? preset.seed),
    ...(output === undefined ? {} : { output }),
    ...(range === undefined ? {} : { range }),
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
  const request = requestFor(options);
  const forward = canonical(await trace(model, options));
  const compileFor = (seed: Seed) => compileExplanation(forward, { ...request, seed });
  const { preset, seed } = request;
  return new Explainer(compileFor(seed), preset.name, seed, compileFor);
}
