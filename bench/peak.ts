// The peak of 128-bit lanes: products and sums that stay in registers, as fast as one thread can.
import { FunctionBuilder } from '../src/codegen/wasm/encoder/function.js';
import { f32x4, i32, type Local, statement, v128 } from '../src/codegen/wasm/encoder/instructions.js';
import { encodeModule } from '../src/codegen/wasm/encoder/module.js';

/** Sums in flight: as many as registers hold beside the two factors, enough to hide how long an operation takes. */
const chains = 13;
const unrolled = 2;
const turns = 800_000;

/** 10⁹ operations of one call. */
export const peakWork = (chains * unrolled * turns * 4 * 2) / 1e9;

/** x ← x·a + b on every lane of every chain, many times: nothing is read or written. */
function peakLoop() {
  const f = new FunctionBuilder(['i32']);
  const [left] = f.parameters as [Local<'i32'>];
  const at = i32.const(0);
  const sums = Array.from({ length: chains }, (_, index) => f.hold(v128.load(at, 16 * index)));
  const factor = f.hold(f32x4.const(0.999));
  const term = f.hold(f32x4.const(0.001));
  f.repeat(() => {
    for (let turn = 0; turn < unrolled; turn++) {
      for (const sum of sums) f.set(sum, f32x4.add(f32x4.mul(sum, factor), term));
    }
    f.set(left, i32.sub(left, i32.const(1)));
    return left;
  });
  for (const [index, sum] of sums.entries()) f.emit(statement.storeV128(at, sum, 16 * index));
  return f.build();
}

/** A call that does the work of {@link peakWork}; compiled and warm. */
export async function peakAction(): Promise<() => Promise<void>> {
  const { bytes } = encodeModule({
    ...{ pages: 1, functions: [peakLoop()], exports: { peak: 0 }, globals: {}, data: [] },
  });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(bytes), { env: { memory } });
  const peak = exports.peak as (turns: number) => void;
  // The first calls run in the engine's baseline compiler
  for (let call = 0; call < 20; call++) peak(turns / 20);
  return async () => peak(turns);
}
