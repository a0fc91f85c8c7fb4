// The one error class and the table of its stable codes.

/** Every code relc can fail with, and its title. The thousands digit is the part of the compiler that speaks. */
export const errorCodes = {
  // 1xxx: graphs and their text
  RELC1001: 'syntax error in a graph text',
  RELC1002: 'unknown op',
  RELC1003: 'wrong operands',
  RELC1004: 'wrong shape or dtype',
  RELC1005: 'wrong attribute',
  RELC1006: 'undefined or duplicate value name',
  RELC1007: 'the samples of a batch are mixed',
  RELC1008: 'no derivative',
  RELC1009: 'missing or wrong input or weight',
  RELC1010: 'a pass failed',
  // 2xxx: tracing a model
  RELC2001: 'unsupported kernel',
  RELC2002: 'the values of a traced tensor were read',
  RELC2003: 'a random op was traced',
  RELC2004: 'a variable was assigned while tracing',
  RELC2005: 'the model function is asynchronous',
  RELC2006: 'a shape depends on data',
  RELC2007: 'the program depends on the batch size',
  RELC2008: 'wrong input specification',
  RELC2009: 'the model returned something that is not a tensor',
  RELC2010: 'a model could not be loaded',
  RELC2011: 'the model failed while it was traced',
  // 3xxx: rules and relevance
  RELC3001: 'no rule for an op',
  RELC3002: 'a rule does not suit the op',
  RELC3003: 'unknown preset',
  RELC3004: 'wrong rule parameter',
  RELC3005: 'nothing to explain',
  RELC3006: 'unknown rule',
  RELC3007: 'wrong composite',
  RELC3008: 'unknown value',
  RELC3009: 'a custom rule does not fit',
  // 4xxx: targets and running
  RELC4001: 'an op has no spelling or kernel on the target',
  RELC4002: 'wrong input to an explainer',
  RELC4003: 'wrong target class',
  RELC4004: 'the explainer was disposed',
  RELC4005: 'the emitted module does not type-check',
  RELC4006: 'the result is not finite',
  RELC4007: 'wrong use of a driver, or an unknown target',
  RELC4008: 'relevance is unexplained',
  RELC4009: 'not enough memory',
  RELC4010: 'threads could not be started',
  RELC4011: 'the engine lacks an instruction',
  // 5xxx: the command, files and pictures
  RELC5001: 'wrong use of the command',
  RELC5002: 'a file could not be read or written',
  RELC5003: 'unreadable picture or array',
  RELC5004: 'wrong manifest',
  RELC5005: 'a needed package is missing',
  RELC5006: 'some of many inputs failed',
  RELC5007: 'the command was interrupted',
  RELC5008: 'unreadable tokenizer',
  RELC5009: 'a text does not fit the model',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error a user can act on: what, where, what was got and wanted, and what to do. */
export class RelcError extends Error {
  override readonly name = 'RelcError';

  /**
   * @param code  stable, listed in docs/errors.md
   * @param detail  where, what was got, what was wanted and why; one sentence or a few
   * @param hint  what to do about it
   */
  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(`${code}: ${detail}${hint === undefined ? '' : `\n  help: ${hint}`}`, options);
  }
}
