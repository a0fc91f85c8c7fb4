// Bringing memory near: a panel is read once, quickly, before it is read over and over.
import type { FunctionBuilder } from './encoder/function.js';
import { type I32, i32, statement } from './encoder/instructions.js';
import { addressed, bytesOf, type Pointer } from './nest.js';

/** Elements of a cache line, and lines read at once. */
export const lineElements = 16;
const linesAtOnce = 4;

/**
 * Reads one word of every line of a panel, many at once: it comes into the near cache at the speed of memory, where the
 * first tile would wait for each line. What was read is written somewhere, or an engine would leave the reading out.
 */
export function touch(f: FunctionBuilder, panel: Pointer, elements: number, somewhere: I32): void {
  const turns = Math.floor(elements / (lineElements * linesAtOnce));
  f.scoped(() => {
    const [base, bytes] = addressed(panel);
    const line = f.hold(i32.add(base, i32.const(bytes)));
    const words = f.hold(i32.const(0));
    f.times(turns, () => {
      for (let number = 0; number < linesAtOnce; number++) {
        f.set(words, i32.or(words, i32.load(line, bytesOf(number * lineElements))));
      }
      f.increase(line, bytesOf(lineElements * linesAtOnce));
    });
    f.emit(statement.storeI32(somewhere, words));
  });
}
