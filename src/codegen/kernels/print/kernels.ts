// Kernel programs as text, the dump of the stage `fuse`: a block a kernel, with its loops, what it reads, and its body.
import {
  type Kernel,
  type KernelProgram,
  type PadKernel,
  reads,
  type SpecialKernel,
  writes,
} from '../kernel.js';
import { byteSize } from '../plan.js';
import { isPlain, namedLoops, printElement } from './access.js';
import { type Buffers, fusedLines, indented, printLoops, times, typed } from './body.js';
import { counted, labelled, printBytes, printCount, tally } from './layout.js';

const size = (extents: readonly number[]) => extents.reduce((product, extent) => product * extent, 1);

/** What a kernel is called in dumps: loops are maps or reductions. */
export function kindOf(kernel: Kernel): string {
  if (kernel.kind !== 'loops') return kernel.kind;
  return kernel.reduction === undefined ? 'map' : 'reduction';
}

/** Multiply–adds of a kernel: the terms of its sums of products. */
export function multiplyAddsOf(kernel: Kernel): number {
  if (kernel.kind === 'contraction') {
    return size(kernel.batch) * size(kernel.m) * kernel.n * size(kernel.k);
  }
  if (kernel.kind !== 'loops' || kernel.reduction?.operator !== 'sum') return 0;
  const { body } = kernel.reduction;
  return body.kind === 'apply' && body.fn === 'mul' ? size(kernel.loops) * size(kernel.reduced) : 0;
}

function padHead({ low, high, interior, filler }: PadKernel): string {
  const between = interior.some((count) => count > 0) ? ` between=[${interior}]` : '';
  return `pad low=[${low}] high=[${high}]${between} with=${filler}`;
}

function padLines(kernel: PadKernel, buffers: Buffers): string[] {
  const loops = namedLoops('i', kernel.shape);
  const { shape } = buffers.get(kernel.from.buffer)!;
  if (isPlain(kernel.from, loops, shape)) return [];
  return [`${indented('body')}of ${printElement(kernel.from, loops, shape)}, i=${times(kernel.shape)}`];
}

function specialHead({ kind, attrs }: SpecialKernel): string {
  const printed = Object.entries(attrs).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [kind, ...printed].join(' ');
}

/** The first line of a kernel without its remark. */
function head(kernel: Kernel): string {
  const { name, kind } = kernel;
  if (kind === 'pad') return `kernel %${name} = ${padHead(kernel)} {`;
  if (kind !== 'loops' && kind !== 'contraction') return `kernel %${name} = ${specialHead(kernel)} {`;
  return `kernel %${name} = ${kindOf(kernel)} ${printLoops(kernel)} {`;
}

/** One kernel. `remark` stands behind its first line. */
export function printKernel(kernel: Kernel, buffers: Buffers, remark: string): string {
  const read = reads(kernel).map((name) => typed(buffers, name));
  const isFused = kernel.kind === 'loops' || kernel.kind === 'contraction';
  const own = isFused ? fusedLines(kernel, buffers) : kernel.kind === 'pad' ? padLines(kernel, buffers) : [];
  const lines = [
    `${head(kernel).padEnd(70)}  // ${remark}`,
    ...(read.length > 0 ? labelled(indented('reads'), read.join(', ')) : []),
    ...own,
    ...(isFused
      ? []
      : labelled(
          indented('writes'),
          writes(kernel)
            .map((name) => typed(buffers, name))
            .join(', '),
        )),
    '}',
  ];
  return lines.join('\n');
}

/** `part 2 of 4` where one value takes several kernels. */
function partOf(kernels: readonly Kernel[], index: number): string | undefined {
  const { name } = kernels[index]!;
  const parts = kernels.flatMap((kernel, number) => (kernel.name === name ? [number] : []));
  return parts.length === 1 ? undefined : `part ${parts.indexOf(index) + 1} of ${parts.length}`;
}

function printPhase(phase: string, kernels: readonly Kernel[], buffers: Buffers): string[] {
  return kernels.map((kernel, index) => {
    const multiplyAdds = multiplyAddsOf(kernel);
    const remarks = [
      `${phase} ${index}`,
      partOf(kernels, index),
      multiplyAdds === 0 ? undefined : `${printCount(multiplyAdds)} multiply–adds`,
    ];
    return printKernel(kernel, buffers, remarks.filter((remark) => remark !== undefined).join(' · '));
  });
}

/** `run  12 kernels: 6 map, … · 5.3 M multiply–adds` */
function summary(kernels: readonly Kernel[]): string {
  const multiplyAdds = kernels.reduce((total, kernel) => total + multiplyAddsOf(kernel), 0);
  const kinds = kernels.length === 0 ? '' : `: ${tally(kernels.map(kindOf))}`;
  const cost = multiplyAdds === 0 ? '' : ` · ${printCount(multiplyAdds)} multiply–adds`;
  return `${counted(kernels.length, 'kernel')}${kinds}${cost}`;
}

function programHead({ name, buffers, load, run, outputs, weights, constants }: KernelProgram): string[] {
  const all = [...buffers.values()];
  const bytes = [...weights.keys()].reduce((total, weight) => total + byteSize(buffers.get(weight)!), 0);
  const row = (label: string, text: string) => `  ${label.padEnd(9)} ${text}`;
  return [
    `kernels @${name}`,
    ...all
      .filter(({ origin }) => origin === 'input')
      .map((buffer) => row('input', typed(buffers, buffer.name))),
    row('weights', `${counted(weights.size, 'buffer')}, ${printBytes(bytes)}`),
    ...(constants.size > 0 ? [row('constants', counted(constants.size, 'buffer'))] : []),
    row('load', `${summary(load)}${load.length > 0 ? ', once' : ''}`),
    row('run', summary(run)),
    ...Object.entries(outputs).map(([key, buffer]) => row('output', `${key} = ${typed(buffers, buffer)}`)),
  ];
}

/** The whole program: a head, the kernels of the load phase, then those of a run. */
export function printKernels(program: KernelProgram): string {
  const { buffers, load, run } = program;
  const blocks = [
    programHead(program).join('\n'),
    ...printPhase('load', load, buffers),
    ...printPhase('run', run, buffers),
  ];
  return `${blocks.join('\n\n')}\n`;
}
