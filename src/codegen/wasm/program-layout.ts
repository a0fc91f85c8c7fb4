// Where a module has its inputs, outputs and weights: what a loader of it is told.
import { type Graph, nodesWithOp } from '../../ir/graph.js';
import { byteSize } from '../kernels/plan.js';
import type { WasmProgram } from './module.js';
import type { ProgramLayout } from './runtime/program.js';

/**
 * The layout of a module.
 * @param graph  what the module was made from
 * @param batch  samples of a run
 */
export function programLayout(wasm: WasmProgram, graph: Graph, batch: number): ProgramLayout {
  const { pages, memoryFlag, steps, scratch, addressOf } = wasm;
  const { program } = wasm.plan;
  return {
    ...{ pages, memoryFlag, steps, scratch, batch },
    inputs: nodesWithOp(graph, 'input').map(({ name, type }) => ({
      ...{ name, ...type },
      address: addressOf(name),
    })),
    outputs: Object.entries(graph.outputs).map(([key, name]) => ({
      ...{ name: key, ...graph.nodes.get(name)!.type },
      address: addressOf(program.outputs[key]!),
    })),
    weights: [...program.weights].map(([name, key]) => {
      const buffer = program.buffers.get(name)!;
      const size = byteSize(buffer) / 4;
      const columns = buffer.shape.at(-1)!;
      const panels = buffer.inPanels ? { panels: { rows: size / columns, columns } } : {};
      return { key, dtype: buffer.dtype, size, address: addressOf(name), ...panels };
    }),
  };
}
