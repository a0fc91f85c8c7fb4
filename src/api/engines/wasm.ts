// The engine that runs programs as WebAssembly of our own, sample by sample.
import { fuse } from '../../codegen/kernels/fuse.js';
import { lowerForKernels } from '../../codegen/kernels/lower.js';
import { planKernels } from '../../codegen/kernels/plan.js';
import { wasmProgram } from '../../codegen/wasm/module.js';
import { programLayout } from '../../codegen/wasm/program-layout.js';
import { Machine } from '../../codegen/wasm/runtime/machine.js';
import {
  type Feed,
  type LoadedProgram,
  runProgram,
  writeWeight,
} from '../../codegen/wasm/runtime/program.js';
import { type Graph, type Name, nodesWithOp } from '../../ir/graph.js';
import { type Program, runPasses } from '../../ir/passes/pass.js';
import type { TensorData } from '../../ir/tensor.js';
import { batchMultiple, bindShape } from '../../ir/type.js';
import type { Engine, EngineOptions } from '../engine.js';
import { dialect } from '../pipeline.js';
import { asRelcError } from '../runtime-errors.js';

type Tensors = Readonly<Record<Name, TensorData>>;

/** The bytes of a weight, as a file has them: floats in single precision. */
function bytesOf({ data }: TensorData): Uint8Array {
  const stored = data instanceof Float64Array ? new Float32Array(data) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** Samples that inputs hold; 1 where nothing has a batch. */
function samplesOf(graph: Graph, feed: Tensors): number {
  for (const { name, type } of nodesWithOp(graph, 'input')) {
    const multiple = batchMultiple(type.shape[0] ?? 1);
    if (multiple !== undefined) return feed[name]!.shape[0]! / multiple;
  }
  return 1;
}

const numbersOf = (tensors: Tensors): Feed =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));

/** A module that is loaded, and what it was planned for. */
interface Loaded extends LoadedProgram {
  /** Whether what does not depend on the varied inputs can be left out. */
  readonly varied: boolean;
}

class WasmEngine implements Engine {
  private loaded: Loaded | undefined;

  constructor(
    private readonly program: Program,
    /** Whether an op mixes the samples of a batch: then a run takes them all. */
    private readonly mixes: boolean,
    private readonly options: EngineOptions,
  ) {}

  async run(inputs: Tensors, varied: readonly Tensors[]): Promise<Record<string, TensorData>[]> {
    const samples = samplesOf(this.program.graph, { ...inputs, ...varied[0] });
    try {
      const loaded = await this.loadedFor(this.mixes ? samples : 1, varied);
      const results = runProgram(loaded, samples, numbersOf(inputs), varied.map(numbersOf));
      return results.map((outputs) => this.tensors(outputs, samples));
    } catch (error) {
      throw asRelcError(error);
    }
  }

  /** Loads the module early. */
  async prepare(): Promise<this> {
    try {
      if (!this.mixes) await this.loadedFor(1, []);
    } catch (error) {
      throw asRelcError(error);
    }
    return this;
  }

  dispose(): void {
    this.loaded?.machine.dispose();
    this.loaded = undefined;
  }

  private async loadedFor(batch: number, varied: readonly Tensors[]): Promise<Loaded> {
    const known = this.loaded;
    if (known?.layout.batch === batch && (known.varied || varied.length <= 1)) return known;
    this.dispose();
    const { graph, weights } = this.program;
    const names = varied.length > 1 ? new Set(Object.keys(varied[0]!)) : undefined;
    const plan = planKernels(fuse(graph, dialect, batch), names === undefined ? {} : { varied: names });
    const wasm = wasmProgram(plan, this.options);
    const layout = programLayout(wasm, graph, batch);
    const machine = await Machine.start(wasm.bytes, layout, this.options.threads);
    for (const place of layout.weights) writeWeight(machine, place, bytesOf(weights.get(place.key)!), 0);
    machine.load();
    this.loaded = { machine, layout, varied: names !== undefined };
    return this.loaded;
  }

  private tensors(outputs: Feed, samples: number): Record<string, TensorData> {
    const { graph } = this.program;
    return Object.fromEntries(
      Object.entries(graph.outputs).map(([key, name]) => {
        const { dtype, shape } = graph.nodes.get(name)!.type;
        return [key, { dtype, shape: bindShape(shape, samples), data: outputs[key]! }];
      }),
    );
  }
}

/**
 * Makes a module of a program and loads its weights.
 * @throws RelcError RELC4001 (an op has no kernel), RELC4009 (memory that cannot be had), RELC4010 (threads that
 *   cannot be started)
 */
export async function wasmEngine(program: Program, options: EngineOptions = {}): Promise<Engine> {
  const lowered = runPasses(program, [lowerForKernels], dialect);
  const mixes = nodesWithOp(lowered.graph, 'batch_total').length > 0;
  return new WasmEngine(lowered, mixes, options).prepare();
}
