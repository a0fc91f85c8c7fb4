// The fingerprint of a run over many inputs: equal where the same model is asked the same.
import { createHash, type Hash } from 'node:crypto';
import type { Explainer } from '../api/explainer.js';
import { toolVersion } from '../api/version.js';
import type { Weights } from '../ir/tensor.js';
import type { Prepared } from './prepare.js';

/** Two hashes, so that a message can say which of both differs. */
export interface Fingerprint {
  readonly model: string;
  readonly request: string;
}

function addWeights(hash: Hash, weights: Weights): void {
  for (const [key, { dtype, shape, data }] of weights) {
    hash.update(JSON.stringify([key, dtype, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

/**
 * The compiled program says all of what is explained: model, rules with their parameters and graphs, values, seed. What
 * is asked of it, and how inputs enter and are called, stands beside.
 */
export function fingerprintOf(prepared: Prepared): Fingerprint {
  const { explainers, requests, method, count, reading, drawing, labels } = prepared;
  const [{ stages: forward, compiled }] = explainers as [Explainer];
  const model = createHash('sha256').update(forward.get('canonicalize')!.print());
  addWeights(model, compiled.weights);
  const request = createHash('sha256');
  for (const { stages, compiled: own, rules } of explainers) {
    request.update(stages.get('relevance')!.print()).update(rules);
    addWeights(request, own.program.weights);
  }
  const { pixels, truncates, tokenizer } = reading;
  const tokens = tokenizer?.hash;
  request.update(JSON.stringify({ requests, method, count, pixels, truncates, tokens, drawing, labels }));
  request.update(toolVersion());
  return { model: model.digest('hex'), request: request.digest('hex') };
}
