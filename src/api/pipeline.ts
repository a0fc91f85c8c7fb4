// The pipeline: every stage from a traced program to what a target runs, by name.
import { type Dialect, mergeDialects } from '../ir/dialect.js';
import { forward } from '../ir/forward.js';
import type { Graph, Name } from '../ir/graph.js';
import { canonicalize } from '../ir/passes/canonicalize/canonicalize.js';
import { commonSubexpressions } from '../ir/passes/common-subexpressions.js';
import { crop } from '../ir/passes/crop/crop.js';
import { deadCode } from '../ir/passes/dead-code.js';
import { decompose } from '../ir/passes/decompose.js';
import { foldConstants } from '../ir/passes/fold-constants.js';
import { joinSlices } from '../ir/passes/join-slices.js';
import { oneHot } from '../ir/passes/one-hot.js';
import { type Pass, type Program, runPasses } from '../ir/passes/pass.js';
import { shareBiasless } from '../ir/passes/share-biasless.js';
import { shareHalves } from '../ir/passes/share-halves.js';
import { simplify } from '../ir/passes/simplify.js';
import { type PrintOptions, print } from '../ir/print.js';
import type { Weights } from '../ir/tensor.js';
import type { Flow } from '../rules/account.js';
import { ruleGraphs } from '../rules/custom.js';
import { ruleDialect, ruleDialectOf } from '../rules/dialect.js';
import { expandBy } from '../rules/expand.js';
import { type ExplanationRequest, explain } from '../rules/explanation.js';
import { gradientFormBy } from '../rules/gradient-form.js';
import type { ChosenRule } from '../rules/relevance.js';
import { type RuleTable, ruleTable } from '../rules/rules.js';
import { specialize } from '../rules/specialize.js';

/** The ops of every stage. */
export const dialect = mergeDialects(forward, ruleDialect);

/** The same with the rules of another table. */
export const dialectWith = (rules: RuleTable): Dialect =>
  rules === ruleTable ? dialect : mergeDialects(forward, ruleDialectOf(rules));

/** Names of the stages, in order; `relevance` is the one with rule lines. */
export const stageNames = [
  'trace',
  'canonicalize',
  'relevance',
  'specialize',
  'gradient-form',
  'expand',
  'decompose',
  'simplify',
  'share-biasless',
  'share-halves',
  'one-hot',
  'join-slices',
  'common-subexpressions',
  'crop',
  'fold-constants',
  'dead-code',
] as const;
export type StageName = (typeof stageNames)[number];

const afterRelevance = (rules: RuleTable): readonly Pass[] => [
  specialize,
  gradientFormBy(rules),
  expandBy(rules),
  decompose,
  simplify,
  shareBiasless,
  shareHalves,
  oneHot,
  joinSlices,
  commonSubexpressions,
  crop,
  foldConstants,
  deadCode,
];

export interface Compiled {
  readonly program: Program;
  /** The graph after each stage. */
  readonly stages: ReadonlyMap<StageName, Graph>;
  readonly chosen: readonly ChosenRule[];
  /** The values that relevance is read at, by what they were asked for as. */
  readonly explained: ReadonlyMap<string, Name>;
  /** What relevance is accounted for by; undefined where none is propagated. */
  readonly flow: Flow | undefined;
  /** The rules that the rule lines of the stages name. */
  readonly rules: RuleTable;
  /** The weights of the stages before constants were folded. */
  readonly weights: Weights;
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
 * @throws RelcError RELC3001..RELC3009
 */
export function compileExplanation(
  { program, stages }: ReturnType<typeof canonical>,
  request: ExplanationRequest,
): Compiled {
  const { rules = ruleTable } = request;
  const ops = dialectWith(rules);
  const all = new Map(stages);
  const { graph, ...told } = explain(program.graph, ops, {
    ...request,
    weights: program.weights,
  });
  all.set('relevance', graph);
  const passes = afterRelevance(rules);
  const lowered = runPasses({ graph, weights: program.weights }, passes, ops, (pass, result) => {
    all.set(pass.name as StageName, result.graph);
  });
  return { ...told, program: lowered, stages: all, rules, weights: program.weights };
}

/**
 * The text of a stage: its graph, and after it the graph of each custom rule that stands in it as a rule line. Read it
 * again with `parseAll` and the dialect of the same rules.
 */
export function printStage(graph: Graph, rules: RuleTable, options: PrintOptions = {}): string {
  return [graph, ...ruleGraphs(graph, rules)].map((each) => print(each, options)).join('\n');
}
