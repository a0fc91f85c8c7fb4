// A program on a machine: numbers in, numbers out, as many samples at a time as the module was made for.
import type { Machine, MachineLayout } from './machine.js';
import { type PanelShape, writePanels } from './panels.js';

export type Dtype = 'f32' | 'i32' | 'bool';
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;
/** The first extent may be a multiple of the number of samples: `N`, `2N`. */
export type PortShape = readonly (number | string)[];

/** An input by name, or an output by key, and where it lies in memory. */
export interface Port {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: PortShape;
  readonly address: number;
}

/** What is read from the file of weights. */
export interface WeightPlace {
  readonly key: string;
  readonly dtype: Dtype;
  /** Elements. */
  readonly size: number;
  readonly address: number;
  /** Of a matrix that lies in panels in memory; on file it is row-major. */
  readonly panels?: PanelShape;
}

export interface ProgramLayout extends MachineLayout {
  /** Samples of a run. */
  readonly batch: number;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly weights: readonly WeightPlace[];
}

/** How often the first extent has each sample; undefined where there is no batch. */
export function multipleOf([first]: PortShape): number | undefined {
  if (typeof first !== 'string') return undefined;
  return first === 'N' ? 1 : Number(first.slice(0, -1));
}

export function boundShape(shape: PortShape, samples: number): number[] {
  const multiple = multipleOf(shape);
  const [first, ...rest] = shape as number[];
  if (multiple !== undefined) return [multiple * samples, ...rest];
  return first === undefined ? [] : [first, ...rest];
}

/** Elements of one sample, or of all where there is no batch. */
export const elementsOf = (shape: PortShape): number =>
  boundShape(shape, 1).reduce((product, extent) => product * extent, 1);

/** The words of a buffer: truth is −1 there, so that it masks. */
function wordsOf(buffer: ArrayBufferLike, address: number, length: number, dtype: Dtype): Numbers {
  return dtype === 'f32'
    ? new Float32Array(buffer, address, length)
    : new Int32Array(buffer, address, length);
}

/** Writes numbers where the memory of a program has them. */
export function writeNumbers(
  machine: Machine,
  { address, dtype }: { readonly address: number; readonly dtype: Dtype },
  data: ArrayLike<number>,
): void {
  const words = wordsOf(machine.buffer, address, data.length, dtype);
  if (dtype === 'bool') {
    for (let index = 0; index < words.length; index++) words[index] = data[index] ? -1 : 0;
  } else words.set(data);
}

/** Writes a weight, or a part of one, where the program has it: bytes of the file from `offset` on. */
export function writeWeight(machine: Machine, place: WeightPlace, part: Uint8Array, offset: number): void {
  const { address, dtype, panels, size } = place;
  if (panels !== undefined) {
    writePanels(new Uint8Array(machine.buffer, address, 4 * size), part, offset, panels);
  } else if (dtype === 'bool') {
    writeNumbers(machine, { address: address + 4 * offset, dtype }, part);
  } else new Uint8Array(machine.buffer, address + offset, part.length).set(part);
}

/** Numbers by name. */
export type Feed = Readonly<Record<string, Numbers>>;

const allocated: Readonly<Record<Dtype, (length: number) => Numbers>> = {
  f32: (length) => new Float32Array(length),
  i32: (length) => new Int32Array(length),
  bool: (length) => new Uint8Array(length),
};

/** A loaded machine and what lies where in it. */
export interface LoadedProgram {
  readonly machine: Machine;
  readonly layout: ProgramLayout;
}

/** Elements that belong to the samples of one run: all where there is no batch. */
function partOf(shape: PortShape, first: number, batch: number): [begin: number, end: number] {
  const size = elementsOf(shape);
  return multipleOf(shape) === undefined ? [0, size] : [first * size, (first + batch) * size];
}

function writeInputs({ machine, layout }: LoadedProgram, first: number, feed: Feed): void {
  for (const port of layout.inputs) {
    const given = feed[port.name];
    if (given !== undefined) {
      writeNumbers(machine, port, given.subarray(...partOf(port.shape, first, layout.batch)));
    }
  }
}

function readOutputs({ machine, layout }: LoadedProgram, first: number, results: Feed): void {
  for (const { name, dtype, shape, address } of layout.outputs) {
    const [begin, end] = partOf(shape, first, layout.batch);
    const words = wordsOf(machine.buffer, address, end - begin, dtype);
    results[name]!.set(dtype === 'bool' ? words.map((word) => (word === 0 ? 0 : 1)) : words, begin);
  }
}

/**
 * Outputs by key for each of the values of some inputs. Only programs whose plan knows which inputs vary are run again
 * in part; all others, from the start.
 * @param samples  a multiple of the layout's batch; 1 where there is no batch
 * @throws ExplainerError RELC4002 where an index points outside
 */
export function runProgram(
  program: LoadedProgram,
  samples: number,
  inputs: Feed,
  varied: readonly Feed[],
): Record<string, Numbers>[] {
  const { machine, layout } = program;
  const results = varied.map(() =>
    Object.fromEntries(
      layout.outputs.map(({ name, dtype, shape }) => [
        name,
        allocated[dtype](elementsOf(shape) * (multipleOf(shape) === undefined ? 1 : samples)),
      ]),
    ),
  );
  for (let first = 0; first < samples; first += layout.batch) {
    writeInputs(program, first, inputs);
    for (const [index, values] of varied.entries()) {
      writeInputs(program, first, values);
      machine.run(index === 0 ? 'all' : 'varied');
      readOutputs(program, first, results[index]!);
    }
  }
  return results;
}
