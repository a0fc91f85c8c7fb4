// Near names: parts, slips of a few letters, and all there are where nothing is near.
import { expect, it } from 'vitest';
import { nearNames } from '../../src/ir/near-names.js';

const known = ['conv', 'dense', 'softmax', 'log_softmax', 'x'];

it.each([
  ['denze', ['dense']],
  ['Conv', ['conv']],
  ['softmux', ['softmax']],
  ['softmax', ['softmax', 'log_softmax']],
  ['convolution', ['conv']],
  ['q', known],
  ['', known],
])('%s is near %s', (word, wanted) => expect(nearNames(word, known)).toEqual(wanted));
