// Transformers of every make: traced at a symbolic batch, and canonicalized, they compute what the models do.
import { beforeAll, describe, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { canonicalize } from '../../src/ir/passes/canonicalize/canonicalize.js';
import { runPasses } from '../../src/ir/passes/pass.js';
import { bertClassifier } from '../models/transformers/bert.js';
import { kerasEncoder } from '../models/transformers/keras.js';
import { llamaDecoder } from '../models/transformers/llama.js';
import { patchesTransformer } from '../models/transformers/patches.js';
import { expectOwn, tracedFunction, tracedLayers } from '../models/transformers/truth.js';
import { visionTransformer } from '../models/transformers/vision.js';
import { startTensorflow } from './support.js';

beforeAll(startTensorflow);

const models = {
  'a vision transformer from pixels': () => tracedFunction(visionTransformer()),
  'a vision transformer from patches': () => tracedFunction(patchesTransformer()),
  BERT: () => tracedFunction(bertClassifier()),
  'a LLaMA-style decoder': () => tracedFunction(llamaDecoder()),
  'one that turns neighbours and ends in the last position': () =>
    tracedFunction(llamaDecoder({ rotary: 'neighbours', positions: 'last' })),
  'an encoder of layers': () => tracedLayers(kerasEncoder()),
};

describe.each(Object.entries(models))('%s', (_name, make) => {
  it('computes what the model does, as traced and as canonicalized', () => {
    const traced = make();
    expectOwn(traced.program, traced);
    expectOwn(runPasses(traced.program, [canonicalize], forward), traced);
  });
});
