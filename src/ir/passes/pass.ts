// The pass runner: named pure functions on programs, verified after each.
import type { Dialect } from '../dialect.js';
import { RelcError } from '../error.js';
import type { Graph } from '../graph.js';
import { print } from '../print.js';
import type { Weights } from '../tensor.js';
import { verify } from '../verify.js';

/** A graph and the weights that its `param` nodes name. */
export interface Program {
  readonly graph: Graph;
  readonly weights: Weights;
}

export interface Pass {
  readonly name: string;
  /** One line for `--help` and the docs. */
  readonly summary: string;
  run(program: Program, dialect: Dialect): Program;
}

/** A pass that leaves the weights alone. */
export function graphPass(
  name: string,
  summary: string,
  run: (graph: Graph, dialect: Dialect) => Graph,
): Pass {
  return { name, summary, run: ({ graph, weights }, dialect) => ({ graph: run(graph, dialect), weights }) };
}

/** A pass that failed; `reproducer` is the text of the graph it was given. */
export class PassError extends RelcError {
  constructor(
    readonly pass: string,
    readonly reproducer: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      'RELC1010',
      `pass ${pass} failed: ${reason}\nthe graph it was given:\n${reproducer}`,
      'this is a defect of the compiler: the graph above reproduces it',
      { cause },
    );
  }
}

/**
 * Runs passes in order, verifying the graph after each.
 * @param observe  called after each pass with its name and result
 * @throws PassError where a pass throws anything but a RelcError of its own, or breaks an invariant
 */
export function runPasses(
  program: Program,
  passes: readonly Pass[],
  dialect: Dialect,
  observe?: (pass: Pass, program: Program) => void,
): Program {
  let current = program;
  for (const pass of passes) {
    const result = guarded(pass, current, dialect);
    observe?.(pass, result);
    current = result;
  }
  return current;
}

/** Codes with which a pass refuses the user's program; all else is the pass's own fault. */
const refusals = /^RELC([234]|100[78])/;

function guarded(pass: Pass, program: Program, dialect: Dialect): Program {
  try {
    const result = pass.run(program, dialect);
    verify(result.graph, dialect);
    return result;
  } catch (error) {
    if (error instanceof PassError) throw error;
    if (error instanceof RelcError && refusals.test(error.code)) throw error;
    throw new PassError(pass.name, print(program.graph), error);
  }
}
