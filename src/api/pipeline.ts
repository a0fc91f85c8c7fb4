// The pipeline: every stage from a traced program to what a target runs, by name.
import { mergeDialects } from '../ir/dialect.js';
import { forward } from '../ir/forward.js';
import type { Graph } from '../ir/graph.js';
import { canonicalize } from '../ir/passes/canonicalize/canonicalize.js';
import { commonSubexpressions } from '../ir/passes/common-subexpressions.js';
import { deadCode } from '../ir/passes/dead-code.js';
import { foldConstants } from '../ir/passes/fold-constants.js';
import { joinSlices } from '../ir/passes/join-slices.js';
import { oneHot } from '../ir/passes/one-hot.js';
import { type Pass, type Program, runPasses } from '../ir/passes/pass.js';
import { shareHalves } from '../ir/passes/share-halves.js';
import { simplify } from '../ir/passes/simplify.js';
import { ruleDialect } from '../rules/dialect.js';
import { expand } from '../rules/expand.js';
import { type ExplanationRequest, explain } from '../rules/explanation.js';
import type { ChosenRule } from '../rules/relevance.js';
import { specialize } from '../rules/specialize.js';

/** The ops of every stage. */
export const dialect = mergeDialects(forward, ruleDialect);

/** Names of the stages, in order; `relevance` is the one with rule lines. */
export const stageNames = [
  'trace',
  'canonicalize',
  'relevance',
  'specialize',
  'expand',
  'simplify',
  'share-halves',
  'one-hot',
  'join-slices',
  'common-subexpressions',
  'fold-constants',
  'dead-code',
] as const;
export type StageName = (typeof stageNames)[number];

const afterRelevance: readonly Pass[] = [
  specialize,
  expand,
  simplify,
  shareHalves,
  oneHot,
  joinSlices,
  commonSubexpressions,
  foldConstants,
  deadCode,
];

export interface Compiled {
  readonly program: Program;
  /** The graph after each stage. */
  readonly stages: ReadonlyMap<StageName, Graph>;
  readonly chosen: readonly ChosenRule[];
  readonly notes: readonly string[];
}

/** The forward half: from a trace to the canonical graph. */
export function canonical(traced: Program): { program: Program; stages: Map<StageName, Graph> } {
  const program = runPasses(traced, [canonicalize], dialect);
  return {
    program,
    stages: new Map([
      ['trace', traced.graph],
      ['canonicalize', program.graph],
    ]),
  };
}

/**
 * From a canonical forward program to one function of forward, seed and relevance.
 * @throws RelcError RELC3001..RELC3005
 */
export function compileExplanation(
  { program, stages }: ReturnType<typeof canonical>,
  request: ExplanationRequest,
): Compiled {
  const all = new Map(stages);
  const { graph, chosen, notes } = explain(program.graph, dialect, request);
  all.set('relevance', graph);
  const lowered = runPasses({ graph, weights: program.weights }, afterRelevance, dialect, (pass, result) => {
    all.set(pass.name as StageName, result.graph);
  });
  return { program: lowered, stages: all, chosen, notes };
}
