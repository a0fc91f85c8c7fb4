// Custom rules: plain functions on tensors, traced at each node that a composite gives them.
import * as tf from '@tensorflow/tfjs';
import { numberAttr } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { type Graph, type Node, printLoc } from '../ir/graph.js';
import type { Program } from '../ir/passes/pass.js';
import { isBatched, printType, sameType, type TensorType } from '../ir/type.js';
import { customRule, ruleInputTypes, ruleOutputs, type Site } from '../rules/custom.js';
import { namesOf, plainName, type RuleDefinition, type RuleTable, ruleTable } from '../rules/rules.js';
import { traceSubject } from '../trace/trace.js';

/** The op that a rule is applied to, as a composite sees it. */
export interface RuledOp {
  /** `mul`, `einsum`, `conv`, …: the ops of the printed graph. */
  readonly op: string;
  readonly attrs: Node['attrs'];
  /** The value's name. */
  readonly name: string;
  /** The path of its layer, where the model has layers. */
  readonly layer?: string;
}

/** The same, and what each operand is computed by: `{ name: 'broadcast_1', op: 'broadcast' }`. */
export interface RuledNode extends RuledOp {
  readonly operands: readonly { readonly name: string; readonly op: string }[];
}

/**
 * The formula of a rule: from what a node computed and the relevance R of its result to the relevances of its operands.
 * It is called on tensors without values, once for each of two batch sizes, for every node that it rules. Declared as a
 * method, so that parameters may be stated more narrowly: `tf.Tensor4D`.
 *
 * @param inputs  all operands of the node in order, weights and biases among them; nothing broadcasts implicitly, so
 *   both operands of a product have its shape
 * @param output  the node's result z
 * @param relevance  R, float32 of the shape of z
 * @returns one float32 tensor for each operand, of its shape, or null for those that receive nothing; or the one of
 *   operand 0 alone
 */
export type RelevanceFunction = {
  relevances(
    inputs: readonly tf.Tensor[],
    output: tf.Tensor,
    relevance: tf.Tensor,
    node: RuledNode,
  ): tf.Tensor | readonly (tf.Tensor | null | undefined)[];
}['relevances'];

/** From the same arguments to a float32 tensor whose elements sum, sample by sample, to what no operand receives. */
export type LossFunction = {
  lost(inputs: readonly tf.Tensor[], output: tf.Tensor, relevance: tf.Tensor, node: RuledNode): tf.Tensor;
}['lost'];

/** A rule as its formula alone, or with what else is known of it. */
export type CustomRule =
  | RelevanceFunction
  | {
      readonly relevances: RelevanceFunction;
      /** What it loses on purpose, for the report on conservation; without it the rule promises to lose nothing. */
      readonly lost?: LossFunction;
      /** One line for messages. */
      readonly summary?: string;
      /** Why the rule cannot be applied to an operand of an op, or undefined if it can. */
      readonly unsuited?: (node: RuledOp, operand: number) => string | undefined;
    };

/** Rules by the names that composites call them by. */
export type CustomRules = Readonly<Record<string, CustomRule>>;

type RuleParts = Exclude<CustomRule, RelevanceFunction>;

/** Captured tensors up to this many elements are written into the graph. */
const capturedElements = 4096;

const misfit = (detail: string, hint?: string, cause?: unknown) =>
  new RelcError('RELC3009', detail, hint, cause === undefined ? {} : { cause });

const sharedHint =
  'relevances are per sample: keep the batch in front, and return null for what all samples share, such as weights';

function ruledOp({ op, attrs, name, loc }: Node): RuledOp {
  return { op, attrs, name, ...(loc.layer === undefined ? {} : { layer: loc.layer }) };
}

const ruledNode = ({ node, operands }: Site): RuledNode => ({
  ...ruledOp(node),
  operands: operands.map(({ name, op }) => ({ name, op })),
});

