// The kernels of a compiled program at one batch size, and their plan: what loop-level targets start from, as text.
import { fuse } from '../codegen/kernels/fuse.js';
import { lowerForKernels } from '../codegen/kernels/lower.js';
import { planKernels } from '../codegen/kernels/plan.js';
import { printKernels } from '../codegen/kernels/print/kernels.js';
import { printPlan } from '../codegen/kernels/print/plan.js';
import { type Program, runPasses } from '../ir/passes/pass.js';
import { dialect } from './pipeline.js';

/** Stages behind those of graphs: they are printed, and no parser reads them. */
export const kernelStageNames = ['fuse', 'plan'] as const;
export type KernelStageName = (typeof kernelStageNames)[number];

/** Bytes that a program needs at one batch size, but for the scratch memory of threads. */
export interface MemoryUse {
  /** Weights, constants, and what is computed from them once. */
  readonly weightBytes: number;
  /** What all other buffers share. */
  readonly arenaBytes: number;
  /** The most that is alive at once: the arena cannot be smaller. */
  readonly liveBytes: number;
}

/** A program as kernels. */
export interface KernelListing {
  readonly memory: MemoryUse;
  /** The kernels (`fuse`), or the plan of steps and memory (`plan`), as `relc dump --after` prints them. */
  print(stage: KernelStageName): string;
}

/**
 * The kernels of a program at a batch size.
 * @throws RelcError RELC4001 (an op has no kernel)
 */
export function listKernels(program: Program, batch: number): KernelListing {
  const { graph } = runPasses(program, [lowerForKernels], dialect);
  const plan = planKernels(fuse(graph, dialect, batch));
  const { weightBytes, arenaBytes, liveBytes } = plan;
  const printers = { fuse: () => printKernels(plan.program), plan: () => printPlan(plan) };
  return { memory: { weightBytes, arenaBytes, liveBytes }, print: (stage) => printers[stage]() };
}
