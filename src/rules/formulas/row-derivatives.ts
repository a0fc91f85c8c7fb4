// What derivatives lose at ops that divide a row by its own statistics: normalizations and softmax.
import type { Name, Node } from '../../ir/graph.js';
import { alongRows, atNormal, normalizedRows, rowMean, subtractsMean } from '../../ir/ops/normalization.js';
import { type Leak, type Loss, leak } from '../leaks.js';
import { sumAlongAxis } from './softmax.js';

const isNormalization = ({ op }: Node) => op === 'layer_norm' || op === 'rms_norm';
const isSoftmax = ({ op }: Node) => op === 'softmax' || op === 'log_softmax';

/** Whether the losses of derivatives at an op are stated here. */
export const isRowwise = (node: Node): boolean => isNormalization(node) || isSoftmax(node);

/**
 * n = (x − μ)/σ with σ² = v + ε: along x it grows by n·ε/σ² only. Of G ⊙ (s ⊙ n + o) the operand receives
 * G ⊙ s ⊙ n·ε/σ²; the rest stays in the division, and G ⊙ o is the offset's.
 */
function lossesOfNormalization(loss: Loss): readonly Leak[] {
  const { builder, k, node, relevance } = loss;
  const [, scale, offset] = node.args as [Name, Name?, Name?];
  const divided = leak('non-linearities', () => {
    const { inverse, normal } = normalizedRows(builder, node);
    const share = k.scale(k.unary('square', inverse), node.attrs.epsilon as number);
    const kept = k.sub(k.constant(1, normal), share);
    return k.mul(k.mul(atNormal(k, relevance, scale), normal), kept);
  });
  if (offset === undefined) return [divided];
  return [divided, leak('biases', () => k.mul(relevance, alongRows(k, offset, relevance)))];
}

/** Of G ⊙ p the operand receives G ⊙ p ⊙ (x − Σ p x); of G ⊙ (x − ln Σ eˣ) it receives G ⊙ (x − Σ p x). */
function lossesOfSoftmax(loss: Loss): readonly Leak[] {
  const { k, node, relevance } = loss;
  const [x] = node.args as [Name];
  return [
    leak('non-linearities', () => {
      const p = node.op === 'softmax' ? node.name : k.unary('exp', node.name);
      const apart = k.sub(x, sumAlongAxis(loss, k.mul(p, x)));
      if (node.op === 'log_softmax') return k.mul(relevance, k.sub(node.name, apart));
      return k.mul(k.mul(relevance, p), k.sub(k.constant(1, p), apart));
    }),
  ];
}

/** The losses of value ⊙ gradient. */
export const rowwiseLosses = (loss: Loss): readonly Leak[] =>
  isNormalization(loss.node) ? lossesOfNormalization(loss) : lossesOfSoftmax(loss);

/**
 * Where the derivative is one rule among others Σ R ⊙ J·1 arrives: nothing behind a softmax or a centred row, which a
 * shift of the row does not move; R ⊙ s/σ ⊙ (1 − n·mean n) behind an RMS norm.
 */
export function rowwiseLossesAmongRules(loss: Loss): readonly Leak[] {
  const { builder, k, node, relevance } = loss;
  return [
    leak('non-linearities', () => {
      if (isSoftmax(node) || subtractsMean(node)) return relevance;
      const { inverse, normal } = normalizedRows(builder, node);
      const along = k.mul(normal, rowMean(k, normal));
      const slope = k.mul(inverse, k.sub(k.constant(1, normal), along));
      return k.sub(relevance, k.mul(atNormal(k, relevance, node.args[1]), slope));
    }),
  ];
}
