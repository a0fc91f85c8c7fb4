// Transformers: ViT-B/16 (Dosovitskiy et al., 2021) and BERT base (Devlin et al., 2019), written as functions.
import * as tf from '@tensorflow/tfjs';
import type { Params } from '../../src/trace/function.js';
import { bertBase, bertClassifier } from '../../test/models/transformers/bert.js';
import type { Transformer } from '../../test/models/transformers/parts.js';
import { visionTransformer, vitBase16 } from '../../test/models/transformers/vision.js';
import type { DifferentiableSubject, Subject } from './network.js';

function subjectOf<Weights extends Params>({ fn, params, inputs, sample }: Transformer<Weights>): Subject {
  const input = sample(1);
  return {
    model: fn,
    options: { input: inputs as never, params },
    input,
    predict: () => tf.tidy(() => fn(input as never, params) as tf.Tensor),
    dispose: () => tf.dispose([input, params as never]),
  };
}

/** A picture of 224×224 pixels: 197 tokens. */
export function vitSubject(): DifferentiableSubject {
  const model = visionTransformer(vitBase16);
  const subject = subjectOf(model);
  return {
    ...subject,
    input: subject.input as tf.Tensor,
    logits: (x) => model.fn(x as never, model.params) as tf.Tensor,
  };
}

/** A text of 128 tokens: integers, of which there is no derivative. */
export const bertSubject = (): Subject => subjectOf(bertClassifier(bertBase));
