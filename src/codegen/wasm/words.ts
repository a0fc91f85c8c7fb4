// Copying and filling words of memory that lie side by side.
import type { FunctionBuilder } from './encoder/function.js';
import { type F32, f32, type I32, i32, i32x4, statement, v128 } from './encoder/instructions.js';
import { writeLanes } from './lanes.js';
import { advanced, bytesOf, nest, type Pointer } from './nest.js';

/** Words from which an instruction for all of them is faster than a loop over vectors. */
const manyWords = 128;

/** Runs `body` at every four of `count` words, and at what is left of them. */
function eachVector(
  f: FunctionBuilder,
  count: number,
  pointers: readonly Pointer[],
  body: (at: readonly Pointer[], lanes: number) => void,
): void {
  const whole = Math.floor(count / 4);
  const at = (vector: number) => pointers.map((pointer) => advanced(pointer, 4 * vector));
  if (whole <= 4) {
    for (let vector = 0; vector < whole; vector++) body(at(vector), 4);
  } else {
    nest(f, [{ extent: whole, strides: pointers.map(() => 4) }], pointers, (moving) => body(moving, 4));
  }
  if (count % 4 > 0) body(at(whole), count % 4);
}

const shifted = ({ base, bytes }: Pointer): I32 => (bytes === 0 ? base : i32.add(base, i32.const(bytes)));

/** target[i] = source[i] for `count` words. */
export function copyWords(f: FunctionBuilder, target: Pointer, source: Pointer, count: number): void {
  if (count >= manyWords) {
    f.emit(statement.copyMemory(shifted(target), shifted(source), i32.const(bytesOf(count))));
    return;
  }
  eachVector(f, count, [target, source], ([to, from], lanes) =>
    f.scoped(() => writeLanes(f, to!, 1, lanes, v128.load(from!.base, from!.bytes))),
  );
}

/** target[i] += source[i] for `count` words, by the instruction that adds vectors. */
export function addWords(
  f: FunctionBuilder,
  target: Pointer,
  source: Pointer,
  count: number,
  add: typeof i32x4.add,
): void {
  eachVector(f, count, [target, source], ([to, from], lanes) =>
    f.scoped(() => {
      const sum = add(v128.load(to!.base, to!.bytes), v128.load(from!.base, from!.bytes));
      writeLanes(f, to!, 1, lanes, sum);
    }),
  );
}

/** target[i] = the word, for `count` words. */
export function fillWords(f: FunctionBuilder, target: Pointer, word: number, count: number): void {
  const isBytes = word === 0 || word === -1;
  if (isBytes && count >= manyWords) {
    f.emit(statement.fillMemory(shifted(target), i32.const(word), i32.const(bytesOf(count))));
    return;
  }
  eachVector(f, count, [target], ([to], lanes) =>
    f.scoped(() => writeLanes(f, to!, 1, lanes, i32x4.const(word))),
  );
}

/** *address += value. */
export function addFloat(f: FunctionBuilder, { base, bytes }: Pointer, value: F32): void {
  f.emit(statement.storeF32(base, f32.add(f32.load(base, bytes), value), bytes));
}
