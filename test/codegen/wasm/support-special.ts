// Runs graphs as WebAssembly beside the evaluator.
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import { lowerForKernels } from '../../../src/codegen/kernels/lower.js';
import { byteSize, planKernels } from '../../../src/codegen/kernels/plan.js';
import { control } from '../../../src/codegen/wasm/layout.js';
import { wasmProgram } from '../../../src/codegen/wasm/module.js';
import { forward } from '../../../src/ir/forward.js';
import type { Graph, Name } from '../../../src/ir/graph.js';
import { runPasses } from '../../../src/ir/passes/pass.js';
import { allocate, type NumberArray, type TensorData, type Weights } from '../../../src/ir/tensor.js';
import { bindShape, type Dtype } from '../../../src/ir/type.js';
import { panelsOf } from './support.js';

/** Outputs of a graph computed by its module, and the word that says whether an index pointed outside. */
export interface WasmRun {
  readonly outputs: Readonly<Record<string, TensorData>>;
  readonly failure: number;
  /** Chunks of each step. */
  readonly chunks: readonly number[];
}

const tableAddress = 256;

function wordsAt(buffer: ArrayBufferLike, address: number, length: number, dtype: Dtype): NumberArray {
  return dtype === 'f32'
    ? new Float32Array(buffer, address, length)
    : new Int32Array(buffer, address, length);
}

interface Exports {
  readonly scratch: { value: number };
  run(first: number, end: number): void;
}

/** The module of a graph, run once. Memory is full of what was there before: nothing may rest on its being zero. */
export function runOnWasm(
  graph: Graph,
  inputs: Readonly<Record<Name, TensorData>>,
  weights: Weights = new Map(),
  batch = 1,
): WasmRun {
  const lowered = runPasses({ graph, weights }, [lowerForKernels], forward);
  const program = wasmProgram(planKernels(fuse(lowered.graph, forward, batch)));
  const memory = new WebAssembly.Memory({ initial: program.pages, maximum: program.pages, shared: true });
  new Int32Array(memory.buffer).fill(0x40490fdb, program.scratch.address / 4);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(program.bytes), { env: { memory } });
  const exports = instance.exports as unknown as Exports;
  exports.scratch.value = program.scratch.address;
  const put = (name: Name, { data, dtype }: TensorData) => {
    const words = wordsAt(memory.buffer, program.addressOf(name), data.length, dtype);
    words.set(dtype === 'bool' ? Int32Array.from(data, (value) => -value) : data);
  };
  for (const name of program.plan.placements.keys()) dirty(memory.buffer, program, name);
  for (const [name, key] of program.plan.program.weights) {
    const weight = lowered.weights.get(key)!;
    const { inPanels } = program.plan.program.buffers.get(name)!;
    put(name, inPanels ? { ...weight, data: panelsOf(weight) } : weight);
  }
  for (const [name, data] of Object.entries(inputs)) put(name, data);
  const behind = () => wordsBehind(memory.buffer, program);
  const before = behind();
  exports.run(0, program.steps.end);
  if (before.join() !== behind().join()) throw new Error('a kernel wrote behind the end of its result');
  const outputs = Object.entries(graph.outputs).map(([key, name]): [string, TensorData] => {
    const { dtype, shape } = graph.nodes.get(name)!.type;
    const result = allocate(dtype, bindShape(shape, batch), 'f32');
    const address = program.addressOf(program.plan.program.outputs[key]!);
    const words = wordsAt(memory.buffer, address, result.data.length, dtype);
    result.data.set(dtype === 'bool' ? words.map((word) => -word) : words);
    return [key, result];
  });
  const word = (address: number) => new Int32Array(memory.buffer, address, 1)[0]!;
  const steps = Array.from({ length: program.steps.end }, (_, step) => word(tableAddress + 4 * step));
  return { outputs: Object.fromEntries(outputs), failure: word(control.failed), chunks: steps };
}

/** Fills a buffer that kernels write with numbers that are not zero. */
function dirty(buffer: ArrayBufferLike, program: ReturnType<typeof wasmProgram>, name: Name): void {
  if (program.plan.program.buffers.get(name)!.origin !== 'kernel') return;
  const { bytes } = program.plan.placements.get(name)!;
  new Int32Array(buffer, program.addressOf(name), bytes / 4).fill(0x40490fdb);
}

/** The words between the ends of outputs and what lies next. */
function wordsBehind(buffer: ArrayBufferLike, { plan, addressOf }: ReturnType<typeof wasmProgram>): number[] {
  return Object.values(plan.program.outputs).flatMap((name) => {
    const size = byteSize(plan.program.buffers.get(name)!);
    const { bytes } = plan.placements.get(name)!;
    return [...new Int32Array(buffer, addressOf(name) + size, (bytes - size) / 4)];
  });
}
