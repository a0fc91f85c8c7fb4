// The error of the run-time: emitted explainers carry this file, so it knows codes as text alone.

/** An error that a caller can act on. Codes are those of relc, listed in its docs/errors.md. */
export class ExplainerError extends Error {
  override readonly name = 'ExplainerError';

  constructor(
    /** Stable: `RELC4002` for a wrong input. */
    readonly code: string,
    /** Where, what was got, what was wanted and why. */
    readonly detail: string,
    /** What to do about it. */
    readonly hint?: string,
    options?: { cause: unknown },
  ) {
    super(`${code}: ${detail}${hint === undefined ? '' : `\n  help: ${hint}`}`, options);
  }
}
