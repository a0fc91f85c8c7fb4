// What compiling takes, stage by stage, and how large the module is, for every preset of a network.
import { canonical, compileExplanation, dialect } from '../src/api/pipeline.js';
import { fuse } from '../src/codegen/kernels/fuse.js';
import { lowerForKernels } from '../src/codegen/kernels/lower.js';
import { planKernels } from '../src/codegen/kernels/plan.js';
import { wasmProgram } from '../src/codegen/wasm/module.js';
import type { Program } from '../src/index.js';
import { runPasses } from '../src/ir/passes/pass.js';
import { presetNamed } from '../src/rules/presets.js';

/** Milliseconds, and bytes of the module. */
export interface CompileMeasured {
  readonly rules: string;
  /** Constants into affine ops: batch norm is computed into weights here. */
  readonly canonicalize: number;
  /** Rules, their expansion, and every pass after it. */
  readonly relevance: number;
  /** Lowering, fusion and the plan of memory. */
  readonly kernels: number;
  readonly module: number;
  readonly moduleBytes: number;
}

function clock<Value>(action: () => Value): [Value, number] {
  const start = performance.now();
  const value = action();
  return [value, performance.now() - start];
}

/** Compiles a traced program, but loads no weights. */
export function measureCompiling(traced: Program, rules: string): CompileMeasured {
  const [forward, canonicalize] = clock(() => canonical(traced));
  const preset = presetNamed(rules);
  const [compiled, relevance] = clock(() =>
    compileExplanation(forward, { preset, seed: preset.seed, range: [-1, 1] }),
  );
  const [plan, kernels] = clock(() => {
    const { graph } = runPasses(compiled.program, [lowerForKernels], dialect);
    return planKernels(fuse(graph, dialect, 1));
  });
  const [{ bytes }, module] = clock(() => wasmProgram(plan));
  return { rules, canonicalize, relevance, kernels, module, moduleBytes: bytes.length };
}
