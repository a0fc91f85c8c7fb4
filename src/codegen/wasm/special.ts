// Code for the ops that have a loop of their own.
import type { SpecialKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import type { Local } from './encoder/instructions.js';
import { gatherCode, scatterCode } from './gathering.js';
import { type Addresses, argmaxCode, oneHotCode } from './indexing.js';
import type { KernelCode, KernelContext } from './kernel-code.js';
import { unpoolCode } from './unpool.js';

/** Writes a chunk of a kernel; returns how many chunks there are. */
type Generate = (
  kernel: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  addresses: Addresses,
) => number;

const generators: Readonly<Record<SpecialKernel['kind'], Generate>> = {
  gather: gatherCode,
  scatter_add: scatterCode,
  one_hot: oneHotCode,
  argmax: argmaxCode,
  max_unpool: unpoolCode,
};

/** Code for an op that is neither a map nor a sum of products. */
export function specialCode(kernel: SpecialKernel, context: KernelContext): KernelCode {
  const buffers = [...new Set([...kernel.from, kernel.to])];
  return context.define(kernel, buffers, (f, chunk, addresses) => {
    const all = [...kernel.from, kernel.to].map((name) => addresses.get(name)!);
    return generators[kernel.kind](kernel, f, chunk, all);
  });
}
