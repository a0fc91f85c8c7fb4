// Methods of relc explain: the explainer once for each request, or a driver that runs it many times.
import { type DriverOptions, integratedGradients, smoothGrad } from '../api/drivers.js';
import type { Explainer, Explanation } from '../api/explainer.js';
import type { ExplainOptions } from '../api/seed.js';
import type { RelcError } from '../ir/error.js';
import { stated } from '../ir/stated.js';
import type { Seed } from '../rules/presets.js';
import type { Arguments } from './arguments.js';
import type { NumbersByName } from './text/fill.js';

export const methods = ['smooth-grad', 'integrated-gradients'] as const;
export type Method = (typeof methods)[number];

/** A usage error of the command. */
export type Refuse = (detail: string) => RelcError;

/** @throws RelcError RELC5001 for an unknown method, and options that mean nothing without, or to, one */
export function methodOf(given: Arguments, refuse: Refuse): Method | undefined {
  const method = given.text('method');
  if (method === undefined && given.text('samples') !== undefined) {
    throw refuse(`--samples needs --method, one of ${methods.join(', ')}`);
  }
  if (method === undefined || methods.includes(method as Method)) {
    const fixed = ['seed', 'against', 'at'].find((name) => given.text(name) !== undefined);
    if (method === 'integrated-gradients' && fixed !== undefined) {
      throw refuse(
        `--method integrated-gradients integrates the gradient at the input; leave out --${fixed}`,
      );
    }
    return method as Method | undefined;
  }
  throw refuse(`--method ${method} is unknown; methods: ${methods.join(', ')}`);
}

/** A method, and how often it runs the explainer. */
export interface ChosenMethod {
  readonly method: Method | undefined;
  readonly count: number | undefined;
}

/** Runs the explainer, or a driver of it, for each request. */
export async function explanationsOf(
  explainer: Explainer,
  values: NumbersByName,
  requests: readonly ExplainOptions[],
  { method, count, ...watching }: ChosenMethod & DriverOptions,
): Promise<Explanation[]> {
  if (method === undefined) return explainer.explainEach(values, requests);
  // Of several inputs drivers take none, and say so
  const input = Object.values(values)[0]!;
  const explanations: Explanation[] = [];
  for (const request of requests) {
    const explanation =
      method === 'smooth-grad'
        ? await smoothGrad(explainer, input, { ...request, ...watching, ...stated({ samples: count }) })
        : await integratedGradients(explainer, input, {
            ...{ ...watching, ...stated({ target: request.target, steps: count }) },
          });
    explanations.push(explanation);
  }
  return explanations;
}

const starts: Readonly<Record<Seed, string>> = {
  logit: 'f(x)',
  one: 'seed',
  outputs: 'sum of all scores',
  contrast: 'difference of scores',
  tensor: 'start',
};

/** What relevance starts with, where it is conserved. */
export function startOf(
  { request: { preset, seed } }: Explainer,
  method: Method | undefined,
): string | undefined {
  if (method === 'integrated-gradients') return 'f(x) − f(baseline)';
  // A rollout shares nothing out
  return preset.quantity === 'gradient' || preset.attention !== undefined ? undefined : starts[seed];
}
