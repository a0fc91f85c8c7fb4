// The relevance pass: the backward loop that turns a forward graph into the graph of its relevance.
import { preprocessedValues } from '../ir/analyses/preprocessed.js';
import type { GraphBuilder } from '../ir/builder.js';
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { type Attrs, activeValues, type Name, type Node, printLoc } from '../ir/graph.js';
import { printType } from '../ir/type.js';
import {
  type Composite,
  type CompositeLine,
  chooseLine,
  kindOf,
  kinds,
  type Surroundings,
} from './composite.js';
import { rulePrefix } from './dialect.js';
import { affineOps } from './formulas/linear.js';
import { resolved } from './resolve.js';
import { type RuleDefinition, type RuleTable, ruleTable } from './rules.js';

export interface RelevanceRequest {
  /** Put before the names of relevances: `r.` or `g.`. */
  readonly prefix: string;
  readonly composite: Composite;
  /** The value that relevance starts at, and its relevance. */
  readonly seed: { readonly value: Name; readonly relevance: Name };
  /** The values that relevance is wanted at. */
  readonly wrt: readonly Name[];
  /** What the first layers are the first after; the values that relevance is wanted at if left out. */
  readonly inputs?: readonly Name[];
  /** Defaults to relc's own rules. */
  readonly rules?: RuleTable;
  /** The parameters of the rule that a line gives to a node; those of the line if left out. */
  readonly paramsFor?: (line: CompositeLine, node: Node) => Attrs;
}

/** Which line of the composite chose the rule of a node. */
export interface ChosenRule {
  readonly node: Name;
  readonly line: CompositeLine;
}

export interface RelevanceResult {
  /** The relevance of each value it reached. */
  readonly relevanceOf: ReadonlyMap<Name, Name>;
  readonly chosen: readonly ChosenRule[];
}

/** Affine ops from which `end` is reached through no other affine op. */
function lastLayers(nodes: ReadonlyMap<Name, Node>, end: Name | undefined): ReadonlySet<Name> {
  const last = new Set<Name>();
  const unmixed = new Set<Name>(end === undefined ? [] : [end]);
  for (const node of [...nodes.values()].reverse()) {
    if (!unmixed.has(node.name)) continue;
    if (affineOps.has(node.op)) last.add(node.name);
    else for (const arg of node.args) unmixed.add(arg);
  }
  return last;
}

/**
 * What composites may ask about the nodes of a forward graph.
 * @param explained  the values that first layers are the first after
 * @param end  the value that relevance starts at
 */
export function surroundingsOf(
  nodes: ReadonlyMap<Name, Node>,
  explained: readonly Name[],
  end?: Name,
): Surroundings {
  const active = activeValues({ nodes });
  const preprocessed = preprocessedValues({ nodes });
  const unmixed = new Set<Name>(explained);
  const first = new Set<Name>();
  const layers = new Map<Name, number>();
  for (const node of nodes.values()) {
    const activeArgs = node.args.filter((arg) => active.has(arg));
    const isLayer = affineOps.has(node.op) && activeArgs.length === 1 && active.has(node.args[0]!);
    if (isLayer) layers.set(node.name, layers.size);
    const fresh = activeArgs.some((arg) => unmixed.has(arg));
    if (!fresh) continue;
    if (affineOps.has(node.op)) first.add(node.name);
    else unmixed.add(node.name);
  }
  const traitsOf = (op: string) => forward[op as 'add']?.traits ?? {};
  return { active, preprocessed, first, last: lastLayers(nodes, end), layers, traitsOf };
}

/** Values between what is explained and the seed, in floating point: indices and conditions carry no relevance. */
function liveValues(nodes: ReadonlyMap<Name, Node>, request: RelevanceRequest): ReadonlySet<Name> {
  const dependent = new Set<Name>(request.wrt);
  for (const node of nodes.values()) {
    if (node.type.dtype === 'f32' && node.args.some((arg) => dependent.has(arg))) dependent.add(node.name);
  }
  const live = new Set<Name>();
  const wanted = new Set<Name>([request.seed.value]);
  for (const node of [...nodes.values()].reverse()) {
    if (!wanted.has(node.name) || !dependent.has(node.name)) continue;
    live.add(node.name);
    for (const arg of node.args) wanted.add(arg);
  }
  return live;
}

/** What the presets `attnlrp` and `cp-lrp` have rules for, and most others have none. */
const ofTransformers: ReadonlySet<string> = new Set(['softmax', 'product', 'normalization']);

function refuse(node: Node, around: Surroundings, table: RuleTable, detail: string): never {
  const place = printLoc(node.loc);
  const kind = kindOf(node, around);
  const serving = Object.entries(table)
    .filter(
      ([, rule]) =>
        !rule.stops && node.args.every((arg, slot) => !around.active.has(arg) || !rule.unsuited(node, slot)),
    )
    .map(([name]) => name);
  throw new RelcError(
    'RELC3001',
    `%${node.name} = ${node.op} : ${printType(node.type)}${place === '' ? '' : `  (${place})`}: ${detail}; it is of ${kind === 'other' ? 'no kind that a composite names' : `kind ${kind}: ${kinds[kind]}`}`,
    serving.length > 0
      ? `${ofTransformers.has(kind) ? 'for transformers use the preset attnlrp or cp-lrp; or ' : ''}add a line to the composite, such as ["${node.op}", {"op": "${node.op}"}, rule]; rules that would serve: ${serving.join(', ')}`
      : 'no rule serves this op: rewrite the model without it, or explain a value above it',
  );
}

