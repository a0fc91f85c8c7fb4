// Products added with one rounding: only on request, near the plain ones, and refused where the engine cannot.
import { setFlagsFromString } from 'node:v8';
import { beforeAll, describe, expect, it } from 'vitest';
import { wasmEngine } from '../../../src/api/engines/wasm.js';
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import { planKernels } from '../../../src/codegen/kernels/plan.js';
import { wasmProgram } from '../../../src/codegen/wasm/module.js';
import { wasmText } from '../../../src/codegen/wasm/text.js';
import { forward } from '../../../src/ir/forward.js';
import { convolutions, drawn } from './nets.js';

const program = convolutions(10, 20);
const x = drawn([1, 10, 10, 3], 3);

describe('fused multiply-add', () => {
  it('is written only on request', async () => {
    const plan = planKernels(fuse(program.graph, forward, 1));
    expect(await wasmText(wasmProgram(plan).bytes)).not.toContain('relaxed');
    expect(await wasmText(wasmProgram(plan, { fusedMultiplyAdd: true }).bytes)).toContain(
      'f32x4.relaxed_madd',
    );
  });
});

describe('an engine', () => {
  it('RELC4011: is told to be too old where it lacks relaxed SIMD', async ({ skip }) => {
    setFlagsFromString('--no-experimental-wasm-relaxed-simd');
    const { bytes } = wasmProgram(planKernels(fuse(program.graph, forward, 1)), { fusedMultiplyAdd: true });
    skip(WebAssembly.validate(bytes), 'this engine always has relaxed SIMD');
    await expect(wasmEngine(program, { fusedMultiplyAdd: true })).rejects.toThrow(/RELC4011/);
  });

  describe('with relaxed SIMD', () => {
    beforeAll(() => setFlagsFromString('--experimental-wasm-relaxed-simd'));

    it('gives what plain products give, to rounding', async () => {
      const [plain, fused] = await Promise.all(
        [false, true].map(async (fusedMultiplyAdd) => {
          const engine = await wasmEngine(program, { fusedMultiplyAdd, threads: 1 });
          const [outputs] = await engine.run({ x }, [{}]);
          engine.dispose();
          return outputs!.z!.data;
        }),
      );
      const largest = Math.max(...plain!.map(Math.abs));
      fused!.forEach((value, index) => {
        expect(Math.abs(value - plain![index]!)).toBeLessThanOrEqual(1e-5 * largest);
      });
    });
  });
});
