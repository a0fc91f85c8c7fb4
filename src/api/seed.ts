// Seeds by name: what relevance starts as, checked where callers are not.
import { RelcError } from '../ir/error.js';
import type { Seed } from '../rules/presets.js';

/** @throws RelcError RELC3004 */
export function expectSeed(seed: Seed): Seed {
  if (seed === 'logit' || seed === 'one') return seed;
  throw new RelcError('RELC3004', `there is no seed '${String(seed)}'`, 'seeds: logit, one');
}