/** Runs `action`, naming the rule and the node in what it throws. */
function blaming<Result>(rule: string, { node }: Site, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RelcError)) throw error;
    const place = printLoc(node.loc);
    const where = `custom rule '${rule}' on %${node.name} = ${node.op}${place === '' ? '' : ` (${place})`}`;
    const code = error.code.startsWith('RELC2') ? error.code : 'RELC3009';
    const hint = error.code === 'RELC1007' ? sharedHint : error.hint;
    throw new RelcError(code, `${where}: ${error.detail}`, hint, { cause: error.cause ?? error });
  }
}

/** Calls the user's function; what it throws of its own is said to be the rule's. @throws RelcError RELC2005, RELC3009 */
function called(tensors: readonly tf.Tensor[], action: () => unknown): unknown {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (error instanceof RelcError) throw error;
    const shapes = tensors.map((tensor) => `[${tensor.shape}]`).join(', ');
    const reason = error instanceof Error ? error.message : String(error);
    throw misfit(
      `it failed on inputs, output and relevance of shapes ${shapes}: ${reason}`,
      'run the rule on tensors of these shapes to see the same error',
      error,
    );
  }
  if (!(result instanceof Promise)) return result;
  result.catch(() => undefined);
  throw new RelcError('RELC2005', 'it returned a promise', 'make it a synchronous function of tensors');
}

/** What the rule handed to each operand, by the output's name. @throws RelcError RELC3009 */
function handedOut(result: unknown, { operands }: Site): Record<string, tf.Tensor> {
  if (result instanceof tf.Tensor) return { [ruleOutputs.relevance(0)]: result };
  if (!Array.isArray(result)) throw noTensor('it returned', result);
  if (result.length !== operands.length) {
    throw misfit(
      `it returned ${result.length} relevances for ${operands.length} operands`,
      'return one for each operand, null for those that receive nothing',
    );
  }
  const entries = result.flatMap((part: unknown, slot): [string, tf.Tensor][] => {
    if (part === null || part === undefined) return [];
    if (!(part instanceof tf.Tensor)) throw noTensor(`the relevance of operand ${slot} is`, part);
    return [[ruleOutputs.relevance(slot), part]];
  });
  return Object.fromEntries(entries);
}

function noTensor(what: string, value: unknown): RelcError {
  const got = typeof value === 'object' && value !== null ? 'an object' : String(value);
  return misfit(
    `${what} ${got}, expected a tensor`,
    'return a tensor, or a list with a tensor or null for each operand, made with the copy of @tensorflow/tfjs that relc uses',
  );
}

/** @throws RelcError RELC3009 where a relevance has not its operand's type */
function checkRelevances(graph: Graph, { operands }: Site): void {
  for (const [slot, operand] of operands.entries()) {
    const value = graph.outputs[ruleOutputs.relevance(slot)];
    if (value === undefined) continue;
    const wanted: TensorType = { dtype: 'f32', shape: operand.type.shape };
    const { type } = graph.nodes.get(value)!;
    if (sameType(type, wanted)) continue;
    throw misfit(
      `the relevance of operand ${slot} is ${printType(type)}, expected ${printType(wanted)}`,
      'sum over what was spread, and reshape to the shape of the operand',
    );
  }
}

/** @throws RelcError RELC3009 where what is lost cannot be summed sample by sample */
function checkLost(graph: Graph, { node }: Site): void {
  const { type } = graph.nodes.get(graph.outputs[ruleOutputs.lost]!)!;
  if (type.dtype === 'f32' && isBatched(type) === isBatched(node.type)) return;
  throw misfit(
    `what is lost is ${printType(type)}, expected f32 numbers for each sample of ${printType(node.type)}`,
    'return a tensor with the batch in front, such as one of the shape of the output',
  );
}

