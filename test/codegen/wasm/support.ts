// What the tests of the WebAssembly target share: programs as modules in memory, run whole, in parts and out of order.
import { expect } from 'vitest';
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import type { Kernel, KernelProgram } from '../../../src/codegen/kernels/kernel.js';
import { lowerForKernels } from '../../../src/codegen/kernels/lower.js';
import { planKernels } from '../../../src/codegen/kernels/plan.js';
import { tableStart } from '../../../src/codegen/wasm/layout.js';
import { type WasmProgram, wasmProgram } from '../../../src/codegen/wasm/module.js';
import type { Inputs } from '../../../src/ir/evaluate.js';
import { type Graph, type Name, nodeOf, nodesWithOp } from '../../../src/ir/graph.js';
import { type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { allocate, type TensorData, type Weights } from '../../../src/ir/tensor.js';
import { batchMultiple, bindShape, type Dtype } from '../../../src/ir/type.js';
import { dialect, expectWithin, judgeOf } from '../support.js';

type Outputs = Record<string, TensorData>;

interface Exports {
  readonly run: (first: number, end: number) => void;
  readonly chunk: (step: number, chunk: number) => void;
  readonly scratch: { value: number };
}

/** Samples that inputs hold; 1 where nothing has a batch. */
export function batchOf(graph: Graph, inputs: Inputs): number {
  for (const { name, type } of nodesWithOp(graph, 'input')) {
    const multiple = batchMultiple(type.shape[0] ?? 1);
    if (multiple !== undefined) return inputs[name]!.shape[0]! / multiple;
  }
  return 1;
}

export function kernelsOf(program: Program, batch = 1): KernelProgram {
  return fuse(runPasses(program, [lowerForKernels], dialect).graph, dialect, batch);
}

/** Kernels of a run as `kind name`. */
export const namesOf = (kernels: readonly Kernel[]) => kernels.map(({ kind, name }) => `${kind} ${name}`);

/** A matrix as panels have it, [columns / 16][rows][16]. */
export function panelsOf({ data, shape }: TensorData): Float32Array {
  const columns = shape.at(-1)!;
  const rows = data.length / columns;
  return Float32Array.from({ length: data.length }, (_, index) => {
    const [panel, inPanel] = [Math.floor(index / (16 * rows)), index % (16 * rows)];
    return data[Math.floor(inPanel / 16) * columns + 16 * panel + (inPanel % 16)]!;
  });
}

/** A program in memory of its own. */
export class Loaded {
  readonly wasm: WasmProgram;
  private readonly lowered: Program;
  private readonly memory: WebAssembly.Memory;
  private readonly exports: Exports;

  constructor(
    private readonly program: Program,
    private readonly batch: number,
    varied?: ReadonlySet<Name>,
  ) {
    this.lowered = runPasses(program, [lowerForKernels], dialect);
    const kernels = fuse(this.lowered.graph, dialect, batch);
    this.wasm = wasmProgram(planKernels(kernels, varied === undefined ? {} : { varied }));
    const { pages } = this.wasm;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const module = new WebAssembly.Module(this.wasm.bytes);
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    this.exports = exports as unknown as Exports;
    this.exports.scratch.value = this.wasm.scratch.address;
    for (const [name, key] of this.wasm.plan.program.weights)
      this.writeWeight(name, this.lowered.weights.get(key)!);
    this.exports.run(0, this.wasm.steps.run);
  }

  run(inputs: Inputs, part: 'all' | 'varied' = 'all'): Outputs {
    this.writeAll(inputs);
    const { steps } = this.wasm;
    this.exports.run(part === 'all' ? steps.run : steps.varied, steps.end);
    return this.outputs();
  }

  /** Runs every step, but its chunks from the last to the first. */
  runBackwards(inputs: Inputs): Outputs {
    this.writeAll(inputs);
    for (let step = this.wasm.steps.run; step < this.wasm.steps.end; step++) {
      for (let chunk = this.chunksOf(step) - 1; chunk >= 0; chunk--) this.exports.chunk(step, chunk);
    }
    return this.outputs();
  }

  chunksOf(step: number): number {
    return new Int32Array(this.memory.buffer, tableStart, this.wasm.steps.end)[step]!;
  }

  /** The most chunks that a step of a run has. */
  get mostChunks(): number {
    const { run, end } = this.wasm.steps;
    return Math.max(...Array.from({ length: end - run }, (_, index) => this.chunksOf(run + index)));
  }

  /** Fills what runs share with NaN: nothing may depend on what an earlier run left there. */
  spoil(): void {
    const { plan, scratch, addressOf } = this.wasm;
    const inArena = [...plan.placements].filter(([, { region }]) => region === 'arena');
    const starts = inArena.map(([name, { offset }]) => addressOf(name) - offset);
    const words = (address: number, bytes: number) =>
      new Int32Array(this.memory.buffer, address, bytes / 4).fill(0x7fc00000);
    if (starts.length > 0) words(starts[0]!, plan.arenaBytes);
    words(scratch.address, scratch.bytes * scratch.threads);
  }

  /** Whether the scratch memory of all threads but the first is as {@link spoil} left it. */
  get isScratchOfOthersKept(): boolean {
    const { address, bytes, threads } = this.wasm.scratch;
    const others = new Int32Array(this.memory.buffer, address + bytes, (bytes * (threads - 1)) / 4);
    return others.every((word) => word === 0x7fc00000);
  }

  private words(name: Name, length: number, dtype: Dtype): Float32Array | Int32Array {
    const address = this.wasm.addressOf(name);
    return dtype === 'f32'
      ? new Float32Array(this.memory.buffer, address, length)
      : new Int32Array(this.memory.buffer, address, length);
  }

  private write(name: Name, { data, dtype }: TensorData): void {
    const values = dtype === 'bool' ? Array.from(data, (value) => (value === 0 ? 0 : -1)) : data;
    this.words(name, data.length, dtype).set(values);
  }

  private writeWeight(name: Name, weight: TensorData): void {
    const { inPanels } = this.wasm.plan.program.buffers.get(name)!;
    const laidOut = inPanels ? { ...weight, data: panelsOf(weight) } : weight;
    this.write(name, laidOut);
  }

  private writeAll(inputs: Inputs): void {
    for (const [name, data] of Object.entries(inputs)) this.write(name, data);
  }

  private outputs(): Outputs {
    return Object.fromEntries(
      Object.entries(this.program.graph.outputs).map(([key, name]) => {
        const { dtype, shape } = nodeOf(this.program.graph, name).type;
        const result = allocate(dtype, bindShape(shape, this.batch), 'f32');
        const buffer = this.wasm.plan.program.outputs[key]!;
        const words = this.words(buffer, result.data.length, dtype);
        result.data.set(dtype === 'bool' ? words.map((word) => Math.abs(word)) : words);
        return [key, result];
      }),
    );
  }
}

export interface RunOptions {
  readonly batch?: number;
  readonly varied?: ReadonlySet<Name>;
}

/** The outputs of a graph on the target. */
export function runOnWasm(
  graph: Graph,
  inputs: Inputs,
  weights: Weights,
  { batch = batchOf(graph, inputs), varied }: RunOptions = {},
): Outputs {
  return new Loaded({ graph, weights }, batch, varied).run(inputs);
}

/** Every output is right: |got − eval64| ≤ max(1e-5, 10·|eval32 − eval64|)·max|eval64|, and no NaN. */
export function expectAgreement(graph: Graph, inputs: Inputs, weights: Weights, outputs: Outputs): void {
  expect(Object.keys(outputs)).toEqual(Object.keys(graph.outputs));
  const judge = judgeOf({ graph, weights }, inputs);
  for (const [key, output] of Object.entries(outputs)) expectWithin(judge, output, key);
}

/** Equal to the last bit, whatever stands for NaN. */
export function expectSameBits(got: Outputs, wanted: Outputs): void {
  for (const [key, { data }] of Object.entries(wanted)) {
    const bad = data.findIndex((value, index) => !Object.is(value, got[key]!.data[index]));
    if (bad >= 0) expect.fail(`${key}[${bad}] is ${got[key]!.data[bad]}, expected ${data[bad]}`);
  }
}
