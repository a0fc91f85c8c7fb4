// What is asked of an explainer on one input: classes, the class to compare with, numbers of a seed.
import type { ExplainOptions } from '../api/seed.js';
import { stated } from '../ir/stated.js';
import type { Seed } from '../rules/presets.js';
import type { Arguments, Option } from './arguments.js';
import { explanationOptions } from './explanation-options.js';
import { isArrayFile, readNumbers } from './input.js';
import { classesNamed, classNamed, type openLabels } from './labels.js';

/** Declared by the commands that take an input; {@link requestsOf} reads the first three, {@link openLabels} the last. */
export const requestOptions = {
  class: {
    type: 'string',
    short: 'c',
    value: 'N|LABEL',
    help: 'the class to explain, or several: roses,daisy (default: the top one)',
  },
  against: {
    type: 'string',
    value: 'N|LABEL',
    help: 'the class to compare with; --seed contrast alone takes the strongest other one',
  },
  seed: {
    ...explanationOptions.seed,
    value: 'SEED|FILE',
    help: 'what relevance starts as: logit, one, outputs, contrast, or a .npy or .json\nof the shape of the scores (default: as the preset says)',
  },
  labels: { type: 'string', value: 'FILE', help: 'names of the classes, one a line or a JSON list' },
} as const satisfies Record<string, Option>;

/** What is asked of the explainer, a request for each class. @throws RelcError RELC4003, RELC5002, RELC5003 */
export async function requestsOf(given: Arguments, labels: readonly string[]): Promise<ExplainOptions[]> {
  const [classes, against, seed] = ['class', 'against', 'seed'].map((name) => given.text(name));
  const shared: ExplainOptions = stated({
    against: against === undefined ? undefined : classNamed(against, labels),
    seed: seed !== undefined && isArrayFile(seed) ? await readNumbers(seed) : (seed as Seed | undefined),
  });
  const targets = classes === undefined ? [undefined] : classesNamed(classes, labels);
  return targets.map((target) => ({ ...shared, ...stated({ target }) }));
}