/** The graph with the tensors that the function captured written into it. @throws RelcError RELC3009 */
function withConstants({ graph, weights }: Program): Graph {
  const nodes = [...graph.nodes.values()].map((node): Node => {
    if (node.op !== 'param') return node;
    const key = node.attrs.key as string;
    const { data } = weights.get(key)!;
    if (data.length <= capturedElements) {
      return { ...node, op: 'constant', attrs: { value: Array.from(data, numberAttr) } };
    }
    throw misfit(
      `it captures "${key}", ${printType(node.type)}: ${data.length} elements, at most ${capturedElements} are written into a graph`,
      'the weights of the op are among the inputs: compute from those',
    );
  });
  return { ...graph, nodes: new Map(nodes.map((node) => [node.name, node])) };
}

/** Traces one function of a rule at the types of a node, with a symbolic batch where they have one. */
function traceAt(
  rule: string,
  site: Site,
  run: (inputs: readonly tf.Tensor[], output: tf.Tensor, relevance: tf.Tensor) => Record<string, tf.Tensor>,
): Graph {
  const program = traceSubject({
    name: `rule.${rule}`,
    inputs: ruleInputTypes(site),
    weightNames: new Map(),
    sites: true,
    run: (tensors) => run(tensors.slice(0, -2), tensors.at(-2)!, tensors.at(-1)!),
  });
  return withConstants(program);
}

function relevancesAt(rule: string, parts: RuleParts, site: Site): Graph {
  const graph = traceAt(rule, site, (...given) => {
    const result = called(given.flat(), () => parts.relevances(...given, ruledNode(site)));
    return handedOut(result, site);
  });
  checkRelevances(graph, site);
  return graph;
}

function lostAt(rule: string, lost: LossFunction, site: Site): Graph {
  const graph = traceAt(rule, site, (...given) => {
    const result = called(given.flat(), () => lost(...given, ruledNode(site)));
    if (!(result instanceof tf.Tensor)) throw noTensor('lost returned', result);
    return { [ruleOutputs.lost]: result };
  });
  checkLost(graph, site);
  return graph;
}

/** Each graph is traced once for a node: every operand's relevance is a part of it. */
function tracedOnce(rule: string, trace: (site: Site) => Graph): (site: Site) => Graph {
  const known = new Map<string, Graph>();
  return (site) => {
    const key = JSON.stringify([ruledNode(site), [...ruleInputTypes(site).values()]]);
    const graph = known.get(key) ?? blaming(rule, site, () => trace(site));
    known.set(key, graph);
    return graph;
  };
}

function definitionOf(name: string, rule: CustomRule): RuleDefinition {
  const parts: RuleParts = typeof rule === 'function' ? { relevances: rule } : rule;
  if (typeof parts !== 'object' || parts === null || typeof parts.relevances !== 'function') {
    throw misfit(
      `the custom rule '${name}' is neither a function nor an object with one called relevances`,
      'write it as (inputs, output, relevance) => [relevance of each operand]',
    );
  }
  const { lost, unsuited, summary } = parts;
  return customRule({
    summary: summary ?? 'a rule of one’s own',
    unsuited: (node, operand) => unsuited?.(ruledOp(node), operand),
    relevances: tracedOnce(name, (site) => relevancesAt(name, parts, site)),
    ...(lost === undefined ? {} : { lost: tracedOnce(name, (site) => lostAt(name, lost.bind(parts), site)) }),
  });
}

/** @throws RelcError RELC3009 */
function checkName(name: string, table: RuleTable): void {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) {
    throw misfit(`'${name}' cannot name a rule`, 'use letters, digits, _ and -');
  }
  const wanted = plainName(name);
  const known = Object.entries(table).find(([own, rule]) =>
    namesOf(own, rule).some((other) => plainName(other) === wanted),
  )?.[0];
  if (known === undefined) return;
  throw misfit(`the custom rule '${name}' has a name of the rule ${known}`, 'call it otherwise');
}

/**
 * relc's own rules and custom ones.
 * @throws RelcError RELC3009 where a name is taken or impossible, or something is no rule
 */
export function rulesWith(customRules: CustomRules): RuleTable {
  let table: RuleTable = ruleTable;
  for (const [name, rule] of Object.entries(customRules)) {
    checkName(name, table);
    table = { ...table, [name]: definitionOf(name, rule) };
  }
  return table;
}