function checkSuited(node: Node, operand: number, line: CompositeLine, table: RuleTable): void {
  const [name, , { rule }] = line;
  const reason = table[rule]!.unsuited(node, operand);
  if (reason === undefined) return;
  throw new RelcError(
    'RELC3002',
    `line '${name}' of the composite gives %${node.name} = ${node.op} the rule ${rule}, but ${reason}`,
    `match other ops with that line, or choose another rule for ${node.op}`,
  );
}

/** Collects what comes back to each value and names it. */
class Parts {
  private readonly parts = new Map<Name, Name[]>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly prefix: string,
    private readonly expected: ReadonlyMap<Name, number>,
  ) {}

  /** `r.h` where one user sends relevance to h, `r.h.z2` for the part from z2 where several do. */
  nameFor(value: Name, user: Name): Name {
    const single = (this.expected.get(value) ?? 0) <= 1;
    return single ? `${this.prefix}${value}` : `${this.prefix}${value}.${user}`;
  }

  give(value: Name, relevance: Name): void {
    const parts = this.parts.get(value);
    if (parts === undefined) this.parts.set(value, [relevance]);
    else parts.push(relevance);
  }

  /** The fan-out sum, its parts in the order in which they came back. */
  total(value: Name): Name | undefined {
    const parts = this.parts.get(value);
    if (parts === undefined || parts.length === 1) return parts?.[0];
    return this.builder.add('accumulate', parts, { name: `${this.prefix}${value}` });
  }
}

function expectedParts(
  live: ReadonlySet<Name>,
  nodes: ReadonlyMap<Name, Node>,
  seed: Name,
): Map<Name, number> {
  const expected = new Map<Name, number>([[seed, 1]]);
  for (const name of live) {
    for (const arg of nodes.get(name)!.args) {
      if (live.has(arg)) expected.set(arg, (expected.get(arg) ?? 0) + 1);
    }
  }
  return expected;
}

/**
 * Appends relevance to the forward graph in `builder`: nodes are visited in reverse; what came back to a value is
 * summed in one `accumulate`; the composite's rule is applied once for each operand that can carry relevance.
 * @throws RelcError RELC3001 where no line of the composite matches a node, RELC3002 where its rule does not suit,
 *   RELC3006 where there is no such rule
 */
export function relevance(builder: GraphBuilder, request: RelevanceRequest): RelevanceResult {
  const nodes = new Map(builder.nodes);
  const { paramsFor } = request;
  const table: RuleTable = request.rules ?? ruleTable;
  const composite = resolved(request.composite, table);
  const around = surroundingsOf(nodes, request.inputs ?? request.wrt, request.seed.value);
  const live = liveValues(nodes, request);
  const parts = new Parts(builder, request.prefix, expectedParts(live, nodes, request.seed.value));
  const relevanceOf = new Map<Name, Name>();
  const chosen: ChosenRule[] = [];
  parts.give(request.seed.value, request.seed.relevance);
  for (const name of [...live].sort(backwards(nodes))) {
    const node = nodes.get(name)!;
    const total = parts.total(name);
    if (total === undefined) continue;
    relevanceOf.set(name, total);
    const operands = node.args.flatMap((arg, slot) => (live.has(arg) ? [slot] : []));
    if (operands.length === 0) continue;
    const line =
      chooseLine(composite, node, around) ?? refuse(node, around, table, 'the composite has no rule for it');
    chosen.push({ node: name, line });
    for (const operand of operands) checkSuited(node, operand, line, table);
    const rule = table[line[2].rule]!;
    for (const operand of receiving(builder, node, operands, rule)) {
      const part = applyRule(builder, node, { operand, total, line, parts, paramsFor });
      if (!rule.stops) parts.give(node.args[operand]!, part);
    }
  }
  return { relevanceOf, chosen: chosen.reverse() };
}

/** The operands that a rule hands relevance to; where it is none, all are given their zeros: what is lost is seen. */
function receiving(
  builder: GraphBuilder,
  node: Node,
  operands: readonly number[],
  { receives }: RuleDefinition,
): readonly number[] {
  const fed = operands.filter((operand) => receives?.(builder, node, operand) ?? true);
  return fed.length > 0 ? fed : operands;
}

function backwards(nodes: ReadonlyMap<Name, Node>): (a: Name, b: Name) => number {
  const position = new Map([...nodes.keys()].map((name, index) => [name, index]));
  return (a, b) => position.get(b)! - position.get(a)!;
}

/** A rule handed to one operand. */
interface RuleApplication {
  readonly operand: number;
  /** R at the node. */
  readonly total: Name;
  readonly line: CompositeLine;
  readonly parts: Parts;
  readonly paramsFor: RelevanceRequest['paramsFor'];
}

function applyRule(
  builder: GraphBuilder,
  node: Node,
  { operand, total, line, parts, paramsFor }: RuleApplication,
): Name {
  const [, , { rule, params }] = line;
  builder.loc = node.loc;
  return builder.add(`${rulePrefix}${rule}`, [...node.args, node.name, total], {
    attrs: { ...(paramsFor?.(line, node) ?? params), of: node.op, to: operand },
    name: parts.nameFor(node.args[operand]!, node.name),
  });
}
