// What one kernel reads, computes and writes, as lines of text: prologue, sum, epilogue.
import type { Name } from '../../../ir/graph.js';
import { printType } from '../../../ir/type.js';
import { type Access, type Buffer, type ContractionKernel, type LoopKernel, storedShape } from '../kernel.js';
import { isPlain, type NamedLoop, namedLoops, printElement } from './access.js';
import { labelled } from './layout.js';
import { type ScalarLine, ScalarPrinter, usesOfScalars } from './scalars.js';

export type Buffers = ReadonlyMap<Name, Buffer>;

export const times = (extents: readonly number[]) => (extents.length === 0 ? '1' : extents.join('×'));

/** A buffer's name and type, and the shape of its panels where it lies in some. */
export function typed(buffers: Buffers, name: Name): string {
  const buffer = buffers.get(name)!;
  const panels = buffer.inPanels ? ` in panels [${storedShape(buffer)}]` : '';
  return `%${name} : ${printType(buffer)}${panels}`;
}

/** `m=112×112 n=64 k=3×3×3`, in the order in which the loops run. */
export function printLoops(kernel: LoopKernel | ContractionKernel): string {
  const groups: (readonly [string, readonly number[]])[] =
    kernel.kind === 'contraction'
      ? [
          ['b', kernel.batch],
          ['m', kernel.m],
          ['n', [kernel.n]],
          ['k', kernel.k],
        ]
      : [
          ['i', kernel.loops],
          ['k', kernel.reduced],
        ];
  const letters = kernel.kind === 'contraction' ? 'mnk' : 'i';
  return groups
    .map(([letter, extents]) => [letter, extents.filter((extent) => extent > 1)] as const)
    .filter(([letter, extents]) => extents.length > 0 || letters.includes(letter))
    .map(([letter, extents]) => `${letter}=${times(extents)}`)
    .join(' ');
}

/** The loops of a kernel by name: those around its stores, and those of its sum. */
function loopsByName(kernel: LoopKernel | ContractionKernel): { outer: NamedLoop[]; terms: NamedLoop[] } {
  if (kernel.kind === 'loops')
    return { outer: namedLoops('i', kernel.loops), terms: namedLoops('k', kernel.reduced) };
  const outer = [
    ...namedLoops('b', kernel.batch),
    ...namedLoops('m', kernel.m),
    ...namedLoops('n', [kernel.n]),
  ];
  return { outer, terms: namedLoops('k', kernel.k) };
}

/** What a kernel does before its stores: lines of a modified factor, and the sum or maximum itself. */
interface Reduction {
  readonly prologue: readonly ScalarLine[];
  readonly operator: 'sum' | 'max';
  readonly expression: string;
}

/** `{k0, k1}` */
const printNames = (terms: readonly NamedLoop[]) => {
  const names = terms.filter(({ extent }) => extent > 1).map(({ name }) => name);
  return names.length === 0 ? '' : `{${names.join(', ')}}`;
};

function contractionSum(kernel: ContractionKernel, buffers: Buffers): Reduction {
  const { batch, m, a, b } = kernel;
  const { outer, terms } = loopsByName(kernel);
  const element = (access: Access, loops: readonly NamedLoop[]) =>
    printElement(access, loops, storedShape(buffers.get(access.buffer)!));
  const loopsOfB = [...outer.slice(0, batch.length), ...terms, outer[batch.length + m.length]!];
  const left = element(a, [...outer.slice(0, -1), ...terms]);
  const operand = (index: number) => element(b.operands[index]!, loopsOfB);
  const printer = new ScalarPrinter(operand, usesOfScalars([b.value]), 'p');
  if (b.value.kind === 'apply') printer.name('b', b.value);
  const expression = `Σ${printNames(terms)} ${left} · ${printer.read(b.value)}`;
  return { prologue: printer.lines, operator: 'sum', expression };
}

function loopSum(kernel: LoopKernel, buffers: Buffers): Reduction | undefined {
  if (kernel.reduction === undefined) return undefined;
  const { operator, body } = kernel.reduction;
  const { outer, terms } = loopsByName(kernel);
  const operand = (index: number) => {
    const access = kernel.operands[index] as Access;
    return printElement(access, [...outer, ...terms], storedShape(buffers.get(access.buffer)!));
  };
  const factors = body.kind === 'apply' && body.fn === 'mul' ? body.args : [body];
  const printer = new ScalarPrinter(operand, usesOfScalars(factors), 'p');
  const product = factors.map((factor) => printer.read(factor)).join(' · ');
  const sign = operator === 'sum' ? 'Σ' : 'max';
  return { prologue: printer.lines, operator, expression: `${sign}${printNames(terms)} ${product}` };
}

/** The named values of a kernel and what its stores read besides, a line each. */
function bodyLines(kernel: LoopKernel | ContractionKernel, buffers: Buffers, result: string): ScalarLine[] {
  const { outer } = loopsByName(kernel);
  const operand = (index: number) => {
    const access = kernel.operands[index]!;
    if (access === 'result') return result;
    const { shape } = buffers.get(access.buffer)!;
    return isPlain(access, outer, shape) ? `%${access.buffer}` : printElement(access, outer, shape);
  };
  const printer = new ScalarPrinter(operand, usesOfScalars(kernel.stores.map(({ value }) => value)), 't');
  const stored = new Map(kernel.stores.map(({ access, value }) => [access.buffer, value]));
  for (const { name, scalar } of kernel.values) {
    printer.name(`%${name}`, scalar);
    stored.delete(name);
  }
  for (const [name, value] of stored) printer.name(`%${name}`, value);
  return printer.lines;
}

/** What a kernel writes: where its loops do not run over the whole buffer, also which elements. */
function written(kernel: LoopKernel | ContractionKernel, buffers: Buffers): string[] {
  const { outer } = loopsByName(kernel);
  return kernel.stores.map(({ access }) => {
    const buffer = buffers.get(access.buffer)!;
    if (isPlain(access, outer, buffer.shape)) return typed(buffers, access.buffer);
    return `${printElement(access, outer, buffer.shape)} : ${printType(buffer)}`;
  });
}

/** Columns that all labels take. */
const labelWidth = 'epilogue'.length;
export const indented = (label: string) => `  ${label.padEnd(labelWidth)}  `;

/** One value, behind a label where it is the first of its kind. */
const statement = (label: string, { name, expression }: ScalarLine) =>
  labelled(indented(label), `${name} = ${expression}`, 2);

/** What a kernel with loops does, in order: prologue, sum or maximum, the values made of it, and what is stored. */
export function fusedLines(kernel: LoopKernel | ContractionKernel, buffers: Buffers): string[] {
  const reduction =
    kernel.kind === 'contraction' ? contractionSum(kernel, buffers) : loopSum(kernel, buffers);
  let values = bodyLines(kernel, buffers, reduction?.operator ?? '');
  const lines: string[] = [];
  if (reduction !== undefined) {
    const { prologue, operator, expression } = reduction;
    for (const [index, line] of prologue.entries())
      lines.push(...statement(index === 0 ? 'prologue' : '', line));
    const [first] = values;
    const isNamed = first?.expression === operator;
    lines.push(...statement(operator, { name: isNamed ? first!.name : operator, expression }));
    if (isNamed) values = values.slice(1);
  }
  const label = reduction === undefined ? 'body' : 'epilogue';
  for (const [index, value] of values.entries()) lines.push(...statement(index === 0 ? label : '', value));
  return [...lines, ...labelled(indented('writes'), written(kernel, buffers).join(', '))];
}
