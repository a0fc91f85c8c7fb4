// Errors of the run-time, which emitted explainers carry without the compiler, as errors of the compiler.
import { ExplainerError } from '../codegen/wasm/runtime/error.js';
import { type ErrorCode, RelcError } from '../ir/error.js';

/** What was thrown, as a RelcError where it is of the run-time. */
export function asRelcError(error: unknown): unknown {
  if (!(error instanceof ExplainerError)) return error;
  const { code, detail, hint, cause } = error;
  return new RelcError(code as ErrorCode, detail, hint, cause === undefined ? undefined : { cause });
}

/** Calls what the run-time has. @throws RelcError in place of its errors */
export function onRuntime<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw asRelcError(error);
  }
}
