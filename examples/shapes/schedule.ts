// How training goes: the rate of each step, how cluttered its pictures are, and which seeds it leaves out.

import * as tf from '@tensorflow/tfjs';

/** Training takes the seeds from 0 on, every picture once; these seeds are never trained on. */
export const validationSeed = 1_000_000_000;
export const testSeed = 2_000_000_000;

/** Adam with a rate that can change from step to step. */
export class ScheduledAdam extends tf.AdamOptimizer {
  setRate(rate: number): void {
    this.learningRate = rate;
  }
}

/** The rate climbs for the first twentieth of the steps, then falls along half a cosine to zero. */
export function rateAt(progress: number, peakRate: number): number {
  const climb = 0.05;
  if (progress < climb) return (peakRate * progress) / climb;
  return (peakRate * (1 + Math.cos((Math.PI * (progress - climb)) / (1 - climb)))) / 2;
}

/** The pictures grow more cluttered through the first three tenths of the training, then stay as they will be met. */
export function clutterAt(progress: number): number {
  return Math.min(1, progress / 0.3);
}
