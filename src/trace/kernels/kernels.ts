// The table of all kernels that can be traced, and what is said of those that cannot.
import type * as tf from '@tensorflow/tfjs';
import { OpProblem } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import type { Recorder, Value } from '../recorder.js';
import { contraction } from './contraction.js';
import { elementwise } from './elementwise.js';
import type { TranslationTable } from './kernel.js';
import { movement } from './movement.js';
import { reductions } from './reduction.js';

const table: TranslationTable = { ...elementwise, ...movement, ...contraction, ...reductions };

/** Kernels whose result's shape depends on the values of their operands: no graph can express them. */
export const inexpressible: ReadonlySet<string> = new Set([
  'Where',
  'Unique',
  'NonMaxSuppressionV3',
  'NonMaxSuppressionV4',
  'NonMaxSuppressionV5',
  'SparseFillEmptyRows',
  'SparseReshape',
]);

/** @throws OpProblem RELC2001 or RELC2006 for kernels that cannot be traced */
export function translate(
  kernel: string,
  r: Recorder,
  inputs: Readonly<Record<string, Value>>,
  attrs: tf.NamedAttrMap,
): readonly Name[] {
  if (inexpressible.has(kernel)) {
    throw new OpProblem(
      'RELC2006',
      'the shape of the result depends on the values of the input',
      'explain the part of the model before this op',
    );
  }
  const translation = Object.hasOwn(table, kernel) ? table[kernel] : undefined;
  if (translation === undefined) {
    throw new OpProblem(
      'RELC2001',
      'there is no op for this kernel',
      'write the layer with other ops, or explain the part of the model before it',
    );
  }
  const result = translation({ kernel, r, inputs, attrs });
  return typeof result === 'string' ? [result] : result;
}

/** Names of the kernels that can be traced, sorted. */
export const tracedKernels: readonly string[] = Object.keys(table).sort();
