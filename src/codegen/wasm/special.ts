// Code for the ops that have a loop of their own.
import { RelcError } from '../../ir/error.js';
import type { SpecialKernel } from '../kernels/kernel.js';
import type { FunctionBuilder } from './encoder/function.js';
import type { Local } from './encoder/instructions.js';
import { type Addresses, argmaxCode, oneHotCode } from './indexing.js';
import type { KernelCode, KernelContext } from './kernel-code.js';

/** Writes a chunk of a kernel; returns how many chunks there are. */
type Generate = (
  kernel: SpecialKernel,
  f: FunctionBuilder,
  chunk: Local<'i32'>,
  addresses: Addresses,
) => number;

const generators: Partial<Readonly<Record<SpecialKernel['kind'], Generate>>> = {
  one_hot: oneHotCode,
  argmax: argmaxCode,
};

/** Code for an op that is neither a map nor a sum of products. */
export function specialCode(kernel: SpecialKernel, context: KernelContext): KernelCode {
  const buffers = [...new Set([...kernel.from, kernel.to])];
  const generate = generators[kernel.kind];
  if (generate === undefined) throw new RelcError('RELC4001', `${kernel.kind} has no code`);
  return context.define(kernel, buffers, (f, chunk, addresses) => {
    const all = [...kernel.from, kernel.to].map((name) => addresses.get(name)!);
    return generate(kernel, f, chunk, all);
  });
}
