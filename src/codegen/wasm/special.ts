// Code for the ops that have a loop of their own.
import { RelcError } from '../../ir/error.js';
import type { SpecialKernel } from '../kernels/kernel.js';
import type { KernelCode, KernelContext } from './kernel-code.js';

export function specialCode(kernel: SpecialKernel, _context: KernelContext): KernelCode {
  throw new RelcError('RELC4001', `${kernel.kind} has no code`);
}
