// Pads as loops: a fill of the whole, and a copy into its middle.
import { rowMajorStrides } from '../../ir/type.js';
import type { Kernel, LoopKernel, PadKernel } from './kernel.js';

/** The loops that a pad consists of, in order. */
export function padLoops(kernel: PadKernel): LoopKernel[] {
  const { name, from, shape, to, low, high, interior, filler, dtype } = kernel;
  const whole = shape.map(
    (extent, axis) => low[axis]! + extent + (extent - 1) * interior[axis]! + high[axis]!,
  );
  const own = rowMajorStrides(whole);
  const common = { kind: 'loops', name, values: [], reduced: [] } as const;
  const offset = low.reduce((sum, count, axis) => sum + count * own[axis]!, 0);
  const strides = own.map((stride, axis) => stride * (interior[axis]! + 1));
  return [
    {
      ...common,
      loops: whole,
      operands: [],
      stores: [
        {
          access: { buffer: to, offset: 0, strides: own },
          value: { kind: 'number', value: filler, dtype },
          dtype,
        },
      ],
    },
    {
      ...common,
      loops: shape,
      operands: [from],
      stores: [
        { access: { buffer: to, offset, strides }, value: { kind: 'operand', index: 0, dtype }, dtype },
      ],
    },
  ];
}

/** Kernels with every pad as loops. */
export const withoutPads = (kernels: readonly Kernel[]): Exclude<Kernel, PadKernel>[] =>
  kernels.flatMap((kernel) => (kernel.kind === 'pad' ? padLoops(kernel) : [kernel]));
