// The engine that runs programs as WebAssembly of our own, sample by sample.
import { fuse } from '../../codegen/kernels/fuse.js';
import { lowerForKernels } from '../../codegen/kernels/lower.js';
import { planKernels } from '../../codegen/kernels/plan.js';
import { type WasmProgram, wasmProgram } from '../../codegen/wasm/module.js';
import { Machine } from '../../codegen/wasm/runtime/machine.js';
import { writePanels } from '../../codegen/wasm/runtime/panels.js';
import { RelcError } from '../../ir/error.js';
import { type Graph, type Name, nodesWithOp } from '../../ir/graph.js';
import { type Program, runPasses } from '../../ir/passes/pass.js';
import { allocate, type NumberArray, type TensorData } from '../../ir/tensor.js';
import {
  batchMultiple,
  bindShape,
  type Dtype,
  elementCount,
  isBatched,
  type TensorType,
} from '../../ir/type.js';
import type { Engine } from '../engine.js';
import { dialect } from '../pipeline.js';

type Feed = Readonly<Record<Name, TensorData>>;

/** Samples that inputs hold; 1 where nothing has a batch. */
function samplesOf(graph: Graph, feed: Feed): number {
  for (const { name, type } of nodesWithOp(graph, 'input')) {
    const multiple = batchMultiple(type.shape[0] ?? 1);
    if (multiple !== undefined) return feed[name]!.shape[0]! / multiple;
  }
  return 1;
}

/** The words of a buffer: bools are masks there. */
function wordsOf(buffer: ArrayBufferLike, address: number, length: number, dtype: Dtype): NumberArray {
  return dtype === 'f32'
    ? new Float32Array(buffer, address, length)
    : new Int32Array(buffer, address, length);
}

function write(words: NumberArray, data: ArrayLike<number>, dtype: Dtype): void {
  if (dtype === 'bool')
    for (let index = 0; index < words.length; index++) words[index] = data[index] ? -1 : 0;
  else words.set(data);
}

/** @throws RelcError RELC4002 where an index pointed outside of what it was to choose from */
function expectInside(machine: Machine): void {
  if (machine.failure() !== 0) {
    throw new RelcError('RELC4002', 'an index points outside of what it gathers from');
  }
}

/** A module that is loaded, and what it was planned for. */
interface Loaded {
  readonly wasm: WasmProgram;
  readonly machine: Machine;
  readonly batch: number;
  readonly varied: boolean;
}

class WasmEngine implements Engine {
  private loaded: Loaded | undefined;

  constructor(
    private readonly program: Program,
    /** Whether an op mixes the samples of a batch: then a run takes them all. */
    private readonly mixes: boolean,
  ) {}

  async run(inputs: Feed, varied: readonly Feed[]): Promise<Record<string, TensorData>[]> {
    const { graph } = this.program;
    const samples = samplesOf(graph, { ...inputs, ...varied[0] });
    const batch = this.mixes ? samples : 1;
    const { wasm, machine } = await this.machineFor(batch, varied);
    const results = varied.map(() => this.emptyOutputs(samples));
    for (let first = 0; first < samples; first += batch) {
      this.writeInputs({ wasm, machine, batch, first }, inputs);
      for (const [index, values] of varied.entries()) {
        this.writeInputs({ wasm, machine, batch, first }, values);
        machine.run(index === 0 ? 'all' : 'varied');
        expectInside(machine);
        this.readOutputs({ wasm, machine, batch, first }, results[index]!);
      }
    }
    return results;
  }

  /** Loads the module early. */
  async prepare(): Promise<this> {
    if (!this.mixes) await this.machineFor(1, []);
    return this;
  }

  dispose(): void {
    this.loaded?.machine.dispose();
    this.loaded = undefined;
  }

  private async machineFor(batch: number, varied: readonly Feed[]): Promise<Loaded> {
    const known = this.loaded;
    if (known?.batch === batch && (known.varied || varied.length <= 1)) return known;
    this.dispose();
    const names = varied.length > 1 ? new Set(Object.keys(varied[0]!)) : undefined;
    const kernels = fuse(this.program.graph, dialect, batch);
    const wasm = wasmProgram(planKernels(kernels, names === undefined ? {} : { varied: names }));
    const machine = await Machine.start(wasm.bytes, wasm);
    for (const [name, key] of wasm.plan.program.weights) {
      const { data, dtype, shape } = this.program.weights.get(key)!;
      const words = wordsOf(machine.buffer, wasm.addressOf(name), data.length, dtype);
      if (wasm.plan.program.buffers.get(name)!.inPanels) {
        const columns = shape.at(-1)!;
        const matrix = { first: 0, rows: data.length / columns, columns };
        writePanels(words as Float32Array, data as Float32Array, matrix);
      } else write(words, data, dtype);
    }
    machine.load();
    expectInside(machine);
    this.loaded = { wasm, machine, batch, varied: names !== undefined };
    return this.loaded;
  }

  private emptyOutputs(samples: number): Record<string, TensorData> {
    const { graph } = this.program;
    return Object.fromEntries(
      Object.entries(graph.outputs).map(([key, name]) => {
        const { dtype, shape } = graph.nodes.get(name)!.type;
        return [key, allocate(dtype, bindShape(shape, samples), 'f32')];
      }),
    );
  }

  /** Elements of the samples from `first` on: all of them where there is no batch. */
  private part(type: TensorType, { batch, first }: { batch: number; first: number }): [number, number] {
    const size = elementCount(type.shape);
    return isBatched(type) ? [first * size, (first + batch) * size] : [0, size];
  }

  private writeInputs(at: Turn, feed: Feed): void {
    for (const { name, type } of nodesWithOp(this.program.graph, 'input')) {
      if (feed[name] === undefined) continue;
      const [begin, end] = this.part(type, at);
      const words = wordsOf(at.machine.buffer, at.wasm.addressOf(name), end - begin, type.dtype);
      write(words, feed[name].data.subarray(begin, end), type.dtype);
    }
  }

  private readOutputs(at: Turn, results: Record<string, TensorData>): void {
    for (const [key, name] of Object.entries(this.program.graph.outputs)) {
      const { type } = this.program.graph.nodes.get(name)!;
      const [begin, end] = this.part(type, at);
      const address = at.wasm.addressOf(at.wasm.plan.program.outputs[key]!);
      const words = wordsOf(at.machine.buffer, address, end - begin, type.dtype);
      results[key]!.data.set(
        type.dtype === 'bool' ? words.map((word) => (word === 0 ? 0 : 1)) : words,
        begin,
      );
    }
  }
}

interface Turn {
  readonly wasm: WasmProgram;
  readonly machine: Machine;
  readonly batch: number;
  readonly first: number;
}

/**
 * Makes a module of a program and loads its weights.
 * @throws RelcError RELC4001 (an op has no kernel), RELC4009 (more memory than a module can have)
 */
export async function wasmEngine(program: Program): Promise<Engine> {
  const lowered = runPasses(program, [lowerForKernels], dialect);
  const mixes = nodesWithOp(lowered.graph, 'batch_total').length > 0;
  return new WasmEngine(lowered, mixes).prepare();
}
