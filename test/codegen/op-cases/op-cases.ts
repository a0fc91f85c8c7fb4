// Every op in the configurations in which it is written differently.
import { einsumCases } from './einsums.js';
import { elementwiseCases } from './elementwise.js';
import { movementCases } from './movement.js';
import type { OpCase } from './op-case.js';
import { quotientCases } from './quotients.js';
import { windowCases } from './windows.js';

export const opCases: readonly OpCase[] = [
  ...elementwiseCases,
  ...quotientCases,
  ...movementCases,
  ...einsumCases,
  ...windowCases,
];
