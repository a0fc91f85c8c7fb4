// What a call throws, for tests of error messages.
import { expect } from 'vitest';
import { type ErrorCode, RelcError } from '../../../src/ir/error.js';

/** Calls what must throw a RelcError of a code, and returns its message. */
export function messageOf(call: () => unknown, code: ErrorCode = 'RELC5003'): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(RelcError);
    expect((error as RelcError).code).toBe(code);
    return (error as RelcError).message;
  }
  throw new Error('nothing was thrown');
}
