// The forward dialect: the closed set of ops that models are made of.
import type { OpDefinition } from './dialect.js';
import { activationOps } from './ops/activations.js';
import { arithmeticOps } from './ops/arithmetic.js';
import { convolutionOps } from './ops/convolution.js';
import { einsumOps } from './ops/einsum.js';
import { indexingOps } from './ops/indexing.js';
import { logicOps } from './ops/logic.js';
import { movementOps } from './ops/movement.js';
import { normalizationOps } from './ops/normalization.js';
import { poolingOps } from './ops/pooling.js';
import { reductionOps } from './ops/reduction.js';
import { relevanceOps } from './ops/relevance.js';
import { resizeOps } from './ops/resize.js';
import { sourceOps } from './ops/sources.js';

const forwardOps = {
  ...sourceOps,
  ...arithmeticOps,
  ...activationOps,
  ...logicOps,
  ...movementOps,
  ...indexingOps,
  ...reductionOps,
  ...normalizationOps,
  ...einsumOps,
  ...convolutionOps,
  ...poolingOps,
  ...resizeOps,
  ...relevanceOps,
};

export type ForwardOp = keyof typeof forwardOps;

export const forward: Readonly<Record<ForwardOp, OpDefinition>> = forwardOps;
