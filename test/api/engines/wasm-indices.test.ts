// The WebAssembly engine where indices of an input point outside: an error, and none the next time.
import { describe, expect, it } from 'vitest';
import { wasmEngine } from '../../../src/api/engines/wasm.js';
import { dialect } from '../../../src/api/pipeline.js';
import { parse } from '../../../src/ir/parse.js';
import { tensor } from '../../../src/ir/tensor.js';

const text = `graph @net {
  %i = input() : i32[N,2]
  %w = param() {key="w"} : f32[5,3]
  %j = reshape(%i) : i32[2N]
  %e = gather(%w, %j) {axis=0} : f32[2N,3]
  return e=%e
}`;
const weights = new Map([
  [
    'w',
    tensor(
      [5, 3],
      Array.from({ length: 15 }, (_, index) => index),
    ),
  ],
]);

describe('an index that points outside', () => {
  it.each([5, -1, 2147483647])('%i is refused', async (index) => {
    const engine = await wasmEngine({ graph: parse(text, dialect), weights });
    const run = (last: number) => engine.run({ i: tensor([1, 2], [4, last], 'i32') }, [{}]);
    await expect(run(index)).rejects.toThrow(/RELC4002.*an index points outside/);
    const [outputs] = await run(1);
    expect([...outputs!.e!.data]).toEqual([12, 13, 14, 3, 4, 5]);
    engine.dispose();
  });
});
