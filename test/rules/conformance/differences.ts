// Where ours differs on purpose from what was recorded, measured.
import { relativeError, row, total } from '../support.js';
import { cheferLayer, jointDenominator, perSampleSum, routed } from './chefer-layers.js';
import { softmaxLayer } from './lxt-ops.js';

/** Clone: x ⊙ Σ Rᵢ/x there drops what comes back to an exact zero; a fan-out here keeps it. */
export function clone() {
  const { x, seed, recorded, under } = cheferLayer('clone3');
  const ours = under(routed);
  const zeros = Array.from(x.data).flatMap((value, i) => (value === 0 ? [i] : []));
  const at = (values: ArrayLike<number>) => zeros.map((i) => values[i]!);
  const rest = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => x.data[i] !== 0);
  return {
    zeros: zeros.length,
    sizes: x.data.length,
    there: at(recorded.data),
    here: at(ours.data),
    elsewhere: relativeError(rest(ours.data), rest(recorded.data)),
    sums: { seed: total(seed.data), there: total(recorded.data), here: total(ours.data) },
  };
}

/** Add: sums over the whole batch there, over one sample here; a sample by itself is the same in both. */
export function sums() {
  const batch = cheferLayer('add_batch2');
  const alone = cheferLayer('add_batch2_sample0_alone').recorded.data;
  return {
    there: relativeError(row(batch.recorded, 0).data, alone),
    here: relativeError(row(batch.under(perSampleSum), 0).data, alone),
  };
}

/** Conv2d: each half of the αβ-rule divided by its own denominator there, by the sum of the two here. */
export function denominators() {
  const { seed, recorded, under } = cheferLayer('conv4ch_a1');
  const start = total(seed.data);
  return { there: total(recorded.data) / start, here: total(under(jointDenominator).data) / start };
}

/** BatchNorm2d: R·xw / (xw + 1e-9) there, R here. */
export function batchNorm() {
  const { seed, recorded } = cheferLayer('batchnorm');
  return { off: relativeError(seed.data, recorded.data) };
}

/** Softmax: lxt sums R over the last axis whatever the softmax's own; here over the softmax's, of 3 in shape [2, 3, 5]. */
export function softmaxAxis() {
  const { s, x, seed, recorded, ours } = softmaxLayer('softmax_dim1');
  const [, , extent] = x.shape as [number, number, number];
  const overLast = Array.from(x.data, (value, i) => {
    const start = i - (i % extent);
    return value * (seed.data[i]! - s.data[i]! * total(seed.data.slice(start, start + extent)));
  });
  return {
    off: relativeError(ours.data, recorded.data),
    reproduced: relativeError(overLast, recorded.data),
  };
}

export interface Difference {
  readonly name: string;
  readonly sentence: string;
}

const short = (value: number) => String(Number(value.toPrecision(3)));

function cloneSentence(): string {
  const { zeros, sizes, sums: sum } = clone();
  return (
    'Clone computes x ⊙ Σ Rᵢ/x and so drops what comes back to an exact zero of x; here a value used several times ' +
    `receives Σ Rᵢ. In \`clone3\`, ${zeros} of ${sizes} elements are zero: of ΣR = ${short(sum.seed)} ours keeps ` +
    `${short(sum.here)}, the recording ${short(sum.there)}. All other elements agree. The same holds for the ` +
    "notebook's Clone: for x = (0, 1, −2) and R = 3, 4 it gives (0, 7, 7), ours (7, 7, 7)."
  );
}

function sumsSentence(): string {
  return (
    'Add renormalises by sums over the whole batch, so that what a sample gets depends on the others: the first ' +
    `sample of \`add_batch2\` is off by ${short(sums().there)} of its largest value from the same sample alone. ` +
    '`chefer.add` sums over one sample and is off by less than 1e-6. The original is here as `chefer.addBatch`, by ' +
    'which the runs of the table are judged.'
  );
}

function denominatorsSentence(): string {
  const { there, here } = denominators();
  return (
    'Conv2d divides each half of the αβ-rule by its own denominator: in `conv4ch_a1`, ΣR at the input is ' +
    `${short(there)} times ΣR at the output. The preset \`chefer\` divides both halves by their sum, so that ΣR ` +
    `stays as it is (${short(here)} times). The original is here as \`chefer.conv\`, by which the runs of the table ` +
    'are judged.'
  );
}

function batchNormSentence(): string {
  return (
    'BatchNorm2d computes R·xw / (xw + 1e-9), with a weight w that divides by √(variance² + ε) where √(variance + ε) ' +
    'was meant. As w cancels, that is R but for the last digits, and so it is here: `pass`, off by ' +
    `${batchNorm().off.toPrecision(1)} of the largest value in \`batchnorm\`.`
  );
}

function softmaxSentence(): string {
  const { off, reproduced } = softmaxAxis();
  return (
    'lxt computes x ⊙ (R − s ΣR) with ΣR over the last axis, whichever axis the softmax is taken over: on `softmax_dim1` ' +
    `the recording is that to ${reproduced.toPrecision(1)}. Here ΣR is over the axis of the softmax, and differs by ` +
    `${short(off)} of the largest value. Over the last axis the two agree.`
  );
}

/** Every difference with its figures, for readers. */
export function differences(): readonly Difference[] {
  return [
    { name: 'Clone', sentence: cloneSentence() },
    { name: 'Add in a batch', sentence: sumsSentence() },
    { name: 'Denominators of Conv2d', sentence: denominatorsSentence() },
    { name: 'BatchNorm2d', sentence: batchNormSentence() },
    { name: 'Softmax over another axis', sentence: softmaxSentence() },
  ];
}
